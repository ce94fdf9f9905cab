// SPDX-License-Identifier: Apache-2.0
// A container's folder in cgroup2, by descriptor: opened beneath the mount, no symbolic link, no other file system.
#pragma once

#include <string>

#include "base/result.h"
#include "kernel/fd.h"
#include "kernel/process.h"
#include "state/container_dir.h"

namespace oci::perform {

/// O_DIRECTORY descriptor of `path` below the cgroup2 mount; the file system type is checked.
Result<kernel::Fd> open_cgroup(std::string const& mount, std::string const& path);
/// The container's own. Errors: it has none (--cgroup-manager disabled), there is no cgroup2, or another boot (ENOENT)
/// has left nothing of it.
Result<kernel::Fd> open_cgroup_of(state::Record const& record, std::string const& mount);
/// A folder below another one.
Result<kernel::Fd> open_below(int directory, std::string const& relative);
/// Whether an error says that a cgroup or process does not exist (any more).
bool is_gone(Error const& error);

/// Says, on the folder itself, that it was made for containers below it: whoever deletes the last of them removes it,
/// too. Best effort.
void mark_as_made(int cgroup);
bool is_marked_as_made(int cgroup);

/// The highest folder of `path` that does not exist yet; "" when all exist.
Result<std::string> first_missing_cgroup(std::string const& mount, std::string const& path);
/// A cgroup that was there before must be usable as it is (config-linux.md#control-groups): processes of others would
/// get our limits and our kill, and in a frozen one the clone would never run.
Result<void> check_existing_cgroup(std::string const& mount, std::string const& path);
/// The value of a key in a flat keyed file: cgroup.events "populated".
Result<bool> cgroup_event(int cgroup, std::string_view key);
/// Waits until the key has that value; false when the deadline passes. Error ENOENT or ENODEV: the cgroup is gone.
Result<bool> wait_for_cgroup_event(int cgroup, std::string_view key, bool value, kernel::Deadline deadline);
/// Waits until no process is left in the cgroup and those below it.
Result<bool> wait_until_empty(int cgroup, kernel::Deadline deadline);
/// Removes the folder and those below it, depth first; EBUSY is tried again until the deadline. A missing one is fine.
Result<void> remove_cgroup(std::string const& mount, std::string const& path, kernel::Deadline deadline);
/// Only if it has neither processes nor children (else EBUSY).
Result<void> remove_empty_cgroup(std::string const& mount, std::string const& path);

} // namespace oci::perform
