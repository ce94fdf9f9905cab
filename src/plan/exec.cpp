// SPDX-License-Identifier: Apache-2.0
// The order in which another process is started in a running container.
#include <algorithm>
#include <sched.h>

#include "plan/topics.h"

namespace oci::plan {

namespace {

/// Root enters the user namespace last: the others may belong to an outer one. An unprivileged caller has to enter it
/// first, to get the rights for the others.
steps::JoinContainer join_container(ExecRequest const& request, HostFacts const& host) {
    steps::JoinContainer join{request.namespaces, request.enter_root};
    auto const user = std::ranges::find(join.namespaces, static_cast<std::uint64_t>(CLONE_NEWUSER));
    if (user != join.namespaces.end()) {
        if (host.euid == 0)
            std::rotate(user, user + 1, join.namespaces.end());
        else
            std::rotate(join.namespaces.begin(), user, user + 1);
    }
    return join;
}

void append_affinity(std::string const& cpus, bool of_runtime, steps::Plan& plan) {
    if (auto mask = cpus.empty() ? std::nullopt : parse_bit_list(cpus))
        plan.push_back({steps::Actor::runtime, steps::SetCpuAffinity{cpus, *std::move(mask), of_runtime}});
}

} // namespace

Result<steps::Plan> make_exec_plan(spec::Spec const& spec, HostFacts const& host, ExecRequest const& request) {
    using steps::Actor;
    auto const& process = request.process;
    TRY(check_groups(spec, process, host));
    TRY(check_labels(spec, &process, host));
    steps::Plan plan;
    append_affinity(process.exec_cpu_affinity.initial, true, plan);
    plan.push_back({Actor::runtime, steps::StartExec{request.in_cgroup}});
    if (request.resctrl_group)
        plan.push_back({Actor::runtime, steps::JoinResctrlGroup{*request.resctrl_group}});
    if (process.oom_score_adj)
        plan.push_back({Actor::runtime, steps::SetOomScore{*process.oom_score_adj}});
    auto raised = limits_to_raise(resource_limits(process), host);
    if (!raised.empty())
        plan.push_back({Actor::runtime, steps::RaiseResourceLimits{std::move(raised)}});
    plan.push_back({Actor::container, steps::BecomeFinisher{}});
    plan.push_back({Actor::finisher, join_container(request, host)});
    append_affinity(process.exec_cpu_affinity.final, false, plan);
    append_label_files(process, false, plan);
    append_identity(spec, process, host, plan);
    if (!request.pid_file.empty())
        plan.push_back({Actor::runtime, steps::WritePidFile{request.pid_file}});
    TRY(append_execution(spec, process, {.preserved_descriptors = request.preserved_descriptors}, plan));
    return plan;
}

} // namespace oci::plan
