// SPDX-License-Identifier: Apache-2.0
// Freezes and thaws a cgroup with all below it, cgroup-v2.rst "cgroup.freeze".
#pragma once

#include "base/result.h"
#include "kernel/process.h"

namespace oci::perform {

/// Returns when every process stands still. When the deadline passes the cgroup is thawed again and the error names a
/// process that does not stop.
Result<void> freeze(int cgroup, kernel::Deadline deadline);

/// Returns when the processes run again. Error: they do not, because a cgroup above is frozen.
Result<void> thaw(int cgroup, kernel::Deadline deadline);
/// Does not wait.
Result<void> request_thaw(int cgroup);

} // namespace oci::perform
