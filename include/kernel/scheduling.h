// SPDX-License-Identifier: Apache-2.0
// When, where and in what order a process gets the processors and the disks.
#pragma once

#include <cstdint>
#include <span>
#include <sys/types.h>

#include "base/result.h"

namespace oci::kernel {

struct SchedulerAttributes {
    std::uint32_t policy = 0; ///< SCHED_*
    std::uint64_t flags = 0;  ///< SCHED_FLAG_*
    std::int32_t nice = 0;
    std::uint32_t priority = 0; ///< SCHED_FIFO, SCHED_RR
    std::uint64_t runtime = 0;  ///< nanoseconds, as the next two: SCHED_DEADLINE
    std::uint64_t deadline = 0;
    std::uint64_t period = 0;
};

/// sched_setattr(2). EPERM: more than the caller has needs CAP_SYS_NICE of the host.
Result<void> set_scheduler(pid_t pid, SchedulerAttributes const& attributes);
/// ioprio_set(2) of one process; `io_class`: IOPRIO_CLASS_*, `priority`: 0 (highest) to 7.
Result<void> set_io_priority(pid_t pid, unsigned io_class, unsigned priority);
/// sched_setaffinity(2); `mask`: bit N of byte N / 8 is CPU N. EINVAL: none of them is there and allowed.
Result<void> set_cpu_affinity(pid_t pid, std::span<std::uint8_t const> mask);

} // namespace oci::kernel
