// SPDX-License-Identifier: Apache-2.0
// The systemd cgroup driver: names of the unit, and its properties (systemd.resource-control(5),
// org.freedesktop.systemd1(5)).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bus_value.h"
#include "base/host.h"
#include "base/result.h"
#include "spec/spec.h"
#include "steps/cgroup.h"
#include "steps/systemd.h"

namespace oci::plan {

struct ScopeName {
    std::string slice; ///< "machine.slice"
    std::string unit;  ///< "libpod-1f2e.scope"
    std::string path;  ///< of its cgroup
    bool operator==(ScopeName const&) const = default;
};

/// From cgroupsPath "slice:prefix:name", or, unset, "oci-run" and the id. The slice is system.slice (user manager:
/// user.slice) unless given.
Result<ScopeName> scope_name(spec::Spec const& spec, SystemdFacts const& systemd, std::string const& id);
/// "a-b.slice" is at "/a.slice/a-b.slice", "-.slice" at "/".
Result<std::string> slice_path(std::string const& slice);

/// The control files that systemd has a property for, as properties. Those of CPU quota are rounded up to whole
/// percent, as systemd counts; the file written besides is exact. A later setting of the same file wins.
Result<std::vector<BusProperty>> unit_properties(std::vector<steps::CgroupSetting> const& settings,
                                                 SystemdFacts const& systemd);
/// The control files that systemd may write whenever a property of the unit changes.
std::vector<std::string> unit_files();
/// DeviceAllow and DevicePolicy: at least what the rules allow. systemd knows no order and no denial; the exact filter
/// is our own program beside systemd's, and both must agree.
std::vector<BusProperty> device_properties(std::vector<spec::DeviceRule> const& rules);

struct Scope {
    steps::CreateScope create;
    /// Limits that could kill or starve the set-up itself: for when it is done.
    std::optional<steps::SetUnitProperties> late;
};
/// `settings`: every control file of the plan.
Result<Scope> plan_scope(spec::Spec const& spec, SystemdFacts const& systemd, std::string const& id,
                         std::vector<steps::CgroupSetting> const& settings);

// ---- systemd_annotations.cpp
/// The annotations org.systemd.property.NAME with their values in GVariant's text form. Only names that concern the
/// unit alone are taken: none that starts, stops or names other units or acts on the host (CVE-2024-3154).
Result<std::vector<BusProperty>> annotated_properties(std::map<std::string, std::string> const& annotations);
/// "true", "'text'", "uint64 5", "['a.service', 'b.service']".
Result<BusValue> parse_property_value(std::string_view text);

} // namespace oci::plan
