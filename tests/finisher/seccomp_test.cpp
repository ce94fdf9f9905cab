// SPDX-License-Identifier: Apache-2.0
// The filter is the last thing before execve: what it forbids, the finisher itself must not need any more.
#include <elf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include "support.h"

namespace oci::perform {

namespace {

std::uint64_t instruction(sock_filter const& filter) {
    std::uint64_t word = 0;
    std::memcpy(&word, &filter, sizeof word);
    return word;
}

/// Everything but execve, exit and exit_group ends in SIGSYS.
steps::LoadSeccomp only_execve() {
    std::vector<std::uint64_t> program;
    program.push_back(instruction(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))));
    program.push_back(instruction(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 3, 0)));
    program.push_back(instruction(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 2, 0)));
    program.push_back(instruction(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0)));
    program.push_back(instruction(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)));
    program.push_back(instruction(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)));
    return {.program = program, .flags = 0, .default_action = "SCMP_ACT_KILL_PROCESS"};
}

/// The smallest program: exit_group(7). Any other program needs more system calls than the filter lets through.
std::string program_that_exits() {
#if defined(__x86_64__)
    unsigned char const code[] = {0xbf, 7, 0, 0, 0,    0xb8,
                                  231,  0, 0, 0, 0x0f, 0x05}; // mov edi, 7; mov eax, 231; syscall
    constexpr Elf64_Half machine = EM_X86_64;
#elif defined(__aarch64__)
    unsigned char const code[] = {0xe0, 0x00, 0x80, 0xd2, 0xc8, 0x0b,
                                  0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4}; // mov x0, 7; mov x8, 94; svc 0
    constexpr Elf64_Half machine = EM_AARCH64;
#endif
    constexpr Elf64_Addr base = 0x400000;
    constexpr std::size_t code_offset = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr);
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_EXEC;
    header.e_machine = machine;
    header.e_version = EV_CURRENT;
    header.e_entry = base + code_offset;
    header.e_phoff = sizeof header;
    header.e_ehsize = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 1;
    Elf64_Phdr segment{};
    segment.p_type = PT_LOAD;
    segment.p_flags = PF_R | PF_X;
    segment.p_vaddr = segment.p_paddr = base;
    segment.p_filesz = segment.p_memsz = code_offset + sizeof code;
    segment.p_align = 0x1000;
    std::string file(reinterpret_cast<char const*>(&header), sizeof header);
    file.append(reinterpret_cast<char const*>(&segment), sizeof segment);
    file.append(reinterpret_cast<char const*>(code), sizeof code);
    return file;
}

TEST(Finisher, StartsUnderAFilterThatForbidsAlmostEverything) {
    TemporaryFolder const folder;
    auto const program = folder.file("exits", program_that_exits(), 0755);
    // Without no-new-privileges loading needs CAP_SYS_ADMIN, for any user.
    for (std::uint32_t const uid : {0U, 1000U}) {
        for (bool const no_new_privileges : {true, false}) {
            if (!is_root() && (uid != 0 || !no_new_privileges))
                continue;
            std::vector<steps::Operation> operations;
            if (is_root()) {
                operations.emplace_back(steps::SetUser{.uid = uid, .gid = uid, .groups = {}});
                operations.emplace_back(steps::SetCapabilities{0, 0, 0, 0, 0, !no_new_privileges});
            }
            if (no_new_privileges)
                operations.emplace_back(steps::SetNoNewPrivileges{});
            auto plan = plan_of(std::move(operations), execute({program}));
            plan.insert(plan.end() - 1, finisher_step(only_execve()));
            auto const outcome = run(plan);
            EXPECT_EQ(outcome.status, 7) << "uid " << uid << ", no_new_privileges " << no_new_privileges << ": "
                                         << outcome.failure.value_or(Heard{}).text;
        }
    }
}

TEST(Finisher, TellsThatAFilterCannotBeLoaded) {
    auto plan = plan_of({steps::SetNoNewPrivileges{}}, execute({"true"}));
    plan.insert(plan.end() - 1, finisher_step(steps::LoadSeccomp{.program = {}, .flags = 0, .default_action = "none"}));
    auto const outcome = run(plan);
    ASSERT_TRUE(outcome.failure);
    EXPECT_EQ(outcome.failure->errno_value, EINVAL);
    EXPECT_EQ(outcome.status, 1);
}

} // namespace

} // namespace oci::perform
