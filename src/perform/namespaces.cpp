// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sched.h>

#include "base/names.h"
#include "kernel/credentials.h"
#include "kernel/file.h"
#include "perform/operations.h"

namespace oci::perform {

namespace {

std::string map_text(std::vector<steps::IdMap> const& maps) {
    std::string text;
    for (auto const& map : maps)
        text += concat(map.container_id, " ", map.host_id, " ", map.size, "\n");
    return text;
}

} // namespace

Result<void> apply(steps::WriteIdMaps const& operation, Context& context) {
    auto const process = TRY(kernel::openat(AT_FDCWD, concat("/proc/", context.state.pid), O_PATH | O_DIRECTORY));
    TRY(kernel::write_control_file(process.get(), "uid_map", map_text(operation.uids)));
    // user_namespaces(7): without rights on the host the gid map may be written only after setgroups was given up.
    if (context.host.euid != 0)
        TRY(kernel::write_control_file(process.get(), "setgroups", "deny"));
    return kernel::write_control_file(process.get(), "gid_map", map_text(operation.gids));
}

Result<void> apply(steps::BecomeMappedUser const& operation, Context&) {
    return kernel::become(operation.uid, operation.gid);
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
    return kernel::write_control_file(AT_FDCWD, concat("/proc/", context.state.pid, "/oom_score_adj"),
                                      std::to_string(operation.value));
}

Result<void> apply(steps::RaiseResourceLimits const& operation, Context& context) {
    for (auto const& limit : operation.limits) {
        // The soft limit stays as it is: a tiny one must not disturb the set-up. The finisher sets both at the end.
        auto const soft = TRY(kernel::resource_limit(limit.resource)).soft;
        auto raised = kernel::set_resource_limit(context.state.pid, limit.resource, {soft, limit.hard});
        TRY(in_context(std::move(raised), "/process/rlimits: ", rlimit_name(limit.resource)));
    }
    return {};
}

} // namespace oci::perform
