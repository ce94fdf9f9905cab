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
/// A child that is moved into the cgroup where the container's init is now, which must be the container's own or below.
Result<kernel::ClonedProcess> clone_into_cgroup_of_init(Context& context);

} // namespace oci::perform
