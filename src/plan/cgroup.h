// SPDX-License-Identifier: Apache-2.0
// The resources object as control files of cgroup v2.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/host.h"
#include "base/result.h"
#include "plan/plan.h"
#include "spec/spec.h"
#include "steps/cgroup.h"

namespace oci::plan {

/// Where config.json has the resources; the settings' pointers begin with it.
constexpr std::string_view resources_pointer = "/linux/resources";

/// Settings that shape how the container runs: given before its first process starts.
std::vector<steps::CgroupSetting> early_settings(spec::Resources const& resources, CurrentLimits const& current = {});
/// Limits that could kill or starve the set-up itself, and `unified`, which overrides all: given once it is done.
Result<std::vector<steps::CgroupSetting>> late_settings(spec::Resources const& resources,
                                                        CurrentLimits const& current = {});
/// The device rules, those of every container included.
steps::AttachDeviceFilter device_filter(std::vector<spec::DeviceRule> const& rules);
/// The user who gets the container's cgroup, where config-linux.md#cgroup-ownership says that somebody does.
std::optional<steps::DelegateCgroup> delegate_cgroup(spec::Spec const& spec);

/// Where a relative cgroupsPath begins.
std::string cgroup_base(HostFacts const& host);
/// cgroup_path(), or "" where that may not be made, nobody asked for it and none of `settings` needs it.
Result<std::string> delegated_cgroup_path(spec::Spec const& spec, HostFacts const& host, CreateRequest const& request,
                                          std::vector<steps::CgroupSetting> const& settings);
/// cpu.shares (2..262144) as cpu.weight (1..10000), on the curve that maps 1024 to 100 (runc 1.3.2, crun 1.23).
std::uint64_t cpu_weight(std::uint64_t shares);
/// blockIO.weight (10..1000) as io.weight (1..10000).
unsigned io_weight(unsigned weight);

} // namespace oci::plan
