// SPDX-License-Identifier: Apache-2.0
// Undoes a container from its record: processes, cgroup. The one path for `delete`, and after a failed `create`.
#pragma once

#include <string>

#include "base/result.h"
#include "kernel/process.h"
#include "state/container_dir.h"

namespace oci::perform {

/// Kills every process of the container and waits until none is left. `init` is its pidfd, or -1.
Result<void> kill_container(state::Record const& record, int init, std::string const& cgroup2_mount,
                            kernel::Deadline deadline);

/// The pid of some process in the container's cgroup, 0 if there is none.
Result<pid_t> any_process(state::Record const& record, std::string const& cgroup2_mount);

/// Kills, then removes the cgroup and the folders that were made for it. Converges when run again; fails when the
/// deadline passes, naming what is left.
Result<void> destroy(state::Record const& record, int init, std::string const& cgroup2_mount,
                     kernel::Deadline deadline);

} // namespace oci::perform
