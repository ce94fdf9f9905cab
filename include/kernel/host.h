// SPDX-License-Identifier: Apache-2.0
// Looks at the machine once.
#pragma once

#include <string>
#include <string_view>
#include <sys/types.h>

#include "base/host.h"
#include "base/result.h"

namespace oci::kernel {

/// Fills HostFacts. Needs no rights and changes nothing; fails only if /proc cannot be read.
Result<HostFacts> observe_host();
/// The first place in the text of /proc/PID/mountinfo (proc(5)) where the whole of a file system of that type is
/// mounted; "" for none.
std::string mount_point_of(std::string_view mountinfo, std::string_view type);
/// The cgroup2 path of a process (0: the calling one), as the root of our cgroup namespace sees it (the "0::" line of
/// /proc/PID/cgroup, cgroups(7)); of a folder that was removed it ends in " (deleted)".
Result<std::string> cgroup_of(pid_t pid);
/// The kernel's boot id (/proc/sys/kernel/random/boot_id), without line end.
Result<std::string> boot_id();

} // namespace oci::kernel
