// SPDX-License-Identifier: Apache-2.0
//
// libseccomp knows the numbers of system calls; the filter itself is ours. libseccomp 2.5 takes 15 ms to compile the
// profile that engines give to every container (this: 0.2 ms), makes programs three times as long, gets some
// comparisons wrong when a call has several, and does not always come to an end.
#include "plan/seccomp.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>

#include "base/text.h"
#include "plan/seccomp_program.h"

namespace oci::plan {

namespace {

// ---- words of the profile

template <typename Value>
struct Named {
    std::string_view name;
    Value value;
};

template <typename Value, std::size_t size>
Value const* find_named(Named<Value> const (&table)[size], std::string_view name) {
    for (auto const& entry : table)
        if (entry.name == name)
            return &entry.value;
    return nullptr;
}

struct Action {
    std::uint32_t value;         ///< SECCOMP_RET_*
    std::uint32_t largest_errno; ///< 0: takes none
};
constexpr Named<Action> actions[] = {
    {"SCMP_ACT_KILL", {SECCOMP_RET_KILL_THREAD, 0}},
    {"SCMP_ACT_KILL_PROCESS", {SECCOMP_RET_KILL_PROCESS, 0}},
    {"SCMP_ACT_KILL_THREAD", {SECCOMP_RET_KILL_THREAD, 0}},
    {"SCMP_ACT_TRAP", {SECCOMP_RET_TRAP, 0}},
    {"SCMP_ACT_ERRNO", {SECCOMP_RET_ERRNO, 4095}}, // MAX_ERRNO, to which the kernel cuts
    {"SCMP_ACT_TRACE", {SECCOMP_RET_TRACE, SECCOMP_RET_DATA}},
    {"SCMP_ACT_ALLOW", {SECCOMP_RET_ALLOW, 0}},
    {"SCMP_ACT_LOG", {SECCOMP_RET_LOG, 0}},
    {"SCMP_ACT_NOTIFY", {SECCOMP_RET_USER_NOTIF, 0}},
};

constexpr Named<Comparison> comparisons[] = {
    {"SCMP_CMP_NE", Comparison::not_equal},           {"SCMP_CMP_LT", Comparison::less},
    {"SCMP_CMP_LE", Comparison::less_or_equal},       {"SCMP_CMP_EQ", Comparison::equal},
    {"SCMP_CMP_GE", Comparison::greater_or_equal},    {"SCMP_CMP_GT", Comparison::greater},
    {"SCMP_CMP_MASKED_EQ", Comparison::masked_equal},
};

/// `pointer`: of the object that holds the action.
Result<std::uint32_t> action_value(std::string_view name, std::optional<std::uint32_t> errno_return,
                                   std::string_view pointer) {
    auto const* action = find_named(actions, name);
    if (action == nullptr)
        return fail(pointer, ": seccomp action ", name, " is not supported");
    if (action->largest_errno == 0 && errno_return)
        return fail(pointer, ": ", name, " takes no errno");
    if (action->largest_errno == 0)
        return action->value;
    std::uint32_t const data = errno_return.value_or(EPERM); // config-linux.md: "The default is EPERM"
    if (data > action->largest_errno)
        return fail(pointer, ": errno ", data, " of ", name, " is larger than ", action->largest_errno);
    return action->value | data;
}

/// Smaller is stricter: the kernel's order between the answers of several filters, seccomp(2).
std::int32_t strictness(std::uint32_t action) {
    return static_cast<std::int32_t>(action & SECCOMP_RET_ACTION_FULL);
}

/// An entry of the profile's list, understood.
struct Rule {
    std::vector<std::string> const* names = nullptr;
    std::uint32_t action = 0;
    std::vector<std::vector<ArgumentCheck>> alternatives; ///< all checks of any one; one without checks: always
};

Result<Rule> read_rule(spec::SeccompRule const& rule, std::string_view pointer) {
    Rule result{
        .names = &rule.names, .action = TRY(action_value(rule.action, rule.errno_return, pointer)), .alternatives = {}};
    std::vector<ArgumentCheck> all;
    unsigned seen = 0; // bit N: argument N
    for (auto const& argument : rule.arguments) {
        auto const* comparison = find_named(comparisons, argument.op);
        if (comparison == nullptr || argument.index > 5)
            return fail(pointer, ": argument ", argument.index, " ", argument.op, ": there is no such check");
        all.push_back({argument.index, *comparison, argument.value, argument.value_two});
        seen |= 1U << argument.index;
    }
    if (static_cast<std::size_t>(std::popcount(seen)) == all.size()) {
        result.alternatives.push_back(std::move(all));
        return result;
    }
    // One argument named twice means "either of these values": libseccomp takes an argument once in a rule only, so
    // every runtime makes one rule of each check then, and profiles are written for that.
    for (auto const& check : all)
        result.alternatives.push_back({check});
    return result;
}

/// libseccomp's token: it calls SCMP_ARCH_X86_64 "x86_64".
Result<std::uint32_t> architecture_token(std::string_view name, std::string_view pointer) {
    constexpr std::string_view prefix = "SCMP_ARCH_";
    std::string short_name(name.starts_with(prefix) ? name.substr(prefix.size()) : name);
    for (char& c : short_name)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    auto const token = seccomp_arch_resolve_name(short_name.c_str());
    if (token == 0)
        return fail(pointer, ": libseccomp ", seccomp_version(), " does not know ", name);
    return token;
}

/// The native one, always, then those of the profile.
Result<std::vector<std::uint32_t>> architecture_tokens(spec::Seccomp const& profile) {
    std::vector<std::uint32_t> tokens = {seccomp_arch_native()};
    for (std::size_t i = 0; i < profile.architectures.size(); ++i) {
        auto const pointer = concat("/linux/seccomp/architectures/", i);
        auto const token = TRY(architecture_token(profile.architectures[i], pointer));
        if (std::find(tokens.begin(), tokens.end(), token) == tokens.end())
            tokens.push_back(token);
    }
    return tokens;
}

// ---- numbers of system calls

constexpr std::uint32_t x32_bit = 0x40000000;      // __X32_SYSCALL_BIT
constexpr std::uint32_t skipped_call = 0xffffffff; // -1: what a tracer leaves of a call that it took over, ptrace(2)

/// Calls that are newer than libseccomp 2.5. Since Linux 5.1 new calls have the same number everywhere, above a base.
constexpr Named<int> newer_than_libseccomp[] = {
    {"cachestat", 451},         {"fchmodat2", 452},         {"map_shadow_stack", 453}, {"futex_wake", 454},
    {"futex_wait", 455},        {"futex_requeue", 456},     {"statmount", 457},        {"listmount", 458},
    {"lsm_get_self_attr", 459}, {"lsm_set_self_attr", 460}, {"lsm_list_modules", 461}, {"mseal", 462},
    {"setxattrat", 463},        {"getxattrat", 464},        {"listxattrat", 465},      {"removexattrat", 466},
    {"open_tree_attr", 467},    {"file_getattr", 468},      {"file_setattr", 469},     {"listns", 470},
};

struct CallNumber {
    std::uint32_t number = 0;
    std::optional<std::uint32_t> selector; ///< socketcall(2), ipc(2): their first argument says which call it is
};

/// What one architecture calls its system calls.
class CallNumbers {
public:
    explicit CallNumbers(std::uint32_t token)
        : token_(token)
        , base_(seccomp_syscall_resolve_name_arch(token, "openat2") - 437) {}

