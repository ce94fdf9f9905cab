// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include <sys/resource.h>

namespace oci::spec {
namespace {

class ProcessProblem : public testing::TestWithParam<BadConfig> {};

TEST_P(ProcessProblem, IsFound) {
    expect_problem(GetParam());
}

constexpr auto section = "config.md#process";
constexpr auto posix = "config.md#posix-process";
constexpr auto linux_section = "config.md#linux-process";
constexpr auto user = "config.md#posix-platform-user";

INSTANTIATE_TEST_SUITE_P(
    Program, ProcessProblem,
    testing::Values(
        BadConfig{{{"/process", "[]"}}, "/process", "must be an object, is an array", section},
        BadConfig{{{"/process/args", ""}}, "/process/args", "is required", section},
        BadConfig{{{"/process/args", "[]"}}, "/process/args", "must not be empty", section},
        BadConfig{{{"/process/args", R"(["", "x"])"}}, "/process/args/0", "must not be empty", section},
        BadConfig{{{"/process/args", R"("sh")"}}, "/process/args", "must be an array, is a string", section},
        BadConfig{{{"/process/args", R"(["sh", 1])"}}, "/process/args/1", "must be a string, is a number", section},
        BadConfig{{{"/process/args", R"(["sh", "\u0000x"])"}}, "/process/args/1", "must not contain a NUL", section},
        BadConfig{{{"/process/cwd", ""}}, "/process/cwd", "is required", section},
        BadConfig{{{"/process/cwd", R"("")"}}, "/process/cwd", "must not be empty", section},
        BadConfig{{{"/process/cwd", R"("./x")"}}, "/process/cwd", R"(must be an absolute path, is "./x")", section},
        BadConfig{{{"/process/env", R"(["A=1", "B"])"}}, "/process/env/1", R"(NAME=VALUE, is "B")", section},
        BadConfig{{{"/process/env", R"(["=1"])"}}, "/process/env/0", "NAME=VALUE", section},
        BadConfig{{{"/process/env", R"([""])"}}, "/process/env/0", "NAME=VALUE", section},
        BadConfig{{{"/process/env", R"(["A=\u0000"])"}}, "/process/env/0", "NUL", section},
        BadConfig{{{"/process/env", R"([{}])"}}, "/process/env/0", "must be a string, is an object", section},
        BadConfig{
            {{"/process/terminal", R"("yes")"}}, "/process/terminal", "must be a boolean, is a string", section}));

INSTANTIATE_TEST_SUITE_P(Console, ProcessProblem,
                         testing::Values(BadConfig{{{"/process/terminal", "true"},
                                                    {"/process/consoleSize", R"({"height": 24})"}},
                                                   "/process/consoleSize/width",
                                                   "is required",
                                                   section},
                                         BadConfig{{{"/process/terminal", "true"},
                                                    {"/process/consoleSize", R"({"width": 1, "height": 65536})"}},
                                                   "/process/consoleSize/height",
                                                   "must be an integer from 0 to 65535, is 65536",
                                                   section}));

INSTANTIATE_TEST_SUITE_P(
    User, ProcessProblem,
    testing::Values(
        BadConfig{{{"/process/user/uid", ""}}, "/process/user/uid", "is required", user},
        BadConfig{{{"/process/user/gid", ""}}, "/process/user/gid", "is required", user},
        BadConfig{{{"/process/user/uid", "-1"}}, "/process/user/uid", "from 0 to 4294967294, is -1", user},
        BadConfig{{{"/process/user/uid", "4294967295"}}, "/process/user/uid", "from 0 to 4294967294", user},
        BadConfig{{{"/process/user/gid", "1.5"}},
                  "/process/user/gid",
                  "must be an integer from 0 to 4294967294, is 1.5",
                  user},
        BadConfig{{{"/process/user/gid", "1e3"}}, "/process/user/gid", "must be an integer", user},
        BadConfig{{{"/process/user/gid", "18446744073709551616"}}, "/process/user/gid", "must be an integer", user},
        BadConfig{{{"/process/user/additionalGids", "[1, -2]"}}, "/process/user/additionalGids/1", "from 0 to", user},
        BadConfig{{{"/process/user/umask", "512"}}, "/process/user/umask", "from 0 to 511, is 512", user},
        BadConfig{{{"/process/user", "0"}}, "/process/user", "must be an object, is a number", user}));

constexpr auto fewer = R"([{"type": "RLIMIT_CORE", "soft": 2, "hard": 1}])";
constexpr auto twice =
    R"([{"type": "RLIMIT_CORE", "soft": 1, "hard": 1}, {"type": "RLIMIT_AS", "soft": 1, "hard": 1}, {"type": "RLIMIT_CORE", "soft": 1, "hard": 1}])";

INSTANTIATE_TEST_SUITE_P(
    Rlimits, ProcessProblem,
    testing::Values(
        BadConfig{{{"/process/rlimits", R"([{"type": "RLIMIT_X", "soft": 1, "hard": 1}])"}},
                  "/process/rlimits/0/type",
                  R"(must be a resource of getrlimit(2), is "RLIMIT_X")",
                  posix},
        BadConfig{
            {{"/process/rlimits", R"([{"soft": 1, "hard": 1}])"}}, "/process/rlimits/0/type", "is required", posix},
        BadConfig{{{"/process/rlimits", R"([{"type": "RLIMIT_AS", "hard": 1}])"}},
                  "/process/rlimits/0/soft",
                  "is required",
                  posix},
        BadConfig{{{"/process/rlimits", R"([{"type": "RLIMIT_AS", "soft": 1, "hard": -1}])"}},
                  "/process/rlimits/0/hard",
                  "from 0 to 18446744073709551615, is -1",
                  posix},
        BadConfig{{{"/process/rlimits", fewer}}, "/process/rlimits/0/soft", "must not be greater than hard", posix},
        BadConfig{{{"/process/rlimits", twice}}, "/process/rlimits/2/type", "is given twice: RLIMIT_CORE", posix}));

INSTANTIATE_TEST_SUITE_P(
    Linux, ProcessProblem,
    testing::Values(
        BadConfig{{{"/process/capabilities", R"(["CAP_KILL"])"}},
                  "/process/capabilities",
                  "must be an object",
                  linux_section},
        BadConfig{{{"/process/capabilities", R"({"effective": [1]})"}},
                  "/process/capabilities/effective/0",
                  "must be a string",
                  linux_section},
        BadConfig{{{"/process/noNewPrivileges", "0"}}, "/process/noNewPrivileges", "must be a boolean", linux_section},
        BadConfig{
            {{"/process/oomScoreAdj", "1001"}}, "/process/oomScoreAdj", "from -1000 to 1000, is 1001", linux_section},
        BadConfig{{{"/process/oomScoreAdj", "-1001"}}, "/process/oomScoreAdj", "from -1000 to 1000", linux_section},
        BadConfig{{{"/process/apparmorProfile", "1"}}, "/process/apparmorProfile", "must be a string", linux_section},
        BadConfig{{{"/process/selinuxLabel", "[]"}}, "/process/selinuxLabel", "must be a string", linux_section},
        BadConfig{{{"/process/scheduler", "{}"}}, "/process/scheduler/policy", "is required", linux_section},
        BadConfig{{{"/process/scheduler", R"({"policy": "SCHED_BEST"})"}},
                  "/process/scheduler/policy",
                  "must be a known scheduling policy",
                  linux_section},
        BadConfig{{{"/process/scheduler", R"({"policy": "SCHED_OTHER", "nice": 20})"}},
                  "/process/scheduler/nice",
                  "from -20 to 19, is 20",
                  linux_section},
        BadConfig{{{"/process/scheduler", R"({"policy": "SCHED_BATCH", "priority": 1})"}},
                  "/process/scheduler/priority",
                  "is for SCHED_FIFO and SCHED_RR only",
                  linux_section},
        BadConfig{{{"/process/scheduler", R"({"policy": "SCHED_FIFO", "priority": 1, "period": 5})"}},
                  "/process/scheduler/period",
                  "is for SCHED_DEADLINE only",
                  linux_section},
        BadConfig{{{"/process/scheduler", R"({"policy": "SCHED_IDLE", "flags": ["SCHED_FLAG_NONE"]})"}},
                  "/process/scheduler/flags/0",
                  "must be a known scheduling flag",
                  linux_section},
        BadConfig{
            {{"/process/ioPriority", R"({"priority": 0})"}}, "/process/ioPriority/class", "is required", linux_section},
        BadConfig{{{"/process/ioPriority", R"({"class": "IOPRIO_CLASS_BE"})"}},
                  "/process/ioPriority/priority",
                  "is required",
                  linux_section},
        BadConfig{{{"/process/ioPriority", R"({"class": "IOPRIO_CLASS_BE", "priority": 8})"}},
                  "/process/ioPriority/priority",
                  "from 0 to 7, is 8",
                  linux_section},
        BadConfig{{{"/process/execCPUAffinity", R"({"initial": "1-"})"}},
                  "/process/execCPUAffinity/initial",
                  "must be a list of numbers and ranges",
                  linux_section},
        BadConfig{{{"/process/execCPUAffinity", R"({"final": "3-1"})"}},
                  "/process/execCPUAffinity/final",
                  "must be a list of numbers and ranges",
                  linux_section}));

TEST(Process, SchedulingIsRead) {
    auto const process = good_spec({{"/process/scheduler", R"({"policy": "SCHED_DEADLINE", "nice": -20,
        "flags": ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_RECLAIM"], "runtime": 1, "deadline": 2, "period": 3})"},
                                    {"/process/ioPriority", R"({"class": "IOPRIO_CLASS_IDLE", "priority": 7})"},
                                    {"/process/execCPUAffinity", R"({"initial": "0-3,7", "final": "1"})"}})
                             .process;
    EXPECT_EQ(process->scheduler, (Scheduler{6, 3, -20, 0, 1, 2, 3}));
    EXPECT_EQ(process->io_priority, (IoPriority{3, 7}));
    EXPECT_EQ(process->exec_cpu_affinity, (ExecCpuAffinity{"0-3,7", "1"}));
    auto const fifo = good_spec({{"/process/scheduler", R"({"policy": "SCHED_FIFO", "priority": 99, "runtime": 0})"}});
    EXPECT_EQ(fifo.process->scheduler, (Scheduler{1, 0, 0, 99, 0, 0, 0}));
}

TEST(Process, EverythingIsRead) {
    auto const process = good_spec({{"/process", R"({
        "terminal": true,
        "consoleSize": {"height": 24, "width": 80},
        "user": {"uid": 1000, "gid": 4294967294, "umask": 63, "additionalGids": [5, 0]},
        "args": ["sh", "", "-c"],
        "env": ["A=", "B=1=2"],
        "cwd": "/home/../x",
        "capabilities": {
            "bounding": ["CAP_CHOWN", "CAP_CHECKPOINT_RESTORE"], "effective": ["CAP_KILL"],
            "inheritable": ["CAP_SETGID"], "permitted": ["CAP_KILL", "CAP_KILL"], "ambient": ["CAP_BPF"]
        },
        "rlimits": [
            {"type": "RLIMIT_NOFILE", "soft": 0, "hard": 18446744073709551615},
            {"type": "RLIMIT_RTTIME", "soft": 7, "hard": 7}
        ],
        "noNewPrivileges": true,
        "oomScoreAdj": -1000,
        "apparmorProfile": "",
        "selinuxLabel": ""
    })"}}).process;
    Process expected;
    expected.terminal = true;
    expected.console_size = ConsoleSize{24, 80};
    expected.user = User{1000, 4294967294, 077, {5, 0}};
    expected.args = {"sh", "", "-c"};
    expected.env = {"A=", "B=1=2"};
    expected.cwd = "/home/../x";
    expected.capabilities = Capabilities{1ULL | (1ULL << 40U), 1ULL << 5U, 1ULL << 6U, 1ULL << 5U, 1ULL << 39U};
    expected.rlimits = {{RLIMIT_NOFILE, 0, 18446744073709551615ULL}, {RLIMIT_RTTIME, 7, 7}};
    expected.no_new_privileges = true;
    expected.oom_score_adj = -1000;
    EXPECT_EQ(process, expected);
}

TEST(Process, UserIsRootUnlessGiven) {
    EXPECT_EQ(good_spec({{"/process/user", ""}}).process->user, User{});
}

TEST(Process, ConsoleSizeIsIgnoredWithoutTerminal) {
    EXPECT_EQ(good_spec({{"/process/consoleSize", R"({"height": "tall"})"}}).process->console_size, std::nullopt);
}

TEST(Process, UnknownCapabilitiesAreWarnings) {
    auto const report = read_changed({{"/process/capabilities", R"({"permitted": ["CAP_KILL", "CAP_DANCE"]})"}});
    EXPECT_TRUE(report.problems.empty());
    EXPECT_EQ(report.warnings,
              (std::vector<Problem>{{"/process/capabilities/permitted/1",
                                     "is no known capability and is ignored: \"CAP_DANCE\"", linux_section}}));
    EXPECT_EQ(report.spec.process->capabilities->permitted, 1U << 5U);
}

} // namespace
} // namespace oci::spec
