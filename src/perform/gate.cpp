// SPDX-License-Identifier: Apache-2.0
#include "perform/gate.h"

#include <cerrno>

#include "base/trace.h"
#include "perform/turn.h"

namespace oci::perform {

namespace {

using Kind = StartAnswer::Kind;

/// The listener went with the execve, or with init; ECONNRESET: before it had accepted us.
bool nobody_waits(Error const& error) {
    return error.errno_value == ECONNREFUSED || error.errno_value == ENOENT || error.errno_value == ECONNRESET ||
           error.errno_value == EPIPE;
}

} // namespace

Result<StartAnswer> open_gate(state::ContainerDir const& directory, kernel::Deadline deadline,
                              SeccompAgent const& agent, pid_t init) {
    TraceSpan const span("open the start gate, until the program runs");
    auto const gate = directory.connect_gate();
    if (!gate)
        return nobody_waits(gate.error()) ? Result<StartAnswer>(StartAnswer{Kind::not_waiting, gate.error()})
                                          : Result<StartAnswer>(Failure(gate.error()));
    if (auto said = send_message(gate->get(), {finisher::MessageKind::start, 0, {}}); !said)
        return StartAnswer{Kind::not_waiting, said.error()};
    bool about_to_execute = false;
    while (true) {
        std::vector<kernel::Fd> descriptors;
        auto const message = receive_message(gate->get(), deadline, &descriptors);
        if (!message && nobody_waits(message.error()))
            return StartAnswer{Kind::not_waiting, message.error()};
        if (!message)
            return StartAnswer{Kind::failed, message.error()};
        if (!*message && about_to_execute)
            return StartAnswer{};
        if (!*message)
            return StartAnswer{Kind::failed, {"the container's first process ended before it ran the program", 0}};
        if ((*message)->kind == finisher::MessageKind::failed)
            return StartAnswer{Kind::failed, to_error(**message)};
        if ((*message)->kind == finisher::MessageKind::listener)
            if (auto passed = pass_listener(gate->get(), descriptors, agent, init); !passed)
                return StartAnswer{Kind::failed, passed.error()};
        about_to_execute = about_to_execute || (*message)->kind == finisher::MessageKind::turn;
    }
}

} // namespace oci::perform
