// SPDX-License-Identifier: Apache-2.0
// The wire format of protocol buffers (protobuf.dev/programming-guides/encoding), as much of it as criu's messages
// need: varints and length-delimited fields.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oci {

class ProtobufWriter {
public:
    void number(unsigned field, std::uint64_t value);
    /// int32: a negative one takes the 64-bit form.
    void integer(unsigned field, std::int32_t value);
    void flag(unsigned field, bool value) { number(field, value ? 1 : 0); }
    /// A text, or a message of its own.
    void text(unsigned field, std::string_view bytes);
    std::string const& bytes() const { return bytes_; }

private:
    void varint(std::uint64_t value);
    std::string bytes_;
};

struct ProtobufField {
    unsigned number = 0;
    std::uint64_t value = 0; ///< of a varint or a fixed number
    std::string_view bytes;  ///< of a text or message; points into what was read
    bool operator==(ProtobufField const&) const = default;
};

/// The fields in their order, unknown ones included; nullopt where the bytes are no message. Nested messages are read
/// by calling this with their bytes.
std::optional<std::vector<ProtobufField>> read_protobuf(std::string_view message);

} // namespace oci
