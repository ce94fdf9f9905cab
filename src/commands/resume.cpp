// SPDX-License-Identifier: Apache-2.0
#include "commands/common.h"
#include "commands/lifecycle.h"
#include "perform/cgroup_folder.h"
#include "perform/freezer.h"

namespace oci::commands {

namespace {

constexpr std::chrono::seconds thaw_limit{10};

} // namespace

Result<int> run_resume(Invocation const& invocation) {
    auto const id = TRY(container_id(invocation.arguments[0]));
    auto const host = TRY(supported_host(NeedCgroup::no));
    auto const directory = TRY(open_locked(invocation, host, id));
    auto const container = TRY(state::look_at(directory, host.cgroup2_mount));
    if (container.status != state::Status::paused)
        return fail("container not paused");
    auto const cgroup = TRY(perform::open_cgroup_of(container.record, host.cgroup2_mount));
    TRY(perform::thaw(cgroup.get(), kernel::Deadline::after(thaw_limit)));
    return 0;
}

} // namespace oci::commands
