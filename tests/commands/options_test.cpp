// SPDX-License-Identifier: Apache-2.0
// The command line as engines write it.
#include "commands/options.h"

#include <cstdlib>
#include <gtest/gtest.h>
#include <set>

#include "commands/common.h"

namespace oci::commands {
namespace {

using Words = std::vector<std::string>;

Result<ParsedLine> parse(std::string_view command, Words const& words) {
    auto const* const found = find_command(command);
    if (found == nullptr)
        return fail("no such command");
    return parse_options(found->options, words, found->option_place);
}

Result<ParsedLine> parse_global(Words const& words) {
    return parse_options(global_options(), words, OptionPlace::before_arguments);
}

std::string error_of(Result<ParsedLine> const& result) {
    return result ? "no error" : result.error().message;
}

TEST(Options, every_way_to_write_a_value) {
    for (auto const& words : {Words{"--bundle", "/b"},
                              {"--bundle=/b"},
                              {"-bundle", "/b"},
                              {"-bundle=/b"},
                              {"-b", "/b"},
                              {"-b=/b"},
                              {"--b", "/b"}}) {
        auto const line = parse("create", words);
        ASSERT_TRUE(line) << words[0];
        EXPECT_EQ("/b", line->options.text("bundle")) << words[0];
        EXPECT_TRUE(line->options.given("bundle"));
        EXPECT_TRUE(line->arguments.empty());
    }
}

TEST(Options, a_value_may_look_like_anything) {
    EXPECT_EQ("--pid-file", parse("create", {"--bundle", "--pid-file"})->options.text("bundle"));
    EXPECT_EQ("", parse("create", {"--bundle="})->options.text("bundle"));
    EXPECT_EQ("", parse("create", {"--bundle", ""})->options.text("bundle"));
    EXPECT_EQ("a=b=c", parse("create", {"--bundle=a=b=c"})->options.text("bundle"));
    EXPECT_EQ("--", parse("create", {"--bundle", "--", "c1"})->options.text("bundle"));
}

TEST(Options, flags) {
    EXPECT_FALSE(parse("create", {})->options.flag("no-pivot"));
    for (auto const* const word : {"--no-pivot", "-no-pivot", "--no-pivot=true", "--no-pivot=1", "--no-pivot=T"})
        EXPECT_TRUE(parse("create", {word})->options.flag("no-pivot")) << word;
    for (auto const* const word : {"--no-pivot=false", "--no-pivot=0", "--no-pivot=F", "-no-pivot=False"})
        EXPECT_FALSE(parse("create", {word})->options.flag("no-pivot")) << word;
    auto const line = parse("create", {"--no-pivot", "false"});
    EXPECT_TRUE(line->options.flag("no-pivot")) << "the next word is no value";
    EXPECT_EQ(Words{"false"}, line->arguments);
}

TEST(Options, the_last_one_counts) {
    auto const line = parse("create", {"--bundle", "/a", "-b", "/b", "--no-pivot", "--no-pivot=false"});
    EXPECT_EQ("/b", line->options.text("bundle"));
    EXPECT_EQ((Words{"/a", "/b"}), line->options.texts("bundle"));
    EXPECT_FALSE(line->options.flag("no-pivot"));
}

TEST(Options, stand_anywhere_among_arguments) {
    auto const line = parse("create", {"c1", "--bundle", "/b", "-no-pivot"});
    EXPECT_EQ(Words{"c1"}, line->arguments);
    EXPECT_EQ("/b", line->options.text("bundle"));
    EXPECT_TRUE(line->options.flag("no-pivot"));
}

TEST(Options, end_at_the_first_argument_of_exec_and_kill) {
    EXPECT_EQ((Words{"c1", "ls", "-l", "--", "--help"}), parse("exec", {"c1", "ls", "-l", "--", "--help"})->arguments);
    auto const line = parse("kill", {"-a", "c1", "--all=false", "-9"});
    EXPECT_TRUE(line->options.flag("all"));
    EXPECT_EQ((Words{"c1", "--all=false", "-9"}), line->arguments);
}

TEST(Options, end_at_two_dashes) {
    auto const line = parse("delete", {"--", "--force", "--"});
    EXPECT_FALSE(line->options.flag("force"));
    EXPECT_EQ((Words{"--force", "--"}), line->arguments);
    EXPECT_EQ((Words{"c1", "-x"}), parse("exec", {"--", "c1", "-x"})->arguments);
}

TEST(Options, one_dash_is_an_argument) {
    EXPECT_EQ(Words{"-"}, parse("delete", {"-"})->arguments);
    EXPECT_EQ(Words{""}, parse("delete", {""})->arguments);
}

TEST(Options, errors_as_engines_look_for_them) {
    EXPECT_EQ("flag provided but not defined: -x", error_of(parse("create", {"-x"})));
    EXPECT_EQ("flag provided but not defined: -lsm-mount-context",
              error_of(parse("create", {"--lsm-mount-context=1"})));
    EXPECT_EQ("flag needs an argument: -bundle", error_of(parse("create", {"--bundle"})));
    EXPECT_EQ("flag needs an argument: -b", error_of(parse("create", {"c1", "-b"})));
    EXPECT_EQ("bad flag syntax: --=x", error_of(parse("create", {"--=x"})));
    EXPECT_EQ("bad flag syntax: ---x", error_of(parse("create", {"---x"})));
    EXPECT_NE(std::string::npos, error_of(parse("delete", {"--force=maybe"})).find("-force"));
    for (auto const* const value : {"x", "-1", "1x", "", " 1", "4294967296", "0x1"})
        EXPECT_NE(std::string::npos, error_of(parse("create", {"--preserve-fds", value})).find("-preserve-fds"))
            << value;
}

TEST(Options, numbers) {
    EXPECT_EQ(0U, parse("create", {})->options.number("preserve-fds"));
    EXPECT_EQ(7U, parse("create", {})->options.number("preserve-fds", 7));
    EXPECT_EQ(3U, parse("create", {"--preserve-fds", "3"})->options.number("preserve-fds"));
}

TEST(Options, help_everywhere) {
    for (auto const& command : all_commands())
        for (auto const* const word : {"--help", "-h", "-help"})
            EXPECT_TRUE(parse(command.name, {word})->options.flag("help")) << command.name;
    EXPECT_TRUE(parse_global({"-h"})->options.flag("help"));
}

TEST(Options, count_of_arguments) {
    auto const complaint = [](std::string_view command, std::size_t count) {
        auto const checked = check_argument_count(*find_command(command), count);
        return checked ? "" : checked.error().message;
    };
    EXPECT_EQ("", complaint("create", 1));
    EXPECT_EQ("\"create\" requires exactly 1 argument(s)", complaint("create", 0));
    EXPECT_EQ("\"create\" requires exactly 1 argument(s)", complaint("create", 2));
    EXPECT_EQ("\"kill\" requires a minimum of 1 argument(s)", complaint("kill", 0));
    EXPECT_EQ("\"kill\" requires a maximum of 2 argument(s)", complaint("kill", 3));
    EXPECT_EQ("", complaint("exec", 100));
    EXPECT_EQ("\"list\" requires exactly 0 argument(s)", complaint("list", 1));
}

TEST(Options, as_containerd_writes_them) {
    auto const global =
        parse_global({"--root", "/run/containerd/runc/k8s.io", "--log", "/b/log.json", "--log-format", "json",
                      "--systemd-cgroup", "create", "--bundle", "/b", "--pid-file", "/b/init.pid", "--no-pivot", "c1"});
    ASSERT_TRUE(global);
    EXPECT_EQ("/run/containerd/runc/k8s.io", global->options.text("root"));
    EXPECT_TRUE(global->options.flag("systemd-cgroup"));
    auto rest = global->arguments;
    ASSERT_EQ("create", rest[0]);
    rest.erase(rest.begin());
    auto const line = parse("create", rest);
    EXPECT_EQ("/b/init.pid", line->options.text("pid-file"));
    EXPECT_EQ(Words{"c1"}, line->arguments);
}

TEST(Options, tables_are_sound) {
    std::set<std::string_view> names;
    for (auto const& command : all_commands()) {
        EXPECT_TRUE(names.insert(command.name).second) << command.name;
        EXPECT_FALSE(command.summary.empty());
        EXPECT_FALSE(command.summary.ends_with('.'));
        EXPECT_LE(command.fewest_arguments, command.most_arguments);
    }
    auto const check = [](std::span<Option const> options, std::string_view of) {
        std::set<std::string_view> words = {help_option().name, help_option().alias};
        for (auto const& option : options) {
            EXPECT_TRUE(words.insert(option.name).second) << of << " --" << option.name;
            EXPECT_TRUE(option.alias.empty() || words.insert(option.alias).second) << of << " -" << option.alias;
            EXPECT_EQ(option.kind == Option::Kind::flag, option.value_name.empty()) << of << " --" << option.name;
            EXPECT_FALSE(option.help.empty()) << of << " --" << option.name;
        }
    };
    check(global_options(), "");
    for (auto const& command : all_commands())
        check(command.options, command.name);
}

TEST(Options, help_names_everything) {
    auto const global = global_help();
    for (auto const& command : all_commands()) {
        EXPECT_NE(std::string::npos, global.find(concat("\n  ", command.name, " "))) << command.name;
        auto const help = command_help(command);
        for (auto const& option : command.options)
            EXPECT_NE(std::string::npos, help.find(concat("--", option.name))) << command.name;
        EXPECT_NE(std::string::npos, help.find("-h, --help"));
    }
    for (auto const& option : global_options())
        EXPECT_NE(std::string::npos, global.find(concat("--", option.name)));
}

Result<GlobalOptions> check(Words const& words) {
    return check_global_options(parse_global(words)->options);
}

TEST(GlobalOptions, defaults) {
    auto const global = check({});
    ASSERT_TRUE(global);
    EXPECT_EQ("", global->root);
    EXPECT_EQ("", global->log);
    EXPECT_EQ(LogFormat::text, global->log_format);
    EXPECT_EQ(std::nullopt, global->log_level);
    EXPECT_EQ(CgroupManager::cgroupfs, global->cgroup_manager);
    EXPECT_EQ(std::nullopt, global->rootless);
}

TEST(GlobalOptions, values) {
    EXPECT_EQ("/a/b", check({"--root", "/a//b/c/.."})->root);
    EXPECT_TRUE(check({"--root", "x"})->root.ends_with("/x"));
    EXPECT_EQ("/l", check({"--log", "file:/l"})->log);
    EXPECT_EQ("/l", check({"--log", "/k", "--log=/l"})->log);
    EXPECT_EQ(LogFormat::json, check({"--log-format", "json"})->log_format);
    EXPECT_EQ(LogLevel::debug, check({"--debug"})->log_level);
    EXPECT_EQ(LogLevel::debug, check({"--log-level", "error", "--debug"})->log_level);
    EXPECT_EQ(LogLevel::warning, check({"--log-level", "info"})->log_level);
    EXPECT_EQ(LogLevel::error, check({"--log-level", "error", "--debug=false"})->log_level);
    EXPECT_EQ(CgroupManager::systemd, check({"--systemd-cgroup"})->cgroup_manager);
    EXPECT_EQ(CgroupManager::cgroupfs, check({"--systemd-cgroup=false"})->cgroup_manager);
    EXPECT_EQ(CgroupManager::disabled, check({"--systemd-cgroup", "--cgroup-manager", "disabled"})->cgroup_manager);
    EXPECT_EQ(true, check({"--rootless=true"})->rootless);
    EXPECT_TRUE(check({"--criu", "/usr/sbin/criu"}));
}

TEST(GlobalOptions, refusals) {
    EXPECT_EQ("Option --root argument should not be set to /", check({"--root", "/"}).error().message);
    EXPECT_FALSE(check({"--root", "/a/.."}));
    EXPECT_FALSE(check({"--log-format", "xml"}));
    EXPECT_FALSE(check({"--log-level", "loud"}));
    EXPECT_FALSE(check({"--cgroup-manager", "lmctfy"}));
    EXPECT_FALSE(check({"--rootless", "maybe"}));
    EXPECT_FALSE(check({"--log", "journald:x"}));
}

Invocation invocation(Words arguments, Words const& options = {}) {
    Invocation made;
    made.arguments = std::move(arguments);
    made.options = parse("create", options)->options;
    return made;
}

TEST(Arguments, a_path_names_a_bundle) {
    EXPECT_EQ("c1", container_id("c1").value());
    EXPECT_EQ("b", container_id("/a/b").value());
    EXPECT_EQ("b", container_id("/a/b/").value());
    EXPECT_EQ("b", container_id("./b").value());
    EXPECT_EQ("a", container_id("/a/b/..").value());
    EXPECT_FALSE(container_id(".").value().empty());
    EXPECT_EQ("/a/b", bundle_path(invocation({"/a/b/"})).value());
    EXPECT_EQ("/c", bundle_path(invocation({"c1"}, {"-b", "/c"})).value());
    EXPECT_TRUE(bundle_path(invocation({"c1"})).value().starts_with('/'));
    EXPECT_FALSE(bundle_path(invocation({"./b"}, {"-b", "/c"})));
    EXPECT_EQ("/b", bundle_argument(invocation({"/b"})).value());
    EXPECT_TRUE(bundle_argument(invocation({"b"}))->ends_with("/b"));
}

TEST(Arguments, formats) {
    auto const format = [](Words const& words, OutputFormat fallback) {
        return output_format(parse("list", words)->options, fallback);
    };
    EXPECT_EQ(OutputFormat::table, format({}, OutputFormat::table));
    EXPECT_EQ(OutputFormat::table, format({"-f", "table"}, OutputFormat::table));
    EXPECT_EQ(OutputFormat::json, format({"--format=json"}, OutputFormat::table));
    EXPECT_EQ(OutputFormat::text, format({"--format=text"}, OutputFormat::text));
    EXPECT_FALSE(format({"--format=text"}, OutputFormat::table));
    EXPECT_FALSE(format({"--format=yaml"}, OutputFormat::text));
}

TEST(Bytes, AreReadAsDockerWritesThem) {
    struct Size {
        std::string_view text;
        std::int64_t bytes;
    };
    for (auto const& [text, bytes] : std::initializer_list<Size>{{"0", 0},
                                                                 {"2048", 2048},
                                                                 {"-1", -1},
                                                                 {"9223372036854775807", INT64_MAX},
                                                                 {"512m", 512LL << 20},
                                                                 {"512M", 512LL << 20},
                                                                 {"1k", 1024},
                                                                 {"1kb", 1024},
                                                                 {"1 KiB", 1024},
                                                                 {"5b", 5},
                                                                 {"1.5GiB", 3LL << 29},
                                                                 {"2t", 2LL << 40},
                                                                 {"3P", 3LL << 50}})
        EXPECT_EQ(parse_bytes(text), bytes) << text;
}

TEST(Bytes, NothingElseIsASize) {
    for (std::string_view const text : {"", "-2", "-1k", "m", "1x", "1mm", "1mib5", "0x10", "inf", "nan", "1e3", " 1",
                                        "9223372036854775808", "8192p", "1.2.3"})
        EXPECT_EQ(parse_bytes(text), std::nullopt) << text;
}

TEST(Ps, keeps_the_header_and_the_rows_of_the_container) {
    constexpr auto* const table = "UID   PID CMD\nroot  1 init\nu  22 a  b\n\nu 222 c\n";
    EXPECT_EQ("UID   PID CMD\nu  22 a  b\n", rows_of_processes(table, {2, 22}));
    EXPECT_EQ("UID   PID CMD\n", rows_of_processes(table, {}));
    EXPECT_EQ("PID\n", rows_of_processes("PID", {1}));
    EXPECT_EQ("couldn't find PID field in ps output", rows_of_processes("UID CMD\n1 2\n", {1}).error().message);
    EXPECT_FALSE(rows_of_processes("", {1}));
    EXPECT_FALSE(rows_of_processes("COMMAND PID\nmy program 22\n", {22}));
    EXPECT_FALSE(rows_of_processes("CMD PID\nx\n", {22})) << "a row without that column";
}

} // namespace
} // namespace oci::commands
