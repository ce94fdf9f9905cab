// SPDX-License-Identifier: Apache-2.0
// Messages of netlink(7) as bytes: requests, answers and their attributes, rtnetlink(7). Pure.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace oci::kernel {

/// The bytes of a plain struct.
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

/// One message: the family's header, then attributes.
class NetlinkRequest {
public:
    /// `flags`: NLM_F_*, to which NLM_F_REQUEST is added.
    template <typename Header>
    NetlinkRequest(std::uint16_t type, unsigned flags, Header const& header)
        : NetlinkRequest(type, flags, bytes_of(header)) {}
    NetlinkRequest(std::uint16_t type, unsigned flags, std::string_view header);
    void attribute(std::uint16_t type, std::string_view value);
    /// With the NUL at its end.
    void text(std::uint16_t type, std::string const& value) { attribute(type, {value.c_str(), value.size() + 1}); }
    /// Error: a value is longer than the 16 bits of its length can say (cut, it would be read as attributes,
    /// CVE-2021-43784).
    Result<std::string> message() const;

private:
    void append(std::string_view part);

    std::uint16_t type_ = 0;
    unsigned flags_ = 0;
    bool too_long_ = false;
    std::string bytes_;
};

struct NetlinkMessage {
    std::uint16_t type = 0;
    std::string_view content; ///< points into what was read
    bool operator==(NetlinkMessage const&) const = default;
};
/// The messages of one datagram, in order. Error: a length that cannot be. Less than a header at the end is ignored.
Result<std::vector<NetlinkMessage>> read_netlink(std::string_view datagram);

using NetlinkAttributes = std::vector<std::pair<std::uint16_t, std::string>>;
/// The attributes behind the family's header of `header_size` bytes, up to the first that is malformed.
NetlinkAttributes read_attributes(std::string_view content, std::size_t header_size);

} // namespace oci::kernel
