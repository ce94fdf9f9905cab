// SPDX-License-Identifier: Apache-2.0
// The wire format: the examples of its description, and bytes that are no message.
#include "base/protobuf.h"

#include <gtest/gtest.h>
#include <limits>

namespace oci {
namespace {

using namespace std::string_literals;

TEST(Protobuf, WritesWhatTheDescriptionSays) {
    ProtobufWriter number;
    number.number(1, 150);
    EXPECT_EQ(number.bytes(), "\x08\x96\x01");
    ProtobufWriter text;
    text.text(2, "testing");
    EXPECT_EQ(text.bytes(), "\x12\x07testing");
    ProtobufWriter negative;
    negative.integer(1, -2);
    EXPECT_EQ(negative.bytes(), "\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    ProtobufWriter zero;
    zero.flag(16, false);
    EXPECT_EQ(zero.bytes(), "\x80\x01\x00"s);
}

TEST(Protobuf, ReadsWhatWasWritten) {
    ProtobufWriter out;
    out.number(1, 0);
    out.number(65, std::numeric_limits<std::uint64_t>::max());
    out.text(3, "");
    out.text((1U << 29U) - 1, "a\0b"s);
    out.integer(4, std::numeric_limits<std::int32_t>::min());
    auto const fields = read_protobuf(out.bytes());
    ASSERT_TRUE(fields);
    std::vector<ProtobufField> const expected{
        {1, 0, {}},
        {65, std::numeric_limits<std::uint64_t>::max(), {}},
        {3, 0, ""},
        {(1U << 29U) - 1, 0, "a\0b"s},
        {4, static_cast<std::uint64_t>(std::int64_t{std::numeric_limits<std::int32_t>::min()}), {}}};
    EXPECT_EQ(*fields, expected);
}

TEST(Protobuf, ReadsFixedNumbersAndNothing) {
    EXPECT_EQ(read_protobuf("\x09\x01\x00\x00\x00\x00\x00\x00\x80\x15\x02\x00\x00\x00"s),
              (std::vector<ProtobufField>{{1, 0x8000000000000001U, {}}, {2, 2, {}}}));
    EXPECT_EQ(read_protobuf(""), std::vector<ProtobufField>{});
}

TEST(Protobuf, RefusesWhatIsNoMessage) {
    auto const refused = {
        "\x08"s,                                             // a number without value
        "\x08\x96"s,                                         // that goes on
        "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"s,     // beyond 64 bits
        "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s, // longer than any
        "\x12\x08testing"s,                                  // a text that is shorter than it says
        "\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x"s,
        "\x12"s,
        "\x00\x01"s,             // field 0
        "\x80\x80\x80\x80\x10"s, // a field number that is too large
        "\x0b\x0c"s,             // groups
        "\x0e\x01"s,
        "\x0f\x01"s,
        "\x09\x01\x02"s, // half a fixed number
        "\x15\x01\x02\x03"s,
    };
    for (auto const& bytes : refused)
        EXPECT_FALSE(read_protobuf(bytes)) << testing::PrintToString(bytes);
}

TEST(Protobuf, EveryBeginningIsReadOrRefused) {
    ProtobufWriter inner;
    inner.text(1, "post-restore");
    inner.integer(2, 4711);
    ProtobufWriter out;
    out.number(1, 6);
    out.text(5, inner.bytes());
    for (std::size_t size = 0; size < out.bytes().size(); ++size)
        for (int flipped = 0; flipped < 256; ++flipped) {
            auto bytes = out.bytes().substr(0, size) + static_cast<char>(flipped);
            for (auto const& field : read_protobuf(bytes).value_or(std::vector<ProtobufField>()))
                EXPECT_LE(field.bytes.size(), bytes.size());
        }
}

} // namespace
} // namespace oci
