// SPDX-License-Identifier: Apache-2.0
// Starting the container's first process, the process of `exec`, and the one that changes mounts.
#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>
#include <utility>

#include "base/defer.h"
#include "base/names.h"
#include "base/trace.h"
#include "kernel/credentials.h"
#include "kernel/file.h"
#include "kernel/signals.h"
#include "kernel/socket.h"
#include "perform/cgroup_folder.h"
#include "perform/exec_process.h"
#include "perform/operations.h"
#include "perform/systemd.h"
#include "refusal.h"
#include "staging.h"

namespace oci::perform {

namespace {

struct Namespace {
    std::uint64_t type = 0;
    std::string path;
    kernel::Fd descriptor;
};

std::string own_namespace(std::uint64_t type) {
    return concat("/proc/self/ns/", namespace_file(type));
}

Result<std::vector<Namespace>> open_joined(std::vector<steps::JoinedNamespace> const& joined) {
    std::vector<Namespace> opened;
    for (auto const& [type, path] : joined) {
        auto descriptor = TRY(kernel::openat(AT_FDCWD, path, O_RDONLY));
        auto const found = kernel::namespace_type(descriptor.get());
        if (!found || static_cast<std::uint64_t>(*found) != type)
            return fail(path, " is not a ", namespace_name(type), " namespace");
        auto const own = TRY(kernel::openat(AT_FDCWD, own_namespace(type), O_RDONLY));
        // setns(2) refuses the caller's own user namespace (EINVAL), and joining another of one's own changes nothing.
        if (!TRY(kernel::same_namespace(own.get(), descriptor.get())))
            opened.push_back({type, path, std::move(descriptor)});
    }
    return opened;
}

Result<void> enter(Namespace const& entry) {
    return in_context(kernel::setns(entry.descriptor.get(), static_cast<int>(entry.type)), "join ",
                      namespace_name(entry.type), " namespace ", entry.path);
}

/// time_namespaces(7): only children of the caller get into the new namespace, and offsets only before there is one.
Result<void> make_time_namespace(std::vector<std::string> const& offsets) {
    TRY(kernel::unshare(CLONE_NEWTIME));
    for (auto const& line : offsets)
        TRY(kernel::write_control_file(AT_FDCWD, "/proc/self/timens_offsets", line));
    return {};
}

kernel::CloneRequest clone_request(steps::StartInit const& operation, Context const& context) {
    return {operation.new_namespaces & ~static_cast<std::uint64_t>(CLONE_NEWTIME),
            operation.into_cgroup ? context.cgroup.get() : -1};
}

/// The runtime enters what is joined, clones, and goes back whatever happened.
Result<kernel::ClonedProcess> clone_from_inside(steps::StartInit const& operation, std::vector<Namespace> const& joined,
                                                Context const& context) {
    bool const new_time = (operation.new_namespaces & CLONE_NEWTIME) != 0;
    bool const staged = context.staging.has_value();
    std::vector<Namespace> own;
    kernel::Fd folder;
    if (staged) {
        own.push_back(
            {CLONE_NEWNS, "of the caller", TRY(kernel::openat(AT_FDCWD, own_namespace(CLONE_NEWNS), O_RDONLY))});
        folder = TRY(kernel::openat(AT_FDCWD, ".", O_PATH | O_DIRECTORY));
    }
    for (auto const& entry : joined)
        own.push_back(
            {entry.type, "of the caller", TRY(kernel::openat(AT_FDCWD, own_namespace(entry.type), O_RDONLY))});
    if (new_time)
        own.push_back(
            {CLONE_NEWTIME, "of the caller", TRY(kernel::openat(AT_FDCWD, own_namespace(CLONE_NEWTIME), O_RDONLY))});

    auto const inside = [&]() -> Result<kernel::ClonedProcess> {
        if (staged)
            TRY(in_context(enter_staging(context), "staging"));
        for (auto const& entry : joined)
            TRY(enter(entry));
        if (new_time)
            TRY(make_time_namespace(operation.time_offsets));
        return kernel::clone3(clone_request(operation, context));
    };
    auto child = inside();
    if (child && child->pid == 0)
        return child;
    auto const back = [&]() -> Result<void> {
        for (auto const& entry : own)
            TRY(enter(entry));
        // setns(2) has led to the root of the mount namespace.
        return staged ? kernel::fchdir(folder.get()) : Result<void>();
    }();
    if (back)
        return child;
    if (child)
        (void)kernel::kill_and_reap(child->pidfd.get());
    return fail("go back: ", back.error().message); // without its number, which would be taken for that of the clone
}

/// In the joiner: what belongs to outer user namespaces with the outer rights, the user namespace, then the rest.
Result<void> enter_all(std::vector<Namespace> const& joined) {
    std::vector<Namespace const*> later;
    for (auto const& entry : joined)
        if (entry.type != CLONE_NEWUSER && !enter(entry))
            later.push_back(&entry);
    for (auto const& entry : joined)
        if (entry.type == CLONE_NEWUSER)
            TRY(enter(entry));
    for (auto const* entry : later)
        TRY(enter(*entry));
    return {};
}

/// Where there may be no way back: a process in between enters what is joined and starts init as the runtime's child
/// (CLONE_PARENT). Its report is init's pid, or what failed.
Result<kernel::ClonedProcess> clone_by_joiner(steps::StartInit const& operation, std::vector<Namespace> const& joined,
                                              Context const& context) {
    auto [ours, theirs] = TRY(kernel::sequenced_pair());
    auto joiner = TRY(kernel::clone3({}));
    if (joiner.pid == 0) {
        ours.close();
        auto const start = [&]() -> Result<kernel::ClonedProcess> {
            if ((operation.new_namespaces & CLONE_NEWTIME) != 0)
                TRY(make_time_namespace(operation.time_offsets));
            if (context.staging)
                TRY(in_context(enter_staging(context), "staging"));
            TRY(enter_all(joined));
            auto request = clone_request(operation, context);
            request.flags |= CLONE_PARENT;
            return kernel::clone3(request);
        };
        auto init = start();
        if (init && init->pid == 0)
            return init;
        (void)kernel::send_message(theirs.get(),
                                   init ? std::to_string(init->pid)
                                        : concat("!", init.error().errno_value, " ", init.error().message));
        ::_exit(0);
    }
    theirs.close();
    auto const received = kernel::receive_message(ours.get(), kernel::Deadline::after(std::chrono::seconds(60)));
    TRY(kernel::kill_and_reap(joiner.pidfd.get()));
    auto const report = TRY(received);
    auto const pid = parse_number<pid_t>(report);
    if (!pid && report.empty())
        return fail("the joining process ended unexpectedly");
    if (!pid) {
        auto const space = report.find(' ');
        auto const number = std::string_view(report).substr(0, space).substr(1);
        return Failure(Error{report.substr(space + 1), parse_number<int>(number).value_or(0)});
    }
    return kernel::ClonedProcess{*pid, TRY(kernel::pidfd_open(*pid))};
}

/// In the newborn set-up child: give up what is the runtime's alone.
Result<void> become_container_side(Context& context, kernel::Fd wire) {
    context.self = steps::Actor::container;
    trace_on(TraceTrack::container); // also with the event of this step, which we inherit: it ends with our birth
    context.wire = std::move(wire);
    // Its copy of the lock would outlive a killed runtime.
    if (context.directory)
        context.directory->release();
    context.terminal.close();
    context.staged_sources.clear();
    context.staged_rootfs.close();
    context.cgroup.close();
    context.placeholder.close();
    context.state.pid = ::getpid();
    // A session of its own: the caller's terminal cannot be reached by TIOCSTI (CVE-2017-5226).
    return kernel::setsid();
}

/// The child is a copy of us, and where a pid or user namespace is joined, strangers with CAP_SYS_PTRACE see it from
/// its birth: nothing of it may be reached through /proc/PID.
Result<void> start_process(Context& context, auto&& clone) {
    if (!context.child_is_open)
        TRY(kernel::set_not_dumpable());
    auto [ours, theirs] = TRY(kernel::sequenced_pair());
    auto child = TRY(clone());
    if (child.pid == 0) {
        ours.close();
        return become_container_side(context, std::move(theirs));
    }
    context.wire = std::move(ours);
    context.state.pid = child.pid;
    context.init_pidfd = std::move(child.pidfd);
    context.gate.close();
    context.console.close();
    context.staged_sources.clear();
    context.staged_rootfs.close();
    return {};
}

/// cgroups(7), "Delegation containment": a process is moved only by who may write to the cgroup above both its old and
/// its new place. Scopes of a user's systemd and login sessions have root's in common, so the manager has to move it.
bool only_manager_may_move(Error const& error, Context const& context) {
    bool const refused = error.errno_value == EACCES || error.errno_value == EPERM;
    return refused && !context.record.systemd_unit.empty();
}

/// The child waits for its turn, and is in its cgroup before it gets it.
Result<kernel::ClonedProcess> moved_into_unit(Result<kernel::ClonedProcess> child, Context const& context) {
    if (!child || child->pid == 0)
        return child;
    auto moved =
        attach_to_unit(context.record, context.host, child->pid, kernel::Deadline::after(std::chrono::seconds(30)));
    if (!moved) {
        (void)kernel::kill_and_reap(child->pidfd.get());
        return Failure(std::move(moved).error());
    }
    return child;
}

} // namespace

Result<void> apply(steps::StartInit const& operation, Context& context) {
    auto const joined = TRY(open_joined(operation.joined));
    bool const joins_user =
        std::ranges::any_of(joined, [](Namespace const& entry) { return entry.type == CLONE_NEWUSER; });
    // A user namespace cannot be left again; in one, the caller's other namespaces may belong to an outer one, which
    // takes rights there to come back to (setns(2)).
    bool const no_way_back = joins_user || (context.host.in_user_namespace && !joined.empty());
    auto const clone = [&](steps::StartInit const& how) {
        return no_way_back ? clone_by_joiner(how, joined, context) : clone_from_inside(how, joined, context);
    };
    context.child_is_open = context.host.euid != 0 && !joins_user;
    auto started = start_process(context, [&]() -> Result<kernel::ClonedProcess> {
        auto child = clone(operation);
        if (child || !operation.into_cgroup || !only_manager_may_move(child.error(), context))
            return child;
        auto outside = operation;
        outside.into_cgroup = false;
        TRY(open_staged(context)); // the first attempt has used them up
        return moved_into_unit(clone(outside), context);
    });
    if (!started)
        started.error().message += why_refused(started.error().errno_value, operation.new_namespaces);
    return started;
}

Result<void> apply(steps::StartExec const& operation, Context& context) {
    context.child_is_open = context.host.euid != 0; // nobody in the container sees it before it is the finisher
    return start_process(context, [&]() -> Result<kernel::ClonedProcess> {
        if (operation.sub_cgroup)
            return in_context(clone_into_sub_cgroup(context, *operation.sub_cgroup), "--cgroup");
        auto child = kernel::clone3({0, operation.into_cgroup ? context.cgroup.get() : -1});
        if (!child && operation.into_cgroup && needs_cgroup_of_init(child.error()))
            return clone_into_cgroup_of_init(context);
        if (!child && operation.into_cgroup && only_manager_may_move(child.error(), context))
            return moved_into_unit(kernel::clone3({}), context);
        return child;
    });
}

Result<void> apply(steps::StartMountHelper const&, Context& context) {
    return start_process(context, [] { return kernel::clone3({}); });
}

Result<void> apply(steps::EndMountHelper const&, Context& context) {
    TRY(kernel::kill_and_reap(context.init_pidfd.get()));
    context.init_pidfd.close();
    return {};
}

Result<void> adopt_exec_process(Context& context, std::string const& announced) {
    auto const pid = parse_number<pid_t>(announced);
    if (!pid || context.container_init == 0 || std::exchange(context.process_announced, true))
        return fail("unexpected announcement of a process");
    auto process = TRY(kernel::pidfd_open(*pid));
    // The announcing process has run where the container may touch it: only a child of ours is believed.
    if (!kernel::is_child(process.get()))
        return fail("process ", *pid, " is not the one that was started");
    // The outer half has nothing more to do than to end.
    (void)kernel::kill_and_reap(context.init_pidfd.get());
    context.init_pidfd = std::move(process);
    context.state.pid = *pid;
    return {};
}

Result<void> apply(steps::BecomeFinisher const&, Context& context) {
    for (auto const* descriptor : {&context.request, &context.wire, &context.gate})
        if (*descriptor)
            TRY(kernel::keep_over_exec(descriptor->get()));
    for (auto const& descriptor : context.joined)
        TRY(kernel::keep_over_exec(descriptor.get()));
    for (unsigned i = 0; i < context.preserved_descriptors; ++i)
        TRY(kernel::keep_over_exec(static_cast<int>(STDERR_FILENO + 1 + i)));
    TRY(kernel::set_default_actions(context.host.ignored_signals));
    TRY(kernel::keep_capabilities_over_exec());
    return Failure(
        kernel::execveat(context.finisher.get(),
                         {"oci-run", "init", std::to_string(context.request.get()), std::to_string(context.wire.get()),
                          std::to_string(context.gate ? context.gate.get() : -1)},
                         {}));
}

} // namespace oci::perform
