// SPDX-License-Identifier: Apache-2.0
// linux.resources: what cgroup v2 can do of it (config-linux.md#control-groups).
//
// "If the conversion is not possible the runtime MUST generate an error": what existed only in cgroup v1 is refused if
// it says anything. As in the other runtimes, 0 means unset for weights and memory limits.
#include <algorithm>
#include <array>

#include "readers.h"

namespace oci::spec {

namespace {

/// A field that only cgroup v1 has: it may be there, with the right type, as long as it asks for nothing.
void refuse_if(bool asks, Node const& node) {
    if (asks)
        node.problem("has no equivalent on cgroup v2");
}

template <typename Number>
std::optional<Number> unless_zero(std::optional<Number> value) {
    return value == Number{0} ? std::nullopt : value;
}

std::optional<std::int64_t> read_bytes(Node const& node) {
    return unless_zero(node.number<std::int64_t>(-1));
}

Memory read_memory(Node const& node) {
    Memory memory;
    if (!node.is_object())
        return memory;
    memory.limit = read_bytes(node["limit"]);
    memory.reservation = read_bytes(node["reservation"]);
    memory.swap = read_bytes(node["swap"]);
    memory.check_before_update = node["checkBeforeUpdate"].flag();
    if (memory.swap && memory.limit && *memory.swap != -1 && *memory.swap < *memory.limit)
        node["swap"].problem("must not be less than limit: it is the limit of memory and swap together");
    for (std::string_view const field : {"kernel", "kernelTCP"})
        refuse_if(read_bytes(node[field]).value_or(-1) != -1, node[field]);
    constexpr std::uint64_t most_swappy = 100;
    refuse_if(node["swappiness"].number<std::uint64_t>(0, most_swappy).value_or(0) != 0, node["swappiness"]);
    refuse_if(node["disableOOMKiller"].flag(), node["disableOOMKiller"]);
    (void)node["useHierarchy"].flag(); // cgroup v2 is always hierarchical
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
    refuse_if(node["realtimeRuntime"].number<std::int64_t>().value_or(0) != 0, node["realtimeRuntime"]);
    refuse_if(node["realtimePeriod"].number<std::uint64_t>().value_or(0) != 0, node["realtimePeriod"]);
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
    refuse_if(node["classID"].number<std::uint32_t>().value_or(0) != 0, node["classID"]);
    auto const priorities = node["priorities"].objects();
    for (auto const& entry : priorities) {
        (void)entry["name"].required().text();
        (void)entry["priority"].required().number<std::uint32_t>();
    }
    refuse_if(!priorities.empty(), node["priorities"]);
}

std::uint32_t read_device_number(Node const& node) {
    return node.required().number<std::uint32_t>().value_or(0);
}

/// The range of cgroup v1: below 10 the conversion to io.weight would leave that file's range.
std::optional<std::uint16_t> read_weight(Node const& node) {
    constexpr std::uint16_t smallest = 10;
    constexpr std::uint16_t largest = 1000;
    auto const weight = unless_zero(node.number<std::uint16_t>());
    if (!weight || (*weight >= smallest && *weight <= largest))
        return weight;
    node.problem("must be from ", smallest, " to ", largest, ", is ", *weight);
    return std::nullopt;
}

void refuse_leaf_weight(Node const& node) {
    refuse_if(read_weight(node).has_value(), node);
}

DeviceWeight read_device_weight(Node const& node) {
    refuse_leaf_weight(node["leafWeight"]);
    if (!node["weight"].present() && !node["leafWeight"].present())
        node.problem("must have weight or leafWeight");
    return {read_device_number(node["major"]), read_device_number(node["minor"]), read_weight(node["weight"])};
}

std::vector<DeviceRate> read_rates(Node const& list) {
    std::vector<DeviceRate> rates;
    for (auto const& node : list.objects())
        rates.push_back({read_device_number(node["major"]), read_device_number(node["minor"]),
                         node["rate"].required().number<std::uint64_t>().value_or(0)});
    return rates;
}

BlockIo read_block_io(Node const& node) {
    BlockIo block_io;
    if (!node.is_object())
        return block_io;
    block_io.weight = read_weight(node["weight"]);
    refuse_leaf_weight(node["leafWeight"]);
    for (auto const& entry : node["weightDevice"].objects())
        block_io.weight_devices.push_back(read_device_weight(entry));
    block_io.read_bytes = read_rates(node["throttleReadBpsDevice"]);
    block_io.write_bytes = read_rates(node["throttleWriteBpsDevice"]);
    block_io.read_operations = read_rates(node["throttleReadIOPSDevice"]);
    block_io.write_operations = read_rates(node["throttleWriteIOPSDevice"]);
    return block_io;
}

/// "64KB", "2MB", "1GB". Whether the machine has pages of that size is seen when the control file is opened.
std::string read_page_size(Node const& node) {
    std::string size = node.required().text();
    auto const digits = size.find_first_not_of("0123456789");
    bool const valid = digits != std::string::npos && digits > 0 && size[0] != '0' &&
                       (size.substr(digits) == "KB" || size.substr(digits) == "MB" || size.substr(digits) == "GB");
    if (!size.empty() && !valid)
        node.problem("must be a size such as 64KB, 2MB or 1GB, is ", in_quotes(size));
    return size;
}

std::map<std::string, RdmaLimit> read_rdma(Node const& node) {
    std::map<std::string, RdmaLimit> limits;
    for (auto const& [device, entry] : node.members()) {
        // The control file takes lines of words.
        if (device.empty() || device.find_first_of(" \t\n") != std::string::npos)
            entry.problem("must be the name of a device");
        if (!entry.is_object())
            continue;
        RdmaLimit const limit{entry["hcaHandles"].number<std::uint32_t>(), entry["hcaObjects"].number<std::uint32_t>()};
        if (!entry["hcaHandles"].present() && !entry["hcaObjects"].present())
            entry.problem("must have hcaHandles or hcaObjects");
        limits[device] = limit;
    }
    return limits;
}

/// They change what this program itself relies on: which processes are in the cgroup, whether they run, and what is
/// below it.
constexpr std::array<std::string_view, 6> own_files = {"cgroup.freeze",          "cgroup.kill",    "cgroup.procs",
                                                       "cgroup.subtree_control", "cgroup.threads", "cgroup.type"};

std::map<std::string, std::string> read_unified(Node const& node) {
    std::map<std::string, std::string> files;
    for (auto const& [file, value] : node.members()) {
        auto const dot = file.find('.');
        if (file.find('/') != std::string::npos)
            value.problem("must be named by a file name (no slashes)");
        else if (dot == 0 || dot == std::string::npos || dot + 1 == file.size())
            value.problem("must be named in the form CONTROLLER.PARAMETER");
        else if (std::find(own_files.begin(), own_files.end(), file) != own_files.end())
            value.problem("is for the runtime to write, not a resource");
        if (value.present())
            files[file] = value.text();
    }
    return files;
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
        resources.pids_limit = pids["limit"].number<std::int64_t>(); // below 0: unlimited, as in the other runtimes
    refuse_network(node["network"].in("config-linux.md#network"));
    resources.block_io = read_block_io(node["blockIO"].in("config-linux.md#block-io"));
    for (auto const& entry : node["hugepageLimits"].in("config-linux.md#huge-page-limits").objects())
        resources.hugepage_limits.push_back(
            {read_page_size(entry["pageSize"]), entry["limit"].required().number<std::uint64_t>().value_or(0)});
    resources.rdma = read_rdma(node["rdma"].in("config-linux.md#rdma"));
    resources.unified = read_unified(node["unified"].in("config-linux.md#unified"));
    return resources;
}

void check_new_resources(Node const& node, Resources const& resources) {
    auto const& memory = resources.memory;
    auto const memory_node = node["memory"].in("config-linux.md#memory");
    bool const unlimited = memory.limit ? *memory.limit == -1 : memory_node["limit"].empty();
    if (memory.swap.value_or(-1) != -1 && unlimited)
        memory_node["swap"].problem("needs a memory limit: it is the limit of memory and swap together");
}

} // namespace oci::spec
