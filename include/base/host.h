// SPDX-License-Identifier: Apache-2.0
// What the planner has to know of the machine: a plain struct, observed once by kernel/host, a literal in tests.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace oci {

struct ResourceLimit {
    std::uint64_t soft = 0;
    std::uint64_t hard = 0;
    bool operator==(ResourceLimit const&) const = default;
};

struct HostFacts {
    std::uint32_t euid = 0;
    std::uint32_t egid = 0;
    bool in_user_namespace = false; ///< the runtime itself runs in a user namespace other than the initial one
    std::string cgroup2_mount;      ///< "/sys/fs/cgroup", or ".../unified" on a hybrid host; empty: none found
    std::string own_cgroup = "/";   ///< the "0::" line of /proc/self/cgroup
    unsigned last_capability = 40;  ///< /proc/sys/kernel/cap_last_cap
    unsigned umask = 022;           ///< of the calling process
    std::array<ResourceLimit, 16> resource_limits{}; ///< by RLIMIT_* number
    std::string kernel_release;                      ///< uname -r
    unsigned kernel_major = 0;
    unsigned kernel_minor = 0;
    bool operator==(HostFacts const&) const = default;
};

} // namespace oci
