// SPDX-License-Identifier: Apache-2.0
// Operations on groups of the resctrl file system (Intel RDT): shares of caches and memory bandwidth, and monitoring.
#pragma once

#include <string>
#include <vector>

namespace oci::steps {

/// The container's group. Paths are below the mount.
struct ResctrlGroup {
    std::string path;                 ///< "/gold"; "/" is the default group
    std::string monitoring_path = {}; ///< "/gold/mon_groups/c1"; "" without monitoring
    bool named_by_clos_id = true;     ///< then it stays when the container is deleted
    bool must_exist = false;          ///< nothing says what it should be like
    bool operator==(ResctrlGroup const&) const = default;
};

/// What to write to a group's schemata file, and the field or option that asks for it.
struct ResctrlSchema {
    std::string text; ///< "L3:0=f;1=f", or several such lines, which the kernel takes or refuses together
    std::string pointer;
    bool operator==(ResctrlSchema const&) const = default;
};

/// create: makes the group with these schemata, written one after the other; one that exists must have them already.
/// Makes the monitoring group. Puts the process that was started into both.
struct SetUpResctrlGroup {
    ResctrlGroup group;
    std::vector<ResctrlSchema> schemata;
    bool operator==(SetUpResctrlGroup const&) const = default;
};

/// exec: puts the process that was started into the groups, as far as they are still there.
struct JoinResctrlGroup {
    ResctrlGroup group;
    bool operator==(JoinResctrlGroup const&) const = default;
};

/// update
struct ChangeResctrlSchemata {
    std::string path; ///< of the group
    ResctrlSchema schema;
    bool operator==(ChangeResctrlSchemata const&) const = default;
};

} // namespace oci::steps
