// SPDX-License-Identifier: Apache-2.0
// What oci-run and its finisher share: the messages on the wire and at the start gate, and the layout of the request.
//
// The request is one flat block in a sealed memfd: a RequestHeader, then records in the order in which the finisher
// does them, then a table of strings. A record is a Record and `words` 64-bit words: numbers, and strings as Text. So
// the order of the finisher's work is the plan's order and is written nowhere else. All numbers are in the machine's
// byte order: both programs are built together.
//
// The finisher is started as `oci-run init REQUEST WIRE GATE` with three descriptor numbers (GATE is -1 for exec).
// They, and the namespaces to join, lie above the descriptors that the container's process inherits (0..2 and the
// preserved ones after them); everything else that is open is closed by the finisher's first act.
//
// create: the finisher sends `turn` (ready); the runtime saves the state and hands the turn back together with it; the
// finisher sends `turn` once more (it has got it), closes the wire and waits at the gate for `start`. End of file at
// the gate then means that the program runs (execve closes the connection), unless `failed` came before.
//
// exec: the outer half joins the namespaces, starts the inner half as a child of the runtime, tells its pid by
// `process` and ends. The inner half says nothing before that. It does the other records (with or without a `turn`
// among them); end of file on the wire means that the program runs, unless `failed` came before. What comes after
// `process` comes from a process that the container may see: it is not trusted, and a second `process` is an error.
#pragma once

#include <cstdint>

namespace oci::finisher {

// ---- messages on the wire (SOCK_SEQPACKET): a MessageHeader and text behind it, without a final NUL

enum class MessageKind : std::uint32_t {
    turn = 1,    ///< it is the other side's turn; text: the state for hooks, when the runtime hands over; else empty.
                 ///< At the gate: the last word before execve(2).
    warning = 2, ///< text for the log
    failed = 3,  ///< text: what was being done and which call failed; errno_value: 0 or why. The sender exits with 1.
    start = 4,   ///< only at the gate: open it
    process = 5, ///< from the outer half of exec: text is the pid (decimal) of the child that goes on. No turn changes.
    listener = 6 ///< the seccomp listener comes along (SCM_RIGHTS), at the gate or, for exec, on the wire. Answered by
                 ///< `turn` when the agent has it; end of file instead ends the process.
};

struct MessageHeader {
    std::uint32_t kind;
    std::int32_t errno_value;
};

/// Longest text of a message (bytes): a state with all its annotations fits. What the finisher sends is far shorter.
inline constexpr std::uint32_t maximum_message = 4U << 20U;

// ---- the request

inline constexpr std::uint32_t request_magic = 0x4f434952; // "OCIR"
/// Longest request (bytes): more than the kernel takes as arguments and environment of a program.
inline constexpr std::uint32_t maximum_request = 64U << 20U;

/// A string in the table: offset from the start of the request; a NUL follows it, which `length` does not count.
struct Text {
    std::uint32_t offset;
    std::uint32_t length;
};

struct RequestHeader {
    std::uint32_t magic;
    std::uint32_t size;    ///< of the whole request
    std::uint32_t records; ///< number of them; `execute` is the last one (or, without a process, `wait_for_start`)
    std::uint32_t reserved;
};

/// After it `words` 64-bit words of arguments. A list is its count followed by its elements; a Text is one word.
struct Record {
    std::uint32_t kind; ///< RecordKind
    std::uint32_t words;
    Text description; ///< put before the text of a failure
};

enum class RecordKind : std::uint32_t {
    /// -- hands the turn to the runtime (message `turn`) and waits for it to come back; EOF ends the process.
    /// A text that comes back is kept as the state for hooks; descriptors (SCM_RIGHTS) for set_label.
    turn = 1,
    /// count, { CLONE_NEW* type, descriptor }..., terminal: setns(2) each in order, or, with the type 0, chroot(2) to
    /// the folder; then a child made with CLONE_PARENT goes on (only a child is in a pid namespace that was joined),
    /// this process sends message `process` and exits with 0. With `terminal` the child makes standard input its
    /// controlling terminal.
    join_namespaces = 2,
    /// name: KEYCTL_JOIN_SESSION_KEYRING; failures EDQUOT, ENOSYS, EPERM and EACCES only warn.
    join_keyring = 3,
    /// uid, gid, umask, own_streams, keep_groups, count, group...
    set_user = 4,
    /// bounding, effective, inheritable, permitted, ambient, keep_for_seccomp, count, { number, name }... for messages.
    /// What this process itself lacks is left out with a warning.
    set_capabilities = 5,
    /// --
    no_new_privileges = 6,
    /// path: chdir(2), then getcwd(2) must give a path inside the root. After EACCES it is tried again by
    /// `find_program`.
    change_directory = 7,
    /// -- completes the environment (HOME, LISTEN_PID), searches the name (first argument of `execute`) in its PATH,
    /// checks that it can be executed; remembers the path.
    find_program = 8,
    /// -- sends `turn`, closes the wire, accepts at the gate until a `start` message comes; answers go there from now
    /// on.
    wait_for_start = 9,
    /// kind name, count, { path, timeout in seconds or 0, has environment, argument count, argument..., variable count,
    /// variable... }
    run_hooks = 10,
    /// count, { resource, soft, hard, name for messages }...
    set_resource_limits = 11,
    /// preserved: all but 0..2+preserved is closed, or close-on-exec where the finisher itself still needs it.
    close_descriptors = 12,
    /// flags, instruction count, struct sock_filter as one word each. With SECCOMP_FILTER_FLAG_NEW_LISTENER the
    /// listener
    /// is sent (message `listener`).
    load_seccomp = 13,
    /// argument count, argument..., variable count, variable..., whether LISTEN_PID is added: the own number
    execute = 14,
    /// domain: personality(2)
    set_personality = 15,
    /// mode with its flags, count, { 64 bits of the node mask, the lowest first }...: set_mempolicy(2)
    set_memory_policy = 16,
    /// index of a descriptor that came with a turn, text: written with one write(2), and the file is closed
    set_label = 17
};

inline constexpr std::uint32_t last_record_kind = 17;

} // namespace oci::finisher
