// SPDX-License-Identifier: Apache-2.0
// What the planner has to know of the machine: a plain struct, observed once by kernel/host, a literal in tests.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace oci {

/// Without these a caller is a normal user, capabilities(7).
inline constexpr unsigned cap_setgid = 6;
inline constexpr unsigned cap_setuid = 7;
inline constexpr unsigned cap_sys_chroot = 18;
inline constexpr unsigned cap_sys_admin = 21;

struct ResourceLimit {
    std::uint64_t soft = 0;
    std::uint64_t hard = 0;
    bool operator==(ResourceLimit const&) const = default;
};

/// What the planner has to know of the service manager that makes the scope; asked only with the systemd driver.
struct SystemdFacts {
    bool user = false;               ///< the user's own manager instead of the system's
    unsigned version = ~0U;          ///< 252; unknown counts as new
    std::string control_group = "/"; ///< the manager's own cgroup: its slices are below
    bool operator==(SystemdFacts const&) const = default;
};

struct HostFacts {
    std::uint32_t euid = 0;
    std::uint32_t egid = 0;
    /// The caller's rights reach its mount namespace, so that mounts of it may be cloned: not so after unshare(1)
    /// --user without --mount.
    bool owns_mount_namespace = true;
    bool in_user_namespace = false; ///< the runtime itself runs in a user namespace other than the initial one
    std::string cgroup2_mount;      ///< "/sys/fs/cgroup", or ".../unified" on a hybrid host; empty: none found
    std::string own_cgroup = "/";   ///< the "0::" line of /proc/self/cgroup
    /// The highest cgroup, own_cgroup or one above it, in which the caller may make cgroups and move its processes
    /// about (cgroups(7), "Delegation"): "/" for root. Empty: none.
    std::string delegated_cgroup = "/";
    std::string resctrl_mount;                       ///< "/sys/fs/resctrl"; empty: none found
    std::uint64_t capabilities = ~std::uint64_t{0};  ///< effective, by number, in the caller's user namespace
    unsigned last_capability = 40;                   ///< /proc/sys/kernel/cap_last_cap
    unsigned umask = 022;                            ///< of the calling process
    std::uint64_t ignored_signals = 0;               ///< by the calling process; bit 0: signal 1
    std::array<ResourceLimit, 16> resource_limits{}; ///< by RLIMIT_* number
    bool apparmor = false;                           ///< the kernel enforces AppArmor profiles
    bool selinux = false;                            ///< the kernel enforces (or permits by) an SELinux policy
    std::string kernel_release;                      ///< uname -r
    unsigned kernel_major = 0;
    unsigned kernel_minor = 0;
    bool operator==(HostFacts const&) const = default;

    bool has_capability(unsigned number) const { return (capabilities >> number & 1U) != 0; }
    /// Root of the machine, not of a user namespace: nothing here is a matter of rights.
    bool is_host_root() const { return euid == 0 && !in_user_namespace; }
};

} // namespace oci
