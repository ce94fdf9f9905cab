// SPDX-License-Identifier: Apache-2.0
// The root of config.json, and the public functions.
#include "spec/parse.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sched.h>

#include "document.h"
#include "readers.h"

namespace oci::spec {

namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_number(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

bool is_identifier(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
    });
}

bool has_leading_zero(std::string_view text) {
    return is_number(text) && text.size() > 1 && text[0] == '0';
}

/// Semantic Versioning 2.0.0: 1.2.3, 1.2.3-rc.1, 1.2.3+build, 1.2.3-rc.1+build.
bool is_semantic_version(std::string_view version) {
    if (auto const plus = version.find('+'); plus != std::string_view::npos) {
        auto const build = split(version.substr(plus + 1), '.');
        if (!std::all_of(build.begin(), build.end(), is_identifier))
            return false;
        version = version.substr(0, plus);
    }
    if (auto const dash = version.find('-'); dash != std::string_view::npos) {
        for (auto const identifier : split(version.substr(dash + 1), '.'))
            if (!is_identifier(identifier) || has_leading_zero(identifier))
                return false;
        version = version.substr(0, dash);
    }
    auto const numbers = split(version, '.');
    return numbers.size() == 3 && std::all_of(numbers.begin(), numbers.end(), [](std::string_view number) {
               return is_number(number) && !has_leading_zero(number);
           });
}

std::string read_version(Node const& node) {
    std::string version = node.required().text();
    if (version.empty())
        return version;
    if (!is_semantic_version(version))
        node.problem("must be a version like 1.2.0 (SemVer 2.0.0), is ", in_quotes(version));
    else if (!version.starts_with("0.") && !version.starts_with("1."))
        node.problem("must be a version of the specification that is known (0.x or 1.x), is ", in_quotes(version));
    return version;
}

Root read_root(Node const& node) {
    Root root;
    if (node.required().is_object()) {
        root.path = node["path"].required().text();
        root.readonly = node["readonly"].flag();
    }
    return root;
}

/// hostname or domainname.
std::optional<std::string> read_uts_name(Node const& node, Linux const& linux) {
    constexpr std::size_t longest = 64; // __NEW_UTS_LEN of the kernel
    std::string name = node.text();
    if (name.empty())
        return std::nullopt;
    if (name.size() > longest)
        node.problem("must not be longer than ", longest, " bytes, is ", name.size());
    if (linux.find(CLONE_NEWUTS) == nullptr)
        node.problem("needs a uts namespace: without one it would be the host's");
    return name;
}

std::map<std::string, std::string> read_annotations(Node const& node) {
    std::map<std::string, std::string> annotations;
    for (auto const& [key, value] : node.members()) {
        if (key.empty())
            value.problem("must not have an empty key");
        annotations[key] = value.text();
    }
    return annotations;
}

bool is_mapped(std::uint32_t id, std::vector<IdMapping> const& mappings) {
    return std::any_of(mappings.begin(), mappings.end(), [&](IdMapping const& mapping) {
        return id >= mapping.container_id && id - mapping.container_id < mapping.size;
    });
}

/// In a new user namespace a process can only become somebody who is mapped (setresuid(2), EINVAL).
void check_mapped_user(Node const& node, User const& user, Linux const& linux) {
    if (!linux.creates(CLONE_NEWUSER) || linux.uid_mappings.empty() || linux.gid_mappings.empty())
        return;
    if (!is_mapped(user.uid, linux.uid_mappings))
        node["uid"].problem("must be mapped by /linux/uidMappings, ", user.uid, " is not");
    if (!is_mapped(user.gid, linux.gid_mappings))
        node["gid"].problem("must be mapped by /linux/gidMappings, ", user.gid, " is not");
}

void read_spec(Node const& root, Spec& spec) {
    spec.oci_version = read_version(root["ociVersion"].in("config.md#specification-version"));
    if (auto const process = root["process"].in("config.md#process"); process.present())
        read_process(process, spec.process.emplace());
    spec.root = read_root(root["root"].in("config.md#root"));
    spec.mounts = read_mounts(root["mounts"].in("config.md#mounts"));
    spec.hooks = read_hooks(root["hooks"].in("config.md#posix-platform-hooks"));
    spec.annotations = read_annotations(root["annotations"].in("config.md#annotations"));
    auto const linux = root["linux"].in("config-linux.md#linux-container-configuration");
    read_linux(linux, spec.linux);
    check_mounts(root["mounts"].in("config.md#linux-mount-options"), spec.mounts, spec.linux);
    if (spec.process)
        check_mapped_user(root["process"]["user"].in("config.md#user"), spec.process->user, spec.linux);
    spec.hostname = read_uts_name(root["hostname"].in("config.md#hostname"), spec.linux);
    spec.domainname = read_uts_name(root["domainname"].in("config.md#domainname"), spec.linux);
    spec.linux.sysctl = read_sysctl(linux["sysctl"].in("config-linux.md#sysctl"), spec);
}

