// SPDX-License-Identifier: Apache-2.0
// Messages of D-Bus as bytes (D-Bus specification, "Marshaling" and "Message Protocol"). Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bus_value.h"
#include "base/result.h"

namespace oci::kernel {

/// The arguments of a call, in order.
class BusArguments {
public:
    BusArguments& add(BusValue const& value);
    BusArguments& add_properties(std::span<BusProperty const> properties); ///< a(sv)
    BusArguments& add_auxiliary_units();                                   ///< a(sa(sv)), empty

    std::string const& bytes() const { return bytes_; }
    std::string const& signature() const { return signature_; }

private:
    std::string bytes_;
    std::string signature_;
};

struct BusCall {
    std::string destination; ///< left out where there is no bus between the two
    std::string path;
    std::string interface;
    std::string member;
    BusArguments arguments;
};

struct BusMessage {
    enum class Type : std::uint8_t { call = 1, reply = 2, error = 3, signal = 4 };
    Type type = Type::reply;
    std::uint32_t serial = 0;
    std::uint32_t reply_to = 0; ///< serial of the call
    std::string interface;
    std::string member;
    std::string sender;     ///< as the bus says; "" where there is none in between
    std::string error_name; ///< "org.freedesktop.systemd1.NoSuchUnit"
    std::string signature;
    std::string body;
};

enum class WantReply { no, yes };
std::string encode_call(BusCall const& call, std::uint32_t serial, WantReply reply);

inline constexpr std::size_t bus_header_size = 16; ///< enough to know a message's size
/// The size of the whole message from its first bus_header_size bytes. Errors: not D-Bus, other byte order, too large.
Result<std::size_t> bus_message_size(std::string_view header);
Result<BusMessage> decode_message(std::string_view bytes);

/// The first `count` values of a body that begins with numbers (u) and texts (s, o), as text; a variant (v) is its
/// content.
Result<std::vector<std::string>> decode_texts(BusMessage const& message, std::size_t count);

} // namespace oci::kernel
