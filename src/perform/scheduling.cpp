// SPDX-License-Identifier: Apache-2.0
// By the runtime for its child: what the host allows it, a user namespace does not allow the child.
#include "kernel/scheduling.h"

#include <cerrno>

#include "perform/operations.h"

namespace oci::perform {

namespace {

Result<void> told_why(Result<void> set, std::string_view what) {
    if (!set && set.error().errno_value == EPERM)
        set.error().message += concat(" (only CAP_SYS_NICE of the host may set ", what, ")");
    return set;
}

} // namespace

Result<void> apply(steps::SetScheduler const& operation, Context& context) {
    kernel::SchedulerAttributes const attributes{.policy = operation.policy,
                                                 .flags = operation.flags,
                                                 .nice = operation.nice,
                                                 .priority = operation.priority,
                                                 .runtime = operation.runtime,
                                                 .deadline = operation.deadline,
                                                 .period = operation.period};
    return in_context(told_why(kernel::set_scheduler(context.state.pid, attributes), "that"), "/process/scheduler");
}

Result<void> apply(steps::SetIoPriority const& operation, Context& context) {
    auto set = kernel::set_io_priority(context.state.pid, operation.io_class, operation.priority);
    return in_context(told_why(std::move(set), "this class"), "/process/ioPriority");
}

Result<void> apply(steps::SetCpuAffinity const& operation, Context& context) {
    auto set = kernel::set_cpu_affinity(operation.of_runtime ? 0 : context.state.pid, operation.mask);
    if (!set && set.error().errno_value == EINVAL)
        set.error().message += " (none of these CPUs may be used here)";
    return in_context(std::move(set), "/process/execCPUAffinity/", operation.of_runtime ? "initial" : "final");
}

} // namespace oci::perform
