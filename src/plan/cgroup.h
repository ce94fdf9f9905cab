// SPDX-License-Identifier: Apache-2.0
// The resources object as control files of cgroup v2.
#pragma once

#include <vector>

#include "base/result.h"
#include "spec/spec.h"
#include "steps/cgroup.h"

namespace oci::plan {

/// Settings that shape how the container runs: given before its first process starts.
std::vector<steps::CgroupSetting> early_settings(spec::Resources const& resources);
/// Limits that could kill or starve the set-up itself (memory, pids): given once it is done.
Result<std::vector<steps::CgroupSetting>> late_settings(spec::Resources const& resources);
/// cpu.shares (2..262144) as cpu.weight (1..10000), on the curve that maps 1024 to 100 (runc 1.3.2, crun 1.23).
std::uint64_t cpu_weight(std::uint64_t shares);

} // namespace oci::plan
