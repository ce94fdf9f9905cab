// SPDX-License-Identifier: Apache-2.0
// Sends signals to a container: to its init, or to every process of its cgroup.
#pragma once

#include <string>

#include "base/result.h"
#include "state/status.h"

namespace oci::perform {

/// To init. Errors: "container not running" where it is gone, else "unable to signal init: ...".
Result<void> signal_init(state::Container const& container, int signal);

/// SIGKILL to every process in the cgroup and below it, by cgroup.kill, which no fork escapes; frozen ones end, too.
/// One that is gone has none.
Result<void> kill_cgroup(int cgroup);

/// To every process in the container's cgroup and below it; SIGKILL by kill_cgroup. Gives
/// whether there was any process; a cgroup that does not exist has none.
Result<bool> signal_cgroup(state::Record const& record, std::string const& cgroup2_mount, int signal);

} // namespace oci::perform
