// SPDX-License-Identifier: Apache-2.0
#include "plan/seccomp.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <vector>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/memfd.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/defer.h"
#include "base/text.h"

namespace oci::plan {

namespace {

struct ReleaseFilter {
    void operator()(void* filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, ReleaseFilter>;

// ---- words of the profile to libseccomp's numbers

struct Action {
    std::string_view name;
    std::uint32_t value;
    std::uint32_t largest_errno; ///< 0: takes none
};
constexpr Action actions[] = {
    {"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD, 0},
    {"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS, 0},
    {"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD, 0},
    {"SCMP_ACT_TRAP", SCMP_ACT_TRAP, 0},
    {"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0), 4095},  // MAX_ERRNO; seccomp(2) cuts larger ones
    {"SCMP_ACT_TRACE", SCMP_ACT_TRACE(0), 65535}, // SECCOMP_RET_DATA
    {"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW, 0},
    {"SCMP_ACT_LOG", SCMP_ACT_LOG, 0},
};

struct Comparison {
    std::string_view name;
    scmp_compare value;
};
constexpr Comparison comparisons[] = {
    {"SCMP_CMP_NE", SCMP_CMP_NE},
    {"SCMP_CMP_LT", SCMP_CMP_LT},
    {"SCMP_CMP_LE", SCMP_CMP_LE},
    {"SCMP_CMP_EQ", SCMP_CMP_EQ},
    {"SCMP_CMP_GE", SCMP_CMP_GE},
    {"SCMP_CMP_GT", SCMP_CMP_GT},
    {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
};

template <typename Entry, std::size_t size>
Entry const* find_named(Entry const (&table)[size], std::string_view name) {
    auto const found = std::find_if(std::begin(table), std::end(table), [&](auto const& e) { return e.name == name; });
    return found == std::end(table) ? nullptr : found;
}

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

/// libseccomp's token: SCMP_ARCH_X86_64 is "x86_64" to it. Those it does not know (yet) are refused: they would be
/// killed.
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

// ---- filling libseccomp's filter

/// Adds the profile's architectures to the native one, which is always there. Returns all of them.
Result<std::vector<std::uint32_t>> add_architectures(Filter const& filter, spec::Seccomp const& profile) {
    std::vector<std::uint32_t> tokens = {seccomp_arch_native()};
    for (std::size_t i = 0; i < profile.architectures.size(); ++i) {
        auto const pointer = concat("/linux/seccomp/architectures/", i);
        auto const token = TRY(architecture_token(profile.architectures[i], pointer));
        if (std::find(tokens.begin(), tokens.end(), token) != tokens.end())
            continue;
        int const result = seccomp_arch_add(filter.get(), token);
        if (result < 0)
            return fail_errno(-result, pointer, ": add ", profile.architectures[i]);
        tokens.push_back(token);
    }
    return tokens;
}

/// The conditions of one rule as lists that libseccomp takes: all of a list have to hold, and any list is enough.
Result<std::vector<std::vector<scmp_arg_cmp>>> conditions(spec::SeccompRule const& rule, std::string_view pointer) {
    std::vector<scmp_arg_cmp> all;
    std::set<unsigned> indexes;
    for (auto const& argument : rule.arguments) {
        auto const* comparison = find_named(comparisons, argument.op);
        if (comparison == nullptr)
            return fail(pointer, ": unknown comparison ", argument.op);
        // For SCMP_CMP_MASKED_EQ the first value is the mask and the second what has to be left, seccomp_rule_add(3).
        all.push_back({argument.index, comparison->value, argument.value, argument.value_two});
        indexes.insert(argument.index);
    }
    if (indexes.size() == all.size())
        return std::vector<std::vector<scmp_arg_cmp>>{all};
    // libseccomp takes an argument only once in a rule. Profiles name one twice to say "either of these values", and
    // all runtimes understand them so: one rule for each comparison.
    std::vector<std::vector<scmp_arg_cmp>> alternatives;
    for (auto const& one : all)
        alternatives.push_back({one});
    return alternatives;
}

Result<void> add_rule(Filter const& filter, spec::SeccompRule const& rule, std::uint32_t default_action,
                      std::string_view pointer) {
    auto const action = TRY(action_value(rule.action, rule.errno_return, pointer));
    auto const alternatives = TRY(conditions(rule, pointer));
    if (action == default_action) // libseccomp refuses what changes nothing
        return {};
    for (auto const& name : rule.names) {
        int const number = seccomp_syscall_resolve_name(name.c_str());
        if (number == __NR_SCMP_ERROR) // profiles are written for all kernels and architectures
            continue;
        for (auto const& alternative : alternatives) {
            int const result = seccomp_rule_add_array(filter.get(), action, number,
                                                      static_cast<unsigned>(alternative.size()), alternative.data());
            if (result == -EEXIST)
                return fail(pointer, ": ", name, ": an earlier rule has the same arguments and another action");
            if (result < 0)
                return fail_errno(-result, pointer, ": ", name);
        }
    }
    return {};
}

/// The finished program.
///
/// The one place where planning calls the kernel: libseccomp 2.5 writes programs to descriptors only. The memory file
/// is seen by nobody else and gone at the end.
Result<std::vector<sock_filter>> export_program(Filter const& filter) {
    constexpr unsigned no_execution = 0x0008; // MFD_NOEXEC_SEAL (Linux 6.3), which vm.memfd_noexec=2 may insist on
    int descriptor = memfd_create("seccomp", MFD_CLOEXEC | no_execution);
    if (descriptor < 0 && errno == EINVAL)
        descriptor = memfd_create("seccomp", MFD_CLOEXEC);
    if (descriptor < 0)
        return fail_errno(errno, "memfd_create");
    Defer const close_it([&] { close(descriptor); });
    int const result = seccomp_export_bpf(filter.get(), descriptor);
    if (result < 0)
        return fail_errno(-result, "seccomp_export_bpf");

    std::vector<sock_filter> program;
    std::array<sock_filter, 512> block{};
    while (true) {
        auto const offset = static_cast<off_t>(program.size() * sizeof(sock_filter));
        auto const bytes = pread(descriptor, block.data(), sizeof block, offset);
        if (bytes < 0)
            return fail_errno(errno, "read the seccomp program");
        if (bytes == 0)
            return program;
        auto const count = static_cast<std::size_t>(bytes) / sizeof(sock_filter);
        program.insert(program.end(), block.begin(), block.begin() + static_cast<std::ptrdiff_t>(count));
    }
}

// ---- ENOSYS for system calls that are newer than the profile

/// Calls of one architecture above `newest` and below `end` are newer than the profile.
struct NewerCalls {
    std::uint32_t kernel_architecture; ///< AUDIT_ARCH_*, in struct seccomp_data
    std::uint32_t newest;
    std::uint32_t end;
};

constexpr std::uint32_t x32_bit = 0x40000000; // __X32_SYSCALL_BIT

/// Where the numbers end that grow from version to version.
std::uint32_t end_of_growing_numbers(std::uint32_t token) {
    if (token == SCMP_ARCH_X86_64)
        return x32_bit;
    if (token == SCMP_ARCH_X32)
        return x32_bit + 512; // x32's own variants of old calls
    if (token == SCMP_ARCH_ARM)
        return 0x0f0000; // __ARM_NR_BASE: ARM's private calls
    return 0xffffffff;   // -1 is no call but what a tracer leaves of one that it took over, ptrace(2)
}

/// The number that decides whether a call is newer than the profile; nullopt: the architecture does not have the call.
std::optional<std::uint32_t> growing_number(std::uint32_t token, std::string const& name) {
    int const number = seccomp_syscall_resolve_name_arch(token, name.c_str());
    if (number >= 0)
        return static_cast<std::uint32_t>(number) < end_of_growing_numbers(token)
                   ? std::optional(static_cast<std::uint32_t>(number))
                   : std::nullopt;
    // libseccomp's own numbers (-101 ... -224) for calls that once went through socketcall(2) and ipc(2) only: it
    // allows the direct ones too, up to 402, the last before Linux 5.1 made new numbers the same on all architectures.
    bool const multiplexed = number <= -100 && number >= -299;
    return multiplexed ? std::optional(402U) : std::nullopt;
}

std::vector<NewerCalls> newer_calls(spec::Seccomp const& profile, std::vector<std::uint32_t> const& tokens) {
    std::vector<NewerCalls> result;
    for (auto const token : tokens) {
        std::optional<std::uint32_t> newest;
        for (auto const& rule : profile.rules)
            for (auto const& name : rule.names)
                newest = std::max(newest, growing_number(token, name)); // nullopt is less than any number
        // x32 is an architecture of its own to libseccomp only: the kernel tells it by the bit in the number.
        auto const kernel_architecture = token == SCMP_ARCH_X32 ? std::uint32_t{AUDIT_ARCH_X86_64} : token;
        if (newest)
            result.push_back({kernel_architecture, *newest, end_of_growing_numbers(token)});
    }
    return result;
}

/// Whether calls that the profile does not know should be ENOSYS: only where they would be EPERM for want of a better
/// answer. Another errno, and killing, were chosen for what they do.
bool wants_enosys(std::uint32_t default_action) {
    return default_action == SCMP_ACT_ERRNO(EPERM);
}

/// Goes in front of libseccomp's program, which loads all it needs itself: jumps are relative.
std::vector<sock_filter> enosys_program(std::vector<NewerCalls> const& architectures) {
    std::vector<sock_filter> program;
    for (auto const& newer : architectures) {
        std::array<sock_filter, 6> const block = {{
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, newer.kernel_architecture, 0, 4),
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
            BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, newer.newest, 0, 2),
            BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, newer.end, 1, 0),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        }};
        program.insert(program.end(), block.begin(), block.end());
    }
    return program;
}

// ----

unsigned load_flags(spec::Seccomp const& profile) {
    unsigned flags = 0;
    for (auto const& flag : profile.flags) {
        if (flag == "SECCOMP_FILTER_FLAG_LOG")
            flags |= SECCOMP_FILTER_FLAG_LOG;
        else if (flag == "SECCOMP_FILTER_FLAG_SPEC_ALLOW")
            flags |= SECCOMP_FILTER_FLAG_SPEC_ALLOW;
        // SECCOMP_FILTER_FLAG_TSYNC: the loading process has one thread, there is nothing to synchronise.
        // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: about SCMP_ACT_NOTIFY only; the kernel refuses it without a listener.
    }
    return flags;
}

Result<Filter> make_filter(spec::Seccomp const& profile, std::uint32_t default_action) {
    // Says what the kernel can do (3: all actions but notify, Linux 4.14) instead of having libseccomp try it out.
    seccomp_api_set(3);
    Filter filter(seccomp_init(default_action));
    if (!filter)
        return fail("seccomp_init: libseccomp refused the default action");
    std::size_t calls = 0;
    for (auto const& rule : profile.rules)
        calls += rule.names.size();
    seccomp_attr_set(filter.get(), SCMP_FLTATR_API_SYSRAWRC, 1); // true errno values
    if (calls > 8) // a binary tree instead of a chain: half the time to load, and to run where the kernel cannot cache
        seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
    return filter;
}

} // namespace

Result<steps::LoadSeccomp> compile_seccomp(spec::Seccomp const& profile) {
    auto const default_action =
        TRY(action_value(profile.default_action, profile.default_errno_return, "/linux/seccomp/defaultAction"));
    auto const filter = TRY(make_filter(profile, default_action));
    auto const tokens = TRY(add_architectures(filter, profile)); // before the rules: those are added for each
    for (std::size_t i = 0; i < profile.rules.size(); ++i)
        TRY(add_rule(filter, profile.rules[i], default_action, concat("/linux/seccomp/syscalls/", i)));

    std::vector<sock_filter> program;
    if (wants_enosys(default_action))
        program = enosys_program(newer_calls(profile, tokens));
    auto const compiled = TRY(in_context(export_program(filter), "/linux/seccomp"));
    program.insert(program.end(), compiled.begin(), compiled.end());
    if (program.size() > BPF_MAXINSNS)
        return fail("/linux/seccomp: the filter has ", program.size(), " instructions, the kernel takes ",
                    BPF_MAXINSNS);

    steps::LoadSeccomp result{.program = {}, .flags = load_flags(profile), .default_action = profile.default_action};
    for (auto const& instruction : program)
        result.program.push_back(std::bit_cast<std::uint64_t>(instruction));
    return result;
}

std::string seccomp_version() {
    auto const* version = ::seccomp_version();
    return concat(version->major, ".", version->minor, ".", version->micro);
}

} // namespace oci::plan
