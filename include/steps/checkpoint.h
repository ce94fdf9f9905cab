// SPDX-License-Identifier: Apache-2.0
// Operations of checkpoint and restore: what criu(8) is asked for, and what is done around it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "steps/namespaces.h"

namespace oci::steps {

/// --manage-cgroups-mode; standard: what criu takes for its default.
enum class CgroupsMode { standard, soft, full, strict, ignore };
/// --network-lock: how connections are held while their container is away.
enum class NetworkLock { standard, iptables, nftables, skip };

/// What dump and restore have in common. Paths are absolute unless said otherwise.
struct CriuOptions {
    std::string image_path;
    std::string work_path;   ///< for log and statistics; "": image_path
    std::string config_file; ///< whose settings win over these; "": none
    bool tcp_established = false;
    bool tcp_skip_in_flight = false;
    bool tcp_close = false;
    bool external_sockets = false;
    bool shell_job = false;
    bool file_locks = false;
    bool link_remap = false;
    bool auto_dedup = false;
    bool lazy_pages = false;
    CgroupsMode cgroups_mode = CgroupsMode::standard;
    NetworkLock network_lock = NetworkLock::standard;
    bool operator==(CriuOptions const&) const = default;
};

/// A mount of config.json as criu has to know it: the file systems it dumps and makes again, bind mounts come from
/// outside each time.
struct CheckpointMount {
    std::string destination;
    std::string source; ///< of a bind mount, on the host; "": it is none
    bool recursive = false;
    std::string type;
    bool operator==(CheckpointMount const&) const = default;
};

/// `criu dump` (or pre-dump) of the container's processes.
struct DumpContainer {
    CriuOptions options;
    std::string parent_path; ///< images of a pre-dump, relative to image_path; "" without
    bool leave_running = false;
    bool pre_dump = false;
    std::string page_server; ///< address; "" without
    unsigned page_server_port = 0;
    int status_fd = -1; ///< gets a byte when lazy pages can be asked for
    std::vector<CheckpointMount> mounts;
    std::vector<std::string> masked_paths;
    std::vector<std::string> devices;      ///< that may be the host's, bind-mounted
    std::vector<std::uint64_t> namespaces; ///< CLONE_NEW* that were joined by path
    std::optional<std::uint32_t> group;    ///< of root in a user namespace, on the host: may get into a new image_path
    bool operator==(DumpContainer const&) const = default;
};

/// Folders and files to mount on that the rootfs may lack; criu makes none.
struct MakeMountPoints {
    std::string rootfs;
    std::vector<CheckpointMount> mounts;
    bool operator==(MakeMountPoints const&) const = default;
};

/// Starts `criu restore` and waits until the container's first process and its namespaces are there.
struct BeginRestore {
    CriuOptions options;
    std::string rootfs;
    std::vector<CheckpointMount> mounts;
    std::vector<std::string> devices;
    std::vector<JoinedNamespace> joined;
    std::string lsm_profile;       ///< "selinux:LABEL", "apparmor:PROFILE"; "": that of the image
    std::string lsm_mount_context; ///< "": that of the image
    bool operator==(BeginRestore const&) const = default;
};

/// Network devices and settings are not in the image: the new namespace gets what a new container gets.
struct SetUpNetwork {
    std::vector<std::pair<std::string, std::string>> sysctls; ///< "net/ipv4/ip_forward" and the value
    bool operator==(SetUpNetwork const&) const = default;
};

/// criu goes on until all is as it was, and holds the processes there.
struct RestoreProcesses {
    bool operator==(RestoreProcesses const&) const = default;
};

struct RestoredMount {
    std::string path;
    std::uint64_t set = 0; ///< MOUNT_ATTR_*, as the next three
    std::uint64_t clear = 0;
    std::uint64_t recursive_set = 0;
    std::uint64_t recursive_clear = 0;
    bool host_device = false; ///< of what may be one; a folder is none
    bool operator==(RestoredMount const&) const = default;
};

/// Of two mounts from one source criu gives the attributes to the first only: so all that come from the host get them
/// once more.
struct ProtectMounts {
    std::vector<RestoredMount> mounts;
    bool operator==(ProtectMounts const&) const = default;
};

/// criu lets the processes run and ends.
struct ResumeRestored {
    bool operator==(ResumeRestored const&) const = default;
};

} // namespace oci::steps
