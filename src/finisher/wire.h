// SPDX-License-Identifier: Apache-2.0
// The one connection through which the finisher speaks: the wire to oci-run, after `start` the connection at the gate.
#pragma once

#include <string_view>

#include "finisher/protocol.h"
#include "line.h"

namespace oci::finisher {

/// Messages go to this socket from now on; -1: nobody listens.
void speak_to(int socket);
/// What is being done: put before the text of a failure.
void set_task(std::string_view description);

/// false: it could not be sent, or nobody listens.
bool send_message(MessageKind kind, int errno_value, std::string_view text);
/// Sends `failed` and exits with 1.
[[noreturn]] void send_failure(int errno_value, std::string_view text);
/// Sends `listener` with the descriptor and waits for the answer; false: the other side is gone.
bool pass_listener(int listener);
struct Descriptors {
    int list[3] = {-1, -1, -1}; ///< as many as there are labels
    std::size_t count = 0;
};
/// Hands the turn over and waits until it comes back; exits with 1 when that cannot happen any more.
/// The text that came with it stays valid until the end. Descriptors that came are put into `received`.
std::string_view exchange_turns(int wire, Descriptors& received);
/// Whether the other side of `socket` is gone.
bool peer_is_gone(int socket);
/// Ends the process, whatever a seccomp filter may say about it.
[[noreturn]] void leave(int code);

/// A failure of the current task: "<call> <object>", and the errno of the call (0: not from the kernel).
template <typename... Parts>
[[noreturn]] void fail(int errno_value, Parts const&... parts) {
    send_failure(errno_value, Line(parts...).view());
}

template <typename... Parts>
void warn(Parts const&... parts) {
    (void)send_message(MessageKind::warning, 0, Line(parts...).view());
}

/// The request is not one that oci-run makes.
[[noreturn]] inline void refuse(char const* what) {
    fail(0, "malformed request: ", what);
}

} // namespace oci::finisher
