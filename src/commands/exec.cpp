// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "commands/common.h"
#include "commands/exec_options.h"
#include "commands/joining.h"
#include "commands/lifecycle.h"
#include "kernel/file.h"
#include "kernel/process.h"
#include "perform/cgroup_folder.h"
#include "perform/perform.h"

namespace oci::commands {

namespace {

constexpr std::string_view stopped_message = "cannot exec in a stopped container";

Result<void> check_executable_in(state::Container const& container) {
    switch (container.status) {
    case state::Status::created:
    case state::Status::running:
        return {};
    case state::Status::creating:
        return fail("cannot exec in a container that is still being created");
    case state::Status::paused:
        // A process cloned into a frozen cgroup would never run.
        return fail("cannot exec in a paused container (use --ignore-paused to override)");
    case state::Status::stopped:
        break;
    }
    return fail(stopped_message);
}

/// With --ignore-paused what cannot run yet is put off until somebody resumes the container, or it ends.
Result<state::Container> executable_container(state::ContainerDir const& directory, HostFacts const& host,
                                              bool ignore_paused) {
    constexpr std::chrono::milliseconds between_looks{50};
    auto container = TRY(state::look_at(directory, host.cgroup2_mount));
    while (ignore_paused && container.status == state::Status::paused) {
        TRY(kernel::wait_for_exit(container.pidfd.get(), kernel::Deadline::after(between_looks)));
        container = TRY(state::look_at(directory, host.cgroup2_mount));
    }
    TRY(check_executable_in(container));
    return container;
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
                context.joined.push_back(take_namespace(namespaces, type));
    if (root)
        context.joined.push_back(std::move(root));
}

Result<plan::ExecRequest> exec_request(Invocation const& invocation, spec::Spec const& spec) {
    auto const& options = invocation.options;
    plan::ExecRequest request;
    request.process = TRY(exec_process(invocation, spec));
    request.console_socket = TRY(path_option(options, "console-socket"));
    request.pid_file = TRY(path_option(options, "pid-file"));
    request.pidfd_socket = TRY(path_option(options, "pidfd-socket"));
    request.detach = options.flag("detach");
    request.listen_fds = listen_descriptors();
    request.preserved_descriptors = passed_descriptors(request.listen_fds, options);
    if (options.given("cgroup"))
        request.sub_cgroup = TRY(parse_cgroup_option(options.text("cgroup")));
    if (!request.detach)
        take_window_size(request.process);
    TRY(check_terminal(request.process.terminal, request.detach, request.console_socket));
    TRY(check_passed_descriptors(request.preserved_descriptors, invocation.inherited_descriptors));
    return request;
}

/// What of the container is found by init's number.
struct Inside {
    std::vector<OpenNamespace> namespaces;
    kernel::Fd root;             ///< to enter, where no mount namespace leads to it
    kernel::Fd root_of_terminal; ///< to make a terminal in
    std::optional<std::uint32_t> terminal_owner;
};

Result<Inside> look_inside(perform::Context const& context, spec::Spec const& spec, spec::Process const& process) {
    auto const folder = concat("/proc/", context.container_init);
    auto const open_root = [&] { return kernel::openat(AT_FDCWD, folder + "/root", O_PATH | O_DIRECTORY); };
    Inside inside;
    inside.namespaces = TRY(namespaces_of(context.container_init));
    if (spec.linux.find(CLONE_NEWNS) == nullptr)
        inside.root = TRY(open_root());
    if (!process.terminal)
        return inside;
    inside.root_of_terminal = TRY(open_root());
    // A normal user cannot give a terminal away; its process can, inside.
    if (context.host.euid == 0)
        inside.terminal_owner =
            outside_id(TRY(kernel::read_file(AT_FDCWD, folder + "/uid_map", 64U << 10U)), process.user.uid);
    return inside;
}

/// Starts the process. After a failure there is none.
Result<void> start(steps::Plan const& plan, perform::Context& context, perform::SeccompAgent const& agent) {
    auto started = perform::perform(plan, context);
    if (started)
        started = perform::await_execution(context, agent);
    for (auto const& warning : context.warnings)
        log_warning(warning);
    if (!started) {
        // Not to be left to others: a zombie would hold up the end of the container's pid namespace.
        if (context.init_pidfd)
            (void)kernel::kill_and_reap(context.init_pidfd.get());
        remove_pid_file(context);
    }
    return started;
}

/// An ending process gives up its memory, and with it its program, before its namespaces and its children.
bool is_ending(pid_t init) {
    auto const program = kernel::readlinkat(AT_FDCWD, concat("/proc/", init, "/exe"));
    return !program && program.error().errno_value == ENOENT;
}

/// Says so where a step failed because the container has ended meanwhile, or is about to: with errno `sign`.
template <typename Value>
Result<Value> explain_end(Result<Value> result, pid_t init, int init_pidfd, int sign) {
    if (result)
        return result;
    bool const may_be_ending = result.error().errno_value == sign && is_ending(init);
    auto const patience = std::chrono::seconds(may_be_ending ? 10 : 0);
    if (kernel::wait_for_exit(init_pidfd, kernel::Deadline::after(patience)).value_or(false))
        result.error().message = concat(stopped_message, " (", result.error().message, ")");
    return result;
}

Result<int> exec(Invocation const& invocation) {
    auto const id = TRY(container_id(invocation.arguments[0]));
    auto const host = TRY(supported_host(NeedCgroup::no));
    auto const directory = TRY(state::ContainerDir::open(state_root(invocation.global, host), id));
    auto container = TRY(executable_container(directory, host, invocation.options.flag("ignore-paused")));
    auto const spec = TRY(recorded_spec(directory));
    auto request = TRY(exec_request(invocation, spec));
    auto const& state = *container.state;
    auto const agent = seccomp_agent(
        spec, state::hook_state(container.record, state.oci_version, state.annotations, "running", state.pid));
    auto const init = std::move(container.pidfd);
    auto context = TRY(make_context(std::move(container), host));
    // ENOENT: an ending process has no namespaces. ENOMEM, clone(2): nor has its pid namespace room for another one.
    auto inside =
        TRY(explain_end(look_inside(context, spec, request.process), context.container_init, init.get(), ENOENT));
    // What was opened by pid is init's only if init has lived until now.
    if (TRY(kernel::wait_for_exit(init.get(), kernel::Deadline::after(std::chrono::milliseconds(0)))))
        return fail(stopped_message);

    request.id = id;
    request.in_cgroup = static_cast<bool>(context.cgroup);
    request.enter_root = static_cast<bool>(inside.root);
    request.resctrl_group = resctrl_group(context.record);
    if (request.sub_cgroup && !request.in_cgroup)
        return fail("--cgroup: the container has no cgroup of its own");
    request.with_keyring = context.state.has_keyring;
    request.terminal_owner = inside.terminal_owner;
    request.namespaces = types_of(inside.namespaces);
    auto const plan = TRY(plan::make_exec_plan(spec, host, request));
    order_like_plan(plan, std::move(inside.namespaces), std::move(inside.root), context);
    context.rootfs = std::move(inside.root_of_terminal);
    context.preserved_descriptors = request.preserved_descriptors;

    TRY(kernel::mark_close_on_exec(STDERR_FILENO + 1, ~0U));
    TRY(kernel::block_all_signals());
    TRY(explain_end(start(plan, context, agent), context.container_init, init.get(), ENOMEM));
    if (request.detach)
        return 0;
    auto status = wait_in_foreground(context);
    if (!status)
        (void)kernel::kill_and_reap(context.init_pidfd.get());
    return status;
}

} // namespace

Result<int> run_exec(Invocation const& invocation) {
    return in_context(exec(invocation), "exec failed");
}

} // namespace oci::commands
