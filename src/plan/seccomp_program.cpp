// SPDX-License-Identifier: Apache-2.0
#include "plan/seccomp_program.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>

#include <linux/audit.h>
#include <linux/seccomp.h>

namespace oci::plan {

namespace {

using Code = std::vector<sock_filter>;

// Where a jump of a check goes, until the length of what it jumps over is known. All jumps of BPF are forward and
// relative.
constexpr std::uint8_t next = 0;    ///< the next instruction
constexpr std::uint8_t holds = 254; ///< behind the check
constexpr std::uint8_t fails = 255; ///< behind the entry that the check belongs to

constexpr sock_filter statement(unsigned code, std::uint32_t value) {
    return {static_cast<std::uint16_t>(code), 0, 0, value};
}
constexpr sock_filter jump(unsigned comparison, std::uint32_t value, std::uint8_t if_true, std::uint8_t if_false) {
    return {static_cast<std::uint16_t>(BPF_JMP | BPF_K | comparison), if_true, if_false, value};
}
constexpr sock_filter load(std::size_t offset) {
    return statement(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
}
constexpr sock_filter finish(std::uint32_t action) {
    return statement(BPF_RET | BPF_K, action);
}

void append(Code& code, Code const& more) {
    code.insert(code.end(), more.begin(), more.end());
}

/// Makes jumps to `place` go to the end of the code.
void end_here(Code& code, std::uint8_t place) {
    for (std::size_t i = 0; i < code.size(); ++i) {
        auto const distance = static_cast<std::uint8_t>(code.size() - i - 1);
        if (BPF_CLASS(code[i].code) != BPF_JMP)
            continue;
        if (code[i].jt == place)
            code[i].jt = distance;
        if (code[i].jf == place)
            code[i].jf = distance;
    }
}

/// Compares the upper halves: left to the lower ones only where those are equal.
Code upper_half(Comparison comparison, std::uint32_t value, std::uint32_t value_two) {
    switch (comparison) {
    case Comparison::equal:
        return {jump(BPF_JEQ, value, next, fails)};
    case Comparison::not_equal:
        return {jump(BPF_JEQ, value, next, holds)};
    case Comparison::greater:
    case Comparison::greater_or_equal:
        return {jump(BPF_JGT, value, holds, next), jump(BPF_JEQ, value, next, fails)};
    case Comparison::less:
    case Comparison::less_or_equal:
        return {jump(BPF_JGT, value, fails, next), jump(BPF_JEQ, value, next, holds)};
    case Comparison::masked_equal:
        return {statement(BPF_ALU | BPF_AND | BPF_K, value), jump(BPF_JEQ, value_two, next, fails)};
    }
    return {};
}

Code lower_half(Comparison comparison, std::uint32_t value, std::uint32_t value_two) {
    switch (comparison) {
    case Comparison::equal:
        return {jump(BPF_JEQ, value, next, fails)};
    case Comparison::not_equal:
        return {jump(BPF_JEQ, value, fails, next)};
    case Comparison::greater:
        return {jump(BPF_JGT, value, next, fails)};
    case Comparison::greater_or_equal:
        return {jump(BPF_JGE, value, next, fails)};
    case Comparison::less:
        return {jump(BPF_JGE, value, fails, next)};
    case Comparison::less_or_equal:
        return {jump(BPF_JGT, value, fails, next)};
    case Comparison::masked_equal:
        return {statement(BPF_ALU | BPF_AND | BPF_K, value), jump(BPF_JEQ, value_two, next, fails)};
    }
    return {};
}

/// The instructions have 32 bits, arguments 64: two comparisons. `little_endian`: of the calls' architecture.
Code check_code(ArgumentCheck const& check, bool little_endian) {
    auto const lower = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
    auto const upper = [](std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32U); };
    auto const argument = offsetof(seccomp_data, args) + check.index * sizeof(std::uint64_t);
    auto const value_two = check.value_two & check.value; // what the mask hides is not asked for
    Code code;
    if (check.whole) {
        code.push_back(load(argument + (little_endian ? 4 : 0)));
        append(code, upper_half(check.comparison, upper(check.value), upper(value_two)));
    }
    code.push_back(load(argument + (little_endian ? 0 : 4)));
    append(code, lower_half(check.comparison, lower(check.value), lower(value_two)));
    end_here(code, holds);
    return code;
}

Code decision_code(Decision const& decision, bool little_endian) {
    Code code;
    for (auto const& entry : decision.entries) {
        Code entry_code;
        for (auto const& check : entry.checks)
            append(entry_code, check_code(check, little_endian));
        entry_code.push_back(finish(entry.action));
        end_here(entry_code, fails);
        append(code, entry_code);
    }
    code.push_back(finish(decision.otherwise));
    return code;
}

/// A binary search, and behind it the code of each different decision, once.
class Search {
public:
    Search(std::span<CallRange const> ranges, bool little_endian)
        : ranges_(ranges)
        , position_(ranges.size() - 1) { // of the search itself: one instruction between every two ranges
        for (auto const& range : ranges) {
            if (find(range.decision) == nullptr) {
                append(blocks_, decision_code(range.decision, little_endian));
                decisions_.push_back({&range.decision, position_});
                position_ = ranges.size() - 1 + blocks_.size();
            }
        }
    }

