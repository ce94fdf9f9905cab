// SPDX-License-Identifier: Apache-2.0
#include "commands/options.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace oci::commands {

namespace {

/// One word of the form -name, --name, -name=value or --name=value.
struct OptionWord {
    std::string_view name;
    std::optional<std::string_view> value;
};

Result<OptionWord> split_option(std::string_view word) {
    auto rest = word.substr(word.starts_with("--") ? 2 : 1);
    OptionWord option;
    auto const equals = rest.find('=');
    option.name = rest.substr(0, equals);
    if (equals != std::string_view::npos)
        option.value = rest.substr(equals + 1);
    if (option.name.empty() || option.name.starts_with('-'))
        return fail("bad flag syntax: ", word);
    return option;
}

Option const* find_option(std::span<Option const> table, std::string_view name) {
    auto const matches = [&](Option const& option) {
        return option.name == name || (!option.alias.empty() && option.alias == name);
    };
    auto const found = std::find_if(table.begin(), table.end(), matches);
    if (found != table.end())
        return &*found;
    return matches(help_option()) ? &help_option() : nullptr;
}

/// The values that Go's flag package takes for a boolean.
std::optional<bool> parse_flag(std::string_view value) {
    constexpr std::array<std::string_view, 6> yes = {"1", "t", "T", "true", "TRUE", "True"};
    constexpr std::array<std::string_view, 6> no = {"0", "f", "F", "false", "FALSE", "False"};
    if (std::find(yes.begin(), yes.end(), value) != yes.end())
        return true;
    if (std::find(no.begin(), no.end(), value) != no.end())
        return false;
    return std::nullopt;
}

Result<void> check_value(Option const& option, std::string_view value) {
    switch (option.kind) {
    case Option::Kind::flag:
        if (!parse_flag(value))
            return fail("invalid boolean value ", json_string(value), " for -", option.name);
        return {};
    case Option::Kind::number:
        if (!parse_number<unsigned>(value))
            return fail("invalid value ", json_string(value), " for flag -", option.name, ": not a number from 0 up");
        return {};
    case Option::Kind::text:
        return {};
    }
    return {};
}

bool is_option(std::string_view word) {
    return word.size() > 1 && word[0] == '-';
}

std::string option_column(Option const& option) {
    auto text = concat(option.alias.empty() ? "    " : concat("-", option.alias, ", "), "--", option.name);
    if (option.kind != Option::Kind::flag)
        text += concat(" ", option.value_name);
    return text;
}

/// "  left    right" for every row, the right sides below each other.
void append_rows(std::string& out, std::vector<std::pair<std::string, std::string_view>> const& rows) {
    std::size_t width = 0;
    for (auto const& [left, right] : rows)
        width = std::max(width, left.size());
    for (auto const& [left, right] : rows)
        out += concat("  ", left, std::string(width - left.size() + 3, ' '), right, "\n");
}

void append_options(std::string& out, std::span<Option const> options) {
    std::vector<std::pair<std::string, std::string_view>> rows;
    for (auto const& option : options)
        rows.emplace_back(option_column(option), option.help);
    rows.emplace_back(option_column(help_option()), help_option().help);
    out += "\nOptions:\n";
    append_rows(out, rows);
}

} // namespace

bool ParsedOptions::given(std::string_view name) const {
    return values_.contains(name);
}

bool ParsedOptions::flag(std::string_view name) const {
    return parse_flag(text(name)).value_or(false);
}

std::string ParsedOptions::text(std::string_view name, std::string_view fallback) const {
    auto const found = values_.find(name);
    return found == values_.end() ? std::string(fallback) : found->second.back();
}

unsigned ParsedOptions::number(std::string_view name, unsigned fallback) const {
    return parse_number<unsigned>(text(name)).value_or(fallback);
}

std::vector<std::string> ParsedOptions::texts(std::string_view name) const {
    auto const found = values_.find(name);
    return found == values_.end() ? std::vector<std::string>{} : found->second;
}

