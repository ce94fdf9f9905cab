// SPDX-License-Identifier: Apache-2.0
#include "kernel/bpf.h"

#include <algorithm>
#include <cerrno>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace oci::kernel {

namespace {

constexpr std::size_t log_size = 65536;
constexpr std::size_t shown_log = 1024;
constexpr std::size_t most_programs = 64; // BPF_CGROUP_MAX_PROGS

std::uint64_t pointer(void const* address) {
    return reinterpret_cast<std::uintptr_t>(address);
}

long bpf(unsigned command, union ::bpf_attr& attributes) {
    while (true) {
        long const result = ::syscall(SYS_bpf, command, &attributes, sizeof attributes);
        if (result >= 0 || errno != EAGAIN) // EAGAIN: the verifier was interrupted by a signal
            return result;
    }
}

int load(std::span<std::uint64_t const> instructions, std::string* log) {
    union ::bpf_attr attributes {};
    attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    attributes.insns = pointer(instructions.data());
    attributes.insn_cnt = static_cast<std::uint32_t>(instructions.size());
    attributes.license = pointer("Apache-2.0"); // it calls no helper function that would need another one
    if (log != nullptr) {
        attributes.log_level = 1;
        attributes.log_buf = pointer(log->data());
        attributes.log_size = static_cast<std::uint32_t>(log->size());
    }
    return static_cast<int>(bpf(BPF_PROG_LOAD, attributes));
}

struct Attached {
    std::vector<std::uint32_t> programs;
    std::uint32_t flags = 0; ///< BPF_F_* they were attached with
};

Result<Attached> query(int cgroup) {
    Attached attached;
    attached.programs.resize(most_programs);
    union ::bpf_attr attributes {};
    attributes.query.target_fd = static_cast<std::uint32_t>(cgroup);
    attributes.query.attach_type = BPF_CGROUP_DEVICE;
    attributes.query.prog_ids = pointer(attached.programs.data());
    attributes.query.prog_cnt = most_programs;
    if (bpf(BPF_PROG_QUERY, attributes) != 0)
        return fail_errno(errno, "bpf BPF_PROG_QUERY");
    attached.programs.resize(std::min<std::size_t>(attributes.query.prog_cnt, most_programs));
    attached.flags = attributes.query.attach_flags;
    return attached;
}

Result<std::uint32_t> program_id(int program) {
    struct ::bpf_prog_info information {};
    union ::bpf_attr attributes {};
    attributes.info.bpf_fd = static_cast<std::uint32_t>(program);
    attributes.info.info = pointer(&information);
    attributes.info.info_len = sizeof information;
    if (bpf(BPF_OBJ_GET_INFO_BY_FD, attributes) != 0)
        return fail_errno(errno, "bpf BPF_OBJ_GET_INFO_BY_FD");
    return information.id;
}

Result<Fd> open_program(std::uint32_t id) {
    union ::bpf_attr attributes {};
    attributes.prog_id = id;
    Fd program(static_cast<int>(bpf(BPF_PROG_GET_FD_BY_ID, attributes)));
    if (!program)
        return fail_errno(errno, "bpf BPF_PROG_GET_FD_BY_ID ", id);
    return program;
}

Result<void> attach(int cgroup, int program, std::uint32_t flags, int replaced) {
    union ::bpf_attr attributes {};
    attributes.target_fd = static_cast<std::uint32_t>(cgroup);
    attributes.attach_bpf_fd = static_cast<std::uint32_t>(program);
    attributes.attach_type = BPF_CGROUP_DEVICE;
    attributes.attach_flags = flags;
    if (replaced >= 0)
        attributes.replace_bpf_fd = static_cast<std::uint32_t>(replaced);
    if (bpf(BPF_PROG_ATTACH, attributes) != 0)
        return fail_errno(errno, "bpf BPF_PROG_ATTACH");
    return {};
}

Result<void> detach(int cgroup, int program) {
    union ::bpf_attr attributes {};
    attributes.target_fd = static_cast<std::uint32_t>(cgroup);
    attributes.attach_bpf_fd = static_cast<std::uint32_t>(program);
    attributes.attach_type = BPF_CGROUP_DEVICE;
    if (bpf(BPF_PROG_DETACH, attributes) != 0)
        return fail_errno(errno, "bpf BPF_PROG_DETACH");
    return {};
}

/// The new program first, then the old ones off: at no moment is the cgroup without a filter.
Result<void> exchange(int cgroup, int program, Attached const& old) {
    bool const several_allowed = old.programs.empty() || (old.flags & BPF_F_ALLOW_MULTI) != 0;
    if (!several_allowed)
        return attach(cgroup, program, old.flags, -1); // attached in the old way: the kernel replaces it
    if (old.programs.size() == 1) {
        auto const replaced = TRY(open_program(old.programs.front()));
        return attach(cgroup, program, BPF_F_ALLOW_MULTI | BPF_F_REPLACE, replaced.get());
    }
    TRY(attach(cgroup, program, BPF_F_ALLOW_MULTI, -1));
    for (auto const id : old.programs)
        TRY(detach(cgroup, TRY(open_program(id)).get()));
    return {};
}

} // namespace

Result<Fd> load_device_program(std::span<std::uint64_t const> instructions) {
    Fd program(load(instructions, nullptr));
    if (program)
        return program;
    int const error = errno;
    std::string log(log_size, '\0');
    program = Fd(load(instructions, &log)); // the same again, only to hear why
    if (program)
        return program;
    log.resize(std::min(log.size(), log.find('\0')));
    std::string_view shown = trim(log);
    if (shown.size() > shown_log)
        shown.remove_prefix(shown.size() - shown_log);
    if (shown.empty())
        return fail_errno(error, "bpf BPF_PROG_LOAD");
    return Failure(Error{concat("bpf BPF_PROG_LOAD: ", errno_text(error), " (", printable(shown), ")"), error});
}

Result<void> attach_device_program(int cgroup, int program) {
    constexpr int tries = 3; // systemd may exchange its own at the same time
    std::vector<std::uint32_t> const wanted{TRY(program_id(program))};
    for (int attempt = 1;; ++attempt) {
        // A filter that did not get where it belongs is no filter: believe the kernel only.
        auto const now = TRY(query(cgroup));
        if (now.programs == wanted)
            return {};
        if (attempt > tries)
            return fail("bpf BPF_PROG_ATTACH: the device program of the cgroup is not the one attached");
        auto exchanged = exchange(cgroup, program, now);
        if (!exchanged && attempt == tries)
            return exchanged;
    }
}

Result<std::vector<std::uint32_t>> attached_device_programs(int cgroup) {
    return TRY(query(cgroup)).programs;
}

} // namespace oci::kernel
