// SPDX-License-Identifier: Apache-2.0
// Operations that turn the finisher into the container's process.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "steps/namespaces.h"

namespace oci::steps {

struct ResourceLimitSetting {
    int resource = 0; ///< RLIMIT_*
    std::uint64_t soft = 0;
    std::uint64_t hard = 0;
    bool operator==(ResourceLimitSetting const&) const = default;
};

struct SetOomScore {
    int value = 0;
    bool operator==(SetOomScore const&) const = default;
};

/// Hard limits above the runtime's own need the host's CAP_SYS_RESOURCE: the runtime raises them, the finisher lowers.
struct RaiseResourceLimits {
    std::vector<ResourceLimitSetting> limits;
    bool operator==(RaiseResourceLimits const&) const = default;
};

/// exec: the finisher enters the namespaces of the container's init and goes on in a child of its own.
struct JoinContainer {
    std::vector<std::uint64_t> namespaces; ///< CLONE_NEW*, in the order they are entered
    bool enter_root = false;               ///< and its root directory: where the mount namespace does not lead to it
    bool terminal = false;                 ///< the standard streams are its controlling terminal to be
    bool operator==(JoinContainer const&) const = default;
};

/// Where a label of the Linux security modules goes: a file of /proc/PID/attr.
enum class Label {
    keyring,          ///< SELinux: of the session keyring to come
    selinux_process,  ///< SELinux: of the program to come
    apparmor_process, ///< AppArmor: of the program to come
};

/// By the runtime, since no /proc of the container is to be trusted: the next turn takes the open files along.
struct OpenLabelFiles {
    std::vector<Label> labels;
    bool operator==(OpenLabelFiles const&) const = default;
};

struct SetLabel {
    Label label = Label::selinux_process;
    std::string value;
    unsigned file = 0; ///< index into OpenLabelFiles
    bool operator==(SetLabel const&) const = default;
};

struct JoinSessionKeyring {
    std::string name;
    bool operator==(JoinSessionKeyring const&) const = default;
};

struct SetUser {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::vector<std::uint32_t> groups;
    std::uint32_t umask = 022;
    bool own_streams = true;  ///< fchown the standard streams to the user
    bool keep_groups = false; ///< the supplementary groups stay those of the caller
    bool operator==(SetUser const&) const = default;
};

struct SetCapabilities {
    std::uint64_t bounding = 0;
    std::uint64_t effective = 0;
    std::uint64_t inheritable = 0;
    std::uint64_t permitted = 0;
    std::uint64_t ambient = 0;
    bool keep_for_seccomp = false; ///< CAP_SYS_ADMIN stays until the filter is loaded (no no_new_privs)
    bool operator==(SetCapabilities const&) const = default;
};

struct SetNoNewPrivileges {
    bool operator==(SetNoNewPrivileges const&) const = default;
};

/// chdir(2), and the result is a folder inside the container (CVE-2024-21626).
struct ChangeDirectory {
    std::string path;
    bool operator==(ChangeDirectory const&) const = default;
};

/// Finds args[0] in PATH, as execvp(3) does, and that it can be executed.
struct FindProgram {
    std::string name;
    bool operator==(FindProgram const&) const = default;
};

struct SetResourceLimits {
    std::vector<ResourceLimitSetting> limits;
    bool operator==(SetResourceLimits const&) const = default;
};

/// Everything but the standard streams and `preserved` descriptors after them.
struct CloseDescriptors {
    unsigned preserved = 0;
    bool operator==(CloseDescriptors const&) const = default;
};

struct LoadSeccomp {
    std::vector<std::uint64_t> program; ///< struct sock_filter
    unsigned flags = 0;                 ///< SECCOMP_FILTER_FLAG_*
    std::string default_action;         ///< for describe
    std::string listener = {};          ///< socket of the agent that is asked, for describe; "" without
    bool operator==(LoadSeccomp const&) const = default;
};

/// By the runtime for the process: sched_setattr(2).
struct SetScheduler {
    std::uint32_t policy = 0; ///< SCHED_*
    std::uint64_t flags = 0;  ///< SCHED_FLAG_*
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t runtime = 0; ///< nanoseconds, as the next two
    std::uint64_t deadline = 0;
    std::uint64_t period = 0;
    bool operator==(SetScheduler const&) const = default;
};

/// By the runtime for the process: ioprio_set(2).
struct SetIoPriority {
    unsigned io_class = 0; ///< IOPRIO_CLASS_*
    unsigned priority = 0;
    bool operator==(SetIoPriority const&) const = default;
};

/// exec: sched_setaffinity(2), of the runtime before it clones, or of the process.
struct SetCpuAffinity {
    std::string cpus; ///< as in config.json, for describe
    std::vector<std::uint8_t> mask;
    bool of_runtime = false;
    bool operator==(SetCpuAffinity const&) const = default;
};

struct SetPersonality {
    unsigned domain = 0; ///< personality(2)
    bool operator==(SetPersonality const&) const = default;
};

/// set_mempolicy(2)
struct SetMemoryPolicy {
    unsigned mode = 0;              ///< MPOL_*
    unsigned flags = 0;             ///< MPOL_F_*
    std::string nodes;              ///< as in config.json, for describe
    std::vector<std::uint8_t> mask; ///< of the nodes
    bool operator==(SetMemoryPolicy const&) const = default;
};

struct Execute {
    std::vector<std::string> arguments;
    std::vector<std::string> environment; ///< HOME is added from the container's /etc/passwd where it is missing
    bool listens = false; ///< LISTEN_PID is added: the process's own number, as it sees it (sd_listen_fds(3))
    bool operator==(Execute const&) const = default;
};

} // namespace oci::steps
