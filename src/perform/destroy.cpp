// SPDX-License-Identifier: Apache-2.0
#include "perform/destroy.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>

#include "base/trace.h"
#include "kernel/file.h"
#include "kernel/host.h"
#include "perform/cgroup_folder.h"
#include "perform/cgroup_tree.h"
#include "perform/signal.h"

namespace oci::perform {

namespace {

/// The container's cgroup; none when it does not exist (any more), which is as good as empty.
Result<kernel::Fd> open_existing(state::Record const& record, std::string const& mount) {
    if (record.cgroup_path.empty())
        return kernel::Fd();
    auto cgroup = open_cgroup_of(record, mount);
    if (!cgroup && is_gone(cgroup.error()))
        return kernel::Fd();
    return cgroup;
}

/// By processes, or by other cgroups in it.
Result<bool> is_used(int cgroup) {
    return TRY(cgroup_event(cgroup, "populated")) || !TRY(kernel::list_folders(cgroup)).empty();
}

/// Folders above the container's own that were made for it, or for another container in them, go too, as long as nobody
/// else uses them.
Result<void> remove_made_parents(state::Record const& record, std::string const& mount) {
    for (auto path = std::string(parent_path(record.cgroup_path)); path != "/"; path = parent_path(path)) {
        // The record knows of ours also where they could not be marked.
        bool const ours = path.size() >= record.cgroup_created.size();
        auto const folder = open_cgroup(mount, path);
        if (!folder && ours && !is_gone(folder.error()))
            return Failure(folder.error());
        if (!folder || (!ours && !is_marked_as_made(folder->get())))
            return {};
        // Only an empty one: a sibling container may have come, and may have gone again.
        auto removed = remove_empty_cgroup(mount, path);
        for (int tries = 1; !removed && removed.error().errno_value == EBUSY && tries < 10; ++tries) {
            if (is_used(folder->get()).value_or(false))
                return {};
            removed = remove_empty_cgroup(mount, path);
        }
        // Busy without being used: something is mounted there.
        bool const left_to_others = !removed && (removed.error().errno_value == EBUSY || is_gone(removed.error()));
        if (!removed && ours && !left_to_others)
            return in_context(removed, "remove cgroup ", path);
        if (!removed)
            return {};
    }
    return {};
}

/// Of the cgroup and those below it; -1 where none is seen, which may be in another pid namespace.
Result<pid_t> first_process(int cgroup) {
    auto const processes = TRY(processes_of_tree(cgroup));
    return processes.empty() ? -1 : processes.front();
}

} // namespace

Result<void> kill_container(state::Record const& record, int init, std::string const& cgroup2_mount,
                            kernel::Deadline deadline) {
    // After a reboot nothing of the container is left, and a cgroup of that name is somebody else's.
    if (record.boot_id != TRY(kernel::boot_id()))
        return {};
    if (init >= 0) {
        auto const killed = kernel::pidfd_send_signal(init, SIGKILL);
        if (!killed && killed.error().errno_value != ESRCH)
            return Failure(killed.error());
    }
    // All are killed before one is waited for: init's end waits for the other processes of its pid namespace.
    auto const cgroup = TRY(open_existing(record, cgroup2_mount));
    if (cgroup)
        TRY(kill_cgroup(cgroup.get()));
    if (init >= 0 && !TRY(kernel::wait_for_exit(init, deadline)))
        return fail("container init still running");
    if (!cgroup)
        return {};
    // Again and again: an `exec` may have cloned into the cgroup since.
    while (!TRY(wait_until_empty(cgroup.get(), kernel::Deadline::after(std::chrono::milliseconds(100))))) {
        if (deadline.passed())
            return fail("processes in cgroup ", record.cgroup_path, " do not end (pid ",
                        TRY(first_process(cgroup.get())), ")");
        TRY(kill_cgroup(cgroup.get()));
    }
    return {};
}

Result<pid_t> any_process(state::Record const& record, std::string const& cgroup2_mount) {
    auto const cgroup = TRY(open_existing(record, cgroup2_mount));
    // A killed process may need a moment to leave.
    if (!cgroup || TRY(wait_until_empty(cgroup.get(), kernel::Deadline::after(std::chrono::seconds(1)))))
        return 0;
    return first_process(cgroup.get());
}

Result<void> destroy(state::Record const& record, int init, std::string const& cgroup2_mount,
                     kernel::Deadline deadline) {
    TraceSpan const span("end the processes and remove the cgroup");
    TRY(kill_container(record, init, cgroup2_mount, deadline));
    // A cgroup that was there before the container is not ours to delete (runtime.md#delete).
    bool const same_boot = record.boot_id == TRY(kernel::boot_id());
    if (!same_boot || record.cgroup_path.empty() || record.cgroup_created.empty())
        return {};
    TRY(remove_cgroup(cgroup2_mount, record.cgroup_path, deadline));
    return remove_made_parents(record, cgroup2_mount);
}

} // namespace oci::perform
