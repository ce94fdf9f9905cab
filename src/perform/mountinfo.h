// SPDX-License-Identifier: Apache-2.0
// /proc/PID/mountinfo, proc(5): as much as is needed to find the mount that a file lies on (private to perform).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace oci::perform {

struct MountPoint {
    unsigned id = 0;
    std::string path; ///< as the process sees it
    bool operator==(MountPoint const&) const = default;
};

std::vector<MountPoint> parse_mountinfo(std::string_view text);
/// `process`: a pid, or "self".
Result<std::vector<MountPoint>> mount_points_of(std::string_view process);
/// The mount that an open file lies on; `process` and `descriptor` as in /proc/PROCESS/fdinfo/DESCRIPTOR.
Result<unsigned> mount_id(std::string_view process, int descriptor);
/// nullptr: none of that id.
MountPoint const* find_mount(std::vector<MountPoint> const& mounts, unsigned id);

} // namespace oci::perform
