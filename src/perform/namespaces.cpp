// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <fcntl.h>
#include <sched.h>

#include "base/names.h"
#include "kernel/credentials.h"
#include "kernel/file.h"
#include "kernel/mount.h"
#include "kernel/network.h"
#include "perform/operations.h"

namespace oci::perform {

Result<void> apply(steps::BecomeMappedUser const& operation, Context& context) {
    TRY(kernel::become(operation.uid, operation.gid,
                       operation.keep_groups ? kernel::Groups::as_they_are : kernel::Groups::none));
    // A change of ids has taken it away, prctl(2).
    return context.child_is_open ? kernel::set_dumpable() : Result<void>();
}

Result<void> apply(steps::JoinMountNamespace const& operation, Context&) {
    auto const target = TRY(kernel::openat(AT_FDCWD, operation.path, O_RDONLY));
    if (TRY(kernel::namespace_type(target.get())) != CLONE_NEWNS)
        return fail(operation.path, " is not a mount namespace");
    // Pivoting in there would take the root away from the host.
    for (auto const* path : {"/proc/self/ns/mnt", "/proc/1/ns/mnt"}) {
        auto const host = kernel::openat(AT_FDCWD, path, O_RDONLY);
        if (host && TRY(kernel::same_namespace(host->get(), target.get())))
            return fail(operation.path, " is the mount namespace of the host");
    }
    return kernel::setns(target.get(), CLONE_NEWNS);
}

Result<void> apply(steps::LeaveMountNamespace const&, Context& context) {
    context.caller_mounts = TRY(kernel::openat(AT_FDCWD, "/proc/self/ns/mnt", O_RDONLY));
    return kernel::unshare(CLONE_NEWNS);
}

/// When the descriptor of a detached tree is closed the kernel takes the tree out of its namespace, but leaves its
/// mounts where they are in it (UMOUNT_CONNECTED, fs/namespace.c): so the container's mounts outlive it, and end with
/// the last process whose root is there.
Result<void> apply(steps::ReturnToMountNamespace const&, Context& context) {
    auto const tree = TRY(kernel::clone_tree(context.rootfs.get(), "", AT_EMPTY_PATH | AT_RECURSIVE));
    TRY(kernel::setns(context.caller_mounts.get(), CLONE_NEWNS));
    return kernel::change_root(tree.get());
}

Result<void> apply(steps::BringLoopbackUp const&, Context&) {
    return kernel::bring_interface_up("lo");
}

Result<void> apply(steps::SetHostname const& operation, Context&) {
    return kernel::sethostname(operation.name);
}

Result<void> apply(steps::SetDomainname const& operation, Context&) {
    return kernel::setdomainname(operation.name);
}

Result<void> apply(steps::SetSysctls const& operation, Context& context) {
    for (auto const& [key, value] : operation.values)
        TRY(in_context(context.procfs->write(concat("sys/", key), value), "/linux/sysctl: ", key));
    return {};
}

Result<void> apply(steps::SetOomScore const& operation, Context& context) {
    auto const path = concat("/proc/", context.state.pid, "/oom_score_adj");
    auto written = kernel::write_control_file(AT_FDCWD, path, std::to_string(operation.value));
    if (!written && (written.error().errno_value == EACCES || written.error().errno_value == EPERM)) // proc(5)
        if (auto const now = kernel::read_file(AT_FDCWD, path, 64))
            written.error().message +=
                concat(" (it is ", trim(*now), ", and only CAP_SYS_RESOURCE of the host may lower it)");
    return in_context(std::move(written), "/process/oomScoreAdj");
}

Result<void> apply(steps::RaiseResourceLimits const& operation, Context& context) {
    for (auto const& limit : operation.limits) {
        // The soft limit stays as it is: a tiny one must not disturb the set-up. The finisher sets both at the end.
        auto const soft = TRY(kernel::resource_limit(limit.resource)).soft;
        auto raised = kernel::set_resource_limit(context.state.pid, limit.resource, {soft, limit.hard});
        if (!raised && raised.error().errno_value == EPERM) // getrlimit(2)
            raised.error().message += " (only CAP_SYS_RESOURCE of the host may raise a hard limit)";
        TRY(in_context(std::move(raised), "/process/rlimits: ", rlimit_name(limit.resource)));
    }
    return {};
}

} // namespace oci::perform
