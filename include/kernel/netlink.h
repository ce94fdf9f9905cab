// SPDX-License-Identifier: Apache-2.0
// Network devices and their addresses by rtnetlink(7).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "kernel/fd.h"

namespace oci::kernel {

class NetlinkRequest;

/// An address of a device as the kernel tells it.
struct NetworkAddress {
    std::uint8_t family = 0; ///< AF_INET or AF_INET6
    std::uint8_t prefix_length = 0;
    std::uint8_t scope = 0;                                        ///< RT_SCOPE_*
    std::uint32_t flags = 0;                                       ///< IFA_F_*
    std::vector<std::pair<std::uint16_t, std::string>> attributes; ///< IFA_* and its bytes
};

/// A socket of one network namespace: what is done through it is done there, wherever the caller is.
class RouteSocket {
public:
    /// Of the caller's namespace.
    static Result<RouteSocket> open();
    /// Of another one: the caller enters it for a moment, which takes CAP_SYS_ADMIN over it, setns(2). Ends the process
    /// if there is no way back.
    static Result<RouteSocket> open_in(int network_namespace);

    /// ENODEV: there is none of that name.
    Result<unsigned> index_of(std::string const& name);
    /// Indexes of all devices.
    Result<std::vector<unsigned>> indexes();
    Result<std::vector<NetworkAddress>> addresses(unsigned index);
    /// Gives the device away, with a new name and index there; "%d" in the name is a number that the kernel chooses.
    Result<void> move(unsigned index, int network_namespace, std::string const& name, unsigned new_index);
    Result<void> add_address(unsigned index, NetworkAddress const& address);
    Result<void> set_up(unsigned index);

private:
    explicit RouteSocket(Fd socket)
        : socket_(std::move(socket)) {}
    /// Sends, and gives every answer but the last, which says how it went.
    Result<std::vector<std::string>> ask(NetlinkRequest const& request, std::string_view what);

    Fd socket_;
};

} // namespace oci::kernel