    /// Whether conditional jumps (8 bits) reach everything.
    bool fits() const { return position_ <= std::numeric_limits<std::uint8_t>::max(); }

    Code code() {
        write(0, ranges_.size());
        append(nodes_, blocks_);
        return std::move(nodes_);
    }

private:
    struct Place {
        Decision const* decision;
        std::size_t position;
    };

    Place const* find(Decision const& decision) const {
        auto const found = std::find_if(decisions_.begin(), decisions_.end(),
                                        [&](auto const& place) { return *place.decision == decision; });
        return found == decisions_.end() ? nullptr : &*found;
    }

    /// Writes the search among the ranges from `first` to `last`. Returns where it begins.
    std::size_t write(std::size_t first, std::size_t last) {
        if (last - first == 1)
            return find(ranges_[first].decision)->position;
        auto const here = nodes_.size();
        auto const middle = first + (last - first) / 2;
        nodes_.emplace_back();
        auto const distance = [&](std::size_t target) { return static_cast<std::uint8_t>(target - here - 1); };
        auto const below = distance(write(first, middle));
        auto const above = distance(write(middle, last));
        nodes_[here] = jump(BPF_JGE, ranges_[middle].first, above, below);
        return here;
    }

    std::span<CallRange const> ranges_;
    std::size_t position_; ///< where the next block begins
    std::vector<Place> decisions_;
    Code blocks_;
    Code nodes_;
};

/// Finds the range of the number, which is loaded, and does what is decided for it.
Code search_code(std::span<CallRange const> ranges, bool little_endian) {
    if (ranges.size() == 1)
        return decision_code(ranges.front().decision, little_endian);
    if (Search search(ranges, little_endian); search.fits())
        return search.code();
    auto const middle = ranges.size() / 2;
    auto const below = search_code(ranges.first(middle), little_endian);
    Code code = {jump(BPF_JGE, ranges[middle].first, 0, 1),
                 statement(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(below.size()))};
    append(code, below);
    append(code, search_code(ranges.subspan(middle), little_endian));
    return code;
}

} // namespace

std::vector<sock_filter> write_program(std::vector<ArchitectureCalls> const& architectures,
                                       std::uint32_t other_architectures) {
    Code code = {load(offsetof(seccomp_data, arch))};
    for (auto const& [architecture, ranges] : architectures) {
        Code calls = {load(offsetof(seccomp_data, nr))};
        append(calls, search_code(ranges, (architecture & __AUDIT_ARCH_LE) != 0));
        code.push_back(jump(BPF_JEQ, architecture, 1, 0));
        code.push_back(statement(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(calls.size())));
        append(code, calls);
    }
    code.push_back(finish(other_architectures));
    return code;
}

} // namespace oci::plan
