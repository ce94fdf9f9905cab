// SPDX-License-Identifier: Apache-2.0
// The order in which another process is started in a running container.
#include <algorithm>
#include <sched.h>

#include "base/trace.h"
#include "plan/topics.h"

namespace oci::plan {

namespace {

using steps::Actor;

/// Root enters the user namespace last: the others may belong to an outer one. An unprivileged caller has to enter it
/// first, to get the rights for the others.
steps::JoinContainer join_container(ExecRequest const& request, HostFacts const& host) {
    steps::JoinContainer join{request.namespaces, request.enter_root, request.process.terminal};
    auto const user = std::ranges::find(join.namespaces, static_cast<std::uint64_t>(CLONE_NEWUSER));
    if (user != join.namespaces.end()) {
        if (host.euid == 0)
            std::rotate(user, user + 1, join.namespaces.end());
        else
            std::rotate(join.namespaces.begin(), user, user + 1);
    }
    return join;
}

/// The runtime's part before there is anything of it in the container.
void append_start(ExecRequest const& request, HostFacts const& host, steps::Plan& plan) {
    auto const& process = request.process;
    if (process.terminal)
        plan.push_back({Actor::runtime, steps::ConnectConsole{request.console_socket}});
    plan.push_back({Actor::runtime, steps::StartExec{request.in_cgroup, request.sub_cgroup}});
    if (request.resctrl_group)
        plan.push_back({Actor::runtime, steps::JoinResctrlGroup{*request.resctrl_group}});
    if (process.oom_score_adj)
        plan.push_back({Actor::runtime, steps::SetOomScore{*process.oom_score_adj}});
    auto raised = limits_to_raise(resource_limits(process), host);
    if (!raised.empty())
        plan.push_back({Actor::runtime, steps::RaiseResourceLimits{std::move(raised)}});
    if (process.terminal) {
        steps::SetUpExecTerminal terminal{std::nullopt, request.terminal_owner};
        if (auto const& size = process.console_size)
            terminal.size = steps::TerminalSize{size->height, size->width};
        plan.push_back({Actor::container, terminal});
    }
    plan.push_back({Actor::container, steps::BecomeFinisher{}});
}

void append_affinity(std::string const& cpus, bool of_runtime, steps::Plan& plan) {
    if (auto mask = cpus.empty() ? std::nullopt : parse_bit_list(cpus))
        plan.push_back({Actor::runtime, steps::SetCpuAffinity{cpus, *std::move(mask), of_runtime}});
}

} // namespace

Result<steps::Plan> make_exec_plan(spec::Spec const& spec, HostFacts const& host, ExecRequest const& request) {
    TraceSpan const span("plan");
    auto const& process = request.process;
    TRY(check_user(spec, process.user));
    TRY(check_groups(spec, process, host));
    TRY(check_labels(spec, &process, host));
    steps::Plan plan;
    append_affinity(process.exec_cpu_affinity.initial, true, plan);
    append_start(request, host, plan);
    plan.push_back({Actor::finisher, join_container(request, host)});
    append_affinity(process.exec_cpu_affinity.final, false, plan);
    append_label_files(process, request.with_keyring, plan);
    if (request.with_keyring)
        plan.push_back({Actor::finisher, join_session_keyring(request.id)});
    append_identity(spec, process, host, plan);
    if (!request.pidfd_socket.empty())
        plan.push_back({Actor::runtime, steps::SendPidfd{request.pidfd_socket, "setns"}});
    if (!request.pid_file.empty())
        plan.push_back({Actor::runtime, steps::WritePidFile{request.pid_file}});
    TRY(append_execution(spec, process, {request.preserved_descriptors, request.listen_fds, request.with_keyring},
                         plan));
    return plan;
}

} // namespace oci::plan
