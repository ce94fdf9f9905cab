// SPDX-License-Identifier: Apache-2.0
// The process object (config.md#process).
#include "readers.h"

#include <algorithm>

#include "base/names.h"

namespace oci::spec {

namespace {

// The kernel uses (uid_t)-1 for "unchanged" and "unmapped", so it is nobody's id.
constexpr std::uint32_t greatest_id = 4294967294;

void read_console(Node const& node, Process& process) {
    // consoleSize MUST be ignored without a terminal, mistakes in it too.
    if (!process.terminal || !node.is_object())
        return;
    ConsoleSize& size = process.console_size.emplace();
    size.height = node["height"].required().number<std::uint16_t>().value_or(0);
    size.width = node["width"].required().number<std::uint16_t>().value_or(0);
}

User read_user(Node const& node) {
    User user;
    if (!node.is_object())
        return user;
    user.uid = node["uid"].required().number<std::uint32_t>(0, greatest_id).value_or(0);
    user.gid = node["gid"].required().number<std::uint32_t>(0, greatest_id).value_or(0);
    user.umask = node["umask"].number<std::uint32_t>(0, 0777);
    for (auto const& entry : node["additionalGids"].elements())
        user.additional_gids.push_back(entry.number<std::uint32_t>(0, greatest_id).value_or(0));
    return user;
}

std::vector<std::string> read_args(Node const& node) {
    auto args = node.required().texts();
    if (!args.empty())
        node.element(0).required(); // the program's name: not ""
    return args;
}

std::vector<std::string> read_env(Node const& list) {
    std::vector<std::string> env;
    for (auto const& entry : list.elements()) {
        auto variable = entry.optional_text();
        if (!variable)
            continue;
        auto const sign = variable->find('=');
        if (sign == std::string::npos || sign == 0)
            entry.problem("must be of the form NAME=VALUE, is ", in_quotes(*variable));
        env.push_back(std::move(*variable));
    }
    return env;
}

std::uint64_t read_capability_set(Node const& list) {
    std::uint64_t set = 0;
    for (auto const& entry : list.elements()) {
        auto const name = entry.optional_text();
        if (!name)
            continue;
        if (auto const number = capability_number(*name))
            set |= std::uint64_t{1} << *number;
        else
            entry.warning("is no known capability and is ignored: ", in_quotes(*name));
    }
    return set;
}

std::optional<Capabilities> read_capabilities(Node const& node) {
    if (!node.is_object())
        return std::nullopt;
    Capabilities capabilities;
    capabilities.bounding = read_capability_set(node["bounding"]);
    capabilities.effective = read_capability_set(node["effective"]);
    capabilities.inheritable = read_capability_set(node["inheritable"]);
    capabilities.permitted = read_capability_set(node["permitted"]);
    capabilities.ambient = read_capability_set(node["ambient"]);
    return capabilities;
}

std::vector<Rlimit> read_rlimits(Node const& list) {
    std::vector<Rlimit> rlimits;
    for (auto const& entry : list.objects()) {
        auto const type = entry["type"];
        std::string const name = type.required().text();
        auto const soft = entry["soft"].required().number<std::uint64_t>();
        auto const hard = entry["hard"].required().number<std::uint64_t>();
        auto const resource = rlimit_number(name);
        if (!resource && !name.empty())
            type.problem("must be a resource of getrlimit(2), is ", in_quotes(name));
        if (soft && hard && *soft > *hard)
            entry["soft"].problem("must not be greater than hard");
        if (!resource)
            continue;
        if (std::ranges::find(rlimits, *resource, &Rlimit::resource) != rlimits.end())
            type.problem("is given twice: ", name);
        rlimits.push_back({*resource, soft.value_or(0), hard.value_or(0)});
    }
    return rlimits;
}

} // namespace

void read_process(Node const& node, Process& process) {
    if (!node.is_object())
        return;
    process.terminal = node["terminal"].flag();
    read_console(node["consoleSize"], process);
    process.user = read_user(node["user"].in("config.md#posix-platform-user"));
    process.args = read_args(node["args"]);
    process.env = read_env(node["env"]);
    process.cwd = node["cwd"].required().absolute_path();
    process.rlimits = read_rlimits(node["rlimits"].in("config.md#posix-process"));
    auto const linux_process = node.in("config.md#linux-process");
    process.capabilities = read_capabilities(linux_process["capabilities"]);
    process.no_new_privileges = linux_process["noNewPrivileges"].flag();
    process.oom_score_adj = linux_process["oomScoreAdj"].number(-1000, 1000);
    process.scheduler = read_scheduler(linux_process["scheduler"]);
    process.io_priority = read_io_priority(linux_process["ioPriority"]);
    process.exec_cpu_affinity = read_exec_cpu_affinity(linux_process["execCPUAffinity"]);
    process.apparmor_profile = linux_process["apparmorProfile"].text();
    process.selinux_label = linux_process["selinuxLabel"].text();
}

} // namespace oci::spec
