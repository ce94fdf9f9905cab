// SPDX-License-Identifier: Apache-2.0
#include "perform/signal.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <set>
#include <span>
#include <vector>

#include "kernel/file.h"
#include "kernel/process.h"
#include "perform/cgroup_folder.h"
#include "perform/cgroup_tree.h"
#include "perform/freezer.h"

namespace oci::perform {

namespace {

constexpr std::size_t descriptors_at_once = 256;
constexpr int most_rounds = 100;
constexpr std::chrono::seconds walk_limit{30};

struct Target {
    pid_t pid = 0;
    kernel::Fd pidfd;
};

Result<std::vector<Target>> open_targets(std::span<pid_t const> pids) {
    std::vector<Target> targets;
    for (auto const pid : pids)
        if (auto pidfd = kernel::pidfd_open(pid))
            targets.push_back({pid, std::move(*pidfd)});
        else if (!is_gone(pidfd.error()))
            return Failure(pidfd.error());
    return targets;
}

/// Signals the processes of one cgroup that are not in `done`, and puts them there. Only those that are still listed
/// after they were opened: a number may have gone to a stranger in between.
Result<void> signal_members(int folder, std::string const& name, int signal, std::set<pid_t>& done) {
    auto pids = TRY(processes_in(folder, name));
    std::erase_if(pids, [&](pid_t pid) { return done.contains(pid); });
    for (std::size_t first = 0; first < pids.size(); first += descriptors_at_once) {
        auto const count = std::min(descriptors_at_once, pids.size() - first);
        auto const targets = TRY(open_targets(std::span(pids).subspan(first, count)));
        auto const members = TRY(processes_in(folder, name));
        for (auto const& target : targets) {
            if (!std::ranges::binary_search(members, target.pid))
                continue;
            auto const sent = kernel::pidfd_send_signal(target.pidfd.get(), signal);
            if (!sent && is_gone(sent.error()))
                continue;
            if (!sent)
                return fail_errno(sent.error().errno_value, "unable to signal process ", target.pid);
            done.insert(target.pid);
        }
    }
    return {};
}

/// Again until nobody new is found: a process may have been forked, or moved, behind the walk's back.
Result<bool> signal_tree(int top, int signal) {
    auto const deadline = kernel::Deadline::after(walk_limit);
    std::set<pid_t> done;
    for (int round = 0; round < most_rounds; ++round) {
        auto const before = done.size();
        TRY(signal_members(top, ".", signal, done));
        TRY(visit_below(top, deadline, [&](int parent, std::string const& name) {
            return signal_members(parent, name, signal, done);
        }));
        if (done.size() == before)
            break;
    }
    return !done.empty();
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

Result<void> kill_cgroup(int cgroup) {
    auto killed = kernel::write_control_file(cgroup, "cgroup.kill", "1");
    if (killed || is_gone(killed.error()))
        return {};
    if (killed.error().errno_value != EOPNOTSUPP)
        return killed;
    // A cgroup that its container has made threaded refuses cgroup.kill. SIGKILL also ends what is frozen, and what is
    // frozen does not fork.
    (void)freeze(cgroup, kernel::Deadline::after(std::chrono::seconds(1)));
    auto const walked = signal_tree(cgroup, SIGKILL);
    (void)request_thaw(cgroup);
    return walked ? Result<void>{} : Result<void>(Failure(walked.error()));
}

Result<bool> signal_cgroup(state::Record const& record, std::string const& cgroup2_mount, int signal) {
    if (record.cgroup_path.empty() || cgroup2_mount.empty())
        return false;
    auto const cgroup = open_cgroup_of(record, cgroup2_mount);
    if (!cgroup && is_gone(cgroup.error()))
        return false;
    if (!cgroup)
        return Failure(cgroup.error());
    if (signal != SIGKILL)
        return signal_tree(cgroup->get(), signal);
    bool const populated = cgroup_event(cgroup->get(), "populated").value_or(false);
    TRY(kill_cgroup(cgroup->get()));
    return populated;
}

} // namespace oci::perform
