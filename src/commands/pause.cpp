// SPDX-License-Identifier: Apache-2.0
#include "commands/common.h"
#include "commands/lifecycle.h"
#include "perform/cgroup_folder.h"
#include "perform/freezer.h"

namespace oci::commands {

namespace {

constexpr std::chrono::seconds freeze_limit{10};

Result<void> check_pausable(state::Container const& container) {
    switch (container.status) {
    case state::Status::created: // as runc
    case state::Status::running:
        return {};
    case state::Status::creating:
        return fail("cannot pause a container that is still being created");
    case state::Status::paused:
        return fail("container not running: it is paused already");
    case state::Status::stopped:
        break;
    }
    return fail("container not running");
}

} // namespace

Result<int> run_pause(Invocation const& invocation) {
    auto const id = TRY(container_id(invocation.arguments[0]));
    auto const host = TRY(supported_host(NeedCgroup::no));
    auto const directory = TRY(open_locked(invocation, host, id));
    auto const container = TRY(state::look_at(directory, host.cgroup2_mount));
    TRY(check_pausable(container));
    auto const cgroup = TRY(perform::open_cgroup_of(container.record, host.cgroup2_mount));
    TRY(perform::freeze(cgroup.get(), kernel::Deadline::after(freeze_limit)));
    // An empty cgroup freezes, too.
    if (TRY(kernel::wait_for_exit(container.pidfd.get(), kernel::Deadline::after(std::chrono::milliseconds(0))))) {
        (void)perform::request_thaw(cgroup.get());
        return fail("container not running: it has ended meanwhile");
    }
    return 0;
}

} // namespace oci::commands
