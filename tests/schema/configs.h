// SPDX-License-Identifier: Apache-2.0
// Where the parser and schema/config.schema.json may differ, and why. Each line here is tried out by the tests, and one
// that is not needed any more is an error.
#pragma once

#include <regex>
#include <set>

#include "schema.h"
#include "spec/parse.h"

namespace oci::schema {

/// What the parser refuses, but not the schema.
struct Difference {
    char const* problem; ///< regular expression for "POINTER: RULE"
    char const* reason;
};

constexpr char const* on_this_system = "the specification allows it, this program or cgroup v2 has no such thing";
constexpr char const* other_members = "a schema cannot compare a value with one elsewhere";
constexpr char const* needs_cleaning = "a schema cannot resolve . and .. in a path";

constexpr Difference differences[] = {
    {"has no equivalent on cgroup v2$", on_this_system},
    {"a known seccomp architecture, is \"SCMP_ARCH_(LOONGARCH64|M68K|SH|SHEB)\"$", on_this_system},
    {"^/linux/namespaces: a mount namespace is required with a user namespace$", other_members},
    {"needs a mount namespace$", other_members},
    {"needs a uts namespace: without one it would be the host's$", other_members},
    {"needs a user namespace$", other_members},
    {"needs a network namespace$", other_members},
    {"needs a new time namespace$", other_members},
    {"a new user namespace needs uidMappings and gidMappings$", other_members},
    {": is (not in a separate kernel namespace|no name of a kernel parameter)$", other_members},
    {": conflicts with the field (host|domain)name$", other_members},
    {"^/process/user/[ug]id: must be mapped by /linux/[ug]idMappings", other_members},
    {"Mappings/[0-9]+: must not overlap another mapping$", other_members},
    {"Mappings/[0-9]+: must not go beyond the id 4294967294$", "a schema cannot add"},
    {"^/process/rlimits/[0-9]+/soft: must not be greater than hard$", other_members},
    {"^/linux/resources/cpu/burst: must not be greater than quota$", other_members},
    {"^/linux/resources/memory/swap: must not be less than limit", other_members},
    {"^/(process/rlimits|linux/namespaces|linux/devices)/[0-9]+/(type|path): is given twice", other_members},
    {": there is a device .* in the container already$", other_members},
    {"^/mounts/[0-9]+/destination: must not be the root of the container$", needs_cleaning},
    {"^/mounts/[0-9]+/destination: must not be below /proc", needs_cleaning},
    {": must be a list of numbers and ranges such as 0-3,7, is \"[0-9]+-[0-9]+\"$", "a schema cannot compare numbers"},
    {": must not (contain a NUL character|have a NUL character in its name)$", "it would be a pattern at every string"},
    {"^/(host|domain)name: must not be longer than 64 bytes, is 72$", "a schema counts characters"},
    {" to 9223372036854775807, is (9223372036854775808|18446744073709551615)$",
     "the validator cannot read it: narrowed()"},
};

/// What the parser takes although it is not what the specification describes. The schema is for people who write a
/// configuration, and for them it is a mistake.
struct Leniency {
    char const* what;
    char const* reason;
    /// Takes it out of a document.
    std::function<void(json&)> take_out;
};

/// Takes away the members whose value `is_unset`, everywhere.
inline void take_out_members(json& document, std::function<bool(json const&)> const& is_unset) {
    if (document.is_object())
        for (auto member = document.begin(); member != document.end();)
            member = is_unset(*member) ? document.erase(member) : std::next(member);
    if (document.is_structured())
        for (auto& value : document)
            take_out_members(value, is_unset);
}

inline std::vector<Leniency> leniencies() {
    auto const take_out_console = [](json& document) {
        auto const process = document.find("process");
        if (process != document.end() && process->is_object() &&
            !process->value("terminal", json(false)).operator==(true))
            process->erase("consoleSize");
    };
    return {
        {"null as a member", "engines in Go write an unset list or object so",
         [](json& document) { take_out_members(document, [](json const& value) { return value.is_null(); }); }},
        {"an empty text as a member", "engines in Go write an unset text so",
         [](json& document) { take_out_members(document, [](json const& value) { return value == ""; }); }},
        {"a wrong consoleSize without a terminal", "config.md#process: runtimes MUST ignore it then", take_out_console},
    };
}

/// What the parser has to say, and the differences used are noted.
struct Verdict {
    bool accepted = false;
    std::string problems; ///< a line for each that is in no Difference
    std::set<char const*> differences;
};

inline Verdict read(std::string const& text) {
    static std::vector<std::pair<std::regex, char const*>> const expressions = [] {
        std::vector<std::pair<std::regex, char const*>> compiled;
        for (auto const& difference : differences)
            compiled.emplace_back(std::regex(difference.problem), difference.problem);
        return compiled;
    }();
    auto const report = spec::read_config(text);
    Verdict verdict{.accepted = report.problems.empty(), .problems = {}, .differences = {}};
    for (auto const& problem : report.problems) {
        auto const line = problem.pointer + ": " + problem.rule;
        auto const known = std::ranges::find_if(
            expressions, [&](auto const& expression) { return std::regex_search(line, expression.first); });
        if (known == expressions.end())
            verdict.problems += line + "\n";
        else
            verdict.differences.insert(known->second);
    }
    return verdict;
}

} // namespace oci::schema
