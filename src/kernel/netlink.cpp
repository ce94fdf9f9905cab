// SPDX-License-Identifier: Apache-2.0
#include "kernel/netlink.h"

#include <array>
#include <cerrno>
#include <cstring>
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
#include "kernel/process.h"

namespace oci::kernel {

namespace {

template <typename Value>
std::string_view bytes_of(Value const& value) {
    return {reinterpret_cast<char const*>(&value), sizeof value};
}

/// The plain struct at the beginning of `bytes`, or zeros if they are too short for it.
template <typename Value>
Value read_as(std::string_view bytes) {
    Value value{};
    if (bytes.size() >= sizeof value)
        std::memcpy(&value, bytes.data(), sizeof value);
    return value;
}

/// Removes `size` bytes and what aligns the next part.
void skip(std::string_view& bytes, std::size_t size) {
    bytes.remove_prefix(std::min<std::size_t>(NLMSG_ALIGN(size), bytes.size()));
}

std::vector<std::pair<std::uint16_t, std::string>> read_attributes(std::string_view bytes) {
    std::vector<std::pair<std::uint16_t, std::string>> attributes;
    while (bytes.size() >= sizeof(rtattr)) {
        auto const header = read_as<rtattr>(bytes);
        if (header.rta_len < sizeof header || header.rta_len > bytes.size())
            break;
        attributes.emplace_back(header.rta_type, bytes.substr(sizeof header, header.rta_len - sizeof header));
        skip(bytes, header.rta_len);
    }
    return attributes;
}

} // namespace

/// One message: the family's header, then attributes.
class RouteSocket::Request {
public:
    template <typename Header>
    Request(std::uint16_t type, unsigned flags, Header const& header)
        : bytes_(sizeof(nlmsghdr), '\0') {
        head_.nlmsg_type = type;
        head_.nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST);
        append(bytes_of(header));
    }
    void attribute(std::uint16_t type, std::string_view value) {
        rtattr header{};
        header.rta_len = static_cast<std::uint16_t>(sizeof header + value.size());
        header.rta_type = type;
        bytes_ += bytes_of(header);
        append(value);
    }
    void text(std::uint16_t type, std::string const& value) { attribute(type, {value.c_str(), value.size() + 1}); }
    std::string message() const {
        auto head = head_;
        head.nlmsg_len = static_cast<std::uint32_t>(bytes_.size());
        auto whole = bytes_;
        std::memcpy(whole.data(), &head, sizeof head);
        return whole;
    }

private:
    void append(std::string_view part) {
        bytes_ += part;
        bytes_.resize(NLMSG_ALIGN(bytes_.size()));
    }

    nlmsghdr head_{};
    std::string bytes_;
};

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

Result<std::vector<std::string>> RouteSocket::ask(Request const& request, std::string_view what) {
    auto const message = request.message();
    if (::send(socket_.get(), message.data(), message.size(), 0) < 0)
        return fail_errno(errno, "netlink: ", what);
    std::vector<std::string> answers;
    while (true) {
        // The kernel answers in the call that asks, in parts of at most 32 KiB.
        std::array<char, 65536> buffer{};
        ssize_t const size = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
        if (size < 0)
            return fail_errno(errno, "netlink: ", what);
        std::string_view rest(buffer.data(), static_cast<std::size_t>(size));
        while (rest.size() >= sizeof(nlmsghdr)) {
            auto const head = read_as<nlmsghdr>(rest);
            if (head.nlmsg_len < sizeof head || head.nlmsg_len > rest.size())
                return fail("netlink: ", what, ": malformed answer");
            auto const content = rest.substr(sizeof head, head.nlmsg_len - sizeof head);
            if (head.nlmsg_type == NLMSG_DONE)
                return answers;
            if (head.nlmsg_type == NLMSG_ERROR) {
                auto const error = -read_as<nlmsgerr>(content).error;
                if (error != 0)
                    return fail_errno(error, "netlink: ", what);
                return answers;
            }
            answers.emplace_back(content);
            skip(rest, head.nlmsg_len);
        }
    }
}

Result<unsigned> RouteSocket::index_of(std::string const& name) {
    Request request(RTM_GETLINK, NLM_F_ACK, ifinfomsg{});
    request.text(IFLA_IFNAME, name);
    auto const answers = TRY(ask(request, concat("device ", name)));
    if (answers.empty())
        return fail_errno(ENODEV, "netlink: device ", name);
    return static_cast<unsigned>(read_as<ifinfomsg>(answers.front()).ifi_index);
}

Result<std::vector<unsigned>> RouteSocket::indexes() {
    std::vector<unsigned> indexes;
    for (auto const& answer : TRY(ask(Request(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{}), "list devices")))
        indexes.push_back(static_cast<unsigned>(read_as<ifinfomsg>(answer).ifi_index));
    return indexes;
}

Result<std::vector<NetworkAddress>> RouteSocket::addresses(unsigned index) {
    std::vector<NetworkAddress> addresses;
    for (auto const& answer : TRY(ask(Request(RTM_GETADDR, NLM_F_DUMP, ifaddrmsg{}), "list addresses"))) {
        auto const head = read_as<ifaddrmsg>(answer);
        if (head.ifa_index != index)
            continue;
        std::string_view rest = answer;
        skip(rest, sizeof head);
        NetworkAddress address{head.ifa_family, head.ifa_prefixlen, head.ifa_scope, head.ifa_flags,
                               read_attributes(rest)};
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
    Request request(RTM_NEWLINK, NLM_F_ACK, head);
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
    Request request(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, head);
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
    TRY(ask(Request(RTM_NEWLINK, NLM_F_ACK, head), "set up"));
    return {};
}

} // namespace oci::kernel
