// SPDX-License-Identifier: Apache-2.0
#include "plan/device_filter.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <limits>
#include <utility>

#include <linux/bpf.h>

#include "base/text.h"

namespace oci::plan {

namespace {

using spec::DeviceRule;

constexpr DeviceRule allow_use(std::int64_t major, std::optional<std::int64_t> minor) {
    return {.allow = true, .type = 'c', .major = major, .minor = minor, .read = true, .write = true, .mknod = true};
}

constexpr DeviceRule allow_making(char type) {
    return {.allow = true, .type = type, .major = {}, .minor = {}, .read = false, .write = false, .mknod = true};
}

// Numbers: Documentation/admin-guide/devices.txt of the kernel.
constexpr DeviceRule default_rules[] = {
    allow_making('c'),
    allow_making('b'),
    allow_use(1, 3),              // /dev/null
    allow_use(1, 8),              // /dev/random
    allow_use(1, 7),              // /dev/full
    allow_use(5, 0),              // /dev/tty
    allow_use(1, 5),              // /dev/zero
    allow_use(1, 9),              // /dev/urandom
    allow_use(136, std::nullopt), // /dev/pts/N
    allow_use(5, 2),              // /dev/ptmx
    allow_use(10, 200),           // /dev/net/tun
};

std::uint32_t access_bits(DeviceRule const& rule) {
    return (rule.mknod ? std::uint32_t{BPF_DEVCG_ACC_MKNOD} : 0U) |
           (rule.read ? std::uint32_t{BPF_DEVCG_ACC_READ} : 0U) |
           (rule.write ? std::uint32_t{BPF_DEVCG_ACC_WRITE} : 0U);
}

/// Whether `later`, behind `rule` in the list, decides everything that `rule` could decide.
bool covers(DeviceRule const& later, DeviceRule const& rule) {
    return (later.type == 'a' || later.type == rule.type) && (!later.major || later.major == rule.major) &&
           (!later.minor || later.minor == rule.minor) && (access_bits(rule) & ~access_bits(later)) == 0;
}

/// Whether there can be a device with this number.
bool possible(std::optional<std::int64_t> number) {
    return !number || (*number >= 0 && *number <= std::numeric_limits<std::uint32_t>::max());
}

/// The rules that can decide anything, the last one first.
std::vector<DeviceRule> effective_rules(std::vector<DeviceRule> const& rules) {
    std::vector<DeviceRule> all(rules);
    all.insert(all.end(), std::begin(default_rules), std::end(default_rules));
    std::vector<DeviceRule> kept;
    for (auto rule = all.rbegin(); rule != all.rend(); ++rule) {
        bool const decided =
            std::any_of(kept.begin(), kept.end(), [&](auto const& later) { return covers(later, *rule); });
        if (!decided && access_bits(*rule) != 0 && possible(rule->major) && possible(rule->minor))
            kept.push_back(*rule);
    }
    // Nothing is allowed at first, so there is nothing to deny before the first rule that allows something.
    while (!kept.empty() && !kept.back().allow)
        kept.pop_back();
    return kept;
}

enum class Register : std::uint8_t {
    result = BPF_REG_0,
    context = BPF_REG_1,
    undecided = BPF_REG_2, ///< the bits of the request that no rule has decided yet
    type = BPF_REG_3,
    major = BPF_REG_4,
    minor = BPF_REG_5,
    scratch = BPF_REG_6
};

class Program {
public:
    void set(Register target, std::uint32_t value) { add(BPF_ALU64 | BPF_MOV | BPF_K, target, {}, 0, value); }
    void copy(Register target, Register source) { add(BPF_ALU64 | BPF_MOV | BPF_X, target, source, 0, 0); }
    void mask(Register target, std::uint32_t bits) { add(BPF_ALU | BPF_AND | BPF_K, target, {}, 0, bits); }
    void shift_right(Register target, std::uint32_t bits) { add(BPF_ALU | BPF_RSH | BPF_K, target, {}, 0, bits); }
    void load(Register target, std::size_t offset) {
        add(BPF_LDX | BPF_MEM | BPF_W, target, Register::context, static_cast<std::int16_t>(offset), 0);
    }
    void exit() { add(BPF_JMP | BPF_EXIT, {}, {}, 0, 0); }

