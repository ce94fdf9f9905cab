// SPDX-License-Identifier: Apache-2.0
// linux.resources: what cgroup v2 can do of it (config-linux.md#control-groups).
//
// "If the conversion is not possible the runtime MUST generate an error": what existed only in cgroup v1 is refused if
// it says anything. As in the other runtimes, 0 means unset for weights and memory limits.
#include "readers.h"

namespace oci::spec {

namespace {

constexpr std::string_view not_on_cgroup2 = "is not possible on cgroup v2";

template <typename Number>
std::optional<Number> unless_zero(std::optional<Number> value) {
    return value == Number{0} ? std::nullopt : value;
}

std::optional<std::int64_t> read_bytes(Node const& node) {
    return unless_zero(node.number<std::int64_t>(-1));
}

/// Memory plus swap: cgroup v2 limits swap alone, so there must be a limit to subtract.
void check_swap(Node const& node, Memory const& memory) {
    if (!memory.swap || *memory.swap == -1)
        return;
    if (!memory.limit || *memory.limit == -1)
        node.problem("needs a memory limit: it is the limit of memory and swap together");
    else if (*memory.swap < *memory.limit)
        node.problem("must not be less than limit: it is the limit of memory and swap together");
}

Memory read_memory(Node const& node) {
    Memory memory;
    if (!node.is_object())
        return memory;
    memory.limit = read_bytes(node["limit"]);
    memory.reservation = read_bytes(node["reservation"]);
    memory.swap = read_bytes(node["swap"]);
    memory.check_before_update = node["checkBeforeUpdate"].flag();
    check_swap(node["swap"], memory);
    for (std::string_view const field : {"kernel", "kernelTCP"})
        if (read_bytes(node[field]).value_or(-1) != -1)
            node[field].problem(not_on_cgroup2);
    node["swappiness"].refuse_unless_empty(not_on_cgroup2);
    node["disableOOMKiller"].refuse_unless_empty(not_on_cgroup2);
    return memory;
}

bool is_number(std::string_view text) {
    return parse_number<std::uint32_t>(text).has_value();
}

/// "0-3,7": as the kernel's cpuset files take it (cpuset(7), List Format).
std::string read_list(Node const& node) {
    std::string list = node.text();
    if (list.empty())
        return list;
    for (auto const part : split(list, ',')) {
        auto const dash = part.find('-');
        bool const valid = dash == std::string_view::npos
                               ? is_number(part)
                               : is_number(part.substr(0, dash)) && is_number(part.substr(dash + 1));
        if (!valid) {
            node.problem("must be a list of numbers and ranges such as 0-3,7, is ", in_quotes(list));
            break;
        }
    }
    return list;
}

Cpu read_cpu(Node const& node) {
    Cpu cpu;
    if (!node.is_object())
        return cpu;
    cpu.shares = unless_zero(node["shares"].number<std::uint64_t>());
    cpu.quota = unless_zero(node["quota"].number<std::int64_t>());
    cpu.period = unless_zero(node["period"].number<std::uint64_t>());
    cpu.burst = node["burst"].number<std::uint64_t>();
    cpu.idle = node["idle"].number<std::int64_t>(0, 1);
    cpu.cpus = read_list(node["cpus"]);
    cpu.mems = read_list(node["mems"]);
    bool const limited = cpu.quota && *cpu.quota > 0;
    if (limited && cpu.burst && *cpu.burst > static_cast<std::uint64_t>(*cpu.quota))
        node["burst"].problem("must not be greater than quota");
    for (std::string_view const field : {"realtimeRuntime", "realtimePeriod"})
        node[field].refuse_unless_empty("is not possible: realtime limits are not supported on cgroup v2");
    return cpu;
}

char read_rule_type(Node const& node) {
    std::string const type = node.text();
    if (type.empty())
        return 'a';
    if (type != "a" && type != "b" && type != "c")
        node.problem("must be a, b or c, is ", in_quotes(type));
    return type[0];
}

std::optional<std::int64_t> read_rule_number(Node const& node) {
    auto const number = node.number<std::int64_t>(-1, 4294967295);
    return number == -1 ? std::nullopt : number; // -1 is how Go programs write "any"
}

DeviceRule read_device_rule(Node const& node) {
    DeviceRule rule;
    rule.allow = node["allow"].required().flag();
    rule.type = read_rule_type(node["type"]);
    rule.major = read_rule_number(node["major"]);
    rule.minor = read_rule_number(node["minor"]);
    std::string const access = node["access"].text();
    if (access.empty())
        return rule;
    if (access.find_first_not_of("rwm") != std::string::npos)
        node["access"].problem("must be made of the letters r, w and m, is ", in_quotes(access));
    rule.read = access.find('r') != std::string::npos;
    rule.write = access.find('w') != std::string::npos;
    rule.mknod = access.find('m') != std::string::npos;
    return rule;
}

void refuse_network(Node const& node) {
    if (!node.is_object())
        return;
    node["classID"].refuse_unless_empty(not_on_cgroup2);
    node["priorities"].refuse_unless_empty(not_on_cgroup2);
}

void refuse_block_io(Node const& node) {
    if (!node.is_object())
        return;
    for (std::string_view const field : {"weight", "leafWeight", "weightDevice", "throttleReadBpsDevice",
                                         "throttleWriteBpsDevice", "throttleReadIOPSDevice", "throttleWriteIOPSDevice"})
        node[field].refuse_unless_empty();
}

} // namespace

Resources read_resources(Node const& node) {
    Resources resources;
    if (!node.is_object())
        return resources;
    for (auto const& entry : node["devices"].in("config-linux.md#allowed-device-list").objects())
        resources.devices.push_back(read_device_rule(entry));
    resources.memory = read_memory(node["memory"].in("config-linux.md#memory"));
    resources.cpu = read_cpu(node["cpu"].in("config-linux.md#cpu"));
    if (auto const pids = node["pids"].in("config-linux.md#pids"); pids.is_object())
        resources.pids_limit = pids["limit"].number<std::int64_t>(-1);
    refuse_network(node["network"].in("config-linux.md#network"));
    refuse_block_io(node["blockIO"].in("config-linux.md#block-io"));
    node["hugepageLimits"].in("config-linux.md#huge-page-limits").refuse_unless_empty();
    node["rdma"].in("config-linux.md#rdma").refuse_unless_empty();
    node["unified"].in("config-linux.md#unified").refuse_unless_empty();
    return resources;
}

} // namespace oci::spec
