// SPDX-License-Identifier: Apache-2.0
#include "perform/exec_process.h"

#include <cerrno>

#include "kernel/file.h"
#include "kernel/host.h"
#include "perform/cgroup_folder.h"

namespace oci::perform {

namespace {

/// Where the container's init is now.
Result<kernel::Fd> open_cgroup_of_init(Context const& context) {
    auto const& own = context.record.cgroup_path;
    auto const now = TRY(kernel::cgroup_of(context.container_init));
    // A process that was moved out of the container's cgroup does not take others with it.
    if (now != own && !is_below(now, own))
        return fail("the container's init has left its cgroup ", own, " for ", now);
    return open_cgroup(context.host.cgroup2_mount, now);
}

/// The limit of pids does not hold up a process that is moved.
Result<kernel::ClonedProcess> clone_and_move(int cgroup) {
    auto child = TRY(kernel::clone3({}));
    if (child.pid == 0)
        return child; // and waits for its turn
    auto moved = kernel::write_control_file(cgroup, "cgroup.procs", std::to_string(child.pid));
    if (!moved) {
        (void)kernel::kill_and_reap(child.pidfd.get());
        return Failure(moved.error());
    }
    return child;
}

} // namespace

bool needs_cgroup_of_init(Error const& error) {
    return error.errno_value == EBUSY || error.errno_value == EAGAIN || error.errno_value == EOPNOTSUPP;
}

Result<kernel::ClonedProcess> clone_into_cgroup_of_init(Context const& context) {
    auto const cgroup = TRY(open_cgroup_of_init(context));
    auto child = kernel::clone3({0, cgroup.get()});
    if (child || !needs_cgroup_of_init(child.error()))
        return child;
    return clone_and_move(cgroup.get());
}

Result<kernel::ClonedProcess> clone_into_sub_cgroup(Context const& context, std::string const& path) {
    auto const cgroup = TRY(open_below(context.cgroup.get(), path));
    if (TRY(cgroup_event(cgroup.get(), "frozen")))
        return fail("it is frozen");
    auto child = kernel::clone3({0, cgroup.get()});
    if (child || child.error().errno_value != EAGAIN)
        return child;
    return clone_and_move(cgroup.get());
}

} // namespace oci::perform
