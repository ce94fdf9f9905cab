// SPDX-License-Identifier: Apache-2.0
#include "perform/exec_process.h"

#include <fcntl.h>
#include <unistd.h>

#include "kernel/file.h"
#include "perform/cgroup_folder.h"

namespace oci::perform {

namespace {

/// The "0::" line of /proc/PID/cgroup, cgroups(7).
Result<std::string> cgroup_of(pid_t pid) {
    auto const text = TRY(kernel::read_file(AT_FDCWD, concat("/proc/", pid, "/cgroup"), 64U << 10U));
    for (auto const line : split(text, '\n'))
        if (line.starts_with("0::"))
            return std::string(line.substr(3));
    return fail("/proc/", pid, "/cgroup has no cgroup2 line");
}

} // namespace

Result<kernel::ClonedProcess> clone_into_cgroup_of_init(Context& context) {
    auto const path = TRY(cgroup_of(context.container_init));
    if (path != context.record.cgroup_path && !path.starts_with(context.record.cgroup_path + "/"))
        return fail("the container's init has left its cgroup ", context.record.cgroup_path, " for ", path);
    auto const leaf = TRY(open_cgroup(context.host.cgroup2_mount, path));
    auto child = TRY(kernel::clone3({}));
    if (child.pid == 0) {
        // "0" is the writing process itself (cgroups(7)); nothing runs before it is where it belongs.
        if (!kernel::write_control_file(leaf.get(), "cgroup.procs", "0"))
            ::_exit(1);
    }
    return child;
}

} // namespace oci::perform
