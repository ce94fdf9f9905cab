// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "base/names.h"
#include "commands/common.h"
#include "commands/lifecycle.h"
#include "kernel/file.h"
#include "kernel/process.h"
#include "perform/cgroup_folder.h"
#include "perform/foreground.h"
#include "perform/perform.h"

namespace oci::commands {

namespace {

struct OpenNamespace {
    std::uint64_t type = 0;
    kernel::Fd descriptor;
};

/// The namespaces in which init differs from us.
Result<std::vector<OpenNamespace>> namespaces_of(pid_t init) {
    std::vector<OpenNamespace> opened;
    for (auto const name : namespace_names()) {
        auto const type = namespace_flag(name).value_or(0);
        auto const file = namespace_file(type);
        auto theirs = TRY(kernel::openat(AT_FDCWD, concat("/proc/", init, "/ns/", file), O_RDONLY));
        auto const ours = TRY(kernel::openat(AT_FDCWD, concat("/proc/self/ns/", file), O_RDONLY));
        if (!TRY(kernel::same_namespace(theirs.get(), ours.get())))
            opened.push_back({type, std::move(theirs)});
    }
    return opened;
}

Result<void> check_executable_in(state::Container const& container) {
    switch (container.status) {
    case state::Status::created:
    case state::Status::running:
        return {};
    case state::Status::creating:
        return fail("exec failed: cannot exec in a container that is still being created");
    case state::Status::paused:
        // A process cloned into a frozen cgroup would never run.
        return fail("cannot exec in a paused container (use --ignore-paused to override)");
    case state::Status::stopped:
        break;
    }
    return fail("exec failed: cannot exec in a stopped container");
}

/// The container's own process with other arguments, without its terminal.
Result<spec::Process> process_for(spec::Spec const& spec, Invocation const& invocation) {
    if (!spec.process)
        return fail("/process: is not set in config.json, so there is no user, environment and folder to run with");
    auto process = *spec.process;
    process.args.assign(invocation.arguments.begin() + 1, invocation.arguments.end());
    process.terminal = false;
    return process;
}

Result<perform::Context> make_context(state::Container container, HostFacts const& host) {
    perform::Context context;
    context.host = host;
    context.record = std::move(container.record);
    context.state = *std::move(container.state);
    context.container_init = context.state.pid;
    if (!context.record.cgroup_path.empty())
        context.cgroup = TRY(perform::open_cgroup(host.cgroup2_mount, context.record.cgroup_path));
    return context;
}

std::optional<steps::ResctrlGroup> resctrl_group(state::Record const& record) {
    if (record.resctrl_group.empty())
        return std::nullopt;
    return steps::ResctrlGroup{record.resctrl_group, record.resctrl_monitoring_group};
}

/// Descriptors in the order in which the plan joins them.
void order_like_plan(steps::Plan const& plan, std::vector<OpenNamespace> namespaces, kernel::Fd root,
                     perform::Context& context) {
    for (auto const& step : plan)
        if (auto const* join = std::get_if<steps::JoinContainer>(&step.operation))
            for (auto const type : join->namespaces)
                context.joined.push_back(
                    std::move(std::ranges::find(namespaces, type, &OpenNamespace::type)->descriptor));
    if (root)
        context.joined.push_back(std::move(root));
}

} // namespace

Result<int> run_exec(Invocation const& invocation) {
    auto const id = TRY(container_id(invocation.arguments[0]));
    auto const host = TRY(supported_host(NeedCgroup::no));
    auto const directory = TRY(state::ContainerDir::open(state_root(invocation.global, host), id));
    auto container = TRY(state::look_at(directory, host.cgroup2_mount));
    TRY(check_executable_in(container));
    auto const spec = TRY(recorded_spec(directory));
    auto const& state = *container.state;
    auto const agent = seccomp_agent(
        spec, state::hook_state(container.record, state.oci_version, state.annotations, "running", state.pid));
    auto const init = std::move(container.pidfd);
    auto context = TRY(make_context(std::move(container), host));
    auto namespaces = TRY(namespaces_of(context.container_init));
    kernel::Fd root;
    if (spec.linux.find(CLONE_NEWNS) == nullptr)
        root = TRY(kernel::openat(AT_FDCWD, concat("/proc/", context.container_init, "/root"), O_PATH | O_DIRECTORY));
    // What was opened by pid is init's only if init has lived until now.
    if (TRY(kernel::wait_for_exit(init.get(), kernel::Deadline::after(std::chrono::milliseconds(0)))))
        return fail("exec failed: cannot exec in a stopped container");

    plan::ExecRequest request;
    request.process = TRY(process_for(spec, invocation));
    request.in_cgroup = static_cast<bool>(context.cgroup);
    request.enter_root = static_cast<bool>(root);
    request.resctrl_group = resctrl_group(context.record);
    for (auto const& entry : namespaces)
        request.namespaces.push_back(entry.type);
    auto const plan = TRY(plan::make_exec_plan(spec, host, request));
    order_like_plan(plan, std::move(namespaces), std::move(root), context);

    TRY(kernel::mark_close_on_exec(STDERR_FILENO + 1, ~0U));
    TRY(kernel::block_all_signals());
    auto executed = perform::perform(plan, context);
    if (executed)
        executed = perform::await_execution(context, agent);
    for (auto const& warning : context.warnings)
        log_warning(warning);
    if (!executed) {
        // Not to be left to others: a zombie would hold up the end of the container's pid namespace.
        if (context.init_pidfd)
            (void)kernel::kill_and_reap(context.init_pidfd.get());
        return Failure(in_context(std::move(executed), "exec failed").error());
    }
    return perform::wait_in_foreground({context.state.pid, context.init_pidfd.get(), -1});
}

} // namespace oci::commands
