// SPDX-License-Identifier: Apache-2.0
#include "perform/signal.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <vector>

#include "kernel/file.h"
#include "kernel/host.h"
#include "kernel/process.h"
#include "perform/cgroup_folder.h"

namespace oci::perform {

namespace {

constexpr std::size_t maximum_procs_size = 16U << 20U;
constexpr int deepest = 64;

bool is_gone(Error const& error) {
    return error.errno_value == ENOENT || error.errno_value == ENODEV || error.errno_value == ESRCH;
}

/// The pids in one cgroup's own cgroup.procs. A threaded cgroup has none (EOPNOTSUPP): its domain above lists them.
Result<std::vector<pid_t>> processes_of(int cgroup) {
    auto const text = kernel::read_file(cgroup, "cgroup.procs", maximum_procs_size);
    std::vector<pid_t> pids;
    if (!text && (is_gone(text.error()) || text.error().errno_value == EOPNOTSUPP))
        return pids;
    if (!text)
        return Failure(text.error());
    for (auto const line : split(*text, '\n'))
        if (auto const pid = parse_number<pid_t>(line); pid && *pid > 0) // 0: of a pid namespace we do not see
            pids.push_back(*pid);
    return pids;
}

struct Target {
    pid_t pid = 0;
    kernel::Fd pidfd;
};

/// Only processes that are still listed after they were opened: a number may have gone to a stranger in between.
Result<bool> signal_members(int cgroup, int signal) {
    std::vector<Target> targets;
    for (auto const pid : TRY(processes_of(cgroup)))
        if (auto pidfd = kernel::pidfd_open(pid))
            targets.push_back({pid, std::move(*pidfd)});
        else if (!is_gone(pidfd.error()))
            return Failure(pidfd.error());
    auto const members = TRY(processes_of(cgroup));
    bool any = false;
    for (auto const& target : targets) {
        if (std::find(members.begin(), members.end(), target.pid) == members.end())
            continue;
        auto const sent = kernel::pidfd_send_signal(target.pidfd.get(), signal);
        if (!sent && !is_gone(sent.error()))
            return fail_errno(sent.error().errno_value, "unable to signal process ", target.pid);
        any = any || sent.has_value();
    }
    return any;
}

Result<bool> signal_tree(int cgroup, int signal, int depth) {
    bool any = TRY(signal_members(cgroup, signal));
    auto const names = kernel::list_directory(cgroup);
    if (!names || depth == deepest)
        return any;
    for (auto const& name : *names) {
        auto const entry = kernel::fstatat(cgroup, name, AT_SYMLINK_NOFOLLOW);
        if (!entry || !S_ISDIR(entry->st_mode))
            continue;
        auto const child = kernel::openat(cgroup, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (child)
            any = TRY(signal_tree(child->get(), signal, depth + 1)) || any;
    }
    return any;
}

} // namespace

Result<void> signal_init(state::Container const& container, int signal) {
    if (!container.pidfd)
        return Failure(Error{"container not running", ESRCH});
    auto const sent = kernel::pidfd_send_signal(container.pidfd.get(), signal);
    if (!sent && sent.error().errno_value == ESRCH)
        return Failure(Error{"container not running", ESRCH});
    if (!sent)
        return fail_errno(sent.error().errno_value, "unable to signal init");
    return {};
}

Result<bool> signal_cgroup(state::Record const& record, std::string const& cgroup2_mount, int signal) {
    if (record.cgroup_path.empty() || cgroup2_mount.empty())
        return false;
    // After a reboot a cgroup of that name is somebody else's.
    if (record.boot_id != TRY(kernel::boot_id()))
        return false;
    auto const cgroup = open_cgroup(cgroup2_mount, record.cgroup_path);
    if (!cgroup && is_gone(cgroup.error()))
        return false;
    if (!cgroup)
        return Failure(cgroup.error());
    if (signal != SIGKILL)
        return signal_tree(cgroup->get(), signal, 0);
    bool const populated = cgroup_event(cgroup->get(), "populated").value_or(false);
    auto const killed = kernel::write_control_file(cgroup->get(), "cgroup.kill", "1");
    if (!killed && !is_gone(killed.error()))
        return Failure(killed.error());
    return populated;
}

} // namespace oci::perform
