// SPDX-License-Identifier: Apache-2.0
// Device rules made of bytes, compiled and run by the tests' interpreter, against the rules read one by one; where the
// process may, the kernel's verifier must take every program.
#include <cerrno>
#include <optional>

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bpf_interpreter.h"
#include "fuzz.h"
#include "kernel/bpf.h"
#include "plan/device_filter.h"

namespace {

using namespace oci;

constexpr std::uint32_t accesses[] = {BPF_DEVCG_ACC_MKNOD, BPF_DEVCG_ACC_READ, BPF_DEVCG_ACC_WRITE};

std::optional<std::int64_t> device_number(fuzz::Input& input) {
    switch (input.byte() % 4) {
    case 0:
        return std::nullopt;
    case 1:
        return input.number<std::uint32_t>();
    default:
        return input.byte();
    }
}

std::vector<spec::DeviceRule> rules_of(fuzz::Input& input) {
    std::vector<spec::DeviceRule> rules;
    for (unsigned count = input.byte() % 24; count > 0; --count) {
        auto& rule = rules.emplace_back();
        unsigned const bits = input.byte();
        rule.allow = (bits & 1U) != 0;
        rule.read = (bits & 2U) != 0;
        rule.write = (bits & 4U) != 0;
        rule.mknod = (bits & 8U) != 0;
        rule.type = "acb"[bits / 16 % 3];
        rule.major = device_number(input);
        rule.minor = device_number(input);
    }
    return rules;
}

struct Request {
    char type;
    std::uint32_t major, minor, access;
};

/// config-linux.md#allowed-device-list: for each access the last rule about it decides.
bool allowed(std::vector<spec::DeviceRule> const& rules, Request const& request) {
    for (auto const access : accesses) {
        bool granted = false;
        auto const apply = [&](spec::DeviceRule const& rule) {
            bool const mentioned = access == BPF_DEVCG_ACC_MKNOD  ? rule.mknod
                                   : access == BPF_DEVCG_ACC_READ ? rule.read
                                                                  : rule.write;
            if (mentioned && (rule.type == 'a' || rule.type == request.type) &&
                (!rule.major || *rule.major == request.major) && (!rule.minor || *rule.minor == request.minor))
                granted = rule.allow;
        };
        for (auto const& rule : rules)
            apply(rule);
        for (auto const& rule : plan::default_device_rules())
            apply(rule);
        if ((request.access & access) != 0 && !granted)
            return false;
    }
    return true;
}

bool may_load() {
    static bool const may = [] {
        auto const loaded = kernel::load_device_program(plan::compile_device_filter({}));
        return loaded.has_value() || loaded.error().errno_value != EPERM;
    }();
    return may;
}

} // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    fuzz::Input input(data, size);
    auto const rules = rules_of(input);
    auto const program = plan::compile_device_filter(rules);
    if (may_load()) {
        auto const loaded = kernel::load_device_program(program);
        fuzz::expect(loaded.has_value(), loaded ? "" : loaded.error().message.c_str());
    }
    std::vector<std::uint32_t> numbers = {0, 1, 5, 136, 0xffffffff, input.number<std::uint32_t>()};
    for (auto const& rule : rules)
        for (auto const& number : {rule.major, rule.minor})
            if (number)
                numbers.push_back(static_cast<std::uint32_t>(*number));
    for (auto const major : numbers)
        for (auto const minor : numbers)
            for (char const type : {'b', 'c'})
                for (std::uint32_t access = 1; access < 8; ++access) {
                    auto const kind = std::uint32_t{type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR};
                    auto const result = test::run_device_program(
                        program, {.access_type = access << 16U | kind, .major = major, .minor = minor});
                    bool const expected = allowed(rules, {type, major, minor, access});
                    fuzz::expect(result == std::uint32_t{expected}, "the program decides as the rules say");
                }
    return 0;
}