/// Calls `read` with the document's root, after `change` had the document. The JSON library's exceptions end here; of
/// the texts read none is known to be reachable. `list`: see read_document.
template <typename Read, typename Change>
void read_text(std::string_view text, std::string_view section, Findings& findings, Read read, Change change,
               std::string_view list = {}) {
    try {
        auto document = read_document(text, list);
        if (!document)
            return findings.problems.push_back(document.error());
        change(*document);
        read(Node(&*document, "", section, findings));
    } catch (nlohmann::json::exception const& error) {
        findings.problems.push_back({"", concat("cannot be read: ", error.what()), std::string(section)});
    }
}

template <typename Read>
void read_text(std::string_view text, std::string_view section, Findings& findings, Read read) {
    read_text(text, section, findings, read, [](nlohmann::json const&) {});
}

std::string sentence(Problem const& problem) {
    return problem.pointer.empty() ? problem.rule : concat(problem.pointer, ": ", problem.rule);
}

/// The value if there is no problem, else the first one and how many more there are.
template <typename Value>
Result<Value> value_or_problem(Value value, std::vector<Problem> const& problems) {
    if (problems.empty())
        return value;
    auto const others = problems.size() - 1;
    if (others == 0)
        return fail(sentence(problems[0]));
    return fail(sentence(problems[0]), " (and ", others, " more ", others == 1 ? "problem" : "problems",
                ": see validate)");
}

} // namespace

Report read_config(std::string_view json) {
    Report report;
    Findings findings{report.problems, report.warnings};
    read_text(json, "config.md#configuration", findings, [&](Node const& root) { read_spec(root, report.spec); });
    return report;
}

Result<Spec> parse_spec(std::string_view json, std::vector<std::string>& warnings) {
    Report report = read_config(json);
    for (auto const& warning : report.warnings)
        warnings.push_back(concat("config.json: ", sentence(warning)));
    return in_context(value_or_problem(std::move(report.spec), report.problems), "config.json");
}

Result<Process> parse_process(std::string_view json, std::vector<std::string>& warnings) {
    Report report;
    Findings findings{report.problems, report.warnings};
    Process process;
    read_text(json, "config.md#process", findings, [&](Node const& root) { read_process(root, process); });
    for (auto const& warning : report.warnings)
        warnings.push_back(sentence(warning));
    return value_or_problem(std::move(process), report.problems);
}

namespace {

/// Calls `read` with the list of mounts.
template <typename Read>
void read_mounts_text(std::string_view text, Findings& findings, Read read) {
    constexpr std::string_view section = "config.md#mounts";
    auto const read_root = [&](Node const& root) {
        auto const list = root["mounts"];
        if (!list.present())
            list.problem("is required");
        read(list);
    };
    read_text(
        text, section, findings, read_root, [](nlohmann::json const&) {}, "mounts");
}

} // namespace

Result<std::vector<Mount>> parse_mounts(std::string_view json, Linux const& linux, std::vector<std::string>& warnings) {
    Report report;
    Findings findings{report.problems, report.warnings};
    std::vector<Mount> mounts;
    read_mounts_text(json, findings, [&](Node const& list) {
        mounts = read_mounts(list);
        check_mounts(list.in("config.md#linux-mount-options"), mounts, linux);
    });
    for (auto const& warning : report.warnings)
        warnings.push_back(sentence(warning));
    return value_or_problem(std::move(mounts), report.problems);
}

Result<std::vector<std::string>> parse_mount_destinations(std::string_view json) {
    Report report;
    Findings findings{report.problems, report.warnings};
    std::vector<std::string> destinations;
    read_mounts_text(json, findings, [&](Node const& list) { destinations = read_mount_destinations(list); });
    return value_or_problem(std::move(destinations), report.problems);
}

Result<Resources> parse_resources(std::string_view json, std::vector<Override> const& overrides) {
    Report report;
    Findings findings{report.problems, report.warnings};
    Resources resources;
    auto const replace = [&](nlohmann::json& document) {
        for (auto const& one : overrides) {
            auto& place = document[nlohmann::json::json_pointer(one.pointer)];
            std::visit([&](auto const& value) { place = value; }, one.value);
        }
    };
    read_text(
        json, "config-linux.md#control-groups", findings, [&](Node const& root) { resources = read_resources(root); },
        replace);
    return value_or_problem(std::move(resources), report.problems);
}

} // namespace oci::spec
