// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <cerrno>
#include <cstdint>
#include <gtest/gtest.h>

namespace oci {
namespace {

TEST(Text, Concat) {
    EXPECT_EQ(concat(), "");
    EXPECT_EQ(concat("a", 'b', std::string("c"), -1, 18446744073709551615ULL), "abc-118446744073709551615");
}

TEST(Text, ErrnoTextIsLowerCase) {
    EXPECT_EQ(errno_text(EACCES), "permission denied");
    EXPECT_EQ(errno_text(ENOENT), "no such file or directory");
    EXPECT_EQ(errno_text(100000), "error 100000");
}

TEST(Text, ParseNumber) {
    EXPECT_EQ(parse_number<int>("-12"), -12);
    EXPECT_EQ(parse_number<unsigned>("4294967295"), 4294967295U);
    EXPECT_EQ(parse_number<unsigned>("755", 8), 0755U);
    for (auto const* const text : {"", " 1", "1 ", "+1", "1x", "0x1", "4294967296", "-1"})
        EXPECT_EQ(parse_number<std::uint32_t>(text), std::nullopt) << text;
}

TEST(Text, Split) {
    using List = std::vector<std::string_view>;
    EXPECT_EQ(split("ab,,c", ','), (List{"ab", "", "c"}));
    EXPECT_EQ(split("", ','), (List{""}));
    EXPECT_EQ(split(",", ','), (List{"", ""}));
}

TEST(Text, Join) {
    EXPECT_EQ(join({}, ","), "");
    EXPECT_EQ(join({"a"}, ","), "a");
    EXPECT_EQ(join({"a", "", "a"}, ", "), "a, , a");
}

TEST(Text, Trim) {
    EXPECT_EQ(trim(" \t a b\r\n"), "a b");
    EXPECT_EQ(trim(" \n"), "");
    EXPECT_EQ(trim(""), "");
}

TEST(Text, Octal) {
    EXPECT_EQ(octal(0755), "0755");
    EXPECT_EQ(octal(0), "0");
    EXPECT_EQ(octal(07), "07");
    EXPECT_EQ(octal(04000), "04000");
}

struct Quoted {
    std::string text;
    std::string json;
};

class JsonString : public testing::TestWithParam<Quoted> {};

TEST_P(JsonString, IsValid) {
    EXPECT_EQ(json_string(GetParam().text), GetParam().json);
}

INSTANTIATE_TEST_SUITE_P(
    Text, JsonString,
    testing::Values(Quoted{"", R"("")"}, Quoted{"a\"b\\c", R"("a\"b\\c")"}, Quoted{"a\nb\tc", R"("a\nb\tc")"},
                    Quoted{std::string("\0\x1b\x7f", 3), R"("\u0000\u001b\u007f")"},
                    Quoted{"h\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\xb3", "\"h\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\xb3\""}));

constexpr auto replaced = "\"\xef\xbf\xbd\"";

INSTANTIATE_TEST_SUITE_P(InvalidUtf8, JsonString,
                         testing::Values(Quoted{"\xff", replaced}, Quoted{"\xc3", replaced}, Quoted{"\x80", replaced},
                                         Quoted{"\xc0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
                                         Quoted{"\xe0\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
                                         Quoted{"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
                                         Quoted{"\xf5x", "\"\xef\xbf\xbdx\""},
                                         Quoted{"\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\""}));

TEST(Text, PrintableHidesControlCharacters) {
    EXPECT_EQ(printable("a\x1b[2J\n\x7f h\xc3\xa4"), "a\\x1b[2J\\x0a\\x7f h\xc3\xa4");
    EXPECT_EQ(printable("\xc2\x9b"
                        "2J \xe2\x80\x9b"),
              "\xc2\\x9b"
              "2J \xe2\x80\x9b");
}

TEST(Paths, Clean) {
    EXPECT_EQ(clean_path(""), "/");
    EXPECT_EQ(clean_path("/"), "/");
    EXPECT_EQ(clean_path("a/./b//c/"), "/a/b/c");
    EXPECT_EQ(clean_path("/a/../../b"), "/b");
    EXPECT_EQ(clean_path("/..."), "/...");
}

TEST(Paths, Absolute) {
    EXPECT_EQ(absolute_path("/base", "x/../y"), "/base/y");
    EXPECT_EQ(absolute_path("/base", "/x"), "/x");
    EXPECT_EQ(absolute_path("/base", ""), "/base");
    EXPECT_EQ(absolute_path("/", "x"), "/x");
}

TEST(Paths, Parts) {
    EXPECT_EQ(base_name("/a/b"), "b");
    EXPECT_EQ(base_name("/a/b/"), "b");
    EXPECT_EQ(base_name("b"), "b");
    EXPECT_EQ(base_name("/"), "");
    EXPECT_EQ(parent_path("/a/b"), "/a");
    EXPECT_EQ(parent_path("/a/b/"), "/a");
    EXPECT_EQ(parent_path("/b"), "/");
    EXPECT_EQ(parent_path("b"), ".");
}

TEST(Text, durations_as_go_writes_them) {
    using std::chrono::nanoseconds;
    EXPECT_EQ(nanoseconds(5'000'000'000), parse_duration("5s"));
    EXPECT_EQ(nanoseconds(90'000'000'000), parse_duration("1m30s"));
    EXPECT_EQ(nanoseconds(500'000'000), parse_duration("500ms"));
    EXPECT_EQ(nanoseconds(5'400'000'000'000), parse_duration("1.5h"));
    EXPECT_EQ(nanoseconds(500'000'000), parse_duration(".5s"));
    EXPECT_EQ(nanoseconds(1'002'003), parse_duration("1ms2us3ns"));
    EXPECT_EQ(nanoseconds(7000), parse_duration("7\u00b5s"));
    EXPECT_EQ(nanoseconds(7000), parse_duration("7\u03bcs"));
    EXPECT_EQ(nanoseconds(-2'000'000'000), parse_duration("-2s"));
    EXPECT_EQ(nanoseconds(2'000'000'000), parse_duration("+2s"));
    EXPECT_EQ(nanoseconds(0), parse_duration("0"));
    EXPECT_EQ(nanoseconds(0), parse_duration("-0s"));
    for (auto const* const text : {"", "5", "s", "-", "+", "1d", "5 s", " 5s", "5s ", "1m30", "1.2.3s", "1e3s", ".s",
                                   "--1s", "300000000h", "infs"})
        EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(Text, moments_as_go_prints_them) {
    EXPECT_EQ("1970-01-01T00:00:00Z", rfc3339_nano(0, 0));
    EXPECT_EQ("2024-02-29T23:59:59Z", rfc3339_nano(1709251199, 0));
    EXPECT_EQ("2026-11-22T05:31:44.5Z", rfc3339_nano(1795325504, 500000000));
    EXPECT_EQ("2026-11-22T05:31:44.000000001Z", rfc3339_nano(1795325504, 1));
    EXPECT_EQ("2026-11-22T05:31:44.12Z", rfc3339_nano(1795325504, 120000000));
}

} // namespace
TEST(IsBelow, comparesWholeNames) {
    EXPECT_TRUE(is_below("/a/b", "/a"));
    EXPECT_TRUE(is_below("/a", "/"));
    EXPECT_FALSE(is_below("/a", "/a"));
    EXPECT_FALSE(is_below("/", "/"));
    EXPECT_FALSE(is_below("/ab", "/a"));
    EXPECT_FALSE(is_below("/a", ""));
}

} // namespace oci
