// SPDX-License-Identifier: Apache-2.0
// A connection to D-Bus, just large enough to talk to systemd: calls, their replies, signals, each with a deadline.
//
// Why not libdbus: its client tells the server its own user id (SASL EXTERNAL, also in 1.14), which is the wrong one
// inside a user namespace, and there podman runs us; it may start other programs (autolaunch, unixexec), and aborts the
// process on what it takes for misuse. The protocol is small: D-Bus specification, "Authentication Protocol".
#pragma once

#include <deque>
#include <string>
#include <string_view>

#include "base/result.h"
#include "kernel/bus_message.h"
#include "kernel/fd.h"
#include "kernel/process.h"

namespace oci::kernel {

struct BusAddress {
    std::string path;    ///< of a Unix socket
    bool direct = false; ///< the other end is the called program itself (systemd's private socket), not a bus
    bool operator==(BusAddress const&) const = default;
};

/// The first Unix socket in a list of D-Bus addresses ("unix:path=/run/dbus/system_bus_socket;..."), "" where there is
/// none. Others (tcp, launched programs, abstract sockets) are never used.
std::string bus_socket_path(std::string_view addresses);

class Bus {
public:
    /// Connects and authenticates as who the kernel says we are (SCM_CREDENTIALS, SO_PEERCRED): no user id is sent.
    /// ENOENT, ECONNREFUSED: nobody is there. An owner in another pid namespace is refused: calls carry process ids.
    static Result<Bus> connect(BusAddress const& address, Deadline deadline);

    /// Gives the reply, which may be of type error. ETIMEDOUT when the deadline passes first.
    Result<BusMessage> call(BusCall call, Deadline deadline);
    /// A call whose reply nobody waits for.
    Result<void> tell(BusCall call, Deadline deadline);
    /// The next signal of that name, also one that came while a reply was waited for.
    Result<BusMessage> wait_for_signal(std::string_view member, Deadline deadline);

    bool direct() const { return direct_; }

private:
    Bus(Fd socket, bool direct)
        : socket_(std::move(socket))
        , direct_(direct) {}

    Result<std::uint32_t> send(BusCall call, WantReply reply, Deadline deadline);
    Result<BusMessage> receive(Deadline deadline);

    Fd socket_;
    bool direct_;
    std::uint32_t last_serial_ = 0;
    std::deque<BusMessage> signals_; ///< not asked for yet, the latest only
};

} // namespace oci::kernel
