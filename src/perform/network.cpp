// SPDX-License-Identifier: Apache-2.0
// Devices of the runtime's network namespace become the container's (config-linux.md#network-devices).
#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "base/text.h"
#include "kernel/file.h"
#include "kernel/netlink.h"
#include "perform/operations.h"

namespace oci::perform {

namespace {

/// "IFA_F_PERMANENT" and "RT_SCOPE_UNIVERSE", the specification says.
bool moves_along(kernel::NetworkAddress const& address) {
    return (address.flags & IFA_F_PERMANENT) != 0 && address.scope == RT_SCOPE_UNIVERSE;
}

/// Before anything is moved: the kernel would rename a device that came under another name, and leave it there if it
/// cannot.
Result<void> check_name_is_free(kernel::RouteSocket& inside, std::string const& name) {
    if (name.find('%') != std::string::npos)
        return {};
    auto const existing = inside.index_of(name);
    if (existing)
        return fail_errno(EEXIST, "the container has a device ", name, " already");
    return existing.error().errno_value == ENODEV ? Result<void>() : Failure(existing.error());
}

Result<unsigned> free_index(kernel::RouteSocket& inside, unsigned wanted) {
    auto const used = TRY(inside.indexes());
    if (std::ranges::find(used, wanted) == used.end())
        return wanted;
    return *std::ranges::max_element(used) + 1;
}

Result<void> move_device(steps::NetworkDevice const& device, kernel::RouteSocket& outside, kernel::RouteSocket& inside,
                         int network_namespace) {
    auto const index = TRY(outside.index_of(device.host_name));
    TRY(check_name_is_free(inside, device.container_name));
    auto const addresses = TRY(outside.addresses(index)); // a device loses them when it moves
    auto const new_index = TRY(free_index(inside, index));
    TRY(outside.move(index, network_namespace, device.container_name, new_index));
    for (auto address : addresses)
        if (moves_along(address)) {
            address.flags &= ~static_cast<std::uint32_t>(IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_SECONDARY);
            TRY(inside.add_address(new_index, address));
        }
    return inside.set_up(new_index);
}

} // namespace

Result<void> apply(steps::MoveNetworkDevices const& operation, Context& context) {
    auto const theirs = TRY(kernel::openat(AT_FDCWD, concat("/proc/", context.state.pid, "/ns/net"), O_RDONLY));
    auto outside = TRY(kernel::RouteSocket::open());
    auto inside = TRY(kernel::RouteSocket::open_in(theirs.get()));
    for (auto const& device : operation.devices)
        TRY(in_context(move_device(device, outside, inside, theirs.get()),
                       concat("/linux/netDevices/", device.host_name)));
    return {};
}

} // namespace oci::perform
