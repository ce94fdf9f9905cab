// SPDX-License-Identifier: Apache-2.0
// config.json, typed (runtime-spec 1.3.0, config.md). Names became numbers: a signal is an int, a capability set a bit
// mask.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "spec/linux.h"

namespace oci::spec {

struct User {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::optional<std::uint32_t> umask;
    std::vector<std::uint32_t> additional_gids;
    bool operator==(User const&) const = default;
};

/// Bit N is capability N of capabilities(7).
struct Capabilities {
    std::uint64_t bounding = 0;
    std::uint64_t effective = 0;
    std::uint64_t inheritable = 0;
    std::uint64_t permitted = 0;
    std::uint64_t ambient = 0;
    bool operator==(Capabilities const&) const = default;
};

struct Rlimit {
    int resource = 0; ///< RLIMIT_*
    std::uint64_t soft = 0;
    std::uint64_t hard = 0;
    bool operator==(Rlimit const&) const = default;
};

struct ConsoleSize {
    std::uint16_t height = 0; ///< characters
    std::uint16_t width = 0;
    bool operator==(ConsoleSize const&) const = default;
};

/// sched_setattr(2).
struct Scheduler {
    std::uint32_t policy = 0; ///< SCHED_*
    std::uint64_t flags = 0;  ///< SCHED_FLAG_*
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t runtime = 0; ///< nanoseconds, as the next two
    std::uint64_t deadline = 0;
    std::uint64_t period = 0;
    bool operator==(Scheduler const&) const = default;
};

struct IoPriority {
    unsigned io_class = 0; ///< IOPRIO_CLASS_*
    unsigned priority = 0; ///< 0 (highest) to 7
    bool operator==(IoPriority const&) const = default;
};

/// Lists of CPUs such as "0-3,7"; known to be valid; "": unset.
struct ExecCpuAffinity {
    std::string initial;
    std::string final;
    bool operator==(ExecCpuAffinity const&) const = default;
};

struct Process {
    bool terminal = false;
    std::optional<ConsoleSize> console_size;
    User user;
    std::vector<std::string> args;
    std::vector<std::string> env;
    std::string cwd;
    std::optional<Capabilities> capabilities; ///< unset: all sets empty (deny by default, as runc does)
    std::vector<Rlimit> rlimits;
    bool no_new_privileges = false;
    std::optional<int> oom_score_adj;
    std::optional<Scheduler> scheduler;
    std::optional<IoPriority> io_priority;
    ExecCpuAffinity exec_cpu_affinity;
    std::string apparmor_profile; ///< "": unset
    std::string selinux_label;    ///< "": unset
    bool operator==(Process const&) const = default;
};

struct Root {
    std::string path; ///< as written: absolute, or relative to the bundle
    bool readonly = false;
    bool operator==(Root const&) const = default;
};

/// A mount with its options sorted out. Of options that contradict each other the last one counts.
struct Mount {
    std::string destination; ///< absolute and clean
    std::string type;
    std::string source;
    bool bind = false;
    bool recursive = false; ///< rbind
    bool remount = false;
    bool copy_up = false;            ///< tmpcopyup
    std::uint64_t set = 0;           ///< MOUNT_ATTR_* to set on this mount
    std::uint64_t clear = 0;         ///< MOUNT_ATTR_* to clear on this mount
    std::uint64_t recursive_set = 0; ///< the same for the whole tree (rro ...), to be applied first
    std::uint64_t recursive_clear = 0;
    std::vector<std::uint64_t> propagation; ///< MS_PRIVATE ..., with MS_REC for the r forms, in order
    /// sync, dirsync, lazytime, mand, iversion, silent: as fsconfig(2) names them.
    std::vector<std::string> superblock_flags;
    std::vector<std::string> data; ///< file system specific, "key=value" or "key"
    bool id_mapped = false;        ///< idmap or ridmap, or mappings of its own
    bool id_mapped_recursively = false;
    std::vector<IdMapping> uid_mappings; ///< empty: those of the container's user namespace
    std::vector<IdMapping> gid_mappings;
    bool operator==(Mount const&) const = default;
};

enum class HookKind { prestart, create_runtime, create_container, start_container, poststart, poststop };

struct Hook {
    std::string path;
    std::vector<std::string> args;
    std::optional<std::vector<std::string>> env;
    std::optional<int> timeout; ///< seconds, > 0
    bool operator==(Hook const&) const = default;
};

/// The lists of hooks, by kind.
struct Hooks {
    std::array<std::vector<Hook>, 6> lists;
    bool operator==(Hooks const&) const = default;

    std::vector<Hook>& operator[](HookKind kind) { return lists[static_cast<std::size_t>(kind)]; }
    std::vector<Hook> const& operator[](HookKind kind) const { return lists[static_cast<std::size_t>(kind)]; }
};

struct Spec {
    std::string oci_version;
    std::optional<Process> process;
    Root root;
    std::optional<std::string> hostname;
    std::optional<std::string> domainname;
    std::vector<Mount> mounts;
    Hooks hooks;
    std::map<std::string, std::string> annotations;
    Linux linux;
    bool operator==(Spec const&) const = default;
};

} // namespace oci::spec
