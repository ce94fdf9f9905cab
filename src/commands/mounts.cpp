// SPDX-License-Identifier: Apache-2.0
// Mounts of a container that is there already: added, removed, listed.
#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "commands/common.h"
#include "commands/joining.h"
#include "commands/lifecycle.h"
#include "kernel/file.h"
#include "kernel/process.h"
#include "perform/mountinfo.h"
#include "perform/perform.h"
#include "spec/parse.h"

namespace oci::commands {

namespace {

Result<void> check_alive(state::Container const& container) {
    switch (container.status) {
    case state::Status::created:
    case state::Status::running:
    case state::Status::paused:
        return {};
    case state::Status::creating:
        return fail("the container is still being created");
    case state::Status::stopped:
        break;
    }
    return fail("container not running");
}

/// What was opened or read by init's number is init's only if it has lived until now.
Result<void> check_still_alive(state::Container const& container) {
    if (TRY(kernel::wait_for_exit(container.pidfd.get(), kernel::Deadline::after(std::chrono::milliseconds(0)))))
        return fail("container not running: it has ended meanwhile");
    return {};
}

struct Input {
    std::string name; ///< for errors
    std::string text;
};

Result<Input> read_input(std::string const& file) {
    if (file != "-")
        return Input{file, TRY(kernel::read_file(AT_FDCWD, file, spec::maximum_config_size))};
    std::string const name = "standard input";
    return Input{name, TRY(in_context(kernel::read_all(STDIN_FILENO, spec::maximum_config_size), name))};
}

using Planner = Result<steps::Plan> (*)(spec::Spec const&, HostFacts const&, plan::MountsRequest const&,
                                        Input const& input);

Result<steps::Plan> plan_add(spec::Spec const& spec, HostFacts const& host, plan::MountsRequest const& request,
                             Input const& input) {
    std::vector<std::string> warnings;
    auto mounts = TRY(in_context(spec::parse_mounts(input.text, spec.linux, warnings), input.name));
    for (auto const& warning : warnings)
        log_warning(concat(input.name, ": ", warning));
    return plan::make_add_mounts_plan(spec, host, request, std::move(mounts));
}

Result<steps::Plan> plan_remove(spec::Spec const& spec, HostFacts const& host, plan::MountsRequest const& request,
                                Input const& input) {
    auto const destinations = TRY(in_context(spec::parse_mount_destinations(input.text), input.name));
    return plan::make_remove_mounts_plan(spec, host, request, destinations);
}

/// Descriptors in the order in which the plan joins them.
void order_like_plan(steps::Plan const& plan, std::vector<OpenNamespace> namespaces, perform::Context& context) {
    context.container_mounts = take_namespace(namespaces, CLONE_NEWNS);
    for (auto const& step : plan)
        if (auto const* join = std::get_if<steps::JoinForMounts>(&step.operation))
            for (auto const type : join->namespaces)
                context.joined.push_back(take_namespace(namespaces, type));
}

Result<void> perform_plan(steps::Plan const& plan, perform::Context& context) {
    auto performed = perform::perform(plan, context);
    for (auto const& warning : context.warnings)
        log_warning(warning);
    if (context.init_pidfd)
        (void)kernel::kill_and_reap(context.init_pidfd.get());
    return performed;
}

Result<void> change(Invocation const& invocation, std::string const& id, Planner planner) {
    auto const host = TRY(supported_host(NeedCgroup::no));
    auto const input = TRY(read_input(invocation.arguments[2]));
    perform::Context context;
    context.host = host;
    context.directory = TRY(open_locked(invocation, host, id));
    auto container = TRY(state::look_at(*context.directory, host.cgroup2_mount));
    TRY(check_alive(container));
    auto const spec = TRY(recorded_spec(*context.directory));
    auto const init = container.state->pid;
    auto namespaces = TRY(namespaces_of(init));
    context.rootfs = TRY(kernel::openat(AT_FDCWD, concat("/proc/", init, "/root"), O_PATH | O_DIRECTORY));
    TRY(check_still_alive(container));

    auto const plan = TRY(planner(spec, host, {container.record.bundle, types_of(namespaces)}, input));
    order_like_plan(plan, std::move(namespaces), context);
    TRY(kernel::block_all_signals()); // not half of it
    return perform_plan(plan, context);
}

// ---- list

std::string as_json(std::vector<perform::MountPoint> const& mounts) {
    std::vector<std::string> objects;
    for (auto const& mount : mounts) {
        std::vector<std::string> options;
        for (auto const* words : {&mount.options, &mount.propagation})
            for (auto const& word : *words)
                options.push_back(json_string(word));
        objects.push_back(concat(R"({"destination":)", json_string(mount.path), R"(,"type":)", json_string(mount.type),
                                 R"(,"source":)", json_string(mount.source), R"(,"options":[)", join(options, ","), "]",
                                 mount.root == "/" ? "" : concat(R"(,"root":)", json_string(mount.root)), "}"));
    }
    return concat("[", join(objects, ","), "]\n");
}

std::string as_table(std::vector<perform::MountPoint> const& mounts) {
    std::vector<std::vector<std::string>> rows{{"DESTINATION", "TYPE", "SOURCE", "OPTIONS"}};
    for (auto const& mount : mounts)
        rows.push_back({printable(mount.path), printable(mount.type),
                        printable(mount.root == "/" ? mount.source : concat(mount.source, "[", mount.root, "]")),
                        printable(concat(join(mount.options, ","), ",", join(mount.propagation, ",")))});
    std::vector<std::size_t> widths(rows[0].size());
    for (auto const& row : rows)
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], row[i].size());
    std::string out;
    for (auto const& row : rows) {
        for (std::size_t i = 0; i + 1 < row.size(); ++i)
            out += concat(row[i], std::string(widths[i] - row[i].size() + 2, ' '));
        out += concat(row.back(), "\n");
    }
    return out;
}

Result<void> list(Invocation const& invocation, std::string const& id) {
    auto const format = TRY(output_format(invocation.options, OutputFormat::table));
    auto const host = TRY(supported_host(NeedCgroup::no));
    auto const directory = TRY(state::ContainerDir::open(state_root(invocation.global, host), id));
    auto const container = TRY(state::look_at(directory, host.cgroup2_mount));
    TRY(check_alive(container));
    auto const mounts = TRY(perform::mount_points_of(std::to_string(container.state->pid)));
    TRY(check_still_alive(container));
    return print(format == OutputFormat::json ? as_json(mounts) : as_table(mounts));
}

Result<void> run(Invocation const& invocation, std::string const& verb, std::string const& id) {
    bool const has_file = invocation.arguments.size() > 2;
    if (verb == "list")
        return has_file ? fail("list takes no FILE") : list(invocation, id);
    if (verb != "add" && verb != "remove")
        return fail(json_string(verb), " is none of add, remove and list");
    if (invocation.options.given("format"))
        return fail("--format belongs to list");
    if (!has_file)
        return fail("a FILE with mounts is needed, or - for standard input");
    return change(invocation, id, verb == "add" ? plan_add : plan_remove);
}

} // namespace

Result<int> run_mounts(Invocation const& invocation) {
    auto const& verb = invocation.arguments[0];
    TRY(run(invocation, verb, TRY(container_id(invocation.arguments[1]))));
    return 0;
}

} // namespace oci::commands
