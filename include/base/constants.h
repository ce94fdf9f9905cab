// SPDX-License-Identifier: Apache-2.0
// Constants of the kernel under the names that config.json has for them. The parser, `features` and descriptions read
// the same tables.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace oci {

struct Constant {
    std::string_view name;
    std::uint64_t value;
};

std::span<Constant const> scheduler_policies();  ///< sched(7): SCHED_*
std::span<Constant const> scheduler_flags();     ///< sched_setattr(2): SCHED_FLAG_*
std::span<Constant const> io_priority_classes(); ///< ioprio_set(2): IOPRIO_CLASS_*
std::span<Constant const> memory_policy_modes(); ///< set_mempolicy(2): MPOL_*
std::span<Constant const> memory_policy_flags(); ///< set_mempolicy(2): MPOL_F_*
std::span<Constant const> personality_domains(); ///< personality(2)

std::optional<std::uint64_t> constant_value(std::span<Constant const> table, std::string_view name);
/// "" where the table does not have it.
std::string_view constant_name(std::span<Constant const> table, std::uint64_t value);
/// The names of the bits that are set: "SCHED_FLAG_RECLAIM SCHED_FLAG_DL_OVERRUN".
std::string flag_names(std::span<Constant const> table, std::uint64_t flags);

} // namespace oci
