// SPDX-License-Identifier: Apache-2.0
// Looks at the machine once.
#pragma once

#include "base/host.h"
#include "base/result.h"

namespace oci::kernel {

/// Fills HostFacts. Needs no rights and changes nothing; fails only if /proc cannot be read.
Result<HostFacts> observe_host();
/// The kernel's boot id (/proc/sys/kernel/random/boot_id), without line end.
Result<std::string> boot_id();

} // namespace oci::kernel
