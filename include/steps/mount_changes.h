// SPDX-License-Identifier: Apache-2.0
// Operations on the mounts of a container that is there already (`mounts`).
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "steps/rootfs.h"

namespace oci::steps {

/// Starts the process that works among the container's mounts. It stays outside of the container's pid namespace and
/// cgroup: nothing in there sees it, and it runs while the container is paused.
struct StartMountHelper {
    bool operator==(StartMountHelper const&) const = default;
};

struct EndMountHelper {
    bool operator==(EndMountHelper const&) const = default;
};

/// Joins namespaces of the container, all but its mount namespace. In its user namespace the helper gets a mount
/// namespace that is a copy of the caller's: what is cloned from there keeps its locks (mount_namespaces(7)).
struct JoinForMounts {
    std::vector<std::uint64_t> namespaces; ///< CLONE_NEW*, in the order to join
    bool staged = false;                   ///< sources as StageMounts has them
    bool operator==(JoinForMounts const&) const = default;
};

using NewMount = std::variant<MountFilesystem, BindMount>;

/// Makes the mounts as the helper finds what they need, enters the container's mount namespace, and attaches them
/// there: all of them or none.
struct AddMounts {
    std::vector<NewMount> mounts;
    bool operator==(AddMounts const&) const = default;
};

struct MountPlace {
    std::string destination;
    std::string pointer; ///< "/mounts/3/destination", for errors
    bool operator==(MountPlace const&) const = default;
};

/// Enters the container's mount namespace and detaches what is mounted at the places, the last one first; nothing if
/// one of them has no mount of its own.
struct RemoveMounts {
    std::vector<MountPlace> places;
    std::vector<std::string> covered; ///< masked and read-only paths, which must stay so
    bool operator==(RemoveMounts const&) const = default;
};

} // namespace oci::steps