void ParsedOptions::add(std::string_view name, std::string_view value) {
    values_[std::string(name)].emplace_back(value);
}

Result<ParsedLine> parse_options(std::span<Option const> table, std::span<std::string const> words, OptionPlace place) {
    ParsedLine line;
    while (!words.empty()) {
        auto const& word = words.front();
        words = words.subspan(1);
        if (!is_option(word)) {
            line.arguments.push_back(word);
            if (place == OptionPlace::before_arguments)
                break;
            continue;
        }
        if (word == "--")
            break;
        auto const [name, written_value] = TRY(split_option(word));
        auto const* const option = find_option(table, name);
        if (option == nullptr)
            return fail("flag provided but not defined: -", printable(name));
        auto value = written_value;
        if (!value && option->kind == Option::Kind::flag)
            value = "true";
        if (!value && words.empty())
            return fail("flag needs an argument: -", name);
        if (!value) {
            value = words.front();
            words = words.subspan(1);
        }
        TRY(check_value(*option, *value));
        line.options.add(option->name, *value);
    }
    line.arguments.insert(line.arguments.end(), words.begin(), words.end());
    return line;
}

Result<void> check_argument_count(CommandLine const& command, std::size_t count) {
    auto const wrong = [&](std::string_view how_many, std::size_t number) {
        return fail("\"", command.name, "\" requires ", how_many, " ", number, " argument(s)");
    };
    if (command.fewest_arguments == command.most_arguments && count != command.fewest_arguments)
        return wrong("exactly", command.fewest_arguments);
    if (count < command.fewest_arguments)
        return wrong("a minimum of", command.fewest_arguments);
    if (count > command.most_arguments)
        return wrong("a maximum of", command.most_arguments);
    return {};
}

std::optional<std::int64_t> parse_bytes(std::string_view text) {
    if (auto const bytes = parse_number<std::int64_t>(text)) // exactly, and not as a floating point number
        return *bytes >= -1 ? bytes : std::nullopt;
    auto const digits = std::min(text.find_first_not_of("0123456789."), text.size());
    auto const decimal = parse_decimal(text.substr(0, digits));
    if (!decimal)
        return std::nullopt;
    double number = *decimal;
    std::string unit;
    for (auto const letter : trim(text.substr(digits)))
        unit += static_cast<char>(letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter);
    constexpr std::string_view prefixes = "kmgtp";
    auto const prefix = unit.empty() ? std::string_view::npos : prefixes.find(unit[0]);
    if (prefix != std::string_view::npos) {
        unit.erase(0, 1);
        number = std::ldexp(number, 10 * (static_cast<int>(prefix) + 1));
    }
    constexpr double first_too_large = 9223372036854775808.0; // 2^63
    if ((!unit.empty() && unit != "b" && unit != "ib") || !(number < first_too_large))
        return std::nullopt;
    return static_cast<std::int64_t>(number);
}

std::string global_help() {
    std::string out = "Usage: oci-run [OPTION...] COMMAND [ARGUMENT...]\n\n"
                      "Makes and runs containers from OCI bundles.\n\n"
                      "Commands:\n";
    std::vector<std::pair<std::string, std::string_view>> rows;
    for (auto const& command : all_commands())
        rows.emplace_back(command.name, command.summary);
    append_rows(out, rows);
    append_options(out, global_options());
    return out + "\n\"oci-run COMMAND --help\" tells more of a command, oci-run(8) of everything.\n";
}

std::string command_help(CommandLine const& command) {
    auto const arguments = command.arguments.empty() ? std::string() : concat(" ", command.arguments);
    auto out = concat("Usage: oci-run ", command.name, " [OPTION...]", arguments, "\n\n", command.summary, ".\n");
    append_options(out, command.options);
    return out;
}

} // namespace oci::commands
