// SPDX-License-Identifier: Apache-2.0
// What the options of exec make of the container's process.
#include "commands/exec_options.h"

#include <gtest/gtest.h>

namespace oci::commands {
namespace {

Invocation invocation_of(std::vector<std::string> const& words) {
    auto const* const command = find_command("exec");
    auto line = parse_options(command->options, words, command->option_place).value();
    return {"oci-run", {}, std::move(line.options), std::move(line.arguments), 0};
}

spec::Spec container() {
    spec::Spec spec;
    auto& process = spec.process.emplace();
    process.args = {"init"};
    process.cwd = "/home";
    process.terminal = true;
    process.user.gid = 7;
    process.user.additional_gids = {8};
    process.env = {"PATH=/bin"};
    process.apparmor_profile = "own";
    return spec;
}

Result<spec::Process> process_of(std::vector<std::string> words, spec::Spec const& spec = container()) {
    words.insert(words.end(), {"c1", "ls", "-l"});
    return exec_process(invocation_of(words), spec);
}

TEST(UserOption, numbers) {
    EXPECT_EQ(parse_user_option("1").value(), (UserOption{1, std::nullopt}));
    EXPECT_EQ(parse_user_option("0").value(), (UserOption{0, std::nullopt}));
    EXPECT_EQ(parse_user_option("01").value(), (UserOption{1, std::nullopt}));
    EXPECT_EQ(parse_user_option("1:2").value(), (UserOption{1, 2}));
    EXPECT_EQ(parse_user_option("0:0").value(), (UserOption{0, 0}));
    EXPECT_EQ(parse_user_option("4294967294:4294967294").value(), (UserOption{4294967294, 4294967294}));
}

/// CVE-2016-3697, CVE-2024-40635, CVE-2026-30892: what is no number must not become root.
TEST(UserOption, everything_else_is_an_error) {
    for (auto const* const text : {"",           ":",           ":1",
                                   "1:",         "4294967295",  "1:4294967295",
                                   "4294967296", "99999999999", "18446744073709551616",
                                   "-1",         "+1",          "1x",
                                   "x1",         "root",        "root:root",
                                   "1:root",     "1 ",          " 1",
                                   "1\n",        "1:2:3",       "1.0",
                                   "0x1",        "1,2"})
        EXPECT_FALSE(parse_user_option(text)) << text;
    EXPECT_FALSE(parse_user_option(std::string_view("1\0", 2)));
}

TEST(CgroupOption, stays_inside) {
    for (auto const* const text : {"a/b", "/a/b", "a//b/", "./a/./b", "a/x/../b", "a/b/c/.."})
        EXPECT_EQ(parse_cgroup_option(text).value(), "a/b") << text;
    for (auto const* const text : {"", "/", ".", "a/.."})
        EXPECT_EQ(parse_cgroup_option(text).value(), ".") << text;
    for (auto const* const text : {"..", "/..", "../a", "a/../..", "a/../../b", "./../a", "cpu:a", "cpu,memory:/"})
        EXPECT_FALSE(parse_cgroup_option(text)) << text;
}

TEST(ExecProcess, is_the_containers_with_other_arguments) {
    auto const process = process_of({}).value();
    auto expected = *container().process;
    expected.args = {"ls", "-l"};
    expected.terminal = false;
    EXPECT_EQ(process, expected);
}

TEST(ExecProcess, options_change_it) {
    auto const process = process_of({"-t", "-u", "5", "-g", "9", "-g", "10", "--cwd", "/tmp", "-e", "A=b", "--env",
                                     "A=c", "--apparmor", "other", "--process-label", "label", "--no-new-privs"})
                             .value();
    EXPECT_TRUE(process.terminal);
    EXPECT_EQ(process.user.uid, 5U);
    EXPECT_EQ(process.user.gid, 7U) << "the container's, as runc has it";
    EXPECT_EQ(process.user.additional_gids, (std::vector<std::uint32_t>{8, 9, 10}));
    EXPECT_EQ(process.cwd, "/tmp");
    EXPECT_EQ(process.env, (std::vector<std::string>{"PATH=/bin", "A=b", "A=c"}));
    EXPECT_EQ(process.apparmor_profile, "other");
    EXPECT_EQ(process.selinux_label, "label");
    EXPECT_TRUE(process.no_new_privileges);
    EXPECT_EQ(process_of({"-u", "5:6"})->user.gid, 6U);
    EXPECT_EQ(process_of({"--apparmor", ""})->apparmor_profile, "own") << "an empty name takes no protection away";
}

TEST(ExecProcess, capabilities_are_neither_inheritable_nor_ambient) {
    constexpr std::uint64_t net_raw = 1U << 13U;
    auto const sets = process_of({"--cap", "CAP_NET_RAW"})->capabilities.value();
    EXPECT_EQ(sets, (spec::Capabilities{net_raw, net_raw, 0, net_raw, 0}));
    auto spec = container();
    spec.process->capabilities = spec::Capabilities{1, 1, 1, 1, 0};
    EXPECT_EQ(process_of({"-c", "net_raw", "-c", "CHOWN"}, spec)->capabilities.value(),
              (spec::Capabilities{net_raw | 1, net_raw | 1, 1, net_raw | 1, 1}));
    EXPECT_FALSE(process_of({"--cap", "CAP_FLY"}));
    EXPECT_FALSE(process_of({})->capabilities);
}

TEST(ExecProcess, mistakes_name_the_option) {
    auto const error_of = [](std::vector<std::string> const& words) { return process_of(words).error().message; };
    EXPECT_TRUE(error_of({"--user", "root"}).starts_with("--user: ")) << error_of({"--user", "root"});
    EXPECT_TRUE(error_of({"--additional-gids", "x"}).starts_with("--additional-gids: "));
    EXPECT_TRUE(error_of({"--cwd", "tmp"}).starts_with("--cwd: "));
    EXPECT_TRUE(error_of({"--env", "A"}).starts_with("--env: "));
    EXPECT_TRUE(error_of({"--env", "=A"}).starts_with("--env: "));
    EXPECT_TRUE(error_of({"--process", "/p", "--user", "1"}).starts_with("--user: "));
    EXPECT_TRUE(error_of({"--process", "/p"}).starts_with("--process: ")) << "a command besides";
}

TEST(OutsideId, is_what_the_kernel_says) {
    constexpr std::string_view map = "         0     100000       1000\n      2000          5          1\n";
    EXPECT_EQ(outside_id(map, 0), 100000U);
    EXPECT_EQ(outside_id(map, 999), 100999U);
    EXPECT_EQ(outside_id(map, 1000), std::nullopt);
    EXPECT_EQ(outside_id(map, 2000), 5U);
    EXPECT_EQ(outside_id("         0          0 4294967295\n", 4294967294), 4294967294U);
    EXPECT_EQ(outside_id("", 0), std::nullopt);
}

} // namespace
} // namespace oci::commands
