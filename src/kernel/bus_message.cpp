// SPDX-License-Identifier: Apache-2.0
#include "kernel/bus_message.h"

#include <bit>
#include <cstring>

#include "base/variant.h"

namespace oci::kernel {

namespace {

static_assert(std::endian::native == std::endian::little || std::endian::native == std::endian::big);
/// What a sender of this machine writes first: all numbers follow in its own order.
constexpr char byte_order = std::endian::native == std::endian::little ? 'l' : 'B';
constexpr std::uint8_t protocol_version = 1;
constexpr std::uint8_t no_reply_expected = 1;
/// Far more than systemd ever answers us; the specification allows 128 MiB.
constexpr std::size_t most_bytes = 16U << 20U;

/// Numbers of header fields.
enum Field : std::uint8_t {
    path = 1,
    interface = 2,
    member = 3,
    error_name = 4,
    reply_serial = 5,
    destination = 6,
    sender = 7,
    signature = 8
};

// ---- writing

void align(std::string& out, std::size_t alignment) {
    out.resize((out.size() + alignment - 1) / alignment * alignment);
}

template <typename Number>
void put(std::string& out, Number number) {
    align(out, sizeof number);
    char bytes[sizeof number];
    std::memcpy(bytes, &number, sizeof number);
    out.append(bytes, sizeof number);
}

void put_text(std::string& out, std::string_view text) {
    put(out, static_cast<std::uint32_t>(text.size()));
    out.append(text);
    out += '\0';
}

void put_signature(std::string& out, std::string_view text) {
    out += static_cast<char>(text.size());
    out.append(text);
    out += '\0';
}

/// An array whose elements are aligned to `alignment`; its length leaves out the padding before the first.
template <typename Elements, typename Put>
void put_array(std::string& out, std::size_t alignment, Elements const& elements, Put put_element) {
    put(out, std::uint32_t{0});
    auto const length_at = out.size() - sizeof(std::uint32_t);
    align(out, alignment);
    auto const begin = out.size();
    for (auto const& element : elements)
        put_element(element);
    auto const length = static_cast<std::uint32_t>(out.size() - begin);
    std::memcpy(out.data() + length_at, &length, sizeof length);
}

void put_value(std::string& out, BusValue const& value) {
    std::visit(Overloaded{
                   [&](bool it) { put(out, std::uint32_t{it}); },
                   [&](std::string const& it) { put_text(out, it); },
                   [&](std::vector<std::string> const& it) {
                       put_array(out, 4, it, [&](auto const& text) { put_text(out, text); });
                   },
                   [&](std::vector<std::pair<std::string, std::string>> const& it) {
                       put_array(out, 8, it, [&](auto const& pair) {
                           align(out, 8);
                           put_text(out, pair.first);
                           put_text(out, pair.second);
                       });
                   },
                   [&]<typename Number>(std::vector<Number> const& it) {
                       put_array(out, sizeof(Number), it, [&](Number number) { put(out, number); });
                   },
                   [&](auto number) { put(out, number); },
               },
               value);
}

void put_field(std::string& out, Field field, char type, std::string_view text) {
    if (text.empty())
        return;
    align(out, 8);
    out += static_cast<char>(field);
    put_signature(out, {&type, 1});
    if (type == 'g')
        put_signature(out, text);
    else
        put_text(out, text);
}

// ---- reading: every length is checked against what is there

class Reader {
public:
    explicit Reader(std::string_view bytes)
        : bytes_(bytes) {}

    bool at_end() const { return position_ >= bytes_.size(); }
    std::size_t position() const { return position_; }

    Result<void> skip_to(std::size_t alignment) {
        position_ = (position_ + alignment - 1) / alignment * alignment;
        return position_ <= bytes_.size() ? Result<void>{} : cut_off();
    }
    template <typename Number>
    Result<Number> number() {
        TRY(skip_to(sizeof(Number)));
        Number value{};
        auto const raw = TRY(take(sizeof value));
        std::memcpy(&value, raw.data(), sizeof value);
        return value;
    }
    Result<std::string> text() { return with_end(TRY(number<std::uint32_t>())); }
    Result<std::string> type() { return with_end(TRY(number<std::uint8_t>())); }

private:
    static Failure cut_off() { return fail("malformed D-Bus message: it is cut off"); }
    Result<std::string_view> take(std::size_t size) {
        if (size > bytes_.size() - position_)
            return cut_off();
        auto const taken = bytes_.substr(position_, size);
        position_ += size;
        return taken;
    }
    Result<std::string> with_end(std::size_t size) {
        auto const taken = TRY(take(size + 1));
        return std::string(taken.substr(0, size));
    }