    /// None if the architecture, or anybody, has no such call: profiles are written for all architectures and kernels.
    std::vector<CallNumber> of(std::string const& name) {
        int const number = seccomp_syscall_resolve_name_arch(token_, name.c_str());
        if (number >= 0)
            return {{static_cast<std::uint32_t>(number), {}}};
        if (number == __NR_SCMP_ERROR) {
            auto const* newer = find_named(newer_than_libseccomp, name);
            return newer == nullptr ? std::vector<CallNumber>() : std::vector{CallNumber{at(*newer), {}}};
        }
        // libseccomp's own numbers: -101 ... for socketcall(2), -201 ... for ipc(2), below -10000 for "not here".
        return number > -300 ? multiplexed(number) : std::vector<CallNumber>();
    }

    /// Where the numbers end that grow from version to version.
    std::uint32_t end() const {
        if (token_ == SCMP_ARCH_X86_64)
            return x32_bit;
        if (token_ == SCMP_ARCH_X32)
            return x32_bit + 512; // x32's own variants of old calls
        if (token_ == SCMP_ARCH_ARM)
            return 0x0f0000; // __ARM_NR_BASE: ARM's private calls
        return skipped_call;
    }

private:
    std::uint32_t at(int common_number) const { return static_cast<std::uint32_t>(base_ + common_number); }

