// SPDX-License-Identifier: Apache-2.0
#include <cerrno>

#include "commands/common.h"
#include "commands/lifecycle.h"
#include "perform/destroy.h"

namespace oci::commands {

namespace {

constexpr std::chrono::seconds polite_limit{1};

/// The lock; with force its holder (a create that hangs) loses its processes after a second, and with them its reason
/// to wait.
Result<state::ContainerDir> lock(std::string const& root, std::string const& id, HostFacts const& host, bool force) {
    auto directory =
        state::ContainerDir::open_locked(root, id, kernel::Deadline::after(force ? polite_limit : lock_limit));
    if (directory || !force || directory.error().errno_value != ETIMEDOUT)
        return directory;
    auto const unlocked = TRY(state::ContainerDir::open(root, id));
    if (auto const record = unlocked.read_record()) {
        auto const container = state::look_at(unlocked, host.cgroup2_mount);
        int const init = container ? container->pidfd.get() : -1;
        TRY(perform::kill_container(*record, init, host.cgroup2_mount, kernel::Deadline::after(lock_limit)));
    }
    return state::ContainerDir::open_locked(root, id, kernel::Deadline::after(lock_limit));
}

/// With a pid namespace of its own nothing of a container outlives its init: who is in its cgroup now is a stranger.
Result<void> check_left_alone(state::Container const& container, HostFacts const& host) {
    if (!container.state || !container.state->own_pid_namespace)
        return {};
    auto const stranger = TRY(perform::any_process(container.record, host.cgroup2_mount));
    if (stranger != 0)
        return fail("its cgroup ", container.record.cgroup_path, " has a process of somebody else: ", stranger,
                    " (--force kills it)");
    return {};
}

Result<void> check_deletable(state::Container const& container, std::string const& id) {
    switch (container.status) {
    case state::Status::created: // as the other runtimes do
    case state::Status::stopped:
        return {};
    case state::Status::creating:
    case state::Status::running:
    case state::Status::paused:
        break;
    }
    return fail("cannot delete container ", id, " that is not stopped: ", state::status_name(container.status));
}

Result<void> delete_one(std::string const& root, std::string const& id, HostFacts const& host, bool force) {
    auto directory = TRY(lock(root, id, host, force));
    // Killed between the reservation and the record, a create has made nothing else.
    if (auto const record = directory.read_record(); !record && state::is_missing_container(record.error())) {
        TRY(directory.remove());
        return Failure(record.error());
    }
    auto const container = state::look_at(directory, host.cgroup2_mount);
    if (container && !force)
        TRY(check_deletable(*container, id));
    if (container && !force && container->status == state::Status::stopped)
        TRY(check_left_alone(*container, host));
    if (container) {
        // Without a state create was killed before its commit.
        auto const ending = container->state ? perform::Ending::deleted : perform::Ending::undone;
        return delete_container(directory, container->record, container->pidfd.get(), host, ending);
    }
    // A damaged state.json: what has to be undone is in the record.
    auto const record = directory.read_record();
    if (!record || !force)
        return Failure(container.error());
    log_warning(concat("delete ", id, ": ", container.error().message));
    return delete_container(directory, *record, -1, host);
}

} // namespace

Result<int> run_delete(Invocation const& invocation) {
    bool const force = invocation.options.flag("force");
    auto const host = TRY(supported_host(NeedCgroup::no));
    auto const root = state_root(invocation.global, host);
    return for_each_named("delete", invocation, root, [&](std::string const& id) -> Result<void> {
        auto deleted = delete_one(root, id, host, force);
        // With force a container that is not there is what was wanted.
        if (!deleted && force && state::is_missing_container(deleted.error()))
            return {};
        return deleted;
    });
}

} // namespace oci::commands
