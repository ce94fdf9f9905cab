// SPDX-License-Identifier: Apache-2.0
// Seccomp profiles made of bytes, compiled and run by the tests' interpreter, against what the profile says read rule
// by rule. For x86-64 hosts.
#include <algorithm>
#include <bit>
#include <cerrno>
#include <map>
#include <optional>

#include <linux/audit.h>
#include <seccomp.h>

#include "bpf_interpreter.h"
#include "fuzz.h"
#include "plan/seccomp.h"

namespace {

using namespace oci;

constexpr std::uint32_t x32_bit = 0x40000000;

/// Calls that no architecture multiplexes (socketcall(2), ipc(2)): those have a unit test.
constexpr char const* names[] = {"read",        "write", "open",  "close",  "clone",   "clone3",
                                 "personality", "ioctl", "mount", "ptrace", "openat2", "no_such_call",
                                 "faccessat2",  "mseal", "uname", "execve", "exit",    "bpf"};
constexpr char const* actions[] = {"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
                                   "SCMP_ACT_TRAP",  "SCMP_ACT_LOG",   "SCMP_ACT_NOTIFY",       "SCMP_ACT_TRACE"};
constexpr char const* operators[] = {"SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE",       "SCMP_CMP_EQ",
                                     "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ"};

/// A small number, one of 32 bits, or one of 64: comparisons differ at those borders.
std::uint64_t number_of(fuzz::Input& input) {
    switch (input.byte() % 3) {
    case 0:
        return input.byte();
    case 1:
        return input.number<std::uint32_t>();
    default:
        return input.number<std::uint64_t>();
    }
}

spec::Seccomp profile_of(fuzz::Input& input) {
    spec::Seccomp profile;
    profile.default_action = input.pick(actions);
    unsigned const architectures = input.byte();
    if ((architectures & 1U) != 0)
        profile.architectures.emplace_back("SCMP_ARCH_X86");
    if ((architectures & 2U) != 0)
        profile.architectures.emplace_back("SCMP_ARCH_X32");
    for (unsigned rules = input.byte() % 12; rules > 0; --rules) {
        auto& rule = profile.rules.emplace_back();
        rule.action = input.pick(actions);
        if (rule.action == "SCMP_ACT_ERRNO" && input.flag())
            rule.errno_return = input.byte();
        for (unsigned count = 1 + input.byte() % 4; count > 0; --count)
            rule.names.emplace_back(input.pick(names));
        for (unsigned count = input.byte() % 4; count > 0; --count) {
            auto const index = input.byte() % 6U;
            auto const op = input.pick(operators);
            auto const value = number_of(input);
            rule.arguments.push_back({.index = index, .value = value, .value_two = number_of(input), .op = op});
        }
    }
    return profile;
}

std::uint32_t value_of(std::string_view action, std::optional<std::uint32_t> errno_return) {
    static std::map<std::string_view, std::uint32_t> const values = {
        {"SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW},
        {"SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO},
        {"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS},
        {"SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD},
        {"SCMP_ACT_TRAP", SECCOMP_RET_TRAP},
        {"SCMP_ACT_LOG", SECCOMP_RET_LOG},
        {"SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF},
        {"SCMP_ACT_TRACE", SECCOMP_RET_TRACE},
    };
    bool const takes_errno = action == "SCMP_ACT_ERRNO" || action == "SCMP_ACT_TRACE";
    return values.at(action) | (takes_errno ? errno_return.value_or(EPERM) : 0);
}

bool holds(spec::SeccompArgument const& check, seccomp_data const& call, bool wide) {
    std::uint64_t const mask = wide ? ~std::uint64_t{0} : 0xffffffffU;
    auto const is = call.args[check.index] & mask;
    auto const value = check.value & mask;
    if (check.op == "SCMP_CMP_NE")
        return is != value;
    if (check.op == "SCMP_CMP_LT")
        return is < value;
    if (check.op == "SCMP_CMP_LE")
        return is <= value;
    if (check.op == "SCMP_CMP_EQ")
        return is == value;
    if (check.op == "SCMP_CMP_GE")
        return is >= value;
    if (check.op == "SCMP_CMP_GT")
        return is > value;
    return (is & value) == (check.value_two & value); // as libseccomp: what the mask hides is not asked for
}

/// All checks hold; where an argument is named twice, any check.
bool matches(spec::SeccompRule const& rule, seccomp_data const& call, bool wide) {
    unsigned seen = 0;
    std::size_t holding = 0;
    for (auto const& check : rule.arguments) {
        seen |= 1U << check.index;
        holding += holds(check, call, wide) ? 1 : 0;
    }
    bool const each_once = static_cast<std::size_t>(std::popcount(seen)) == rule.arguments.size();
    return each_once ? holding == rule.arguments.size() : holding > 0;
}

std::optional<std::uint32_t> call_number(std::uint32_t token, std::string const& name) {
    if (name == "mseal") // newer than libseccomp 2.5
        return token == SCMP_ARCH_X32 ? x32_bit + 462 : 462;
    int const number = seccomp_syscall_resolve_name_arch(token, name.c_str());
    return number < 0 ? std::nullopt : std::optional(static_cast<std::uint32_t>(number));
}

bool is_about(spec::SeccompRule const& rule, std::uint32_t token, std::uint32_t number) {
    return std::ranges::any_of(rule.names, [&](auto const& name) { return call_number(token, name) == number; });
}

/// Where the numbers end that grow from version to version.
std::uint32_t end_of_numbers(std::uint32_t token) {
    return token == SCMP_ARCH_X86_64 ? x32_bit : token == SCMP_ARCH_X32 ? x32_bit + 512 : 0xffffffffU;
}

/// Whether the call is newer than all that the profile names.
bool is_newer(spec::Seccomp const& profile, std::uint32_t token, std::uint32_t number) {
    bool names_older = false;
    for (auto const& rule : profile.rules)
        for (auto const& name : rule.names) {
            auto const named = call_number(token, name);
            if (!named || *named >= end_of_numbers(token))
                continue;
            if (*named >= number)
                return false;
            names_older = true;
        }
    return names_older && number < end_of_numbers(token);
}

/// config-linux.md#seccomp, and include/plan/seccomp.h for what that leaves open.
std::uint32_t decided(spec::Seccomp const& profile, std::uint32_t token, seccomp_data const& call) {
    auto const default_value = value_of(profile.default_action, {});
    auto const number = static_cast<std::uint32_t>(call.nr);
    if (number == 0xffffffff) // taken over by a tracer
        return default_value;
    bool const wide = token == SCMP_ARCH_X86_64;
    std::vector<std::uint32_t> holding;
    for (auto const& rule : profile.rules) {
        auto const value = value_of(rule.action, rule.errno_return);
        if (value == default_value || !is_about(rule, token, number))
            continue;
        if (rule.arguments.empty())
            return value;
        if (matches(rule, call, wide))
            holding.push_back(value);
    }
    auto const strictness = [](std::uint32_t value) {
        return static_cast<std::int32_t>(value & SECCOMP_RET_ACTION_FULL);
    };
    if (!holding.empty())
        return *std::ranges::min_element(holding, {}, strictness);
    bool const unknown =
        default_value == (SECCOMP_RET_ERRNO | std::uint32_t{EPERM}) && is_newer(profile, token, number);
    return unknown ? SECCOMP_RET_ERRNO | std::uint32_t{ENOSYS} : default_value;
}

std::uint32_t expected(spec::Seccomp const& profile, seccomp_data const& call) {
    auto const number = static_cast<std::uint32_t>(call.nr);
    auto const listed = [&](char const* name) { return std::ranges::count(profile.architectures, name) != 0; };
    if (call.arch == AUDIT_ARCH_X86_64 && (number < x32_bit || number == 0xffffffff))
        return decided(profile, SCMP_ARCH_X86_64, call);
    if (call.arch == AUDIT_ARCH_X86_64 && listed("SCMP_ARCH_X32"))
        return decided(profile, SCMP_ARCH_X32, call);
    if (call.arch == AUDIT_ARCH_I386 && listed("SCMP_ARCH_X86"))
        return decided(profile, SCMP_ARCH_X86, call);
    return SECCOMP_RET_KILL_THREAD;
}

/// Every argument is what some rule compares with, or next to it, or anything.
std::vector<std::uint64_t> interesting_arguments(spec::Seccomp const& profile, fuzz::Input& input) {
    std::vector<std::uint64_t> values = {0, ~std::uint64_t{0}, number_of(input)};
    for (auto const& rule : profile.rules)
        for (auto const& check : rule.arguments)
            values.insert(values.end(), {check.value - 1, check.value, check.value + 1, check.value_two,
                                         check.value ^ std::uint64_t{1} << 32U});
    return values;
}

} // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    fuzz::Input input(data, size);
    auto const profile = profile_of(input);
    auto const compiled = plan::compile_seccomp(profile);
    if (!compiled)
        return 0;
    auto const values = interesting_arguments(profile, input);
    std::vector<std::uint32_t> numbers = {
        0, 600, 0xffffffff, x32_bit, x32_bit - 1, x32_bit + 512, input.number<std::uint32_t>()};
    for (auto const token :
         {std::uint32_t{SCMP_ARCH_X86_64}, std::uint32_t{SCMP_ARCH_X86}, std::uint32_t{SCMP_ARCH_X32}})
        for (auto const& rule : profile.rules)
            for (auto const& name : rule.names)
                if (auto const number = call_number(token, name))
                    numbers.insert(numbers.end(), {*number - 1, *number, *number + 1});
    for (std::uint32_t const architecture : {AUDIT_ARCH_X86_64, std::uint32_t{AUDIT_ARCH_I386}, AUDIT_ARCH_AARCH64})
        for (auto const number : numbers)
            for (std::size_t i = 0; i < values.size(); ++i) {
                seccomp_data call{
                    .nr = static_cast<int>(number), .arch = architecture, .instruction_pointer = 0, .args = {}};
                for (std::size_t argument = 0; argument < 6; ++argument)
                    call.args[argument] = values[(i + argument * (input.byte() % 3)) % values.size()];
                auto const result = test::run_classic(compiled->program, call);
                fuzz::expect(result == expected(profile, call), "the program decides as the profile says");
            }
    return 0;
}