    /// Such calls go through one call for all, and on newer kernels (4.3 sockets, 5.1 the rest on i386) directly as
    /// well.
    std::vector<CallNumber> multiplexed(int pseudo_number) {
        char const* const multiplexer = pseudo_number > -200 ? "socketcall" : "ipc";
        int const number = seccomp_syscall_resolve_name_arch(token_, multiplexer);
        if (number < 0)
            return {};
        std::vector<CallNumber> numbers = {
            {static_cast<std::uint32_t>(number), static_cast<std::uint32_t>(-pseudo_number % 100)}};
        if (direct_.empty())
            find_direct_numbers();
        for (auto const& [pseudo, direct] : direct_)
            if (pseudo == pseudo_number)
                numbers.push_back({direct, {}});
        return numbers;
    }

    /// libseccomp gives direct numbers from number to name only. msgctl's, 402, is the last one anywhere; but for MIPS,
    /// where they are as old as the architecture, 326 (socket on PowerPC) the first.
    void find_direct_numbers() {
        for (int number = base_ == 0 ? 326 : 1; number <= 402; ++number) {
            std::unique_ptr<char, decltype(&std::free)> const name(
                seccomp_syscall_resolve_num_arch(token_, base_ + number), &std::free);
            int const pseudo = name ? seccomp_syscall_resolve_name_arch(token_, name.get()) : 0;
            if (pseudo < 0)
                direct_.emplace_back(pseudo, at(number));
        }
    }

