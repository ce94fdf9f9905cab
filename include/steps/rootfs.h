// SPDX-License-Identifier: Apache-2.0
// Operations that build the container's file system. Paths are inside the container unless said otherwise.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "steps/namespaces.h"

namespace oci::steps {

/// Ids of files as a mount shows them (MOUNT_ATTR_IDMAP, mount_setattr(2)): container_id on the file system is host_id
/// in the mount.
struct MountIdMap {
    std::vector<IdMap> uids;
    std::vector<IdMap> gids;
    std::string user_namespace = {}; ///< path: the maps are those of this namespace instead
    bool recursive = false;
    bool operator==(MountIdMap const&) const = default;
};

/// Propagation of every mount of the new mount namespace, so that nothing leaks to the host (MS_* with MS_REC).
struct IsolateMounts {
    std::uint64_t propagation = 0;
    bool operator==(IsolateMounts const&) const = default;
};

/// Makes the detached procfs through which labels, sysctls and ids are written, before any container mount exists.
struct OpenProcfs {
    bool operator==(OpenProcfs const&) const = default;
};

struct MountSource {
    std::string path; ///< on the host, absolute
    bool recursive = true;
    std::string pointer = {}; ///< "/mounts/3/source", for errors; "" for devices
    /// MOUNT_ATTR_* that a user namespace must not be able to take away: set on the tree before it gets there, which
    /// locks them.
    std::uint64_t locked = 0;
    std::uint64_t recursively_locked = 0;
    std::optional<MountIdMap> id_map = {};
    bool operator==(MountSource const&) const = default;
};

/// Opens sources and rootfs with all rights of the caller, for a staging mount namespace: where a container with a user
/// namespace could not enter the folders that they lie in. See perform/staging.h.
struct StageMounts {
    std::string rootfs; ///< on the host; "": no rootfs, sources alone
    std::vector<MountSource> sources;
    bool operator==(StageMounts const&) const = default;
};

/// Opens the sources of all bind mounts as detached trees, still with the ids of the caller (they may lie in folders
/// that the container's user cannot enter). BindMount::source is an index into this list.
struct OpenMountSources {
    std::vector<MountSource> sources;
    bool staged = false; ///< as StageMounts has them
    bool operator==(OpenMountSources const&) const = default;
};

/// Clones the rootfs and attaches it over itself; from here on "/" of the container is that mount.
struct AttachRootfs {
    std::string path;          ///< on the host
    bool stays_slave = false;  ///< rootfsPropagation "slave": later mounts of the host below it appear in the container
    bool among_shared = false; ///< rootfsPropagation "shared": so is the mount it lies in, which pivot_root(2) refuses
    bool staged = false;       ///< as StageMounts has it
    bool operator==(AttachRootfs const&) const = default;
};

/// What all mounts have in common.
struct MountTarget {
    std::string destination;
    std::uint64_t set = 0; ///< MOUNT_ATTR_*
    std::uint64_t clear = 0;
    std::uint64_t recursive_set = 0;
    std::uint64_t recursive_clear = 0;
    std::vector<std::uint64_t> propagation; ///< MS_* with MS_REC, one call each, in order
    std::string pointer = {};               ///< "/mounts/3", for errors
    std::optional<MountIdMap> id_map = {};  ///< of a bind mount it is done to its source
    bool operator==(MountTarget const&) const = default;
};

struct MountFilesystem {
    MountTarget target;
    std::string type;
    std::string source;
    std::vector<std::string> parameters; ///< "size=64k" or "sync", for fsconfig(2)
    bool copy_up = false;                ///< tmpfs only: first filled with what the rootfs has there
    bool plain_directory = false; ///< the target must be a folder and no symbolic link may lead to it (/proc, /sys)
    bool or_host = false;         ///< sysfs in a user namespace, where a new one may be forbidden: else the host's
    bool operator==(MountFilesystem const&) const = default;
};

struct BindMount {
    MountTarget target;
    std::size_t source = 0; ///< index into OpenMountSources
    std::string source_path;
    bool operator==(BindMount const&) const = default;
};

/// The cgroup2 hierarchy: a new mount in a new cgroup namespace, else the host's mount or the container's own folder of
/// it.
struct MountCgroup {
    MountTarget target;
    bool new_namespace = true;
    std::string cgroup_path; ///< below the cgroup2 mount, for the bind
    bool operator==(MountCgroup const&) const = default;
};

/// Option "remount": changes attributes of the mount that is already there.
struct Remount {
    MountTarget target;
    bool operator==(Remount const&) const = default;
};

struct DeviceNode {
    std::string path;
    char type = 'c'; ///< 'c', 'b' or 'p'
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    std::uint32_t mode = 0666; ///< permission bits
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    bool operator==(DeviceNode const&) const = default;
};

/// In a user namespace mknod(2) is forbidden: the host's nodes are bind-mounted (`from_host`), opened before.
struct CreateDevices {
    std::vector<DeviceNode> nodes;
    bool from_host = false;
    std::size_t first_source = 0; ///< with from_host: node i is source first_source + i of OpenMountSources
    bool operator==(CreateDevices const&) const = default;
};

struct SymbolicLink {
    std::string path;
    std::string target;
    bool operator==(SymbolicLink const&) const = default;
};

/// /dev/fd, /dev/stdin ..., /dev/ptmx: what exists under these names in a writable /dev is left or replaced as runc
/// does.
struct LinkDevices {
    std::vector<SymbolicLink> links;
    bool operator==(LinkDevices const&) const = default;
};

struct TerminalSize {
    std::uint16_t rows = 0;
    std::uint16_t columns = 0;
    bool operator==(TerminalSize const&) const = default;
};

/// A pseudoterminal out of the container's own devpts: becomes /dev/console and standard streams; the master goes to
/// the console socket.
struct SetUpConsole {
    std::optional<TerminalSize> size;
    std::uint32_t owner = 0; ///< user of the process
    bool operator==(SetUpConsole const&) const = default;
};

/// exec: a pseudoterminal out of the devpts that the container's init sees becomes the standard streams; the master
/// goes to the console socket.
struct SetUpExecTerminal {
    std::optional<TerminalSize> size;
    std::optional<std::uint32_t> owner; ///< user of the process, as the runtime sees him; unset: whoever makes it
    bool operator==(SetUpExecTerminal const&) const = default;
};

struct CreateWorkingDirectory {
    std::string path;
    bool operator==(CreateWorkingDirectory const&) const = default;
};

/// `by_moving`: MS_MOVE and chroot(2) instead of pivot_root(2) (--no-pivot).
struct PivotRoot {
    bool by_moving = false;
    bool operator==(PivotRoot const&) const = default;
};

struct SetRootPropagation {
    std::uint64_t propagation = 0;
    bool operator==(SetRootPropagation const&) const = default;
};

/// Mounts asked for read-only that had to stay writable while folders, devices and links were made in them.
struct FinishReadonlyMounts {
    std::vector<std::string> destinations;
    bool operator==(FinishReadonlyMounts const&) const = default;
};

struct MakeRootReadonly {
    bool operator==(MakeRootReadonly const&) const = default;
};

/// Files under a null device of our own making, folders under an empty read-only tmpfs; missing ones are skipped.
struct MaskPaths {
    std::vector<std::string> paths;
    bool operator==(MaskPaths const&) const = default;
};

struct MakePathsReadonly {
    std::vector<std::string> paths;
    bool operator==(MakePathsReadonly const&) const = default;
};

} // namespace oci::steps
