// SPDX-License-Identifier: Apache-2.0
// When and where the process runs: process.scheduler, ioPriority, execCPUAffinity (config.md#linux-process), and
// linux.memoryPolicy (config-linux.md#memory-policy).
#include "readers.h"

#include <linux/mempolicy.h>
#include <linux/sched.h>

namespace oci::spec {

namespace {

std::string read_bit_list(Node const& node) {
    std::string list = node.text();
    if (!list.empty() && !parse_bit_list(list))
        node.problem("must be a list of numbers and ranges such as 0-3,7, is ", in_quotes(list));
    return list;
}

/// sched(7): every policy looks at its own members only, and the kernel refuses or ignores the others.
void check_members_of_policy(Node const& node, std::uint64_t policy) {
    bool const has_priority = policy == SCHED_FIFO || policy == SCHED_RR;
    if (!has_priority)
        node["priority"].refuse_unless_empty("is for SCHED_FIFO and SCHED_RR only");
    if (policy != SCHED_DEADLINE)
        for (std::string_view const name : {"runtime", "deadline", "period"})
            node[name].refuse_unless_empty("is for SCHED_DEADLINE only");
}

/// set_mempolicy(2), which says EINVAL to all of these.
void check_nodes_of_mode(Node const& node, MemoryPolicy const& policy) {
    bool const takes_none = policy.mode == MPOL_DEFAULT || policy.mode == MPOL_LOCAL;
    bool const may_have_none = takes_none || policy.mode == MPOL_PREFERRED;
    if (takes_none && !policy.nodes.empty())
        node["nodes"].problem("must be empty with this mode");
    if (!may_have_none && policy.nodes.empty())
        node.problem("needs nodes with this mode");
    constexpr unsigned both = MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES;
    if ((policy.flags & both) == both)
        node["flags"].problem("MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other");
}

} // namespace

std::optional<Scheduler> read_scheduler(Node const& node) {
    constexpr std::int32_t highest_nice = -20;
    constexpr std::int32_t lowest_nice = 19;
    constexpr std::uint32_t highest_priority = 99;
    if (!node.is_object())
        return std::nullopt;
    Scheduler scheduler;
    auto const policy = node["policy"].required().constant(scheduler_policies(), "scheduling policy");
    scheduler.policy = static_cast<std::uint32_t>(policy.value_or(SCHED_NORMAL));
    scheduler.flags = node["flags"].flags(scheduler_flags(), "scheduling flag");
    scheduler.nice = node["nice"].number(highest_nice, lowest_nice).value_or(0);
    scheduler.priority = node["priority"].number<std::uint32_t>(0, highest_priority).value_or(0);
    scheduler.runtime = node["runtime"].number<std::uint64_t>().value_or(0);
    scheduler.deadline = node["deadline"].number<std::uint64_t>().value_or(0);
    scheduler.period = node["period"].number<std::uint64_t>().value_or(0);
    if (policy)
        check_members_of_policy(node, *policy);
    return scheduler;
}

std::optional<IoPriority> read_io_priority(Node const& node) {
    constexpr unsigned lowest = 7;
    if (!node.is_object())
        return std::nullopt;
    IoPriority priority;
    priority.io_class =
        static_cast<unsigned>(node["class"].required().constant(io_priority_classes(), "I/O class").value_or(0));
    priority.priority = node["priority"].required().number<unsigned>(0, lowest).value_or(0);
    return priority;
}

ExecCpuAffinity read_exec_cpu_affinity(Node const& node) {
    if (!node.is_object())
        return {};
    return {read_bit_list(node["initial"]), read_bit_list(node["final"])};
}

std::optional<MemoryPolicy> read_memory_policy(Node const& node) {
    if (!node.is_object())
        return std::nullopt;
    MemoryPolicy policy;
    auto const mode = node["mode"].required().constant(memory_policy_modes(), "memory policy");
    policy.mode = static_cast<unsigned>(mode.value_or(MPOL_DEFAULT));
    policy.flags = static_cast<unsigned>(node["flags"].flags(memory_policy_flags(), "memory policy flag"));
    policy.nodes = read_bit_list(node["nodes"]);
    if (mode)
        check_nodes_of_mode(node, policy);
    return policy;
}

std::optional<unsigned> read_personality(Node const& node) {
    if (!node.is_object())
        return std::nullopt;
    for (auto const& flag : node["flags"].elements())
        flag.problem("must be a known flag, and none is known");
    auto const domain = node["domain"].required().constant(personality_domains(), "execution domain");
    return static_cast<unsigned>(domain.value_or(0));
}

} // namespace oci::spec
