// SPDX-License-Identifier: Apache-2.0
#include "perform/destroy.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>

#include "kernel/file.h"
#include "kernel/host.h"
#include "perform/cgroup_folder.h"

namespace oci::perform {

namespace {

/// The container's cgroup; none when it does not exist (any more), which is as good as empty.
Result<kernel::Fd> open_existing(std::string const& mount, std::string const& path) {
    auto cgroup = open_cgroup(mount, path);
    if (!cgroup && cgroup.error().errno_value == ENOENT)
        return kernel::Fd();
    return cgroup;
}

/// Folders above the container's own that were made for it go too, as long as nobody else uses them.
void remove_made_parents(state::Record const& record, std::string const& mount, kernel::Deadline deadline) {
    auto path = std::string(parent_path(record.cgroup_path));
    while (!record.cgroup_created.empty() && path.size() >= record.cgroup_created.size() && path != "/") {
        auto const folder = open_cgroup(mount, path);
        if (!folder)
            return;
        // Only an empty one: a sibling container may have come.
        for (auto const& name : kernel::list_directory(folder->get()).value_or(std::vector<std::string>{})) {
            auto const entry = kernel::fstatat(folder->get(), name, AT_SYMLINK_NOFOLLOW);
            if (entry && S_ISDIR(entry->st_mode))
                return;
        }
        if (cgroup_event(folder->get(), "populated").value_or(true) || !remove_cgroup(mount, path, deadline))
            return;
        path = std::string(parent_path(path));
    }
}

} // namespace

Result<void> kill_container(state::Record const& record, int init, std::string const& cgroup2_mount,
                            kernel::Deadline deadline) {
    // After a reboot nothing of the container is left, and a cgroup of that name is somebody else's.
    if (record.boot_id != TRY(kernel::boot_id()))
        return {};
    bool const has_cgroup = !record.cgroup_path.empty();
    if (init >= 0) {
        auto const killed = kernel::pidfd_send_signal(init, SIGKILL);
        if (!killed && killed.error().errno_value != ESRCH)
            return Failure(killed.error());
    }
    // All are killed before one is waited for: init's end waits for the other processes of its pid namespace.
    auto const cgroup = has_cgroup ? TRY(open_existing(cgroup2_mount, record.cgroup_path)) : kernel::Fd();
    if (cgroup)
        TRY(kernel::write_control_file(cgroup.get(), "cgroup.kill", "1"));
    if (init >= 0 && !TRY(kernel::wait_for_exit(init, deadline)))
        return fail("container init still running");
    if (!cgroup)
        return {};
    // Again and again: an `exec` may have cloned into the cgroup since.
    for (bool last = false; !last; last = deadline.passed()) {
        if (TRY(wait_until_empty(cgroup.get(), kernel::Deadline::after(std::chrono::milliseconds(100)))))
            return {};
        TRY(kernel::write_control_file(cgroup.get(), "cgroup.kill", "1"));
    }
    auto const processes = kernel::read_file(cgroup.get(), "cgroup.procs", 64U << 10U);
    auto const first = processes ? std::string(split(*processes, '\n').front()) : std::string("unknown");
    return fail("processes in cgroup ", record.cgroup_path, " do not end (pid ", first, ")");
}

Result<pid_t> any_process(state::Record const& record, std::string const& cgroup2_mount) {
    if (record.cgroup_path.empty() || record.boot_id != TRY(kernel::boot_id()))
        return 0;
    auto const cgroup = TRY(open_existing(cgroup2_mount, record.cgroup_path));
    // A killed process may need a moment to leave.
    if (!cgroup || TRY(wait_until_empty(cgroup.get(), kernel::Deadline::after(std::chrono::seconds(1)))))
        return 0;
    auto const processes = kernel::read_file(cgroup.get(), "cgroup.procs", 64U << 10U);
    auto const first = processes ? parse_number<pid_t>(split(*processes, '\n').front()) : std::nullopt;
    return first.value_or(-1);
}

Result<void> destroy(state::Record const& record, int init, std::string const& cgroup2_mount,
                     kernel::Deadline deadline) {
    TRY(kill_container(record, init, cgroup2_mount, deadline));
    // A cgroup that was there before the container is not ours to delete (runtime.md#delete).
    bool const same_boot = record.boot_id == TRY(kernel::boot_id());
    if (!same_boot || record.cgroup_path.empty() || record.cgroup_created.empty())
        return {};
    TRY(remove_cgroup(cgroup2_mount, record.cgroup_path, deadline));
    remove_made_parents(record, cgroup2_mount, deadline);
    return {};
}

} // namespace oci::perform
