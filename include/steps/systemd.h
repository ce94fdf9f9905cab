// SPDX-License-Identifier: Apache-2.0
// Operations on the container's systemd unit, a transient scope (systemd.scope(5)).
#pragma once

#include <string>
#include <vector>

#include "base/bus_value.h"
#include "steps/cgroup.h"

namespace oci::steps {

/// Starts the scope, which makes the cgroup. A scope cannot start without a process: a placeholder stands in until
/// EndPlaceholder. A unit of that name that is in use is an error.
struct CreateScope {
    std::string unit;                    ///< "oci-run-c1.scope"
    std::string path;                    ///< where its cgroup has to be, below the cgroup2 mount
    std::vector<BusProperty> properties; ///< all but PIDs
    bool operator==(CreateScope const&) const = default;
};

/// Init is in the scope: the placeholder is not needed any more.
struct EndPlaceholder {
    bool operator==(EndPlaceholder const&) const = default;
};

/// Until the unit ends (runtime properties).
struct SetUnitProperties {
    std::string unit;
    std::vector<BusProperty> properties;
    /// Control files to write before systemd is told: the kernel checks them while all of it can still go back. They do
    /// when systemd refuses the properties.
    std::vector<CgroupSetting> settings;
    /// With any property systemd writes the files of all others, rounded: what is in these now, or by `settings`,
    /// stays.
    std::vector<std::string> kept_files;
    bool operator==(SetUnitProperties const&) const = default;
};

} // namespace oci::steps
