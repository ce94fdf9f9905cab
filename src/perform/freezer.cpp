// SPDX-License-Identifier: Apache-2.0
#include "perform/freezer.h"

#include <fcntl.h>

#include "kernel/file.h"
#include "perform/cgroup_folder.h"
#include "perform/cgroup_tree.h"

namespace oci::perform {

namespace {

constexpr char freeze_file[] = "cgroup.freeze";

/// "pid 123 (tar), in an uninterruptible system call": the usual reason, a disk or server that does not answer.
std::string unfrozen_process(int cgroup) {
    for (auto const pid : processes_of_tree(cgroup).value_or(std::vector<pid_t>{})) {
        auto const stat = kernel::read_file(AT_FDCWD, concat("/proc/", pid, "/stat"), 4096);
        // "pid (name) state ...": the name may hold anything but ends at the last ')'.
        auto const end = stat ? stat->rfind(')') : std::string::npos;
        if (end != std::string::npos && stat->substr(end).starts_with(") D"))
            return concat("process ", printable(stat->substr(0, end + 1)), " is in an uninterruptible system call");
    }
    return "a process does not stop";
}

} // namespace

Result<void> request_thaw(int cgroup) {
    return kernel::write_control_file(cgroup, freeze_file, "0");
}

Result<void> freeze(int cgroup, kernel::Deadline deadline) {
    TRY(kernel::write_control_file(cgroup, freeze_file, "1"));
    auto const frozen = wait_for_cgroup_event(cgroup, "frozen", true, deadline);
    if (frozen && *frozen)
        return {};
    auto failure = frozen ? fail("unable to freeze: ", unfrozen_process(cgroup)) : Failure(frozen.error());
    (void)request_thaw(cgroup);
    return failure;
}

Result<void> thaw(int cgroup, kernel::Deadline deadline) {
    TRY(request_thaw(cgroup));
    if (!TRY(wait_for_cgroup_event(cgroup, "frozen", false, deadline)))
        return fail("unable to thaw: a cgroup above is frozen");
    return {};
}

} // namespace oci::perform