    std::uint32_t token_;
    int base_;                                          ///< of the common numbers: 4000 and more on MIPS, x32_bit
    std::vector<std::pair<int, std::uint32_t>> direct_; ///< pseudo number and direct number
};

// ---- decisions

/// The profile, understood.
struct Profile {
    std::uint32_t default_action = 0;
    std::vector<std::uint32_t> tokens; ///< of its architectures
    std::vector<Rule> rules;
};

/// A rule about one call.
struct CallRule {
    std::uint32_t number = 0;
    CheckedAction action; ///< without checks: always
};

struct CallRules {
    std::vector<CallRule> rules;                ///< by number, then in the profile's order
    std::optional<std::uint32_t> newest_number; ///< of all calls that the profile names
};

bool permissive(std::uint32_t action) {
    return strictness(action) >= strictness(SECCOMP_RET_LOG);
}

/// What arguments a multiplexed call has is behind a pointer, where no filter can look. A rule that allows some of them
/// allows all, or 32-bit programs would have no sockets; a rule that forbids some of what is allowed otherwise forbids
/// all.
bool decides_unseen(std::uint32_t action, std::uint32_t default_action) {
    return strictness(action) > strictness(default_action) || permissive(default_action);
}

/// Whether arguments have 64 bits. Not on x32 and N32, though their audit values may say so.
bool has_wide_arguments(std::uint32_t token) {
    return (token & __AUDIT_ARCH_64BIT) != 0 && (token & __AUDIT_ARCH_CONVENTION_MIPS64_N32) == 0;
}

void add_call_rules(Rule const& rule, CallNumber const& call, bool wide, std::uint32_t default_action,
                    std::vector<CallRule>& rules) {
    for (auto checks : rule.alternatives) {
        if (call.selector) {
            if (!checks.empty() && !decides_unseen(rule.action, default_action))
                continue;
            checks = {{.index = 0, .comparison = Comparison::equal, .value = *call.selector}};
        }
        for (auto& check : checks)
            check.whole = wide;
        rules.push_back({call.number, {std::move(checks), rule.action}});
    }
}

CallRules call_rules(Profile const& profile, std::uint32_t token) {
    CallNumbers numbers(token);
    CallRules result;
    for (auto const& rule : profile.rules)
        for (auto const& name : *rule.names)
            for (auto const& call : numbers.of(name)) {
                if (call.number < numbers.end())
                    result.newest_number = std::max(result.newest_number, std::optional(call.number));
                if (rule.action != profile.default_action) // a rule that says the same takes nothing away from others
                    add_call_rules(rule, call, has_wide_arguments(token), profile.default_action, result.rules);
            }
    std::stable_sort(result.rules.begin(), result.rules.end(),
                     [](auto const& left, auto const& right) { return left.number < right.number; });
    return result;
}

/// Of several rules for a call the first without checks decides alone, as with libseccomp; else the strictest that
/// holds.
Decision decide(std::vector<CallRule>::const_iterator first, std::vector<CallRule>::const_iterator last,
                std::uint32_t default_action) {
    auto const always = std::find_if(first, last, [](auto const& rule) { return rule.action.checks.empty(); });
    if (always != last)
        return {.entries = {}, .otherwise = always->action.action};
    Decision decision{.entries = {}, .otherwise = default_action};
    std::transform(first, last, std::back_inserter(decision.entries), [](auto const& rule) { return rule.action; });
    std::stable_sort(decision.entries.begin(), decision.entries.end(), [](auto const& left, auto const& right) {
        return strictness(left.action) < strictness(right.action);
    });
    // Alternatives of a multiplexed call come down to the same.
    decision.entries.erase(std::unique(decision.entries.begin(), decision.entries.end()), decision.entries.end());
    return decision;
}

/// Ranges of numbers, added in order.
class Ranges {
public:
    void add(std::uint32_t first, Decision decision) {
        if (!ranges_.empty() && ranges_.back().first == first)
            ranges_.pop_back();
        ranges_.push_back({first, std::move(decision)});
    }
    void add(std::uint32_t first, std::uint32_t action) { add(first, Decision{.entries = {}, .otherwise = action}); }
    /// Neighbours with the same decision become one: profiles have long runs of them.
    std::vector<CallRange> take() {
        auto const same = [](auto const& left, auto const& right) { return left.decision == right.decision; };
        ranges_.erase(std::unique(ranges_.begin(), ranges_.end(), same), ranges_.end());
        return std::move(ranges_);
    }

private:
    std::vector<CallRange> ranges_;
};

/// Where the profile answers EPERM for want of a rule, calls newer than all it knows are ENOSYS. Another errno, or
/// killing, was chosen for what it does.
bool wants_enosys(std::uint32_t default_action) {
    return default_action == (SECCOMP_RET_ERRNO | std::uint32_t{EPERM});
}

/// All numbers from `first` on; calls of an architecture that the profile does not have end the thread, as with
/// libseccomp.
void add_architecture(Ranges& ranges, Profile const& profile, std::uint32_t token, std::uint32_t first) {
    if (std::find(profile.tokens.begin(), profile.tokens.end(), token) == profile.tokens.end()) {
        ranges.add(first, SECCOMP_RET_KILL_THREAD);
        return;
    }
    auto const [rules, newest] = call_rules(profile, token);
    auto const end = CallNumbers(token).end();
    bool newer_pending = newest && wants_enosys(profile.default_action);
    auto const add_newer = [&, newest = newest] {
        if (std::exchange(newer_pending, false)) {
            ranges.add(*newest + 1, SECCOMP_RET_ERRNO | std::uint32_t{ENOSYS});
            ranges.add(end, profile.default_action);
        }
    };
    ranges.add(first, profile.default_action);
    for (auto rule = rules.begin(); rule != rules.end();) {
        auto const number = rule->number;
        auto const last = std::find_if(rule, rules.end(), [&](auto const& other) { return other.number != number; });
        if (number >= end)
            add_newer();
        ranges.add(number, decide(rule, last, profile.default_action));
        ranges.add(number + 1, profile.default_action);
        rule = last;
    }
    add_newer();
}

/// By the kernel's architectures: x86-64 and x32 are one there, told apart by a bit of the number.
std::vector<ArchitectureCalls> calls_by_architecture(Profile const& profile) {
    std::vector<ArchitectureCalls> result;
    for (auto const token : profile.tokens) {
        auto const architecture = token == SCMP_ARCH_X32 ? std::uint32_t{AUDIT_ARCH_X86_64} : token;
        if (std::any_of(result.begin(), result.end(),
                        [&](auto const& done) { return done.architecture == architecture; }))
            continue;
        Ranges ranges;
        add_architecture(ranges, profile, architecture, 0);
        if (architecture == AUDIT_ARCH_X86_64)
            add_architecture(ranges, profile, SCMP_ARCH_X32, x32_bit);
        ranges.add(skipped_call, profile.default_action);
        result.push_back({architecture, ranges.take()});
    }
    return result;
}

bool notifies(Profile const& profile) {
    return profile.default_action == SECCOMP_RET_USER_NOTIF ||
           std::any_of(profile.rules.begin(), profile.rules.end(),
                       [](Rule const& rule) { return rule.action == SECCOMP_RET_USER_NOTIF; });
}

unsigned load_flags(spec::Seccomp const& profile, bool with_listener) {
    // The value of Linux 5.19, newer than the headers of Debian 12's C library.
    constexpr unsigned wait_killable_recv = 1U << 5U;
    unsigned flags = with_listener ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
    for (auto const& flag : profile.flags) {
        if (flag == "SECCOMP_FILTER_FLAG_LOG")
            flags |= SECCOMP_FILTER_FLAG_LOG;
        else if (flag == "SECCOMP_FILTER_FLAG_SPEC_ALLOW")
            flags |= SECCOMP_FILTER_FLAG_SPEC_ALLOW;
        else if (flag == "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" && with_listener)
            flags |= wait_killable_recv; // without a listener the kernel refuses it, and it would mean nothing
        // SECCOMP_FILTER_FLAG_TSYNC: the process that loads has one thread, there is nothing to synchronise.
    }
    return flags;
}

} // namespace

Result<steps::LoadSeccomp> compile_seccomp(spec::Seccomp const& profile) {
    Profile understood;
    understood.default_action =
        TRY(action_value(profile.default_action, profile.default_errno_return, "/linux/seccomp/defaultAction"));
    understood.tokens = TRY(architecture_tokens(profile));
    for (std::size_t i = 0; i < profile.rules.size(); ++i)
        understood.rules.push_back(TRY(read_rule(profile.rules[i], concat("/linux/seccomp/syscalls/", i))));

    auto const program = write_program(calls_by_architecture(understood), SECCOMP_RET_KILL_THREAD);
    if (program.size() > BPF_MAXINSNS)
        return fail("/linux/seccomp: the filter has ", program.size(), " instructions, the kernel takes ",
                    BPF_MAXINSNS);
    bool const with_listener = notifies(understood);
    steps::LoadSeccomp result{.program = {},
                              .flags = load_flags(profile, with_listener),
                              .default_action = profile.default_action,
                              .listener = with_listener ? profile.listener_path : ""};
    for (auto const& instruction : program)
        result.program.push_back(std::bit_cast<std::uint64_t>(instruction));
    return result;
}

std::string seccomp_version() {
    auto const* version = ::seccomp_version();
    return concat(version->major, ".", version->minor, ".", version->micro);
}

} // namespace oci::plan
