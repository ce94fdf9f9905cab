// SPDX-License-Identifier: Apache-2.0
// Operations on the container's cgroup (cgroup v2).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace oci::steps {

/// A control file to write, and the field of config.json that asks for it.
struct CgroupSetting {
    std::string file;            ///< "memory.max"
    std::string value;           ///< as written to the file; of several lines each is written alone
    std::string controller;      ///< "memory": must be available; "" for cgroup core files
    std::string pointer;         ///< "/linux/resources/memory/limit"
    bool may_be_missing = false; ///< no error where file or controller are missing
    /// What else the kernel may have for it: written where `file` does not exist.
    std::string fallback_file = {};
    std::string fallback_value = {};
    bool check_usage = false; ///< refused below what is used now (memory.checkBeforeUpdate)
    bool operator==(CgroupSetting const&) const = default;
};

/// Makes the folder step by step and enables the controllers down the path. An existing cgroup must be empty and
/// thawed.
struct CreateCgroup {
    std::string path;                 ///< below the cgroup2 mount, absolute and clean
    std::vector<CgroupSetting> needs; ///< every setting of the plan: their controllers must be there
    bool operator==(CreateCgroup const&) const = default;
};

/// Enables the controllers for a cgroup that exists.
struct EnableControllers {
    std::string path;
    std::vector<CgroupSetting> needs;
    bool operator==(EnableControllers const&) const = default;
};

struct ApplyCgroupSettings {
    std::vector<CgroupSetting> settings;
    bool all_or_nothing = false; ///< when one fails, those before it get back what they had
    bool operator==(ApplyCgroupSettings const&) const = default;
};

/// Gives the container's cgroup to its user, so that it may make cgroups below it (config-linux.md#cgroup-ownership):
/// the folder and the files that the kernel lists for this in /sys/kernel/cgroup/delegate.
struct DelegateCgroup {
    std::uint32_t uid = 0; ///< on the host
    bool operator==(DelegateCgroup const&) const = default;
};

/// The device rules as a BPF program.
struct AttachDeviceFilter {
    std::vector<std::string> rules;     ///< in words, for describe: "allow c 1:3 rwm"
    std::vector<std::uint64_t> program; ///< struct bpf_insn
    bool operator==(AttachDeviceFilter const&) const = default;
};

/// cgroup_namespaces(7): the child was born in its cgroup, so that becomes the root of the new namespace.
struct UnshareCgroupNamespace {
    bool operator==(UnshareCgroupNamespace const&) const = default;
};

} // namespace oci::steps
