// SPDX-License-Identifier: Apache-2.0
#include "base/protobuf.h"

namespace oci {

namespace {

enum WireType : unsigned { varint_type = 0, fixed64_type = 1, bytes_type = 2, fixed32_type = 5 };

constexpr unsigned type_bits = 3;
constexpr std::uint64_t largest_field = (1U << 29U) - 1;

/// Takes what it reads off the front of `rest`.
std::optional<std::uint64_t> take_varint(std::string_view& rest) {
    constexpr unsigned longest = 10; // bytes of 7 bits for 64
    std::uint64_t value = 0;
    for (unsigned i = 0; i < longest && i < rest.size(); ++i) {
        auto const byte = static_cast<unsigned char>(rest[i]);
        if (i == longest - 1 && byte > 1)
            return std::nullopt;
        value |= static_cast<std::uint64_t>(byte & 0x7fU) << (7 * i);
        if (byte < 0x80U) {
            rest.remove_prefix(i + 1);
            return value;
        }
    }
    return std::nullopt;
}

std::optional<std::string_view> take_bytes(std::string_view& rest, std::uint64_t count) {
    if (count > rest.size())
        return std::nullopt;
    auto const bytes = rest.substr(0, static_cast<std::size_t>(count));
    rest.remove_prefix(bytes.size());
    return bytes;
}

std::optional<std::uint64_t> take_fixed(std::string_view& rest, std::size_t size) {
    auto const bytes = take_bytes(rest, size);
    if (!bytes)
        return std::nullopt;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
        value |= static_cast<std::uint64_t>(static_cast<unsigned char>((*bytes)[i])) << (8 * i);
    return value;
}

std::optional<ProtobufField> take_field(std::string_view& rest) {
    auto const tag = take_varint(rest);
    if (!tag || (*tag >> type_bits) == 0 || (*tag >> type_bits) > largest_field)
        return std::nullopt;
    ProtobufField field;
    field.number = static_cast<unsigned>(*tag >> type_bits);
    std::optional<std::uint64_t> value;
    switch (*tag & ((1U << type_bits) - 1)) {
    case varint_type:
        value = take_varint(rest);
        break;
    case fixed64_type:
        value = take_fixed(rest, 8);
        break;
    case fixed32_type:
        value = take_fixed(rest, 4);
        break;
    case bytes_type: {
        auto const size = take_varint(rest);
        auto const bytes = size ? take_bytes(rest, *size) : std::nullopt;
        if (!bytes)
            return std::nullopt;
        field.bytes = *bytes;
        return field;
    }
    default: // groups are long out of use
        return std::nullopt;
    }
    if (!value)
        return std::nullopt;
    field.value = *value;
    return field;
}

} // namespace

void ProtobufWriter::varint(std::uint64_t value) {
    for (; value >= 0x80U; value >>= 7U)
        bytes_ += static_cast<char>(0x80U | (value & 0x7fU));
    bytes_ += static_cast<char>(value);
}

void ProtobufWriter::number(unsigned field, std::uint64_t value) {
    varint(static_cast<std::uint64_t>(field) << type_bits | varint_type);
    varint(value);
}

void ProtobufWriter::integer(unsigned field, std::int32_t value) {
    number(field, static_cast<std::uint64_t>(static_cast<std::int64_t>(value)));
}

void ProtobufWriter::text(unsigned field, std::string_view bytes) {
    varint(static_cast<std::uint64_t>(field) << type_bits | bytes_type);
    varint(bytes.size());
    bytes_ += bytes;
}

std::optional<std::vector<ProtobufField>> read_protobuf(std::string_view message) {
    std::vector<ProtobufField> fields;
    while (!message.empty()) {
        auto const field = take_field(message);
        if (!field)
            return std::nullopt;
        fields.push_back(*field);
    }
    return fields;
}

} // namespace oci
