// SPDX-License-Identifier: Apache-2.0
// Runs the BPF programs that the planner makes, so that tests need neither privileges nor a kernel that takes them.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

namespace oci::test {

/// What a classic program returns for a system call; nullopt where the kernel would not have loaded it (seccomp(2)).
inline std::optional<std::uint32_t> run_classic(std::vector<std::uint64_t> const& program, seccomp_data const& data) {
    std::uint32_t accumulator = 0;
    std::size_t next = 0;
    while (next < program.size()) {
        auto const instruction = std::bit_cast<sock_filter>(program[next++]);
        auto const branch = [&](bool taken) { next += taken ? instruction.jt : instruction.jf; };
        switch (instruction.code) {
        case BPF_LD | BPF_W | BPF_ABS:
            if (instruction.k % 4 != 0 || instruction.k + 4 > sizeof data)
                return std::nullopt;
            std::memcpy(&accumulator, reinterpret_cast<char const*>(&data) + instruction.k, 4);
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            accumulator &= instruction.k;
            break;
        case BPF_JMP | BPF_JA:
            next += instruction.k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            branch(accumulator == instruction.k);
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            branch(accumulator > instruction.k);
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            branch(accumulator >= instruction.k);
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            branch((accumulator & instruction.k) != 0);
            break;
        case BPF_RET | BPF_K:
            return instruction.k;
        default:
            return std::nullopt;
        }
    }
    return std::nullopt;
}

/// What a device program returns for a request; nullopt for anything but the few instructions that one may be made of.
inline std::optional<std::uint32_t> run_device_program(std::vector<std::uint64_t> const& program,
                                                       bpf_cgroup_dev_ctx const& request) {
    std::array<std::uint64_t, 11> registers{};
    std::size_t next = 0;
    while (next < program.size()) {
        auto const instruction = std::bit_cast<bpf_insn>(program[next++]);
        auto& target = registers.at(instruction.dst_reg);
        auto const source = registers.at(instruction.src_reg);
        auto const value = static_cast<std::uint32_t>(instruction.imm);
        if (instruction.off < 0)
            return std::nullopt; // no loops
        auto const offset = static_cast<std::size_t>(instruction.off);
        switch (instruction.code) {
        case BPF_LDX | BPF_MEM | BPF_W: {
            std::uint32_t word = 0;
            if (instruction.src_reg != BPF_REG_1 || offset + 4 > sizeof request)
                return std::nullopt;
            std::memcpy(&word, reinterpret_cast<char const*>(&request) + offset, 4);
            target = word;
            break;
        }
        case BPF_ALU64 | BPF_MOV | BPF_K:
            target = static_cast<std::uint64_t>(std::int64_t{instruction.imm});
            break;
        case BPF_ALU64 | BPF_MOV | BPF_X:
            target = source;
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            target = static_cast<std::uint32_t>(target) & value;
            break;
        case BPF_ALU | BPF_RSH | BPF_K:
            target = static_cast<std::uint32_t>(target) >> value;
            break;
        case BPF_JMP32 | BPF_JEQ | BPF_K:
            next += static_cast<std::uint32_t>(target) == value ? offset : 0;
            break;
        case BPF_JMP32 | BPF_JNE | BPF_K:
            next += static_cast<std::uint32_t>(target) != value ? offset : 0;
            break;
        case BPF_JMP | BPF_EXIT:
            return static_cast<std::uint32_t>(registers[BPF_REG_0]);
        default:
            return std::nullopt;
        }
    }
    return std::nullopt;
}

} // namespace oci::test
