// SPDX-License-Identifier: Apache-2.0
// Writes a seccomp filter in classic BPF from what is decided for every system call number.
#pragma once

#include <cstdint>
#include <vector>

#include <linux/filter.h>

namespace oci::plan {

enum class Comparison { not_equal, less, less_or_equal, equal, greater_or_equal, greater, masked_equal };

/// One condition on an argument of a system call.
struct ArgumentCheck {
    unsigned index = 0; ///< 0 to 5
    Comparison comparison = Comparison::equal;
    std::uint64_t value = 0;     ///< masked_equal: the mask
    std::uint64_t value_two = 0; ///< masked_equal: what the mask has to leave
    bool whole = true;           ///< false: only the lower 32 bits of argument and values
    bool operator==(ArgumentCheck const&) const = default;
};

struct CheckedAction {
    std::vector<ArgumentCheck> checks; ///< at most one for each argument
    std::uint32_t action = 0;          ///< SECCOMP_RET_*
    bool operator==(CheckedAction const&) const = default;
};

/// What happens to a call: the action of the first entry whose checks all hold, `otherwise` if there is none.
struct Decision {
    std::vector<CheckedAction> entries;
    std::uint32_t otherwise = 0; ///< SECCOMP_RET_*
    bool operator==(Decision const&) const = default;
};

/// The decision for the numbers from `first` to the next range.
struct CallRange {
    std::uint32_t first = 0;
    Decision decision;
    bool operator==(CallRange const&) const = default;
};

struct ArchitectureCalls {
    std::uint32_t architecture = 0; ///< AUDIT_ARCH_*, as in struct seccomp_data
    std::vector<CallRange> ranges;  ///< in order, from number 0 on
    bool operator==(ArchitectureCalls const&) const = default;
};

/// `other_architectures`: SECCOMP_RET_* for calls of architectures that are not in the list.
std::vector<sock_filter> write_program(std::vector<ArchitectureCalls> const& architectures,
                                       std::uint32_t other_architectures);

} // namespace oci::plan
