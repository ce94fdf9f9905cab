// SPDX-License-Identifier: Apache-2.0
#include "kernel/netlink.h"

#include <array>
#include <cerrno>
#include <exception>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>

#include "kernel/file.h"
#include "kernel/netlink_message.h"
#include "kernel/process.h"

namespace oci::kernel {

Result<RouteSocket> RouteSocket::open() {
    Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!socket)
        return fail_errno(errno, "socket NETLINK_ROUTE");
    return RouteSocket(std::move(socket));
}

Result<RouteSocket> RouteSocket::open_in(int network_namespace) {
    auto const own = TRY(openat(AT_FDCWD, "/proc/self/ns/net", O_RDONLY));
    TRY(setns(network_namespace, CLONE_NEWNET));
    auto socket = open();
    if (!setns(own.get(), CLONE_NEWNET))
        std::terminate(); // whatever came next would be done to the container's network
    return socket;
}

Result<std::vector<std::string>> RouteSocket::ask(NetlinkRequest const& request, std::string_view what) {
    auto const message = TRY(request.message());
    if (::send(socket_.get(), message.data(), message.size(), 0) < 0)
        return fail_errno(errno, "netlink: ", what);
    std::vector<std::string> answers;
    while (true) {
        // The kernel answers in the call that asks, in parts of at most 32 KiB.
        std::array<char, 65536> buffer{};
        ssize_t const size = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
        if (size < 0)
            return fail_errno(errno, "netlink: ", what);
        auto const datagram = std::string_view(buffer.data(), static_cast<std::size_t>(size));
        for (auto const& [type, content] : TRY(in_context(read_netlink(datagram), "netlink: ", what))) {
            if (type == NLMSG_DONE)
                return answers;
            if (type == NLMSG_ERROR) {
                auto const error = -read_as<nlmsgerr>(content).error;
                if (error != 0)
                    return fail_errno(error, "netlink: ", what);
                return answers;
            }
            answers.emplace_back(content);
        }
    }
}

Result<unsigned> RouteSocket::index_of(std::string const& name) {
    NetlinkRequest request(RTM_GETLINK, NLM_F_ACK, ifinfomsg{});
    request.text(IFLA_IFNAME, name);
    auto const answers = TRY(ask(request, concat("device ", name)));
    if (answers.empty())
        return fail_errno(ENODEV, "netlink: device ", name);
    return static_cast<unsigned>(read_as<ifinfomsg>(answers.front()).ifi_index);
}

Result<std::vector<unsigned>> RouteSocket::indexes() {
    std::vector<unsigned> indexes;
    for (auto const& answer : TRY(ask(NetlinkRequest(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{}), "list devices")))
        indexes.push_back(static_cast<unsigned>(read_as<ifinfomsg>(answer).ifi_index));
    return indexes;
}

Result<std::vector<NetworkAddress>> RouteSocket::addresses(unsigned index) {
    std::vector<NetworkAddress> addresses;
    for (auto const& answer : TRY(ask(NetlinkRequest(RTM_GETADDR, NLM_F_DUMP, ifaddrmsg{}), "list addresses"))) {
        auto const head = read_as<ifaddrmsg>(answer);
        if (head.ifa_index != index)
            continue;
        NetworkAddress address{head.ifa_family, head.ifa_prefixlen, head.ifa_scope, head.ifa_flags,
                               read_attributes(answer, sizeof head)};
        for (auto const& [type, value] : address.attributes)
            if (type == IFA_FLAGS) // the header has room for the first eight only
                address.flags = read_as<std::uint32_t>(value);
        addresses.push_back(std::move(address));
    }
    return addresses;
}

Result<void> RouteSocket::move(unsigned index, int network_namespace, std::string const& name, unsigned new_index) {
    ifinfomsg head{};
    head.ifi_index = static_cast<int>(index);
    NetlinkRequest request(RTM_NEWLINK, NLM_F_ACK, head);
    request.attribute(IFLA_NET_NS_FD, bytes_of(network_namespace));
    request.text(IFLA_IFNAME, name);
    request.attribute(IFLA_NEW_IFINDEX, bytes_of(new_index));
    TRY(ask(request, "move"));
    return {};
}

Result<void> RouteSocket::add_address(unsigned index, NetworkAddress const& address) {
    ifaddrmsg head{};
    head.ifa_family = address.family;
    head.ifa_prefixlen = address.prefix_length;
    head.ifa_scope = address.scope;
    head.ifa_index = index;
    NetlinkRequest request(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, head);
    for (auto const& [type, value] : address.attributes)
        if (type == IFA_ADDRESS || type == IFA_LOCAL || type == IFA_BROADCAST || type == IFA_RT_PRIORITY)
            request.attribute(type, value);
    request.attribute(IFA_FLAGS, bytes_of(address.flags));
    TRY(ask(request, "add address"));
    return {};
}

Result<void> RouteSocket::set_up(unsigned index) {
    ifinfomsg head{};
    head.ifi_index = static_cast<int>(index);
    head.ifi_flags = IFF_UP;
    head.ifi_change = IFF_UP;
    TRY(ask(NetlinkRequest(RTM_NEWLINK, NLM_F_ACK, head), "set up"));
    return {};
}

} // namespace oci::kernel
