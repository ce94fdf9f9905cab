// SPDX-License-Identifier: Apache-2.0
// The start gate seen from outside: telling a waiting init to go.
#pragma once

#include "base/result.h"
#include "state/container_dir.h"

namespace oci::perform {

/// Connects, says start, and waits until the program runs (end of file by close-on-exec) or init reports what failed.
/// `deadline` ends the wait for startContainer hooks. ECONNREFUSED or ENOENT: nobody waits (any more).
Result<void> open_gate(state::ContainerDir const& directory, kernel::Deadline deadline);

} // namespace oci::perform
