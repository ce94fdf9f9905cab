// SPDX-License-Identifier: Apache-2.0
// The samples of the specification's authors: both the parser and our schemas take the good ones and refuse the bad
// ones.
#include "configs.h"

namespace oci::schema {
namespace {

/// Bad samples that are bad for another platform only: its objects are unknown properties here, which must be ignored
/// (config.md#extensibility).
struct OtherPlatform {
    char const* file;
    char const* reason;
};
constexpr OtherPlatform other_platforms[] = {
    {"freebsd-vnet-disable.json", "a value that does not exist, in the object freebsd"},
};

bool is_of_other_platform(std::filesystem::path const& sample) {
    return std::ranges::any_of(other_platforms, [&](auto const& other) { return sample.filename() == other.file; });
}

std::vector<std::filesystem::path> samples(std::string const& folder) {
    std::vector<std::filesystem::path> files;
    for (auto const& entry : std::filesystem::directory_iterator(specification() / "schema/test" / folder))
        files.push_back(entry.path());
    EXPECT_FALSE(files.empty()) << folder;
    return files;
}

TEST(Samples, GoodConfigurationsAreAccepted) {
    NEED_SPECIFICATION();
    auto schema = Schema::of("config");
    for (auto const& file : samples("config/good")) {
        EXPECT_EQ(schema.problems(read_json(file)), "") << file;
        // What is left to this system (Difference) is no fault of the sample.
        EXPECT_EQ(read(read_file(file)).problems, "") << file;
    }
}

TEST(Samples, BadConfigurationsAreRefused) {
    NEED_SPECIFICATION();
    auto schema = Schema::of("config");
    std::size_t others = 0;
    for (auto const& file : samples("config/bad")) {
        bool const refused = !is_of_other_platform(file);
        others += refused ? 0U : 1U;
        auto const document = read_json(file);
        EXPECT_EQ(document.is_discarded() || !schema.accepts(document), refused) << file;
        EXPECT_EQ(!read(read_file(file)).problems.empty(), refused) << file;
    }
    EXPECT_EQ(others, std::size(other_platforms));
}

class SampleSchema : public testing::TestWithParam<char const*> {};
INSTANTIATE_TEST_SUITE_P(Others, SampleSchema, testing::Values("features", "state"));

TEST_P(SampleSchema, Decides) {
    NEED_SPECIFICATION();
    std::string const name = GetParam();
    auto schema = Schema::of(name);
    for (auto const& file : samples(name + "/good"))
        EXPECT_EQ(schema.problems(read_json(file)), "") << file;
    for (auto const& file : samples(name + "/bad")) {
        auto const document = read_json(file);
        EXPECT_TRUE(document.is_discarded() || !schema.accepts(document)) << file;
    }
}

} // namespace
} // namespace oci::schema
