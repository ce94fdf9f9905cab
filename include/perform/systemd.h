// SPDX-License-Identifier: Apache-2.0
// Talks to the service manager (org.freedesktop.systemd1(5)): of the system, or of the user where we are not root on
// the host. Every call has a deadline; connections do not outlive a function, so that no other process inherits one.
#pragma once

#include <span>
#include <string>
#include <sys/types.h>

#include "base/bus_value.h"
#include "base/host.h"
#include "base/result.h"
#include "kernel/process.h"
#include "state/container_dir.h"

namespace oci::perform {

/// Whether the manager is the user's own: for anybody but root, and for root of a user namespace.
bool uses_user_manager(HostFacts const& host);

/// Asks the manager. Fails where none is running.
Result<SystemdFacts> observe_systemd(HostFacts const& host, kernel::Deadline deadline);

/// Sets runtime properties of the container's unit; their control files are written when it returns. Fails where the
/// unit's cgroup is not the container's.
Result<void> set_unit_properties(state::Record const& record, HostFacts const& host,
                                 std::span<BusProperty const> properties, kernel::Deadline deadline);

/// Moves a process into the cgroup of the container's unit, where we may not do it ourselves.
Result<void> attach_to_unit(state::Record const& record, HostFacts const& host, pid_t pid, kernel::Deadline deadline);

/// Stops the unit of a container whose processes are gone, and makes systemd forget a failed one. No unit, or no
/// manager any more, is fine. Does nothing with other cgroup drivers.
Result<void> remove_unit(state::Record const& record, HostFacts const& host, kernel::Deadline deadline);

} // namespace oci::perform
