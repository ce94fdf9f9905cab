// SPDX-License-Identifier: Apache-2.0
// record.json and state.json survive a round trip, and nothing else is taken for them.
#include <array>
#include <nlohmann/json.hpp>

#include "support.h"

namespace oci::state {
namespace {

/// `text` with another value in place of `from`, and a checksum that fits again.
std::string changed(std::string text, std::string_view from, std::string_view to) {
    auto const at = text.find(from);
    EXPECT_NE(std::string::npos, at) << from;
    text.replace(at, from.size(), to);
    auto const members = text.substr(0, text.rfind(",\n  \"checksum\""));
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (char const c : members) {
        hash ^= static_cast<unsigned char>(c);
        hash *= 0x100000001b3U;
    }
    std::array<char, 17> digits{};
    std::snprintf(digits.data(), digits.size(), "%llx", static_cast<unsigned long long>(hash));
    return members + ",\n  \"checksum\": \"" + digits.data() + "\"\n}\n";
}

TEST(StateFormat, record_round_trip) {
    auto const read = record_from_json(to_json(sample_record()));
    ASSERT_TRUE(good(read));
    EXPECT_EQ(sample_record(), *read);
}

TEST(StateFormat, state_round_trip) {
    auto const read = state_from_json(to_json(sample_state()));
    ASSERT_TRUE(good(read));
    EXPECT_EQ(sample_state(), *read);
}

TEST(StateFormat, is_json_with_a_version) {
    for (auto const& text : {to_json(sample_record()), to_json(sample_state())}) {
        auto const json = nlohmann::json::parse(text, nullptr, false);
        ASSERT_TRUE(json.is_object());
        EXPECT_EQ(format_version, json["formatVersion"]);
    }
}

TEST(StateFormat, bytes_that_are_no_text_do_not_break_the_file) {
    auto record = sample_record();
    record.bundle = "/b/\xff\xfe";
    auto const read = record_from_json(to_json(record));
    ASSERT_TRUE(good(read));
    EXPECT_EQ("/b/\xef\xbf\xbd\xef\xbf\xbd", read->bundle);
}

TEST(StateFormat, every_truncation_is_an_error) {
    auto const record = to_json(sample_record());
    for (std::size_t length = 0; length < record.size(); ++length)
        EXPECT_FALSE(record_from_json(record.substr(0, length))) << length;
    auto const state = to_json(sample_state());
    for (std::size_t length = 0; length < state.size(); ++length)
        EXPECT_FALSE(state_from_json(state.substr(0, length))) << length;
}

TEST(StateFormat, every_changed_byte_is_an_error) {
    auto const record = to_json(sample_record());
    auto const state = to_json(sample_state());
    for (unsigned const mask : {0x01U, 0x20U, 0x80U, 0xffU}) {
        for (std::size_t i = 0; i < record.size(); ++i) {
            auto text = record;
            text[i] = static_cast<char>(static_cast<unsigned char>(text[i]) ^ mask);
            EXPECT_FALSE(record_from_json(text)) << i;
        }
        for (std::size_t i = 0; i < state.size(); ++i) {
            auto text = state;
            text[i] = static_cast<char>(static_cast<unsigned char>(text[i]) ^ mask);
            EXPECT_FALSE(state_from_json(text)) << i;
        }
    }
}

struct Change {
    char const* from;
    char const* to;
};

TEST(StateFormat, record_values_are_checked) {
    auto const text = to_json(sample_record());
    EXPECT_TRUE(good(record_from_json(changed(text, "0b1c2d3e", "other"))));
    constexpr Change changes[] = {
        {"\"formatVersion\": 1", "\"formatVersion\": 2"},
        {"\"formatVersion\": 1", "\"formatVersion\": \"1\""},
        {"\"id\": \"c1\"", "\"id\": \"../c1\""},
        {"\"id\": \"c1\"", "\"id\": 7"},
        {"\"id\"", "\"name\""},
        {"\"cgroupfs\"", "\"cgroupfs2\""},
        {"\"/a/b/c1\"", "\"/a/../c1\""},
        {"\"/a/b/c1\"", "\"a/b\""},
        {"\"/a/b/c1\"", "\"/a/b/c1/\""},
        {"\"/a/b/c1\"", "null"},
        {"\"/a/b\"", "\"..\""},
        {"\"/srv", "\"srv"},
        {"\"/gold\"", "\"/gold/..\""},
        {"\"/gold/mon_groups/c1\"", "\"mon_groups/c1\""},
        {"\"resctrlCreated\": true", "\"resctrlCreated\": 1"},
        {"\"resctrlNamed\": true", "\"resctrlNamed\": null"},
    };
    for (auto const& change : changes)
        EXPECT_FALSE(record_from_json(changed(text, change.from, change.to))) << change.to;
}

TEST(StateFormat, state_values_are_checked) {
    auto const text = to_json(sample_state());
    constexpr Change changes[] = {
        {"4711", "-1"},
        {"4711", "2147483648"},
        {"4711", "47.11"},
        {"4711", "\"4711\""},
        {"1234567890123456789", "18446744073709551616"},
        {"1000", "4294967296"},
        {"false", "0"},
        {"\"1\"", "1"},
        {"\"annotations\"", "\"Annotations\""},
        {"\"/srv/b/rootfs\"", "[]"},
    };
    for (auto const& change : changes)
        EXPECT_FALSE(state_from_json(changed(text, change.from, change.to))) << change.to;
}

TEST(StateFormat, strange_texts_are_errors) {
    for (auto const* const text :
         {"", "{}", "[]", "null", "1", "\"x\"", "{\"formatVersion\":1}", ",\n  \"checksum\": \"\"\n}\n"}) {
        EXPECT_FALSE(record_from_json(text)) << text;
        EXPECT_FALSE(state_from_json(text)) << text;
    }
    EXPECT_FALSE(record_from_json(std::string(1U << 20U, '[')));
    EXPECT_FALSE(record_from_json(changed(to_json(sample_record()), "\"0b1c2d3e\"", std::string(100000, '['))));
}

TEST(StateFormat, ids) {
    for (auto const* const id : {"c1", "a", "A.b_c+d-e", "-x", "_", "+", "0", "a.", "a..b"})
        EXPECT_TRUE(good(check_id(id))) << id;
    EXPECT_TRUE(good(check_id(std::string(255, 'x'))));
    for (auto const* const id : {"", ".", "..", ".hidden", "a/b", "/", "a b", "a\n", "\xc3\xa9", "a:b", "a*", "a\\b"}) {
        auto const checked = check_id(id);
        ASSERT_FALSE(checked) << id;
        EXPECT_EQ(0U, checked.error().message.find("invalid container ID format"));
    }
    EXPECT_FALSE(check_id(std::string(256, 'x')));
    EXPECT_FALSE(check_id(std::string_view("a\0b", 3)));
}

TEST(StateFormat, default_roots) {
    struct Case {
        std::uint32_t euid;
        bool in_user_namespace;
        char const* user;
        char const* runtime_directory;
        char const* root;
    };
    constexpr Case cases[] = {
        {0, false, "root", "/run/user/0", "/run/oci-run"},
        {0, false, nullptr, "/run/user/0", "/run/oci-run"},
        {0, true, "root", "/run/user/0", "/run/oci-run"},
        {0, true, nullptr, "/run/user/7", "/run/user/7/oci-run"},
        {0, true, "", "/run/user/7", "/run/user/7/oci-run"},
        {0, true, "joe", "/run/user/7/", "/run/user/7/oci-run"},
        {0, true, "joe", "", "/run/oci-run"},
        {0, true, "joe", nullptr, "/run/oci-run"},
        {7, false, "joe", "/run/user/7", "/run/user/7/oci-run"},
        {7, false, "root", "/run/user/7", "/run/user/7/oci-run"},
        {7, false, "joe", "", ""},
        {7, false, "joe", nullptr, ""},
        {7, true, "root", "/run/user/7", "/run/user/7/oci-run"},
    };
    for (auto const& c : cases)
        EXPECT_EQ(c.root, default_root(c.euid, c.in_user_namespace, c.user, c.runtime_directory))
            << c.euid << " " << c.in_user_namespace;
}

} // namespace
} // namespace oci::state
