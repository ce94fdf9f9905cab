// SPDX-License-Identifier: Apache-2.0
// Looks at the machine once.
#pragma once

#include <string>
#include <sys/types.h>

#include "base/host.h"
#include "base/result.h"

namespace oci::kernel {

/// Fills HostFacts. Needs no rights and changes nothing; fails only if /proc cannot be read.
Result<HostFacts> observe_host();
/// The cgroup2 path of a process (0: the calling one), as the root of our cgroup namespace sees it (the "0::" line of
/// /proc/PID/cgroup, cgroups(7)); of a folder that was removed it ends in " (deleted)".
Result<std::string> cgroup_of(pid_t pid);
/// The kernel's boot id (/proc/sys/kernel/random/boot_id), without line end.
Result<std::string> boot_id();

} // namespace oci::kernel