    std::string_view bytes_;
    std::size_t position_ = 0;
};

Result<void> read_field(Reader& reader, BusMessage& message) {
    TRY(reader.skip_to(8));
    auto const field = TRY(reader.number<std::uint8_t>());
    auto const type = TRY(reader.type());
    if (type == "u") {
        auto const number = TRY(reader.number<std::uint32_t>());
        if (field == reply_serial)
            message.reply_to = number;
        return {};
    }
    if (type != "s" && type != "o" && type != "g")
        return fail("malformed D-Bus message: a header field of type ", printable(type));
    auto text = TRY(type == "g" ? reader.type() : reader.text());
    switch (field) {
    case interface:
        message.interface = std::move(text);
        break;
    case member:
        message.member = std::move(text);
        break;
    case error_name:
        message.error_name = std::move(text);
        break;
    case sender:
        message.sender = std::move(text);
        break;
    case signature:
        message.signature = std::move(text);
        break;
    default: // fields that nobody here asks for, also those to come, are passed over, as the specification has it
        break;
    }
    return {};
}

Result<std::string> read_text(Reader& reader, std::string_view type) {
    if (type == "v") {
        auto const inner = TRY(reader.type());
        return inner == "v" ? fail("unexpected type in a D-Bus message") : read_text(reader, inner);
    }
    if (type == "u" || type == "b")
        return std::to_string(TRY(reader.number<std::uint32_t>()));
    if (type == "t")
        return std::to_string(TRY(reader.number<std::uint64_t>()));
    if (type == "s" || type == "o")
        return reader.text();
    return fail("unexpected type ", printable(type), " in a D-Bus message");
}

} // namespace

BusArguments& BusArguments::add(BusValue const& value) {
    put_value(bytes_, value);
    signature_ += bus_signature(value);
    return *this;
}

BusArguments& BusArguments::add_properties(std::span<BusProperty const> properties) {
    put_array(bytes_, 8, properties, [&](BusProperty const& property) {
        align(bytes_, 8);
        put_text(bytes_, property.name);
        put_signature(bytes_, bus_signature(property.value));
        put_value(bytes_, property.value);
    });
    signature_ += "a(sv)";
    return *this;
}

BusArguments& BusArguments::add_auxiliary_units() {
    put_array(bytes_, 8, std::span<BusProperty const>(), [](auto const&) {});
    signature_ += "a(sa(sv))";
    return *this;
}

std::string encode_call(BusCall const& call, std::uint32_t serial, WantReply reply) {
    std::string out;
    out += byte_order;
    out += static_cast<char>(BusMessage::Type::call);
    out += static_cast<char>(reply == WantReply::no ? no_reply_expected : 0);
    out += static_cast<char>(protocol_version);
    put(out, static_cast<std::uint32_t>(call.arguments.bytes().size()));
    put(out, serial);
    // The fields are one array of structures; put_field aligns each.
    put_array(out, 8, std::span(&call, 1), [&](BusCall const& it) {
        put_field(out, path, 'o', it.path);
        put_field(out, destination, 's', it.destination);
        put_field(out, interface, 's', it.interface);
        put_field(out, member, 's', it.member);
        put_field(out, signature, 'g', it.arguments.signature());
    });
    align(out, 8);
    return out + call.arguments.bytes();
}

Result<std::size_t> bus_message_size(std::string_view header) {
    if (header.size() < bus_header_size || header[0] != byte_order || header[3] != char{protocol_version})
        return fail("what came is not a D-Bus message");
    Reader reader(header.substr(4));
    std::size_t const body = TRY(reader.number<std::uint32_t>());
    TRY(reader.number<std::uint32_t>());
    std::size_t const fields = TRY(reader.number<std::uint32_t>());
    auto const size = bus_header_size + (fields + 7) / 8 * 8 + body;
    if (body > most_bytes || fields > most_bytes || size > most_bytes)
        return fail("a D-Bus message of ", size, " bytes is too large");
    return size;
}

Result<BusMessage> decode_message(std::string_view bytes) {
    auto const size = TRY(bus_message_size(bytes));
    if (bytes.size() != size)
        return fail("malformed D-Bus message: it is cut off");
    Reader reader(bytes);
    TRY(reader.number<std::uint8_t>());
    BusMessage message;
    message.type = static_cast<BusMessage::Type>(TRY(reader.number<std::uint8_t>()));
    TRY(reader.number<std::uint16_t>());
    TRY(reader.number<std::uint32_t>());
    message.serial = TRY(reader.number<std::uint32_t>());
    auto const fields = TRY(reader.number<std::uint32_t>());
    auto const end = reader.position() + fields;
    while (reader.position() < end)
        TRY(read_field(reader, message));
    TRY(reader.skip_to(8));
    message.body = bytes.substr(reader.position());
    return message;
}

Result<std::vector<std::string>> decode_texts(BusMessage const& message, std::size_t count) {
    Reader reader(message.body);
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < count; ++i) {
        if (i >= message.signature.size())
            return fail("a D-Bus message has ", i, " values, ", count, " were expected");
        texts.push_back(TRY(read_text(reader, std::string_view(message.signature).substr(i, 1))));
    }
    return texts;
}

} // namespace oci::kernel
