// SPDX-License-Identifier: Apache-2.0
// Device rules against a plain evaluator, bit by bit; as root the kernel's verifier has a look at the programs too.
#include "plan/device_filter.h"

#include <array>
#include <cerrno>
#include <random>
#include <string>

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "bpf_interpreter.h"

namespace oci::plan {
namespace {

using spec::DeviceRule;

constexpr std::uint32_t make = BPF_DEVCG_ACC_MKNOD;
constexpr std::uint32_t read = BPF_DEVCG_ACC_READ;
constexpr std::uint32_t write = BPF_DEVCG_ACC_WRITE;

struct Request {
    char type;
    std::uint32_t major;
    std::uint32_t minor;
    std::uint32_t access;
};

DeviceRule rule(bool allow, char type, std::optional<std::int64_t> major, std::optional<std::int64_t> minor,
                std::string_view access) {
    auto const has = [&](char c) { return access.find(c) != std::string_view::npos; };
    return {.allow = allow,
            .type = type,
            .major = major,
            .minor = minor,
            .read = has('r'),
            .write = has('w'),
            .mknod = has('m')};
}

constexpr std::nullopt_t any = std::nullopt;

std::optional<bool> run(std::vector<std::uint64_t> const& program, Request const& request) {
    std::uint32_t const type = request.type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
    auto const result = test::run_device_program(
        program, {.access_type = request.access << 16U | type, .major = request.major, .minor = request.minor});
    if (!result || *result > 1)
        return std::nullopt;
    return *result == 1;
}

bool allows(std::vector<DeviceRule> const& rules, Request const& request) {
    auto const result = run(compile_device_filter(rules), request);
    EXPECT_TRUE(result) << "not a program";
    return result.value_or(false);
}

/// The specification word for word: entries in order, each for the bits that it mentions.
bool allowed_bit_by_bit(std::vector<DeviceRule> rules, Request const& request) {
    rules.insert(rules.end(), default_device_rules().begin(), default_device_rules().end());
    for (auto const bit : {make, read, write}) {
        bool allowed = false;
        for (auto const& entry : rules) {
            bool const mentioned = bit == make ? entry.mknod : bit == read ? entry.read : entry.write;
            bool const same_device = (entry.type == 'a' || entry.type == request.type) &&
                                     (!entry.major || entry.major == request.major) &&
                                     (!entry.minor || entry.minor == request.minor);
            if (mentioned && same_device)
                allowed = entry.allow;
        }
        if ((request.access & bit) != 0 && !allowed)
            return false;
    }
    return true;
}

TEST(DeviceFilter, DefaultsAreAllowedAndNothingElse) {
    EXPECT_TRUE(allows({}, {'c', 1, 3, read | write | make}));
    EXPECT_TRUE(allows({}, {'c', 136, 42, read | write}));
    EXPECT_TRUE(allows({}, {'c', 10, 200, read}));
    EXPECT_TRUE(allows({}, {'b', 8, 0, make}));
    EXPECT_FALSE(allows({}, {'b', 8, 0, read}));
    EXPECT_FALSE(allows({}, {'b', 8, 0, read | make}));
    EXPECT_FALSE(allows({}, {'b', 1, 3, read}));
    EXPECT_FALSE(allows({}, {'c', 1, 11, read})); // /dev/kmsg
    EXPECT_LE(compile_device_filter({}).size(), 55U);
}

TEST(DeviceFilter, TheListIsNotADenyList) { // GHSA-g54h-m393-cpwq: the first entry decided about the default
    EXPECT_FALSE(allows({rule(true, 'c', 10, 229, "rw")}, {'b', 8, 0, read}));
    EXPECT_FALSE(allows({rule(false, 'c', 10, 229, "rw")}, {'b', 8, 0, read}));
}

TEST(DeviceFilter, TheLastRuleWins) {
    auto const deny_all = rule(false, 'a', any, any, "rwm");
    auto const allow_all = rule(true, 'a', any, any, "rwm");
    auto const disk = rule(true, 'b', 8, any, "rw");
    EXPECT_TRUE(allows({deny_all, disk}, {'b', 8, 5, read | write}));
    EXPECT_FALSE(allows({disk, deny_all}, {'b', 8, 5, read}));
    EXPECT_TRUE(allows({deny_all, allow_all}, {'b', 9, 5, read | write | make}));
    EXPECT_FALSE(allows({allow_all, rule(false, 'b', 8, 0, "w")}, {'b', 8, 0, read | write}));
    EXPECT_TRUE(allows({allow_all, rule(false, 'b', 8, 0, "w")}, {'b', 8, 0, read}));
    EXPECT_TRUE(allows({deny_all}, {'c', 1, 3, read})); // the defaults come last
}

TEST(DeviceFilter, SeveralRulesTogetherAllowARequest) {
    EXPECT_TRUE(allows({rule(true, 'b', 8, 0, "r"), rule(true, 'b', any, 0, "w")}, {'b', 8, 0, read | write | make}));
    EXPECT_FALSE(allows({rule(true, 'b', 8, 0, "r"), rule(true, 'b', any, 1, "w")}, {'b', 8, 0, read | write}));
}

TEST(DeviceFilter, DeadRulesCostNothing) {
    auto const defaults = compile_device_filter({});
    EXPECT_EQ(compile_device_filter({rule(false, 'a', any, any, "rwm")}), defaults);
    EXPECT_EQ(compile_device_filter({rule(true, 'b', 8, 0, "rw"), rule(false, 'a', any, any, "rwm")}), defaults);
    EXPECT_EQ(compile_device_filter({rule(true, 'c', 1, 3, "rw"), rule(true, 'b', 8, 0, "")}), defaults);
    EXPECT_EQ(compile_device_filter({rule(true, 'c', 1, std::int64_t{1} << 32U, "rw")}), defaults);
    EXPECT_EQ(compile_device_filter({rule(true, 'c', -1, 3, "rw")}), defaults);
}

TEST(DeviceFilter, LargeNumbersAreComparedWhole) {
    EXPECT_TRUE(allows({rule(true, 'b', 0xffffffff, 0x80000000, "r")}, {'b', 0xffffffff, 0x80000000, read}));
    EXPECT_FALSE(allows({rule(true, 'b', 0xffffffff, 0x80000000, "r")}, {'b', 0xffffffff, 0, read}));
}

std::vector<DeviceRule> random_rules(std::mt19937& random) {
    auto const number = [&]() -> std::optional<std::int64_t> {
        constexpr std::array<std::int64_t, 4> numbers = {1, 3, 5, 8};
        return random() % 3 == 0 ? std::nullopt : std::optional(numbers[random() % numbers.size()]);
    };
    std::vector<DeviceRule> rules(random() % 13);
    for (auto& entry : rules) {
        auto const access = random();
        entry = {.allow = random() % 2 == 0,
                 .type = "abc"[random() % 3],
                 .major = number(),
                 .minor = number(),
                 .read = (access & read) != 0,
                 .write = (access & write) != 0,
                 .mknod = (access & make) != 0};
    }
    return rules;
}

TEST(DeviceFilter, RandomRulesDecideAsBitByBit) {
    std::mt19937 random(20240801);
    for (int round = 0; round < 2000; ++round) {
        auto const rules = random_rules(random);
        auto const program = compile_device_filter(rules);
        for (char const type : {'b', 'c'})
            for (std::uint32_t const major : {1U, 3U, 5U, 8U, 9U})
                for (std::uint32_t const minor : {0U, 1U, 3U, 5U, 8U})
                    for (std::uint32_t access = 1; access < 8; ++access) {
                        Request const request{type, major, minor, access};
                        ASSERT_EQ(run(program, request), allowed_bit_by_bit(rules, request))
                            << "round " << round << ": " << type << major << ":" << minor << " " << access;
                    }
    }
}

TEST(DeviceFilter, VeryManyRules) {
    std::vector<DeviceRule> rules;
    for (int i = 0; i < 9000; ++i) // more instructions than a jump can cross
        rules.push_back(rule(i % 2 == 0, 'b', 1000 + i % 90, i / 90, i % 3 == 0 ? "r" : "rwm"));
    auto const program = compile_device_filter(rules);
    EXPECT_GT(program.size(), 32768U);
    for (std::uint32_t i = 0; i < 9000; i += 97)
        for (std::uint32_t access = 1; access < 8; ++access) {
            Request const request{'b', 1000 + i % 90, i / 90, access};
            ASSERT_EQ(run(program, request), allowed_bit_by_bit(rules, request)) << i;
        }
}

/// errno of BPF_PROG_LOAD, 0 when the verifier takes the program.
int load_error(std::vector<std::uint64_t> const& program, std::string& log) {
    log.assign(65536, '\0');
    bpf_attr attributes{};
    attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    attributes.insns = reinterpret_cast<std::uintptr_t>(program.data());
    attributes.insn_cnt = static_cast<std::uint32_t>(program.size());
    attributes.license = reinterpret_cast<std::uintptr_t>("Apache-2.0");
    attributes.log_buf = reinterpret_cast<std::uintptr_t>(log.data());
    attributes.log_size = static_cast<std::uint32_t>(log.size());
    attributes.log_level = 1;
    auto const descriptor = syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes);
    if (descriptor < 0)
        return errno;
    close(static_cast<int>(descriptor));
    return 0;
}

TEST(DeviceFilter, TheKernelTakesThePrograms) {
    std::string log;
    if (geteuid() != 0)
        GTEST_SKIP() << "needs root";
    int const first = load_error(compile_device_filter({}), log);
    if (first == EPERM || first == ENOSYS)
        GTEST_SKIP() << "bpf(2) is forbidden here";
    ASSERT_EQ(first, 0) << log.c_str();
    ASSERT_EQ(load_error(compile_device_filter({rule(true, 'a', any, any, "rwm")}), log), 0) << log.c_str();
    ASSERT_EQ(load_error(compile_device_filter({rule(true, 'a', any, any, "rw")}), log), 0) << log.c_str();
    std::mt19937 random(7);
    for (int round = 0; round < 200; ++round)
        ASSERT_EQ(load_error(compile_device_filter(random_rules(random)), log), 0) << log.c_str();
}

TEST(DeviceFilter, DescribesRules) {
    EXPECT_EQ(describe_rule(rule(true, 'c', 1, 3, "rwm")), "allow c 1:3 rwm");
    EXPECT_EQ(describe_rule(rule(false, 'a', any, any, "w")), "deny a *:* w");
    EXPECT_EQ(describe_rule(default_device_rules()[0]), "allow c *:* m");
}

} // namespace
} // namespace oci::plan
