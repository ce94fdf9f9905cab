// SPDX-License-Identifier: Apache-2.0
#include "kernel/scheduling.h"

#include <cerrno>
#include <linux/ioprio.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace oci::kernel {

namespace {

/// struct sched_attr of sched_setattr(2); linux/sched/types.h cannot be included together with sched.h.
struct Attributes {
    std::uint32_t size;
    std::uint32_t policy;
    std::uint64_t flags;
    std::int32_t nice;
    std::uint32_t priority;
    std::uint64_t runtime;
    std::uint64_t deadline;
    std::uint64_t period;
};

} // namespace

Result<void> set_scheduler(pid_t pid, SchedulerAttributes const& attributes) {
    Attributes const given{.size = sizeof given,
                           .policy = attributes.policy,
                           .flags = attributes.flags,
                           .nice = attributes.nice,
                           .priority = attributes.priority,
                           .runtime = attributes.runtime,
                           .deadline = attributes.deadline,
                           .period = attributes.period};
    if (::syscall(SYS_sched_setattr, pid, &given, 0) != 0)
        return fail_errno(errno, "sched_setattr");
    return {};
}

Result<void> set_io_priority(pid_t pid, unsigned io_class, unsigned priority) {
    if (::syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, pid, IOPRIO_PRIO_VALUE(io_class, priority)) != 0)
        return fail_errno(errno, "ioprio_set");
    return {};
}

Result<void> set_cpu_affinity(pid_t pid, std::span<std::uint8_t const> mask) {
    // The kernel reads whole words.
    constexpr std::size_t word = sizeof(unsigned long);
    std::vector<std::uint8_t> words(mask.begin(), mask.end());
    words.resize((words.size() + word - 1) / word * word);
    if (::syscall(SYS_sched_setaffinity, pid, words.size(), words.data()) < 0)
        return fail_errno(errno, "sched_setaffinity");
    return {};
}

} // namespace oci::kernel
