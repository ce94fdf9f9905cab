// SPDX-License-Identifier: Apache-2.0
#include "kernel/netlink_message.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

namespace oci::kernel {

namespace {

/// Removes `size` bytes and what aligns the next part.
void skip(std::string_view& bytes, std::size_t size) {
    bytes.remove_prefix(std::min<std::size_t>(NLMSG_ALIGN(size), bytes.size()));
}

} // namespace

NetlinkRequest::NetlinkRequest(std::uint16_t type, unsigned flags, std::string_view header)
    : type_(type)
    , flags_(flags | NLM_F_REQUEST)
    , bytes_(sizeof(nlmsghdr), '\0') {
    append(header);
}

void NetlinkRequest::attribute(std::uint16_t type, std::string_view value) {
    rtattr header{};
    if (value.size() > std::numeric_limits<decltype(header.rta_len)>::max() - sizeof header) {
        too_long_ = true;
        return;
    }
    header.rta_len = static_cast<std::uint16_t>(sizeof header + value.size());
    header.rta_type = type;
    bytes_ += bytes_of(header);
    append(value);
}

Result<std::string> NetlinkRequest::message() const {
    if (too_long_)
        return fail("netlink: a value does not fit into a message");
    nlmsghdr header{};
    header.nlmsg_len = static_cast<std::uint32_t>(bytes_.size());
    header.nlmsg_type = type_;
    header.nlmsg_flags = static_cast<std::uint16_t>(flags_);
    auto whole = bytes_;
    std::memcpy(whole.data(), &header, sizeof header);
    return whole;
}

void NetlinkRequest::append(std::string_view part) {
    bytes_ += part;
    bytes_.resize(NLMSG_ALIGN(bytes_.size()));
}

Result<std::vector<NetlinkMessage>> read_netlink(std::string_view datagram) {
    std::vector<NetlinkMessage> messages;
    while (datagram.size() >= sizeof(nlmsghdr)) {
        auto const header = read_as<nlmsghdr>(datagram);
        if (header.nlmsg_len < sizeof header || header.nlmsg_len > datagram.size())
            return fail("malformed answer");
        messages.push_back({header.nlmsg_type, datagram.substr(sizeof header, header.nlmsg_len - sizeof header)});
        skip(datagram, header.nlmsg_len);
    }
    return messages;
}

NetlinkAttributes read_attributes(std::string_view content, std::size_t header_size) {
    NetlinkAttributes attributes;
    skip(content, header_size);
    while (content.size() >= sizeof(rtattr)) {
        auto const header = read_as<rtattr>(content);
        if (header.rta_len < sizeof header || header.rta_len > content.size())
            break;
        attributes.emplace_back(header.rta_type, content.substr(sizeof header, header.rta_len - sizeof header));
        skip(content, header.rta_len);
    }
    return attributes;
}

} // namespace oci::kernel
