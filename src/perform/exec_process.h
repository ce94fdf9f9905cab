// SPDX-License-Identifier: Apache-2.0
// Parts of `exec` that other files of this layer need.
#pragma once

#include <string>

#include "base/result.h"
#include "kernel/process.h"
#include "perform/context.h"

namespace oci::perform {

/// The finisher's first half announced the process that goes on inside the container: from now on that is the started
/// one.
Result<void> adopt_exec_process(Context& context, std::string const& announced);
/// Whether a process cannot be born in the container's cgroup for a reason that may not hold where its init is.
/// EBUSY: the container has made cgroups of its own below and enabled controllers for them, so that processes are in
/// leaves only. EOPNOTSUPP: the cgroup is an invalid domain, below a threaded one. EAGAIN: the limit of pids is
/// reached; moving a process is not held up by that.
bool needs_cgroup_of_init(Error const& error);
/// A child in the cgroup where the container's init is now, which must be the container's own or below: born there, or
/// else moved.
Result<kernel::ClonedProcess> clone_into_cgroup_of_init(Context const& context);
/// A child in a cgroup of the container's own ("." for the uppermost), and nowhere else.
Result<kernel::ClonedProcess> clone_into_sub_cgroup(Context const& context, std::string const& path);

} // namespace oci::perform
