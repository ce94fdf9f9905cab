// SPDX-License-Identifier: Apache-2.0
// Completions for shells, out of the option tables: bash(1), zshcompsys(1), fish-completions(7).
#include <algorithm>
#include <array>
#include <map>

#include "commands/common.h"

namespace oci::commands {

namespace {

/// What the value of an option, or an argument of a command, can be.
enum class ValueKind { none, file, folder, container, command, other };

ValueKind value_kind(Option const& option) {
    if (option.kind == Option::Kind::flag)
        return ValueKind::none;
    if (option.value_name == "DIR")
        return ValueKind::folder;
    return option.value_name == "FILE" || option.value_name == "PATH" ? ValueKind::file : ValueKind::other;
}

ValueKind argument_kind(CommandLine const& command) {
    if (command.arguments.empty())
        return ValueKind::none;
    if (command.arguments == "[COMMAND]")
        return ValueKind::command;
    if (command.arguments == "[BUNDLE]")
        return ValueKind::folder;
    // Those that make a container take an id that is not there yet.
    constexpr std::array<std::string_view, 3> makers{"create", "run", "plan"};
    bool const makes = std::ranges::find(makers, command.name) != makers.end();
    return command.names_container && !makes ? ValueKind::container : ValueKind::other;
}

/// The text with "@name@" replaced by the value of that name.
std::string filled(std::string_view text, std::map<std::string_view, std::string> const& values) {
    std::string out(text);
    for (auto const& [name, value] : values) {
        auto const mark = concat("@", name, "@");
        for (auto at = out.find(mark); at != std::string::npos; at = out.find(mark, at + value.size()))
            out.replace(at, mark.size(), value);
    }
    return out;
}

std::string command_names() {
    std::vector<std::string> names;
    for (auto const& command : all_commands())
        names.emplace_back(command.name);
    return join(names, " ");
}

/// "--bundle -b --help", of those options that `wanted` is true for.
template <typename Wanted>
std::string option_words(std::span<Option const> options, Wanted wanted) {
    std::vector<std::string> words;
    for (auto const& option : options) {
        if (!wanted(option))
            continue;
        words.push_back(concat("--", option.name));
        if (!option.alias.empty())
            words.push_back(concat("-", option.alias));
    }
    return join(words, " ");
}

std::string all_words(std::span<Option const> options) {
    auto const own = option_words(options, [](Option const&) { return true; });
    return own.empty() ? "--help" : concat(own, " --help");
}

/// Patterns for `case`: "--root|--log".
std::string bash_patterns(ValueKind kind) {
    std::vector<std::string> patterns;
    auto const add = [&](std::span<Option const> options) {
        auto const words = option_words(options, [&](Option const& one) { return value_kind(one) == kind; });
        for (auto const word : split(words, ' '))
            if (!word.empty() && std::ranges::find(patterns, word) == patterns.end())
                patterns.emplace_back(word);
    };
    add(global_options());
    for (auto const& command : all_commands())
        add(command.options);
    return join(patterns, "|");
}

std::string bash_argument(ValueKind kind) {
    switch (kind) {
    case ValueKind::container:
        return "$(oci-run list --quiet 2>/dev/null)";
    case ValueKind::command:
        return command_names();
    case ValueKind::none:
    case ValueKind::file:
    case ValueKind::folder:
    case ValueKind::other:
        break;
    }
    return "";
}

constexpr std::string_view bash_script = R"(# bash completion for oci-run
_oci_run() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command='' word options arguments
    COMPREPLY=()
    case $previous in
    @folders@)
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
        return ;;
    @files@)
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return ;;
    @others@) return ;;
    esac
    for word in "${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do
        [[ " @commands@ " != *" $word "* ]] || { command=$word && break; }
    done
    case $command in
    '') options='@options@' arguments='@commands@' ;;
@cases@    esac
    [[ $current != -* ]] || arguments=$options
    mapfile -t COMPREPLY < <(compgen -W "$arguments" -- "$current")
    [[ -n $arguments || $current == -* ]] || { compopt -o filenames && mapfile -t COMPREPLY < <(compgen -f -- "$current"); }
}
complete -F _oci_run oci-run
)";

std::string bash_completion() {
    std::string cases;
    for (auto const& command : all_commands())
        cases +=
            concat("    ", command.name, ") options='", all_words(command.options), "' arguments=\"", command.verbs,
                   command.verbs.empty() ? "" : " ", bash_argument(argument_kind(command)), "\" ;;\n");
    return filled(bash_script, {{"folders", bash_patterns(ValueKind::folder)},
                                {"files", bash_patterns(ValueKind::file)},
                                {"others", bash_patterns(ValueKind::other)},
                                {"commands", command_names()},
                                {"options", all_words(global_options())},
                                {"cases", cases}});
}

