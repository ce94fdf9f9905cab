// SPDX-License-Identifier: Apache-2.0
// The command line as tables, and the one parser and help printer that read them.
//
// The syntax is that of Go's flag package, which engines rely on: "--name value", "--name=value", the same with one
// dash,
// "--flag=false", the last of several counts, "--" ends the options. No library does single-dash long names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace oci::commands {

struct Option {
    enum class Kind {
        flag, ///< no value, or "=true", "=false"
        text,
        number ///< not negative
    };
    std::string_view name;  ///< without dashes
    std::string_view alias; ///< "b"; "" without
    Kind kind = Kind::flag;
    std::string_view value_name; ///< for help: "DIR"
    std::string_view help;       ///< one line
};

/// Where options may stand. before_arguments: from the first argument on everything is an argument ("exec c1 ls -l").
enum class OptionPlace { anywhere, before_arguments };

struct CommandLine {
    std::string_view name;
    std::string_view arguments; ///< for help: "ID [SIGNAL]"
    std::string_view summary;   ///< for help, one sentence without full stop
    std::span<Option const> options;
    std::size_t fewest_arguments = 0;
    std::size_t most_arguments = 0;
    OptionPlace option_place = OptionPlace::anywhere;
    bool names_container = false; ///< its first argument is a container's id: errors mention it
    int failure_exit_code = 1;
    std::string_view verbs = {}; ///< "add remove list": its first argument is one of them; the others come after it
};

constexpr std::size_t any_number = static_cast<std::size_t>(-1);

std::span<CommandLine const> all_commands();
/// nullptr: there is no such command.
CommandLine const* find_command(std::string_view name);
/// Options before the command.
std::span<Option const> global_options();
/// "help": every command has it besides its own.
Option const& help_option();

/// Values by option name, as given.
class ParsedOptions {
public:
    bool given(std::string_view name) const;
    bool flag(std::string_view name) const;
    /// The last value, or `fallback`.
    std::string text(std::string_view name, std::string_view fallback = {}) const;
    unsigned number(std::string_view name, unsigned fallback = 0) const;
    /// All values, in order.
    std::vector<std::string> texts(std::string_view name) const;

    void add(std::string_view name, std::string_view value);

private:
    std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

struct ParsedLine {
    ParsedOptions options;
    std::vector<std::string> arguments;
};

/// Values are checked for their kind. Errors: "flag provided but not defined: -x", "flag needs an argument: -x",
/// "invalid value ...".
Result<ParsedLine> parse_options(std::span<Option const> table, std::span<std::string const> words, OptionPlace place);
/// Error: "\"create\" requires exactly 1 argument(s)".
Result<void> check_argument_count(CommandLine const& command, std::size_t count);

/// A size in bytes: "2048", "512m", "1.5GiB", "-1", as Docker's tools write them; the prefixes are powers of 1024.
std::optional<std::int64_t> parse_bytes(std::string_view text);

std::string global_help();
std::string command_help(CommandLine const& command);

} // namespace oci::commands
