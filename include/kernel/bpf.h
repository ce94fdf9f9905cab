// SPDX-License-Identifier: Apache-2.0
// Device programs of cgroup2 (bpf(2), BPF_PROG_TYPE_CGROUP_DEVICE).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "kernel/fd.h"

namespace oci::kernel {

/// Loads a device program (instructions as struct bpf_insn, 8 bytes each). A verifier refusal carries the end of its
/// log. RLIMIT_MEMLOCK stays as it is, for it is the container's, too: kernels since 5.11 do not charge programs to it.
Result<Fd> load_device_program(std::span<std::uint64_t const> instructions);
/// Attaches it to the cgroup with BPF_F_ALLOW_MULTI; programs that were attached directly to this cgroup are replaced
/// (BPF_F_REPLACE) or detached after, so that exactly this one remains. Read back with BPF_PROG_QUERY.
Result<void> attach_device_program(int cgroup, int program);
/// Ids of the device programs attached directly to this cgroup.
Result<std::vector<std::uint32_t>> attached_device_programs(int cgroup);

} // namespace oci::kernel
