// SPDX-License-Identifier: Apache-2.0
// The end: a seccomp filter, which may forbid everything but execve(2) and exit, and the program.
#include "process.h"

#include <cerrno>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wire.h"

namespace oci::finisher {

namespace {

/// Everything that a filter could forbid. For exec also: if oci-run was killed, nothing shall start any more.
void get_ready(Process& process) {
    if (process.ready_to_execute)
        return;
    if (process.program == nullptr)
        refuse("no `find_program`");
    if (process.gate < 0 && peer_is_gone(process.wire))
        leave(1);
    // So that `start` can tell the end of this process from execve(2), which close the connection alike.
    if (process.gate >= 0)
        send_message(MessageKind::turn, 0, {});
    reset_signals();
    process.ready_to_execute = true;
}

} // namespace

void load_seccomp(Arguments arguments, Process& process) {
    auto const flags = arguments.number32();
    auto const words = arguments.words(arguments.count());
    static_assert(sizeof(sock_filter) == sizeof(std::uint64_t));
    if (words.size() > BPF_MAXINSNS)
        refuse("the seccomp program is too long");
    get_ready(process);
    sock_fprog program{};
    program.len = static_cast<unsigned short>(words.size());
    program.filter = reinterpret_cast<sock_filter*>(const_cast<std::uint64_t*>(words.data()));
    if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) < 0)
        fail(errno, "seccomp SECCOMP_SET_MODE_FILTER");
}

void execute(Process& process) {
    get_ready(process);
    ::execve(process.program, const_cast<char**>(process.arguments), const_cast<char**>(process.environment));
    fail(errno, "execve ", process.program);
}

} // namespace oci::finisher
