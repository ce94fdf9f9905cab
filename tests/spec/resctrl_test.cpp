// SPDX-License-Identifier: Apache-2.0
// linux.intelRdt.
#include "config.h"

namespace oci::spec {
namespace {

constexpr auto section = "config-linux.md#intelrdt";

TEST(IntelRdt, EveryFieldIsRead) {
    auto const spec = good_spec({{"/linux/intelRdt", R"({"closID": "gold", "l3CacheSchema": "L3:0=f;1=f",
        "memBwSchema": "MB:0=20;1=70", "schemata": ["L2:0=1", "MB:1=10"], "enableMonitoring": true})"}});
    IntelRdt const expected{"gold", "L3:0=f;1=f", "MB:0=20;1=70", {"L2:0=1", "MB:1=10"}, true};
    EXPECT_EQ(spec.linux.intel_rdt, expected);
}

TEST(IntelRdt, AnEmptyObjectAsksForAGroupOfItsOwn) {
    EXPECT_EQ(good_spec({{"/linux/intelRdt", "{}"}}).linux.intel_rdt, IntelRdt{});
    EXPECT_EQ(good_spec({{"/linux/intelRdt", "null"}}).linux.intel_rdt, std::nullopt);
}

TEST(IntelRdt, TheDefaultGroupAndOddNames) {
    for (auto const* const name : {"/", "...", "a b", "c1:x"})
        EXPECT_EQ(good_spec({{"/linux/intelRdt", nlohmann::json{{"closID", name}}.dump()}}).linux.intel_rdt->clos_id,
                  name);
}

class IntelRdtProblem : public testing::TestWithParam<BadConfig> {};

TEST_P(IntelRdtProblem, IsFound) {
    expect_problem(GetParam());
}

BadConfig bad_clos_id(std::string const& id) {
    return {{{"/linux/intelRdt", nlohmann::json{{"closID", id}}.dump()}},
            "/linux/intelRdt/closID",
            "must be a plain name, or / for the default group",
            section};
}

INSTANTIATE_TEST_SUITE_P(Names, IntelRdtProblem,
                         testing::Values(bad_clos_id("."), bad_clos_id(".."), bad_clos_id("//"), bad_clos_id("/gold"),
                                         bad_clos_id("gold/"), bad_clos_id("a/b"), bad_clos_id("../gold"),
                                         bad_clos_id("a\nb"), bad_clos_id(std::string(256, 'a')),
                                         BadConfig{{{"/linux/intelRdt", R"({"closID": "a\u0000b"})"}},
                                                   "/linux/intelRdt/closID",
                                                   "must not contain a NUL character",
                                                   section}));

INSTANTIATE_TEST_SUITE_P(
    Values, IntelRdtProblem,
    testing::Values(BadConfig{{{"/linux/intelRdt", "[]"}}, "/linux/intelRdt", "must be an object", section},
                    BadConfig{{{"/linux/intelRdt", R"({"l3CacheSchema": 1})"}},
                              "/linux/intelRdt/l3CacheSchema",
                              "must be a string",
                              section},
                    BadConfig{{{"/linux/intelRdt", R"({"memBwSchema": "L3:0=f"})"}},
                              "/linux/intelRdt/memBwSchema",
                              "must be one line that begins with MB:",
                              section},
                    BadConfig{{{"/linux/intelRdt", R"({"memBwSchema": "MB:0=10\n"})"}},
                              "/linux/intelRdt/memBwSchema",
                              "must be one line that begins with MB:",
                              section},
                    BadConfig{{{"/linux/intelRdt", R"({"schemata": "L3:0=f"})"}},
                              "/linux/intelRdt/schemata",
                              "must be an array",
                              section},
                    BadConfig{{{"/linux/intelRdt", R"({"schemata": ["L3:0=f", "MB:0=10\nMB:1=10"]})"}},
                              "/linux/intelRdt/schemata/1",
                              "must be one line",
                              section},
                    BadConfig{{{"/linux/intelRdt", R"({"schemata": [""]})"}},
                              "/linux/intelRdt/schemata/0",
                              "must not be empty",
                              section},
                    BadConfig{{{"/linux/intelRdt", R"({"enableMonitoring": "yes"})"}},
                              "/linux/intelRdt/enableMonitoring",
                              "must be a boolean",
                              section}));

TEST(IntelRdt, WhatTheSpecificationOnlyAdvisesOrHasTakenBackIsAWarning) {
    auto const report = read_changed(
        {{"/linux/intelRdt", R"({"l3CacheSchema": "L3CODE:0=f\nL3DATA:0=f", "enableCMT": true, "enableMBM": false})"}});
    EXPECT_TRUE(report.problems.empty());
    EXPECT_EQ(report.spec.linux.intel_rdt->l3_cache_schema, "L3CODE:0=f\nL3DATA:0=f");
    ASSERT_EQ(report.warnings.size(), 2U) << testing::PrintToString(report.warnings);
    EXPECT_EQ(report.warnings[0].pointer, "/linux/intelRdt/l3CacheSchema");
    EXPECT_EQ(report.warnings[1].pointer, "/linux/intelRdt/enableCMT");
    EXPECT_NE(report.warnings[1].rule.find("enableMonitoring"), std::string::npos);
}

} // namespace
} // namespace oci::spec
