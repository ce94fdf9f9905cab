// SPDX-License-Identifier: Apache-2.0
#include "config.h"

namespace oci::spec {
namespace {

BadConfig bad(std::string seccomp, std::string pointer, std::string rule) {
    return BadConfig{{{"/linux/seccomp", std::move(seccomp)}},
                     "/linux/seccomp" + pointer,
                     std::move(rule),
                     "config-linux.md#seccomp"};
}

/// A filter with one rule.
BadConfig bad_rule(std::string rule, std::string pointer, std::string problem) {
    return bad(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [)" + std::move(rule) + "]}", "/syscalls/0" + pointer,
               std::move(problem));
}

BadConfig bad_argument(std::string argument, std::string pointer, std::string problem) {
    return bad_rule(R"({"names": ["kill"], "action": "SCMP_ACT_KILL", "args": [)" + std::move(argument) + "]}",
                    "/args/0" + pointer, std::move(problem));
}

class SeccompProblem : public testing::TestWithParam<BadConfig> {};

TEST_P(SeccompProblem, IsFound) {
    expect_problem(GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    Filter, SeccompProblem,
    testing::Values(
        bad("[]", "", "must be an object, is an array"), bad("{}", "/defaultAction", "is required"),
        bad(R"({"defaultAction": ""})", "/defaultAction", "must not be empty"),
        bad(R"({"defaultAction": 1})", "/defaultAction", "must be a string, is a number"),
        bad(R"({"defaultAction": "allow"})", "/defaultAction", R"(must be a known seccomp action, is "allow")"),
        bad(R"({"defaultAction": "SCMP_ACT_NOTIFY"})", "/listenerPath", "is required with the action SCMP_ACT_NOTIFY"),
        bad(R"({"defaultAction": "SCMP_ACT_NOTIFY", "listenerPath": "/x", "defaultErrnoRet": 1})", "/defaultErrnoRet",
            "is not possible with an action other than SCMP_ACT_ERRNO and SCMP_ACT_TRACE"),
        bad(R"({"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1})", "/defaultErrnoRet",
            "is not possible with an action other than SCMP_ACT_ERRNO and SCMP_ACT_TRACE"),
        bad(R"({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 65536})", "/defaultErrnoRet", "from 0 to 65535"),
        bad(R"({"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_VAX"]})", "/architectures/0",
            R"(must be a known seccomp architecture, is "SCMP_ARCH_VAX")"),
        bad(R"({"defaultAction": "SCMP_ACT_ERRNO", "architectures": [""]})", "/architectures/0", "must not be empty"),
        bad(R"({"defaultAction": "SCMP_ACT_ERRNO", "flags": ["SECCOMP_FILTER_FLAG_LOG", "LOG"]})", "/flags/1",
            R"(must be a known seccomp flag, is "LOG")"),
        bad(R"({"defaultAction": "SCMP_ACT_ERRNO", "listenerPath": "x"})", "/listenerPath", "must be an absolute path"),
        bad(R"({"defaultAction": "SCMP_ACT_ERRNO", "listenerMetadata": "x"})", "/listenerMetadata",
            "is not possible without listenerPath")));

INSTANTIATE_TEST_SUITE_P(
    Rules, SeccompProblem,
    testing::Values(bad_rule(R"({"action": "SCMP_ACT_KILL"})", "/names", "is required"),
                    bad_rule(R"({"action": "SCMP_ACT_KILL", "names": []})", "/names", "must not be empty"),
                    bad_rule(R"({"action": "SCMP_ACT_KILL", "names": ["a", 1]})", "/names/1", "must be a string"),
                    bad_rule(R"({"names": ["a"]})", "/action", "is required"),
                    bad_rule(R"({"names": ["a"], "action": "KILL"})", "/action", "must be a known seccomp action"),
                    bad_rule(R"({"names": ["a"], "action": "SCMP_ACT_LOG", "errnoRet": 0})", "/errnoRet",
                             "is not possible with an action other"),
                    bad_argument(R"({"value": 0, "op": "SCMP_CMP_EQ"})", "/index", "is required"),
                    bad_argument(R"({"index": 6, "value": 0, "op": "SCMP_CMP_EQ"})", "/index", "from 0 to 5, is 6"),
                    bad_argument(R"({"index": 0, "op": "SCMP_CMP_EQ"})", "/value", "is required"),
                    bad_argument(R"({"index": 0, "value": -1, "op": "SCMP_CMP_EQ"})", "/value",
                                 "from 0 to 18446744073709551615, is -1"),
                    bad_argument(R"({"index": 0, "value": 1, "valueTwo": "2", "op": "SCMP_CMP_EQ"})", "/valueTwo",
                                 "is a string"),
                    bad_argument(R"({"index": 0, "value": 1})", "/op", "is required"),
                    bad_argument(R"({"index": 0, "value": 1, "op": "=="})", "/op",
                                 R"(must be a known seccomp operator, is "==")")));

TEST(Seccomp, EverythingIsRead) {
    auto const seccomp = good_spec({{"/linux/seccomp", R"({
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 38,
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X32"],
        "flags": ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
                  "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],
        "listenerPath": "",
        "syscalls": [
            {"names": ["read", "no_such_call"], "action": "SCMP_ACT_ALLOW", "errnoRet": null, "args": null},
            {"names": ["clone"], "action": "SCMP_ACT_TRACE", "errnoRet": 1,
             "args": [{"index": 5, "value": 18446744073709551615, "valueTwo": 7, "op": "SCMP_CMP_MASKED_EQ"},
                      {"index": 0, "value": 0, "op": "SCMP_CMP_NE"}]}
        ]
    })"}}).linux.seccomp;
    Seccomp expected;
    expected.default_action = "SCMP_ACT_ERRNO";
    expected.default_errno_return = 38;
    expected.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X32"};
    expected.flags = {"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
                      "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"};
    expected.rules = {{{"read", "no_such_call"}, "SCMP_ACT_ALLOW", {}, {}},
                      {{"clone"},
                       "SCMP_ACT_TRACE",
                       1,
                       {{5, 18446744073709551615ULL, 7, "SCMP_CMP_MASKED_EQ"}, {0, 0, 0, "SCMP_CMP_NE"}}}};
    EXPECT_EQ(seccomp, expected);
}

} // namespace
} // namespace oci::spec