/// In single quotes of a POSIX shell; brackets and colons have a meaning in _arguments.
std::string zsh_text(std::string_view text) {
    std::string out;
    for (char const c : text) {
        if (c == '[' || c == ']' || c == ':')
            out += '\\';
        out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
    return out;
}

std::string zsh_action(ValueKind kind) {
    switch (kind) {
    case ValueKind::file:
        return "_files";
    case ValueKind::folder:
        return "_files -/";
    case ValueKind::container:
        return "_oci_run_containers";
    case ValueKind::command:
        return concat("(", command_names(), ")");
    case ValueKind::none:
    case ValueKind::other:
        break;
    }
    return " ";
}

std::string zsh_options(std::span<Option const> options, std::string_view indent) {
    std::string out;
    auto const add = [&](std::string_view dashes, std::string_view name, Option const& option) {
        auto const kind = value_kind(option);
        auto const value =
            kind == ValueKind::none ? "" : concat(":", zsh_text(option.value_name), ":", zsh_action(kind));
        out += concat(" \\\n", indent, "'*", dashes, name, kind != ValueKind::none && dashes == "--" ? "=" : "", "[",
                      zsh_text(option.help), "]", value, "'");
    };
    for (auto const& option : options) {
        add("--", option.name, option);
        if (!option.alias.empty())
            add("-", option.alias, option);
    }
    add("--", help_option().name, help_option());
    return out;
}

std::string zsh_arguments(CommandLine const& command) {
    auto const action = zsh_action(argument_kind(command));
    if (command.verbs.empty())
        return concat("'*:argument:", action, "'");
    return concat("'1:verb:(", command.verbs, ")' '2:argument:", action, "' '*:file:_files'");
}

constexpr std::string_view zsh_script = R"zsh(#compdef oci-run
_oci_run_containers() {
    local -a containers=(${(f)"$(oci-run list --quiet 2>/dev/null)"})
    _describe container containers
}
_oci_run() {
    local state line
    local -A opt_args
    local -a commands=(
@commands@    )
    _arguments -C@options@ \
        '1: :->command' '*:: :->arguments'
    case $state in
    command) _describe command commands ;;
    arguments)
        case $line[1] in
@cases@        esac ;;
    esac
}
_oci_run "$@"
)zsh";

std::string zsh_completion() {
    std::string commands;
    std::string cases;
    for (auto const& command : all_commands()) {
        commands += concat("        '", command.name, ":", zsh_text(command.summary), "'\n");
        cases += concat("        ", command.name, ") _arguments", zsh_options(command.options, "            "),
                        " \\\n            ", zsh_arguments(command), " ;;\n");
    }
    return filled(zsh_script,
                  {{"commands", commands}, {"options", zsh_options(global_options(), "        ")}, {"cases", cases}});
}

std::string fish_text(std::string_view text) {
    std::string out;
    for (char const c : text)
        out += c == '\'' || c == '\\' ? concat("\\", std::string(1, c)) : std::string(1, c);
    return out;
}

std::string fish_options(std::span<Option const> options, std::string_view condition) {
    std::string out;
    for (auto const& option : options) {
        auto const kind = value_kind(option);
        out += concat("complete -c oci-run -n '", condition, "' -l ", option.name,
                      option.alias.empty() ? "" : concat(" -s ", option.alias),
                      kind == ValueKind::none                                ? ""
                      : kind == ValueKind::file || kind == ValueKind::folder ? " -r -F"
                                                                             : " -x",
                      " -d '", fish_text(option.help), "'\n");
    }
    return out;
}

std::string fish_arguments(ValueKind kind, std::string_view condition) {
    switch (kind) {
    case ValueKind::container:
        return concat("complete -c oci-run -n '", condition, "' -f -a '(oci-run list --quiet 2>/dev/null)'\n");
    case ValueKind::command:
        return concat("complete -c oci-run -n '", condition, "' -f -a '", command_names(), "'\n");
    case ValueKind::none:
        return concat("complete -c oci-run -n '", condition, "' -f\n");
    case ValueKind::file:
    case ValueKind::folder:
    case ValueKind::other:
        break;
    }
    return "";
}

/// Files, too: the last argument is one.
std::string fish_verbs(std::string_view verbs, std::string_view condition) {
    return concat("complete -c oci-run -n '", condition, "' -a '", verbs, " (oci-run list --quiet 2>/dev/null)'\n");
}

std::string fish_completion() {
    constexpr std::string_view without_command = "__fish_use_subcommand";
    auto out = concat("# fish completion for oci-run\n", fish_options(global_options(), without_command),
                      "complete -c oci-run -l help -s h -d '", help_option().help, "'\n");
    for (auto const& command : all_commands()) {
        auto const condition = concat("__fish_seen_subcommand_from ", command.name);
        out += concat("complete -c oci-run -n ", without_command, " -f -a ", command.name, " -d '",
                      fish_text(command.summary), "'\n", fish_options(command.options, condition),
                      command.verbs.empty() ? fish_arguments(argument_kind(command), condition)
                                            : fish_verbs(command.verbs, condition));
    }
    return out;
}

} // namespace

Result<int> run_completion(Invocation const& invocation) {
    struct Shell {
        std::string_view name;
        std::string (*completion)();
    };
    constexpr std::array<Shell, 3> shells{
        {{"bash", bash_completion}, {"zsh", zsh_completion}, {"fish", fish_completion}}};
    auto const& name = invocation.arguments[0];
    auto const* const shell = std::ranges::find(shells, name, &Shell::name);
    if (shell == shells.end())
        return fail("there are completions for bash, zsh and fish, not for ", json_string(name));
    TRY(print(shell->completion()));
    return 0;
}

} // namespace oci::commands
