// SPDX-License-Identifier: Apache-2.0
// The document as a whole and the fields of its root.
#include "config.h"

#include <sched.h>

namespace oci::spec {
namespace {

struct BadText {
    std::string text;
    std::string pointer;
    std::string rule;
};

std::ostream& operator<<(std::ostream& out, BadText const& bad) {
    return out << bad.text.substr(0, 60);
}

std::string nested(std::size_t levels) {
    return R"({"a":)" + std::string(levels, '[') + std::string(levels, ']') + "}";
}

std::string long_list(std::size_t size) {
    std::string text = R"({"a":[0)";
    for (std::size_t i = 1; i < size; ++i)
        text += ",0";
    return text + "]}";
}

class RefusedText : public testing::TestWithParam<BadText> {};

TEST_P(RefusedText, IsTheOnlyProblem) {
    expect_problem(read_config(GetParam().text), GetParam().pointer, GetParam().rule, "config.md#configuration");
}

INSTANTIATE_TEST_SUITE_P(
    Document, RefusedText,
    testing::Values(BadText{"", "", "is not valid JSON: parse error at line 1, column 1"},
                    BadText{"{\n  \"a\": tru\n}", "", "parse error at line 3"}, BadText{"{} {}", "", "is not valid"},
                    BadText{"{\"a\": 1,}", "", "is not valid JSON"}, BadText{"{\"a\": 1e999}", "", "number overflow"},
                    BadText{"{\"a\": \"\xff\"}", "", "invalid string: ill-formed UTF-8"},
                    BadText{"// c\n{}", "", "is not valid JSON"}, BadText{"[]", "", "must be a JSON object"},
                    BadText{"\"text\"", "", "must be a JSON object"}, BadText{"7", "", "must be a JSON object"},
                    BadText{"null", "", "must be a JSON object"},
                    BadText{std::string("{}\0{}", 5), "", "must not contain NUL bytes"},
                    BadText{std::string(maximum_config_size + 1, ' '), "", "must not be larger than 8388608 bytes"},
                    BadText{nested(64), "", "must not be nested deeper than 64 levels"},
                    BadText{nested(4'000'000), "", "must not be nested deeper than 64 levels"},
                    BadText{long_list(maximum_config_elements + 1), "/a/65536", "is one too many"},
                    BadText{R"({"a": 1, "a": 1})", "/a", "is given twice"},
                    BadText{R"({"a": [0, {"b/c": {}, "b/c": 1}]})", "/a/1/b~1c", "is given twice"}));

TEST(Document, LimitsThemselvesPass) {
    // Not good configurations, but read to the end: the problems are those of the missing fields.
    for (auto const& text : {nested(63), long_list(maximum_config_elements)}) {
        auto const report = read_config(text);
        ASSERT_FALSE(report.problems.empty());
        EXPECT_EQ(report.problems[0].pointer, "/ociVersion");
    }
}

TEST(Document, LongTokensAreNotRepeated) {
    auto const report = read_config("{\"a\": \"" + std::string(100'000, 'x'));
    ASSERT_EQ(report.problems.size(), 1U);
    EXPECT_LT(report.problems[0].rule.size(), 300U);
}

TEST(Document, ProblemsAreLimited) {
    auto config = small_config();
    for (int i = 0; i < 5000; ++i)
        config["mounts"].push_back(1);
    EXPECT_EQ(read_config(config.dump()).problems.size(), maximum_problems);
}

TEST(Document, AllProblemsAreFound) {
    auto const report = read_config(R"({
        "ociVersion": 1, "process": {"args": [], "cwd": "x"}, "mounts": [{}, 3],
        "linux": {"namespaces": [{"type": "mount"}, {"type": "moon"}]}
    })");
    std::vector<std::string> pointers;
    for (auto const& problem : report.problems)
        pointers.push_back(problem.pointer);
    EXPECT_EQ(pointers,
              (std::vector<std::string>{"/ociVersion", "/process/args", "/process/cwd", "/root", "/mounts/1",
                                        "/mounts/0/destination", "/mounts/0/type", "/linux/namespaces/1/type"}));
}

TEST(Document, UnknownPropertiesAreIgnored) {
    EXPECT_EQ(good_spec({{"/x", R"({"y": [null]})"}, {"/process/commandLine", R"("x")"}, {"/linux/x", "1"}}),
              good_spec({}));
}

TEST(Document, OtherPlatformsAreIgnored) {
    auto const other = R"({"anything": "\u0000"})";
    EXPECT_EQ(
        good_spec({{"/solaris", other}, {"/windows", other}, {"/vm", other}, {"/zos", other}, {"/freebsd", other}}),
        good_spec({}));
}

TEST(Document, NullIsUnset) {
    EXPECT_EQ(good_spec({{"/hostname", "null"},
                         {"/mounts", "null"},
                         {"/hooks", "null"},
                         {"/annotations", "null"},
                         {"/process/consoleSize", "null"},
                         {"/process/env", "null"},
                         {"/process/capabilities", "null"},
                         {"/process/rlimits", "null"},
                         {"/process/oomScoreAdj", "null"},
                         {"/process/scheduler", "null"},
                         {"/process/apparmorProfile", "null"},
                         {"/linux/resources", "null"},
                         {"/linux/seccomp", "null"},
                         {"/linux/sysctl", "null"},
                         {"/linux/intelRdt", "null"},
                         {"/linux/maskedPaths", "null"}}),
              good_spec({}));
}

class RootProblem : public testing::TestWithParam<BadConfig> {};

TEST_P(RootProblem, IsFound) {
    expect_problem(GetParam());
}

constexpr auto version_section = "config.md#specification-version";
constexpr auto root_section = "config.md#root";

INSTANTIATE_TEST_SUITE_P(
    Version, RootProblem,
    testing::Values(
        BadConfig{{{"/ociVersion", ""}}, "/ociVersion", "is required", version_section},
        BadConfig{{{"/ociVersion", "null"}}, "/ociVersion", "is required", version_section},
        BadConfig{{{"/ociVersion", R"("")"}}, "/ociVersion", "must not be empty", version_section},
        BadConfig{{{"/ociVersion", "1.0"}}, "/ociVersion", "must be a string, is a number", version_section},
        BadConfig{{{"/ociVersion", R"("1.0")"}}, "/ociVersion", R"(SemVer 2.0.0), is "1.0")", version_section},
        BadConfig{{{"/ociVersion", R"("v1.0.0")"}}, "/ociVersion", "SemVer", version_section},
        BadConfig{{{"/ociVersion", R"("1.00.0")"}}, "/ociVersion", "SemVer", version_section},
        BadConfig{{{"/ociVersion", R"("1.0.0-")"}}, "/ociVersion", "SemVer", version_section},
        BadConfig{{{"/ociVersion", R"("1.0.0-01")"}}, "/ociVersion", "SemVer", version_section},
        BadConfig{{{"/ociVersion", R"("1.0.0+a..b")"}}, "/ociVersion", "SemVer", version_section},
        BadConfig{{{"/ociVersion", R"("2.0.0")"}}, "/ociVersion", "0.x or 1.x", version_section},
        BadConfig{{{"/ociVersion", R"("10.0.0")"}}, "/ociVersion", "0.x or 1.x", version_section}));

INSTANTIATE_TEST_SUITE_P(
    Root, RootProblem,
    testing::Values(BadConfig{{{"/root", ""}}, "/root", "is required", root_section},
                    BadConfig{{{"/root", R"("rootfs")"}}, "/root", "must be an object, is a string", root_section},
                    BadConfig{{{"/root/path", ""}}, "/root/path", "is required", root_section},
                    BadConfig{{{"/root/path", R"("")"}}, "/root/path", "must not be empty", root_section},
                    BadConfig{{{"/root/path", R"("a\u0000b")"}}, "/root/path", "NUL character", root_section},
                    BadConfig{
                        {{"/root/readonly", "1"}}, "/root/readonly", "must be a boolean, is a number", root_section}));

constexpr auto with_uts = R"([{"type": "mount"}, {"type": "uts"}])";

INSTANTIATE_TEST_SUITE_P(
    Names, RootProblem,
    testing::Values(
        BadConfig{{{"/hostname", R"("a")"}}, "/hostname", "needs a uts namespace", "config.md#hostname"},
        BadConfig{{{"/domainname", R"("a")"}}, "/domainname", "needs a uts namespace", "config.md#domainname"},
        BadConfig{{{"/hostname", nlohmann::json(std::string(65, 'a')).dump()}, {"/linux/namespaces", with_uts}},
                  "/hostname",
                  "must not be longer than 64 bytes, is 65",
                  "config.md#hostname"},
        BadConfig{{{"/domainname", nlohmann::json(std::string(65, 'a')).dump()}, {"/linux/namespaces", with_uts}},
                  "/domainname",
                  "must not be longer than 64 bytes",
                  "config.md#domainname"},
        BadConfig{{{"/hostname", "true"}}, "/hostname", "must be a string, is a boolean", "config.md#hostname"}));

INSTANTIATE_TEST_SUITE_P(
    Annotations, RootProblem,
    testing::Values(
        BadConfig{
            {{"/annotations", R"({"": "x"})"}}, "/annotations/", "must not have an empty key", "config.md#annotations"},
        BadConfig{{{"/annotations", R"({"a/b": 1})"}},
                  "/annotations/a~1b",
                  "must be a string, is a number",
                  "config.md#annotations"},
        BadConfig{{{"/annotations", "[]"}}, "/annotations", "must be an object, is an array", "config.md#annotations"},
        BadConfig{{{"/annotations", R"({"a": "\u0000"})"}}, "/annotations/a", "NUL", "config.md#annotations"},
        BadConfig{{{"/annotations", R"({"a\u0000": ""})"}},
                  std::string("/annotations/a\0", 15),
                  "NUL",
                  "config.md#annotations"}));

TEST(Version, WhatIsAccepted) {
    for (auto const* const version :
         {"0.1.0", "1.0.0", "1.0.2-dev", "1.3.0", "1.0.0-rc.5+build.017", "1.99.7", "1.1.0+dev"})
        EXPECT_EQ(good_spec({{"/ociVersion", nlohmann::json(version).dump()}}).oci_version, version);
}

TEST(Names, NeedsAUtsNamespaceOfAnyKind) {
    EXPECT_EQ(good_spec({{"/hostname", R"("a")"}, {"/linux/namespaces", with_uts}}).hostname, "a");
    auto const joined = R"([{"type": "mount"}, {"type": "uts", "path": "/proc/9/ns/uts"}])";
    EXPECT_EQ(good_spec({{"/domainname", R"("a.b")"}, {"/linux/namespaces", joined}}).domainname, "a.b");
    EXPECT_EQ(good_spec({{"/hostname", R"("")"}}).hostname, std::nullopt);
}

TEST(Process, IsOptional) {
    EXPECT_EQ(good_spec({{"/process", ""}}).process, std::nullopt);
}

TEST(ParseSpec, GivesTheSpecAndTheWarnings) {
    std::vector<std::string> warnings;
    auto const config = changed_config({{"/process/capabilities", R"({"bounding": ["CAP_FLY", "CAP_KILL"]})"}});
    auto const spec = parse_spec(config.dump(), warnings);
    ASSERT_TRUE(spec);
    EXPECT_EQ(spec->process->capabilities->bounding, 1U << 5U);
    EXPECT_EQ(warnings,
              (std::vector<std::string>{"config.json: /process/capabilities/bounding/0: is no known capability "
                                        "and is ignored: \"CAP_FLY\""}));
}

TEST(ParseSpec, FirstProblemIsTheError) {
    std::vector<std::string> warnings;
    auto const error = [&](std::vector<Change> const& changes) {
        return parse_spec(changed_config(changes).dump(), warnings).error().message;
    };
    EXPECT_EQ(error({{"/process/cwd", ""}}), "config.json: /process/cwd: is required");
    EXPECT_EQ(error({{"/process/cwd", ""}, {"/root", ""}}),
              "config.json: /process/cwd: is required (and 1 more problem: see validate)");
    EXPECT_EQ(error({{"/process/cwd", ""}, {"/root", ""}, {"/hostname", "1"}}),
              "config.json: /process/cwd: is required (and 2 more problems: see validate)");
    EXPECT_EQ(parse_spec("[]", warnings).error().message, "config.json: must be a JSON object");
}

TEST(ParseProcess, ReadsAProcessObject) {
    std::vector<std::string> warnings;
    auto const process = parse_process(
        R"({"user": {"uid": 5, "gid": 6}, "args": ["id"], "cwd": "/x", "capabilities": {"ambient": ["CAP_SWIM"]}})",
        warnings);
    ASSERT_TRUE(process);
    EXPECT_EQ(process->user.uid, 5U);
    EXPECT_EQ(process->args, std::vector<std::string>{"id"});
    EXPECT_EQ(warnings, (std::vector<std::string>{
                            "/capabilities/ambient/0: is no known capability and is ignored: \"CAP_SWIM\""}));
    EXPECT_EQ(parse_process("{}", warnings).error().message, "/args: is required (and 1 more problem: see validate)");
    EXPECT_FALSE(parse_process("{", warnings));
}

TEST(ParseResources, ReadsAResourcesObject) {
    auto const resources = parse_resources(R"({"pids": {"limit": 7}})");
    ASSERT_TRUE(resources);
    EXPECT_EQ(resources->pids_limit, 7);
    EXPECT_EQ(parse_resources(R"({"pids": {"limit": "7"}})").error().message,
              "/pids/limit: must be an integer from -9223372036854775808 to 9223372036854775807, is a string");
}

} // namespace
} // namespace oci::spec
