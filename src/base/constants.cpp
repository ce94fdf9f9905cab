// SPDX-License-Identifier: Apache-2.0
#include "base/constants.h"

#include <algorithm>

#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <linux/sched.h>
#include <sys/personality.h>

namespace oci {

namespace {

// Newer than the headers of Debian 12.
constexpr std::uint64_t mpol_weighted_interleave = 6;
constexpr std::uint64_t sched_iso = 4; // reserved, in no kernel yet

constexpr Constant policies[] = {
    {"SCHED_OTHER", SCHED_NORMAL},      {"SCHED_FIFO", SCHED_FIFO}, {"SCHED_RR", SCHED_RR},
    {"SCHED_BATCH", SCHED_BATCH},       {"SCHED_ISO", sched_iso},   {"SCHED_IDLE", SCHED_IDLE},
    {"SCHED_DEADLINE", SCHED_DEADLINE},
};
constexpr Constant policy_flags[] = {
    {"SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK},   {"SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM},
    {"SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN},         {"SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY},
    {"SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS},       {"SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN},
    {"SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX},
};
constexpr Constant classes[] = {{"IOPRIO_CLASS_RT", IOPRIO_CLASS_RT},
                                {"IOPRIO_CLASS_BE", IOPRIO_CLASS_BE},
                                {"IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE}};
constexpr Constant modes[] = {
    {"MPOL_DEFAULT", MPOL_DEFAULT},       {"MPOL_BIND", MPOL_BIND},
    {"MPOL_INTERLEAVE", MPOL_INTERLEAVE}, {"MPOL_WEIGHTED_INTERLEAVE", mpol_weighted_interleave},
    {"MPOL_PREFERRED", MPOL_PREFERRED},   {"MPOL_PREFERRED_MANY", MPOL_PREFERRED_MANY},
    {"MPOL_LOCAL", MPOL_LOCAL},
};
constexpr Constant mode_flags[] = {
    {"MPOL_F_NUMA_BALANCING", MPOL_F_NUMA_BALANCING},
    {"MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES},
    {"MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES},
};
constexpr Constant domains[] = {{"LINUX", PER_LINUX}, {"LINUX32", PER_LINUX32}};

} // namespace

std::span<Constant const> scheduler_policies() {
    return policies;
}
std::span<Constant const> scheduler_flags() {
    return policy_flags;
}
std::span<Constant const> io_priority_classes() {
    return classes;
}
std::span<Constant const> memory_policy_modes() {
    return modes;
}
std::span<Constant const> memory_policy_flags() {
    return mode_flags;
}
std::span<Constant const> personality_domains() {
    return domains;
}

std::optional<std::uint64_t> constant_value(std::span<Constant const> table, std::string_view name) {
    auto const found = std::ranges::find(table, name, &Constant::name);
    return found == table.end() ? std::nullopt : std::optional(found->value);
}

std::string_view constant_name(std::span<Constant const> table, std::uint64_t value) {
    auto const found = std::ranges::find(table, value, &Constant::value);
    return found == table.end() ? std::string_view() : found->name;
}

std::string flag_names(std::span<Constant const> table, std::uint64_t flags) {
    std::string names;
    for (auto const& flag : table)
        if ((flags & flag.value) != 0)
            names.append(names.empty() ? "" : " ").append(flag.name);
    return names;
}

} // namespace oci
