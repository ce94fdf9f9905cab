// SPDX-License-Identifier: Apache-2.0
// Processes: clone3(2), pidfds, waiting, execveat(2), attributes of the calling process.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <sys/types.h>
#include <vector>

#include "base/host.h"
#include "base/result.h"
#include "kernel/fd.h"

namespace oci::kernel {

/// A moment after which a wait gives up. `never()` is for waits that end with the peer only.
class Deadline {
public:
    static Deadline after(std::chrono::milliseconds duration);
    static Deadline never() { return Deadline{}; }
    /// Milliseconds from now for poll(2): at least 0, or -1 for never.
    int poll_timeout() const;
    bool passed() const { return poll_timeout() == 0; }

private:
    std::optional<std::chrono::steady_clock::time_point> end_;
};

struct CloneRequest {
    std::uint64_t flags = 0; ///< CLONE_NEW*, CLONE_PARENT
    int cgroup = -1;         ///< with >= 0: CLONE_INTO_CGROUP this folder of cgroup2
};
struct ClonedProcess {
    pid_t pid = 0; ///< 0 in the child
    Fd pidfd;      ///< in the parent
};
/// fork(2)-like clone3(2) with CLONE_PIDFD and exit signal SIGCHLD (none with CLONE_PARENT).
/// EBUSY, EOPNOTSUPP, ENOENT and EAGAIN with a cgroup are explained in the message.
Result<ClonedProcess> clone3(CloneRequest const& request);

/// ESRCH: no such process.
Result<Fd> pidfd_open(pid_t pid);
Result<void> pidfd_send_signal(int pidfd, int signal);
/// Field 22 of /proc/PID/stat: start time in clock ticks since boot. With the boot id it tells one process from a later
/// one of the same number. ESRCH for a process that is gone; a zombie (state Z or X) counts as gone.
Result<std::uint64_t> start_time(pid_t pid);
/// Whether the process exits before the deadline (poll(2) on its pidfd).
Result<bool> wait_for_exit(int pidfd, Deadline deadline);
/// The index of the first descriptor that is ready to be read (a pidfd: exited; a socket: message or end of file; a
/// signalfd: a signal), or nullopt when the deadline passes. Negative ones are left out.
Result<std::optional<std::size_t>> wait_for_any(std::span<int const> descriptors, Deadline deadline);
/// Reaps a child by pidfd: its exit code, or 128 + signal.
Result<int> reap(int pidfd);

/// SIGKILL, and the child's exit status as reap() gives it; ETIMEDOUT if it does not end (state D) within 20 seconds.
Result<int> kill_and_reap(int pidfd);
/// SIGKILL to every process of a group (that of a spawned program has its pid).
void kill_process_group(pid_t group);
/// Whether the process is a child of the caller (waitid(2) without reaping).
bool is_child(int pidfd);

/// execveat(fd, "", AT_EMPTY_PATH): returns only on failure.
Error execveat(int descriptor, std::vector<std::string> const& arguments, std::vector<std::string> const& environment);
Result<void> setns(int descriptor, int type);
Result<void> unshare(int flags);
Result<void> sethostname(std::string const& name);
Result<void> setdomainname(std::string const& name);
Result<void> setsid();
/// prlimit(2): sets the limit of `pid` (0: own).
Result<void> set_resource_limit(pid_t pid, int resource, ResourceLimit limit);
Result<ResourceLimit> resource_limit(int resource);
/// prctl(2) switches of the calling process.
Result<void> set_dumpable();
Result<void> set_not_dumpable();
bool has_no_new_privileges();
Result<void> set_child_subreaper();
Result<void> set_parent_death_signal(int signal);
/// close_range(2) with CLOSE_RANGE_CLOEXEC, or closing, of first..last; falls back to /proc/self/fd when forbidden.
Result<void> mark_close_on_exec(unsigned first, unsigned last);
Result<void> close_descriptors(unsigned first, unsigned last);
/// All signals blocked (returns the old mask is not needed: the finisher unblocks everything before execve).
Result<void> block_all_signals();
Result<void> unblock_all_signals_and_reset_handlers();

/// The id of a namespace file: nsfs device and inode, to compare, and its CLONE_NEW* type by NS_GET_NSTYPE.
Result<int> namespace_type(int descriptor);
Result<bool> same_namespace(int one, int other);
/// Whether the user namespace that owns the namespace is the caller's or one below it (ioctl_ns(2), NS_GET_USERNS):
/// else no capability of the caller counts there.
bool is_namespace_within_reach(int descriptor);

} // namespace oci::kernel
