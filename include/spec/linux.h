// SPDX-License-Identifier: Apache-2.0
// The "linux" object of config.json, typed (config-linux.md). Numbers are the kernel's: CLONE_NEW*, RLIMIT_*, MS_*.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oci::spec {

struct IdMapping {
    std::uint32_t container_id = 0;
    std::uint32_t host_id = 0;
    std::uint32_t size = 0;
    bool operator==(IdMapping const&) const = default;
};

struct Namespace {
    std::uint64_t type = 0; ///< CLONE_NEWPID, CLONE_NEWNET, ... CLONE_NEWTIME
    std::string path;       ///< "": a new one
    bool operator==(Namespace const&) const = default;
};

struct TimeOffset {
    std::int64_t seconds = 0;
    std::uint32_t nanoseconds = 0;
    bool operator==(TimeOffset const&) const = default;
};

enum class DeviceType { character, block, fifo };

struct Device {
    std::string path;
    DeviceType type = DeviceType::character; ///< "u" is character
    std::int64_t major = 0;
    std::int64_t minor = 0;
    std::uint32_t file_mode = 0666; ///< permission bits
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    bool operator==(Device const&) const = default;
};

/// One entry of resources.devices.
struct DeviceRule {
    bool allow = false;
    char type = 'a';                   ///< 'a', 'b' or 'c'
    std::optional<std::int64_t> major; ///< unset: any
    std::optional<std::int64_t> minor;
    bool read = true;
    bool write = true;
    bool mknod = true;
    bool operator==(DeviceRule const&) const = default;
};

struct Memory {
    std::optional<std::int64_t> limit; ///< bytes, -1 unlimited
    std::optional<std::int64_t> reservation;
    std::optional<std::int64_t> swap; ///< memory + swap, bytes
    bool check_before_update = false;
    bool operator==(Memory const&) const = default;
};

struct Cpu {
    std::optional<std::uint64_t> shares;
    std::optional<std::int64_t> quota;   ///< microseconds
    std::optional<std::uint64_t> period; ///< microseconds
    std::optional<std::uint64_t> burst;  ///< microseconds
    std::optional<std::int64_t> idle;
    std::string cpus;
    std::string mems;
    bool operator==(Cpu const&) const = default;
};

/// A weight of its own for one block device.
struct DeviceWeight {
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    std::optional<std::uint16_t> weight; ///< 10..1000
    bool operator==(DeviceWeight const&) const = default;
};

struct DeviceRate {
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    std::uint64_t rate = 0; ///< bytes or operations a second; 0: no limit, as in cgroup v1
    bool operator==(DeviceRate const&) const = default;
};

struct BlockIo {
    std::optional<std::uint16_t> weight; ///< 10..1000
    std::vector<DeviceWeight> weight_devices;
    std::vector<DeviceRate> read_bytes;
    std::vector<DeviceRate> write_bytes;
    std::vector<DeviceRate> read_operations;
    std::vector<DeviceRate> write_operations;
    bool operator==(BlockIo const&) const = default;
};

struct HugepageLimit {
    std::string page_size;   ///< "2MB": as in the control files' names
    std::uint64_t limit = 0; ///< bytes; 0 is a limit
    bool operator==(HugepageLimit const&) const = default;
};

struct RdmaLimit {
    std::optional<std::uint32_t> handles;
    std::optional<std::uint32_t> objects;
    bool operator==(RdmaLimit const&) const = default;
};

/// What is unset is not limited (create) or left as it is (update).
struct Resources {
    std::vector<DeviceRule> devices;
    std::optional<std::int64_t> pids_limit; ///< below 0 unlimited
    Memory memory;
    Cpu cpu;
    BlockIo block_io;
    std::vector<HugepageLimit> hugepage_limits;
    std::map<std::string, RdmaLimit> rdma;      ///< by device
    std::map<std::string, std::string> unified; ///< by control file
    bool operator==(Resources const&) const = default;
};

struct SeccompArgument {
    unsigned index = 0;
    std::uint64_t value = 0;
    std::uint64_t value_two = 0;
    std::string op; ///< "SCMP_CMP_EQ" ...; known to be valid
    bool operator==(SeccompArgument const&) const = default;
};

struct SeccompRule {
    std::vector<std::string> names; ///< system calls; unknown ones are skipped by the planner
    std::string action;             ///< "SCMP_ACT_ERRNO" ...; known to be valid
    std::optional<std::uint32_t> errno_return;
    std::vector<SeccompArgument> arguments;
    bool operator==(SeccompRule const&) const = default;
};

struct Seccomp {
    std::string default_action;
    std::optional<std::uint32_t> default_errno_return;
    std::vector<std::string> architectures; ///< "SCMP_ARCH_X86_64" ...; known to be valid
    std::vector<std::string> flags;         ///< "SECCOMP_FILTER_FLAG_LOG" ...; known to be valid
    std::vector<SeccompRule> rules;
    std::string listener_path = {}; ///< socket of the agent that SCMP_ACT_NOTIFY asks; absolute; "" without
    std::string listener_metadata = {};
    bool operator==(Seccomp const&) const = default;
};

/// set_mempolicy(2).
struct MemoryPolicy {
    unsigned mode = 0;  ///< MPOL_*
    unsigned flags = 0; ///< MPOL_F_*
    std::string nodes;  ///< "0-3,7"; known to be valid; "": none
    bool operator==(MemoryPolicy const&) const = default;
};

/// A group of the resctrl file system.
struct IntelRdt {
    std::string clos_id = {};                 ///< the group's name, "/": the default one; "": the container's id
    std::string l3_cache_schema = {};         ///< "L3:0=f;1=f"; "": unset, as the next ones
    std::string memory_bandwidth_schema = {}; ///< "MB:0=20;1=70"
    std::vector<std::string> schemata = {};   ///< lines
    bool enable_monitoring = false;
    bool operator==(IntelRdt const&) const = default;
};
/// "MB:..." on one line.
bool is_memory_bandwidth_schema(std::string_view text);

struct Linux {
    std::vector<Namespace> namespaces;
    std::vector<IdMapping> uid_mappings;
    std::vector<IdMapping> gid_mappings;
    std::map<std::string, TimeOffset> time_offsets; ///< "monotonic", "boottime"
    std::vector<Device> devices;
    std::map<std::string, std::string> net_devices; ///< name in the container by name on the host
    std::string cgroups_path;
    Resources resources;
    /// MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE, with MS_REC for the r forms; 0: unset.
    std::uint64_t rootfs_propagation = 0;
    std::optional<Seccomp> seccomp;
    std::optional<MemoryPolicy> memory_policy;
    std::optional<IntelRdt> intel_rdt;
    std::string mount_label;                   ///< SELinux context of new file systems; "": unset
    std::optional<unsigned> personality;       ///< PER_LINUX ..., personality(2)
    std::map<std::string, std::string> sysctl; ///< by path below /proc/sys: "net/ipv4/ip_forward"
    std::vector<std::string> masked_paths;
    std::vector<std::string> readonly_paths;
    bool operator==(Linux const&) const = default;

    /// The entry of that CLONE_NEW* type, or nullptr.
    Namespace const* find(std::uint64_t type) const;
    /// Whether a new namespace of that type is asked for.
    bool creates(std::uint64_t type) const;
};

} // namespace oci::spec
