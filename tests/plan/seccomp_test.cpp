// SPDX-License-Identifier: Apache-2.0
// Compiled profiles, run on system calls by an interpreter, and once by the kernel. For x86-64 hosts.
#include "plan/seccomp.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <iterator>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "bpf_interpreter.h"

namespace oci::plan {
namespace {

constexpr std::uint32_t x86_64 = AUDIT_ARCH_X86_64;
constexpr std::uint32_t i386 = AUDIT_ARCH_I386;
constexpr std::uint32_t x32_bit = 0x40000000;

constexpr std::uint32_t allow = SECCOMP_RET_ALLOW;
constexpr std::uint32_t kill_thread = SECCOMP_RET_KILL_THREAD;
constexpr std::uint32_t kill_process = SECCOMP_RET_KILL_PROCESS;
constexpr std::uint32_t fails_with(std::uint32_t value) {
    return SECCOMP_RET_ERRNO | value;
}

struct Call {
    std::uint32_t architecture;
    std::uint32_t number;
    std::vector<std::uint64_t> arguments = {};
};

seccomp_data data_of(Call const& call) {
    seccomp_data data{};
    data.nr = static_cast<int>(call.number);
    data.arch = call.architecture;
    for (std::size_t i = 0; i < call.arguments.size(); ++i)
        data.args[i] = call.arguments[i];
    return data;
}

spec::SeccompRule rule(std::vector<std::string> names, std::string action = "SCMP_ACT_ALLOW",
                       std::vector<spec::SeccompArgument> arguments = {},
                       std::optional<std::uint32_t> errno_return = std::nullopt) {
    return {.names = std::move(names),
            .action = std::move(action),
            .errno_return = errno_return,
            .arguments = std::move(arguments)};
}

spec::SeccompArgument argument(unsigned index, std::string op, std::uint64_t value, std::uint64_t value_two = 0) {
    return {.index = index, .value = value, .value_two = value_two, .op = std::move(op)};
}

spec::Seccomp profile(std::vector<spec::SeccompRule> rules, std::string default_action = "SCMP_ACT_ERRNO",
                      std::vector<std::string> architectures = {}) {
    return {.default_action = std::move(default_action),
            .default_errno_return = std::nullopt,
            .architectures = std::move(architectures),
            .flags = {},
            .rules = std::move(rules)};
}

class Compiled {
public:
    explicit Compiled(spec::Seccomp const& from) {
        auto compiled = compile_seccomp(from);
        if (compiled)
            load_ = *std::move(compiled);
        else
            ADD_FAILURE() << compiled.error().message;
    }
    std::optional<std::uint32_t> operator()(Call const& call) const {
        return test::run_classic(load_.program, data_of(call));
    }
    steps::LoadSeccomp const& load() const { return load_; }

private:
    steps::LoadSeccomp load_;
};

std::string error_of(spec::Seccomp const& from) {
    auto const compiled = compile_seccomp(from);
    return compiled ? "" : compiled.error().message;
}

TEST(Seccomp, AllowsWhatIsNamed) {
    Compiled const filter(profile({rule({"read", "write", "no_such_call", "getppid"})}));
    EXPECT_EQ(filter({x86_64, SYS_read}), allow);
    EXPECT_EQ(filter({x86_64, SYS_getppid}), allow);
    EXPECT_EQ(filter({x86_64, SYS_open}), fails_with(EPERM));
    EXPECT_EQ(filter({i386, 3}), kill_thread); // the profile is for the native architecture only
    EXPECT_EQ(filter({x86_64, x32_bit + SYS_read}), kill_thread);
    EXPECT_EQ(filter.load().default_action, "SCMP_ACT_ERRNO");
    EXPECT_EQ(filter.load().flags, 0U);
}

TEST(Seccomp, Actions) {
    Compiled const filter(profile({rule({"read"}, "SCMP_ACT_KILL"), rule({"write"}, "SCMP_ACT_KILL_THREAD"),
                                   rule({"open"}, "SCMP_ACT_KILL_PROCESS"), rule({"close"}, "SCMP_ACT_TRAP"),
                                   rule({"stat"}, "SCMP_ACT_ERRNO"), rule({"fstat"}, "SCMP_ACT_ERRNO", {}, EACCES),
                                   rule({"poll"}, "SCMP_ACT_TRACE", {}, 7), rule({"lseek"}, "SCMP_ACT_LOG"),
                                   rule({"mmap"}, "SCMP_ACT_TRACE"), rule({"brk"}, "SCMP_ACT_ALLOW")},
                                  "SCMP_ACT_ALLOW"));
    EXPECT_EQ(filter({x86_64, SYS_read}), kill_thread);
    EXPECT_EQ(filter({x86_64, SYS_write}), kill_thread);
    EXPECT_EQ(filter({x86_64, SYS_open}), kill_process);
    EXPECT_EQ(filter({x86_64, SYS_close}), SECCOMP_RET_TRAP);
    EXPECT_EQ(filter({x86_64, SYS_stat}), fails_with(EPERM));
    EXPECT_EQ(filter({x86_64, SYS_fstat}), fails_with(EACCES));
    EXPECT_EQ(filter({x86_64, SYS_poll}), SECCOMP_RET_TRACE | 7U);
    EXPECT_EQ(filter({x86_64, SYS_mmap}), SECCOMP_RET_TRACE | std::uint32_t{EPERM});
    EXPECT_EQ(filter({x86_64, SYS_lseek}), SECCOMP_RET_LOG);
    EXPECT_EQ(filter({x86_64, SYS_brk}), allow);
    EXPECT_EQ(filter({x86_64, 5000}), allow); // the profile is a list of what is forbidden: newer calls work
}

TEST(Seccomp, EveryComparison) {
    struct Case {
        char const* op;
        std::uint64_t value;
        std::uint64_t value_two;
        std::vector<std::uint64_t> matching;
        std::vector<std::uint64_t> other;
    };
    constexpr std::uint64_t large = 0x1'0000'0005;
    Case const cases[] = {
        {"SCMP_CMP_NE", large, 0, {5, large + 1, 0x2'0000'0005}, {large}},
        {"SCMP_CMP_LT", large, 0, {5, large - 1}, {large, large + 1, 0x2'0000'0000}},
        {"SCMP_CMP_LE", large, 0, {0xffff'ffff, large}, {large + 1, 0x2'0000'0000}},
        {"SCMP_CMP_EQ", large, 0, {large}, {5, 0x2'0000'0005, large + 1}},
        {"SCMP_CMP_GE", large, 0, {large, 0x2'0000'0000}, {0xffff'ffff, large - 1}},
        {"SCMP_CMP_GT", large, 0, {large + 1, 0x2'0000'0000}, {0xffff'ffff, large}},
        {"SCMP_CMP_MASKED_EQ", 0xff00, 0x1200, {0x1234, 0xffff'0000'0000'1256}, {0x1334, 0x12, 0}},
        {"SCMP_CMP_MASKED_EQ", 0x7e02'0000, 0, {0, 0x11, 0x1'0000'0000}, {0x1000'0000, 0x0200'0000}},
    };
    for (auto const& [op, value, value_two, matching, other] : cases) {
        Compiled const filter(profile({rule({"clone"}, "SCMP_ACT_ALLOW", {argument(1, op, value, value_two)})}));
        for (auto const actual : matching)
            EXPECT_EQ(filter({x86_64, SYS_clone, {0, actual}}), allow) << op << " " << actual;
        for (auto const actual : other)
            EXPECT_EQ(filter({x86_64, SYS_clone, {0, actual}}), fails_with(EPERM)) << op << " " << actual;
    }
}

TEST(Seccomp, DifferentArgumentsOfARuleAllHaveToMatch) {
    Compiled const filter(
        profile({rule({"ioctl"}, "SCMP_ACT_ALLOW", {argument(0, "SCMP_CMP_EQ", 1), argument(1, "SCMP_CMP_GT", 10)})}));
    EXPECT_EQ(filter({x86_64, SYS_ioctl, {1, 11}}), allow);
    EXPECT_EQ(filter({x86_64, SYS_ioctl, {1, 10}}), fails_with(EPERM));
    EXPECT_EQ(filter({x86_64, SYS_ioctl, {2, 11}}), fails_with(EPERM));
}

TEST(Seccomp, TheSameArgumentTwiceIsAChoice) {
    Compiled const filter(profile(
        {rule({"personality"}, "SCMP_ACT_ALLOW", {argument(0, "SCMP_CMP_EQ", 0), argument(0, "SCMP_CMP_EQ", 8)})}));
    EXPECT_EQ(filter({x86_64, SYS_personality, {0}}), allow);
    EXPECT_EQ(filter({x86_64, SYS_personality, {8}}), allow);
    EXPECT_EQ(filter({x86_64, SYS_personality, {4}}), fails_with(EPERM));
}

TEST(Seccomp, OfSeveralRulesTheStrictestHoldsUnlessOneIsAlways) {
    auto const first_is_one = argument(0, "SCMP_CMP_EQ", 1);
    auto const second_is_one = argument(1, "SCMP_CMP_EQ", 1);
    Compiled const both(profile(
        {rule({"read"}, "SCMP_ACT_ALLOW", {first_is_one}), rule({"read"}, "SCMP_ACT_KILL_PROCESS", {second_is_one})}));
    EXPECT_EQ(both({x86_64, SYS_read, {1, 0}}), allow);
    EXPECT_EQ(both({x86_64, SYS_read, {1, 1}}), kill_process);
    EXPECT_EQ(both({x86_64, SYS_read, {0, 0}}), fails_with(EPERM));
    Compiled const always(profile(
        {rule({"read"}, "SCMP_ACT_KILL_PROCESS", {first_is_one}), rule({"read"}), rule({"read"}, "SCMP_ACT_TRAP")}));
    EXPECT_EQ(always({x86_64, SYS_read, {1, 1}}), allow);
}

bool holds(spec::SeccompArgument const& check, std::uint64_t value) {
    if (check.op == "SCMP_CMP_NE")
        return value != check.value;
    if (check.op == "SCMP_CMP_LT")
        return value < check.value;
    if (check.op == "SCMP_CMP_LE")
        return value <= check.value;
    if (check.op == "SCMP_CMP_EQ")
        return value == check.value;
    if (check.op == "SCMP_CMP_GE")
        return value >= check.value;
    if (check.op == "SCMP_CMP_GT")
        return value > check.value;
    return (value & check.value) == (check.value_two & check.value);
}

/// Allowed when any rule has all its checks hold, or one of them where an argument is named twice.
bool allowed(std::vector<spec::SeccompRule> const& rules, std::vector<std::uint64_t> const& arguments) {
    return std::any_of(rules.begin(), rules.end(), [&](auto const& entry) {
        auto const check = [&](auto const& one) { return holds(one, arguments[one.index]); };
        std::set<unsigned> indexes;
        for (auto const& one : entry.arguments)
            indexes.insert(one.index);
        return indexes.size() == entry.arguments.size()
                   ? std::all_of(entry.arguments.begin(), entry.arguments.end(), check)
                   : std::any_of(entry.arguments.begin(), entry.arguments.end(), check);
    });
}

TEST(Seccomp, RandomChecksDecideAsTheyRead) {
    constexpr char const* operators[] = {"SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE",       "SCMP_CMP_EQ",
                                         "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ"};
    constexpr std::uint64_t values[] = {
        0, 1, 5, 0xffff'ffff, 0x1'0000'0000, 0x1'0000'0001, 0x1'ffff'ffff, 0x2'0000'0000, 0xffff'ffff'ffff'ffff};
    std::mt19937 random(1);
    auto const value = [&] { return values[random() % std::size(values)]; };
    for (int round = 0; round < 1000; ++round) {
        std::vector<spec::SeccompRule> rules(1 + random() % 4, rule({"futex"}));
        for (auto& entry : rules)
            for (auto checks = 1 + random() % 4; checks != 0; --checks)
                entry.arguments.push_back(
                    argument(static_cast<unsigned>(random() % 6), operators[random() % 7], value(), value()));
        Compiled const filter(profile(rules));
        for (int i = 0; i < 50; ++i) {
            std::vector<std::uint64_t> const arguments = {value(), value(), value(), value(), value(), value()};
            ASSERT_EQ(filter({x86_64, SYS_futex, arguments}), allowed(rules, arguments) ? allow : fails_with(EPERM))
                << "round " << round;
        }
    }
}

TEST(Seccomp, ArgumentsOf32BitArchitecturesHave32Bits) {
    Compiled const filter(
        profile({rule({"kill"}, "SCMP_ACT_ALLOW", {argument(0, "SCMP_CMP_EQ", 0xffff'ffff'ffff'ffff)})},
                "SCMP_ACT_ERRNO", {"SCMP_ARCH_X86", "SCMP_ARCH_S390X", "SCMP_ARCH_S390"}));
    EXPECT_EQ(filter({i386, 37, {0xffff'ffff}}), allow);
    EXPECT_EQ(filter({x86_64, SYS_kill, {0xffff'ffff}}), fails_with(EPERM));
    // Of the other byte order: the halves of the argument change places.
    EXPECT_EQ(filter({AUDIT_ARCH_S390, 37, {0xffff'ffff'0000'0000}}), allow);
    EXPECT_EQ(filter({AUDIT_ARCH_S390, 37, {0xffff'ffff}}), fails_with(EPERM));
    EXPECT_EQ(filter({AUDIT_ARCH_S390X, 37, {0xffff'ffff'ffff'ffff}}), allow);
    EXPECT_EQ(filter({AUDIT_ARCH_S390X, 37, {0xffff'ffff'0000'0000}}), fails_with(EPERM));
}

TEST(Seccomp, NewerCallsAreENOSYS) {
    Compiled const filter(profile({rule({"read", "clone3"}), rule({"openat2"}, "SCMP_ACT_ERRNO")}, "SCMP_ACT_ERRNO",
                                  {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"}));
    for (std::uint32_t const bit : {0U, x32_bit}) {
        EXPECT_EQ(filter({x86_64, bit + SYS_read}), allow);
        EXPECT_EQ(filter({x86_64, bit + SYS_clone3}), allow);
        EXPECT_EQ(filter({x86_64, bit + SYS_close_range}), fails_with(EPERM)); // 436: older than openat2
        EXPECT_EQ(filter({x86_64, bit + SYS_openat2}), fails_with(EPERM));     // 437: named, if only to forbid it
        EXPECT_EQ(filter({x86_64, bit + 438}), fails_with(ENOSYS));
        EXPECT_EQ(filter({x86_64, bit + 511}), fails_with(ENOSYS));
    }
    EXPECT_EQ(filter({x86_64, 600}), fails_with(ENOSYS));
    EXPECT_EQ(filter({x86_64, x32_bit - 1}), fails_with(ENOSYS));
    EXPECT_EQ(filter({x86_64, x32_bit + 520}), fails_with(EPERM)); // x32's execve, as old as x32
    EXPECT_EQ(filter({i386, 3}), allow);
    EXPECT_EQ(filter({i386, 437}), fails_with(EPERM));
    EXPECT_EQ(filter({i386, 438}), fails_with(ENOSYS));
    EXPECT_EQ(filter({x86_64, 0xffffffff}), fails_with(EPERM)); // skipped by a tracer, ptrace(2)
    EXPECT_EQ(filter({AUDIT_ARCH_AARCH64, 600}), kill_thread);
}

TEST(Seccomp, OnlyADefaultOfEPERMBecomesENOSYS) {
    auto from = profile({rule({"read"})});
    constexpr Call newer{x86_64, 5000};
    EXPECT_EQ(Compiled(from)(newer), fails_with(ENOSYS));
    from.default_errno_return = EPERM;
    EXPECT_EQ(Compiled(from)(newer), fails_with(ENOSYS));
    from.default_errno_return = EACCES;
    EXPECT_EQ(Compiled(from)(newer), fails_with(EACCES));
    EXPECT_EQ(Compiled(profile({rule({"read"})}, "SCMP_ACT_KILL_PROCESS"))(newer), kill_process);
    EXPECT_EQ(Compiled(profile({rule({"read"})}, "SCMP_ACT_TRAP"))(newer), SECCOMP_RET_TRAP);
    EXPECT_EQ(Compiled(profile({}))(newer), fails_with(EPERM)); // names nothing: there is no "newer"
}

TEST(Seccomp, ArchitecturesWithTheirOwnNumbers) {
    // i386 has socket(2) through socketcall(2), 102, and since Linux 4.3 directly: 359.
    Compiled const filter(profile({rule({"read", "socket", "breakpoint"})}, "SCMP_ACT_ERRNO",
                                  {"SCMP_ARCH_X86", "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"}));
    EXPECT_EQ(filter({i386, 102, {1}}), allow);
    EXPECT_EQ(filter({i386, 359}), allow);
    EXPECT_EQ(filter({i386, 102, {2}}), fails_with(EPERM)); // bind
    EXPECT_EQ(filter({i386, 358}), fails_with(EPERM));
    EXPECT_EQ(filter({i386, 360}), fails_with(ENOSYS));
    // The program of another architecture can be made here, too: ARM's private calls are not new ones.
    EXPECT_EQ(filter({AUDIT_ARCH_ARM, 3}), allow);
    EXPECT_EQ(filter({AUDIT_ARCH_ARM, 0x0f0001}), allow);
    EXPECT_EQ(filter({AUDIT_ARCH_ARM, 0x0f0005}), fails_with(EPERM));
    EXPECT_EQ(filter({AUDIT_ARCH_ARM, 282}), fails_with(ENOSYS));     // socket is 281
    EXPECT_EQ(filter({AUDIT_ARCH_AARCH64, 63}), allow);               // read
    EXPECT_EQ(filter({AUDIT_ARCH_AARCH64, 199}), fails_with(ENOSYS)); // socket is 198
}

TEST(Seccomp, ArgumentsOfMultiplexedCallsCannotBeSeen) {
    auto const not_vsock = argument(0, "SCMP_CMP_NE", 40);
    Compiled const allows_some(profile({rule({"socket"}, "SCMP_ACT_ALLOW", {not_vsock}),
                                        rule({"socket"}, "SCMP_ACT_ERRNO", {argument(0, "SCMP_CMP_EQ", 40)}, EINVAL)},
                                       "SCMP_ACT_ERRNO", {"SCMP_ARCH_X86"}));
    EXPECT_EQ(allows_some({i386, 359, {40}}), fails_with(EINVAL));
    EXPECT_EQ(allows_some({i386, 359, {2}}), allow);
    EXPECT_EQ(allows_some({i386, 102, {1, 0xffff0000}}), allow); // 32-bit programs need sockets
    Compiled const forbids_some(profile({rule({"socket"}, "SCMP_ACT_ERRNO", {argument(0, "SCMP_CMP_EQ", 40)})},
                                        "SCMP_ACT_ALLOW", {"SCMP_ARCH_X86"}));
    EXPECT_EQ(forbids_some({i386, 359, {2}}), allow);
    EXPECT_EQ(forbids_some({i386, 102, {1, 0xffff0000}}), fails_with(EPERM));
    EXPECT_EQ(forbids_some({i386, 102, {2, 0xffff0000}}), allow);
}

TEST(Seccomp, CallsNewerThanTheLibrary) {
    Compiled const filter(
        profile({rule({"mseal", "listns"})}, "SCMP_ACT_ERRNO", {"SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_MIPS64"}));
    EXPECT_EQ(filter({x86_64, 462}), allow);
    EXPECT_EQ(filter({i386, 462}), allow);
    EXPECT_EQ(filter({x86_64, x32_bit + 462}), allow);
    EXPECT_EQ(filter({AUDIT_ARCH_MIPS64, 5462}), allow);
    EXPECT_EQ(filter({x86_64, 463}), fails_with(EPERM));
    EXPECT_EQ(filter({x86_64, 471}), fails_with(ENOSYS));
}

/// libseccomp's own program for rules without conflicts.
std::vector<std::uint64_t> compile_with_libseccomp(spec::Seccomp const& from, std::uint32_t default_action) {
    scmp_filter_ctx const context = seccomp_init(default_action);
    for (std::uint32_t const token : {std::uint32_t{SCMP_ARCH_X86}, std::uint32_t{SCMP_ARCH_X32}})
        EXPECT_EQ(seccomp_arch_add(context, token), 0);
    for (auto const& entry : from.rules) {
        std::vector<scmp_arg_cmp> checks;
        for (auto const& check : entry.arguments)
            checks.push_back({check.index, check.op == "SCMP_CMP_EQ" ? SCMP_CMP_EQ : SCMP_CMP_MASKED_EQ, check.value,
                              check.value_two});
        auto const action = entry.action == "SCMP_ACT_ALLOW" ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM);
        for (auto const& name : entry.names)
            EXPECT_EQ(seccomp_rule_add_array(context, action, seccomp_syscall_resolve_name(name.c_str()),
                                             static_cast<unsigned>(checks.size()), checks.data()),
                      0)
                << name;
    }
    std::vector<std::uint64_t> program(BPF_MAXINSNS);
    int const file = memfd_create("program", MFD_CLOEXEC);
    EXPECT_EQ(seccomp_export_bpf(context, file), 0);
    auto const bytes = pread(file, program.data(), program.size() * sizeof(std::uint64_t), 0);
    close(file);
    seccomp_release(context);
    program.resize(static_cast<std::size_t>(bytes) / sizeof(std::uint64_t));
    return program;
}

TEST(Seccomp, DecidesAsLibseccompDoes) {
    auto from = profile({rule({"read", "write", "socket", "bind", "accept", "accept4", "recvmmsg", "shmget", "semop",
                               "msgctl", "execve", "rt_sigaction", "clock_gettime64", "_llseek", "openat2", "futex"}),
                         rule({"mount", "connect", "shmat"}, "SCMP_ACT_ERRNO"),
                         rule({"clone"}, "SCMP_ACT_ALLOW", {argument(0, "SCMP_CMP_MASKED_EQ", 0x7e02'0000, 0)}),
                         rule({"personality"}, "SCMP_ACT_ALLOW", {argument(0, "SCMP_CMP_EQ", 8)}),
                         rule({"personality"}, "SCMP_ACT_ALLOW", {argument(0, "SCMP_CMP_EQ", 0xffff'ffff)}),
                         rule({"ioctl"}, "SCMP_ACT_ERRNO", {argument(1, "SCMP_CMP_EQ", 0x5412)})},
                        "SCMP_ACT_ERRNO", {"SCMP_ARCH_X86", "SCMP_ARCH_X32"});
    from.default_errno_return = ENOSYS; // what libseccomp has no idea of
    Compiled const ours(from);
    auto const theirs = compile_with_libseccomp(from, SCMP_ACT_ERRNO(ENOSYS));
    std::vector<std::uint32_t> numbers = {0xffffffff, 0xfffffffe, x32_bit - 1, x32_bit + 5000};
    for (std::uint32_t i = 0; i < 1200; ++i)
        numbers.push_back(i < 600 ? i : x32_bit + i - 600);
    for (auto const architecture : {x86_64, i386, std::uint32_t{AUDIT_ARCH_AARCH64}})
        for (auto const number : numbers)
            for (std::uint64_t const argument :
                 {0U, 1U, 5U, 8U, 13U, 18U, 21U, 23U, 0x5412U, 0x0200'0000U, 0xffff'ffffU}) {
                Call const call{architecture, number, {argument, argument}};
                ASSERT_EQ(ours(call), test::run_classic(theirs, data_of(call)))
                    << std::hex << architecture << " " << number << " " << argument;
            }
}

/// All calls up to number 600 of three architectures, against the profile read call by call.
TEST(Seccomp, LargeProfileDecidesAsItReads) {
    std::vector<spec::SeccompRule> const rules = {
        rule({"read",           "write",   "open",     "close",        "stat",      "fstat",  "mmap",
              "mprotect",       "munmap",  "brk",      "access",       "pipe",      "dup",    "getpid",
              "fork",           "vfork",   "execve",   "exit",         "wait4",     "uname",  "fcntl",
              "getcwd",         "chdir",   "rename",   "mkdir",        "rmdir",     "creat",  "link",
              "unlink",         "symlink", "readlink", "chmod",        "umask",     "getuid", "setuid",
              "setgid",         "geteuid", "getpgrp",  "setsid",       "getgroups", "sync",   "epoll_wait",
              "openat",         "mkdirat", "unlinkat", "linkat",       "faccessat", "futex",  "statx",
              "io_uring_enter", "clone3",  "openat2",  "epoll_pwait2", "rseq",      "capget", "prctl"}),
        rule({"mount", "umount2", "pivot_root", "chroot", "setns"}, "SCMP_ACT_ERRNO", {}, ENOENT),
        rule({"reboot", "kexec_load"}, "SCMP_ACT_KILL_PROCESS"),
        rule({"ptrace", "syslog"}, "SCMP_ACT_ERRNO"), // the default
        rule({"bpf"}, "SCMP_ACT_LOG"),
    };
    Compiled const filter(profile(rules, "SCMP_ACT_ERRNO", {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"}));
    auto const action_of = [](spec::SeccompRule const& from) {
        return from.action == "SCMP_ACT_ALLOW"          ? allow
               : from.action == "SCMP_ACT_KILL_PROCESS" ? kill_process
               : from.action == "SCMP_ACT_LOG"          ? SECCOMP_RET_LOG
                                                        : fails_with(from.errno_return.value_or(EPERM));
    };
    struct Architecture {
        std::uint32_t token, kernel, first;
    };
    constexpr Architecture architectures[] = {
        {SCMP_ARCH_X86_64, x86_64, 0}, {SCMP_ARCH_X86, i386, 0}, {SCMP_ARCH_X32, x86_64, x32_bit}};
    EXPECT_LE(filter.load().program.size(), 300U);
    for (auto const& [token, kernel, first] : architectures) {
        for (std::uint32_t i = 0; i < 600; ++i) {
            auto const number = first + i;
            bool const newer = i > 441 && !(first != 0 && i >= 512); // epoll_pwait2
            auto expected = newer ? fails_with(ENOSYS) : fails_with(EPERM);
            for (auto const& entry : rules)
                for (auto const& name : entry.names)
                    if (seccomp_syscall_resolve_name_arch(token, name.c_str()) == static_cast<int>(number))
                        expected = action_of(entry);
            ASSERT_EQ(filter({kernel, number}), expected) << std::hex << kernel << " " << std::dec << i;
        }
    }
}

TEST(Seccomp, Flags) {
    auto from = profile({rule({"read"})});
    from.flags = {"SECCOMP_FILTER_FLAG_LOG"};
    EXPECT_EQ(Compiled(from).load().flags, SECCOMP_FILTER_FLAG_LOG);
    from.flags = {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC",
                  "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"};
    EXPECT_EQ(Compiled(from).load().flags, SECCOMP_FILTER_FLAG_SPEC_ALLOW);
}

TEST(Seccomp, NotifyMakesAListener) {
    auto from = profile({rule({"read"}, "SCMP_ACT_NOTIFY")});
    from.listener_path = "/run/agent";
    from.flags = {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"};
    Compiled const compiled(from);
    EXPECT_EQ(compiled.load().flags, SECCOMP_FILTER_FLAG_NEW_LISTENER | 1U << 5U);
    EXPECT_EQ(compiled.load().listener, "/run/agent");
}

TEST(Seccomp, ErrorsNameThePlace) {
    EXPECT_EQ(error_of(profile({}, "SCMP_ACT_ALLOW", {"SCMP_ARCH_X86_64", "SCMP_ARCH_M68K"})),
              "/linux/seccomp/architectures/1: libseccomp " + seccomp_version() + " does not know SCMP_ARCH_M68K");
    EXPECT_EQ(error_of(profile({rule({"read"}), rule({"write"}, "SCMP_ACT_KILL", {}, 1)})),
              "/linux/seccomp/syscalls/1: SCMP_ACT_KILL takes no errno");
    EXPECT_EQ(error_of(profile({rule({"read"}, "SCMP_ACT_ERRNO", {}, 4096)})),
              "/linux/seccomp/syscalls/0: errno 4096 of SCMP_ACT_ERRNO is larger than 4095");
    EXPECT_EQ(error_of(profile({rule({"read"}, "SCMP_ACT_ASK")})),
              "/linux/seccomp/syscalls/0: seccomp action SCMP_ACT_ASK is not supported");
    EXPECT_EQ(error_of(profile({rule({"read"}, "SCMP_ACT_ALLOW", {argument(6, "SCMP_CMP_EQ", 1)})})),
              "/linux/seccomp/syscalls/0: argument 6 SCMP_CMP_EQ: there is no such check");
    auto with_errno = profile({}, "SCMP_ACT_ALLOW");
    with_errno.default_errno_return = 1;
    EXPECT_EQ(error_of(with_errno), "/linux/seccomp/defaultAction: SCMP_ACT_ALLOW takes no errno");
}

TEST(Seccomp, FiltersThatTheKernelWouldRefuseAreErrors) {
    std::vector<spec::SeccompRule> rules;
    for (unsigned i = 0; i < 4200; ++i)
        rules.push_back(rule({"read"}, "SCMP_ACT_ALLOW", {argument(i % 6, "SCMP_CMP_EQ", 1000 + i)}));
    auto const message = error_of(profile(rules));
    EXPECT_NE(message.find("the kernel takes 4096"), std::string::npos) << message;
}

/// For a child: loads the filter and tries calls; 0 if all went as they should. Allocates nothing, that could be
/// forbidden.
int try_in_kernel(sock_fprog const& filter) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0)
        return 1;
    bool const forbidden = syscall(SYS_getppid) == -1 && errno == EPERM;
    bool const newer = syscall(5000) == -1 && errno == ENOSYS;
    bool const allowed = syscall(SYS_getpid) > 0;
    return forbidden && newer && allowed ? 0 : 2;
}

TEST(Seccomp, TheKernelTakesThePrograms) {
    Compiled const compiled(profile({rule({"getpid", "exit", "exit_group"})}, "SCMP_ACT_ERRNO", {"SCMP_ARCH_X86"}));
    std::vector<sock_filter> program;
    for (auto const instruction : compiled.load().program)
        program.push_back(std::bit_cast<sock_filter>(instruction));
    sock_fprog const filter{static_cast<unsigned short>(program.size()), program.data()};
    pid_t const child = fork();
    if (child == 0)
        syscall(SYS_exit_group, try_in_kernel(filter));
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(Seccomp, Version) {
    EXPECT_EQ(seccomp_version().find("2."), 0U) << seccomp_version();
}

} // namespace
} // namespace oci::plan
