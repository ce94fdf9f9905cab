// SPDX-License-Identifier: Apache-2.0
#include "commands/common.h"
#include "kernel/host.h"
#include "state/status.h"

namespace oci::commands {

Result<int> run_state(Invocation const& invocation) {
    auto const host = TRY(kernel::observe_host());
    auto const id = TRY(container_id(invocation.arguments[0]));
    auto const directory = TRY(state::ContainerDir::open(state_root(invocation.global, host), id));
    auto const container = TRY(state::look_at(directory, host.cgroup2_mount));
    TRY(print(state::state_document(container)));
    return 0;
}

} // namespace oci::commands