    /// On `operation` (BPF_JNE ...; 32 bits wide, so that the immediate is not sign-extended) the rest of the rule is
    /// skipped.
    void skip_rule_if(unsigned operation, Register left, std::uint32_t right) {
        skips_.push_back(instructions_.size());
        add(static_cast<std::uint8_t>(BPF_JMP32 | BPF_K | operation), left, {}, 0, right);
    }
    /// Whether anything skips the rule: if not, no instruction may follow, the verifier refuses what cannot be reached.
    bool end_rule() {
        for (auto const position : skips_)
            instructions_[position].off = static_cast<std::int16_t>(instructions_.size() - position - 1);
        return !std::exchange(skips_, {}).empty();
    }

    std::vector<std::uint64_t> packed() const {
        std::vector<std::uint64_t> out;
        for (auto const& instruction : instructions_)
            out.push_back(std::bit_cast<std::uint64_t>(instruction));
        return out;
    }

private:
    void add(std::uint8_t code, Register target, Register source, std::int16_t offset, std::uint32_t value) {
        bpf_insn instruction{};
        instruction.code = code;
        instruction.dst_reg = static_cast<std::uint8_t>(target) & 0xfU;
        instruction.src_reg = static_cast<std::uint8_t>(source) & 0xfU;
        instruction.off = offset;
        instruction.imm = static_cast<std::int32_t>(value);
        instructions_.push_back(instruction);
    }

    std::vector<bpf_insn> instructions_;
    std::vector<std::size_t> skips_; ///< jumps to the end of the rule that is being written
};

/// Loads the request (struct bpf_cgroup_dev_ctx) into registers.
void add_prologue(Program& program) {
    program.load(Register::undecided, offsetof(bpf_cgroup_dev_ctx, access_type));
    program.copy(Register::type, Register::undecided);
    program.mask(Register::type, 0xffff);
    program.shift_right(Register::undecided, 16);
    program.load(Register::major, offsetof(bpf_cgroup_dev_ctx, major));
    program.load(Register::minor, offsetof(bpf_cgroup_dev_ctx, minor));
    program.set(Register::result, 1);
}

/// One rule: leaves the program when the request is decided. Returns whether there can be something left to decide.
bool add_rule(Program& program, DeviceRule const& rule) {
    constexpr std::uint32_t everything = BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE;
    auto const access = access_bits(rule);
    if (rule.type != 'a')
        program.skip_rule_if(BPF_JNE, Register::type, rule.type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
    if (rule.major)
        program.skip_rule_if(BPF_JNE, Register::major, static_cast<std::uint32_t>(*rule.major));
    if (rule.minor)
        program.skip_rule_if(BPF_JNE, Register::minor, static_cast<std::uint32_t>(*rule.minor));
    if (access != everything && rule.allow) {
        program.mask(Register::undecided, everything & ~access);
        program.skip_rule_if(BPF_JNE, Register::undecided, 0);
    } else if (access != everything) {
        program.copy(Register::scratch, Register::undecided);
        program.mask(Register::scratch, access);
        program.skip_rule_if(BPF_JEQ, Register::scratch, 0);
    }
    if (!rule.allow)
        program.set(Register::result, 0);
    program.exit();
    return program.end_rule();
}

} // namespace

std::span<DeviceRule const> default_device_rules() {
    return default_rules;
}

std::vector<std::uint64_t> compile_device_filter(std::vector<DeviceRule> const& rules) {
    // From the last rule to the first: each takes the bits it decides out of the request, so that earlier rules have no
    // say. Every rule has its own exit; a common one at the end could be further away than a jump reaches (16 bits).
    Program program;
    add_prologue(program);
    bool undecided = true;
    for (auto const& rule : effective_rules(rules))
        undecided = add_rule(program, rule);
    if (undecided) {
        program.set(Register::result, 0);
        program.exit();
    }
    return program.packed();
}

std::string describe_rule(DeviceRule const& rule) {
    auto const number = [](std::optional<std::int64_t> value) { return value ? std::to_string(*value) : "*"; };
    return concat(rule.allow ? "allow " : "deny ", rule.type, " ", number(rule.major), ":", number(rule.minor), " ",
                  rule.read ? "r" : "", rule.write ? "w" : "", rule.mknod ? "m" : "");
}

} // namespace oci::plan
