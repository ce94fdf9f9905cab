// SPDX-License-Identifier: Apache-2.0
// /proc/PID/mountinfo, proc(5): the mounts that a process sees.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace oci::perform {

struct MountPoint {
    unsigned id = 0;
    std::string path; ///< as the process sees it
    std::string type; ///< of the file system
    std::string source;
    std::string root;                     ///< what of the file system is mounted: "/" is the whole
    std::vector<std::string> options;     ///< of the mount, then of the file system; each once
    std::vector<std::string> propagation; ///< "shared", "slave", "unbindable", or "private"
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
