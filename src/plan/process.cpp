// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <sched.h>

#include "plan/seccomp.h"
#include "plan/topics.h"

namespace oci::plan {

steps::JoinSessionKeyring join_session_keyring(std::string const& id) {
    return {concat("_ses.", id)};
}

std::vector<std::string> environment(spec::Process const& process, unsigned listen_fds) {
    auto variables = process.env;
    if (listen_fds > 0) {
        variables.push_back(concat("LISTEN_FDS=", listen_fds));
        std::erase_if(variables, [](std::string const& variable) { return variable.starts_with("LISTEN_PID="); });
    }
    std::map<std::string_view, std::size_t> last;
    for (std::size_t i = 0; i < variables.size(); ++i)
        last[std::string_view(variables[i]).substr(0, variables[i].find('='))] = i;
    std::vector<std::string> kept;
    for (std::size_t i = 0; i < variables.size(); ++i)
        if (last[std::string_view(variables[i]).substr(0, variables[i].find('='))] == i)
            kept.push_back(variables[i]);
    return kept;
}

steps::SetUser set_user(spec::Spec const& spec, spec::Process const& process, HostFacts const& host) {
    auto const& user = process.user;
    steps::SetUser operation;
    operation.uid = user.uid;
    operation.gid = user.gid;
    operation.groups = user.additional_gids;
    operation.umask = user.umask.value_or(host.umask);
    operation.keep_groups = denies_setgroups(spec, host) || wants_original_groups(spec);
    return operation;
}

steps::SetCapabilities set_capabilities(spec::Process const& process, bool keep_for_seccomp) {
    auto const sets = process.capabilities.value_or(spec::Capabilities{});
    return {sets.bounding, sets.effective, sets.inheritable, sets.permitted, sets.ambient, keep_for_seccomp};
}

std::vector<steps::ResourceLimitSetting> resource_limits(spec::Process const& process) {
    std::vector<steps::ResourceLimitSetting> limits;
    for (auto const& limit : process.rlimits)
        limits.push_back({limit.resource, limit.soft, limit.hard});
    return limits;
}

std::vector<steps::ResourceLimitSetting> limits_to_raise(std::vector<steps::ResourceLimitSetting> const& limits,
                                                         HostFacts const& host) {
    std::vector<steps::ResourceLimitSetting> raised;
    for (auto const& limit : limits) {
        auto const resource = static_cast<std::size_t>(limit.resource);
        if (resource >= host.resource_limits.size() || limit.hard > host.resource_limits[resource].hard)
            raised.push_back(limit);
    }
    return raised;
}

namespace {

/// Before the user changes: an unprivileged runtime may do this to processes of its own user only. Steps of the
/// runtime, after one of the finisher, which waits meanwhile.
void append_scheduling(spec::Process const& process, steps::Plan& plan) {
    if (auto const& it = process.scheduler)
        plan.push_back({steps::Actor::runtime, steps::SetScheduler{it->policy, it->flags, it->nice, it->priority,
                                                                   it->runtime, it->deadline, it->period}});
    if (auto const& it = process.io_priority)
        plan.push_back({steps::Actor::runtime, steps::SetIoPriority{it->io_class, it->priority}});
}

steps::SetMemoryPolicy memory_policy(spec::MemoryPolicy const& policy) {
    auto mask = policy.nodes.empty() ? std::nullopt : parse_bit_list(policy.nodes);
    return {policy.mode, policy.flags, policy.nodes, mask.value_or(std::vector<std::uint8_t>{})};
}

} // namespace

void append_identity(spec::Spec const& spec, spec::Process const& process, HostFacts const& host, steps::Plan& plan) {
    auto const finisher = [&](steps::Operation operation) {
        plan.push_back({steps::Actor::finisher, std::move(operation)});
    };
    // Before the user changes: engines put a working directory that only root may enter into service for any user.
    finisher(steps::ChangeDirectory{process.cwd});
    append_scheduling(process, plan);
    finisher(set_user(spec, process, host));
    finisher(set_capabilities(process, spec.linux.seccomp && !process.no_new_privileges));
    if (process.no_new_privileges)
        finisher(steps::SetNoNewPrivileges{});
    finisher(steps::FindProgram{process.args.front()});
}

Result<void> append_execution(spec::Spec const& spec, spec::Process const& process, ExecutionRequest const& request,
                              steps::Plan& plan) {
    auto const finisher = [&](steps::Operation operation) {
        plan.push_back({steps::Actor::finisher, std::move(operation)});
    };
    if (!process.rlimits.empty())
        finisher(steps::SetResourceLimits{resource_limits(process)});
    if (spec.linux.personality)
        finisher(steps::SetPersonality{*spec.linux.personality});
    if (spec.linux.memory_policy)
        finisher(memory_policy(*spec.linux.memory_policy));
    append_labels(process, request.with_keyring, plan);
    finisher(steps::CloseDescriptors{request.preserved_descriptors});
    // Last but execve: whatever the profile forbids, the set-up does not need it any more.
    if (spec.linux.seccomp)
        finisher(TRY(compile_seccomp(*spec.linux.seccomp)));
    finisher(steps::Execute{process.args, environment(process, request.listen_fds), request.listen_fds > 0});
    return {};
}

} // namespace oci::plan
