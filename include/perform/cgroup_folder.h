// SPDX-License-Identifier: Apache-2.0
// A container's folder in cgroup2, by descriptor: opened beneath the mount, no symbolic link, no other file system.
#pragma once

#include <string>

#include "base/result.h"
#include "kernel/fd.h"
#include "kernel/process.h"

namespace oci::perform {

/// O_DIRECTORY descriptor of `path` below the cgroup2 mount; the file system type is checked.
Result<kernel::Fd> open_cgroup(std::string const& mount, std::string const& path);
/// The highest folder of `path` that does not exist yet; "" when all exist.
Result<std::string> first_missing_cgroup(std::string const& mount, std::string const& path);
/// A cgroup that was there before must be usable as it is (config-linux.md#control-groups): processes of others would
/// get our limits and our kill, and in a frozen one the clone would never run.
Result<void> check_existing_cgroup(std::string const& mount, std::string const& path);
/// The value of a key in a flat keyed file: cgroup.events "populated".
Result<bool> cgroup_event(int cgroup, std::string_view key);
/// Waits until no process is left in the cgroup and those below it.
Result<bool> wait_until_empty(int cgroup, kernel::Deadline deadline);
/// Removes the folder and those below it, depth first; EBUSY is tried again until the deadline. A missing one is fine.
Result<void> remove_cgroup(std::string const& mount, std::string const& path, kernel::Deadline deadline);

} // namespace oci::perform
