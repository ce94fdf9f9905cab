// SPDX-License-Identifier: Apache-2.0
// The linux object (config-linux.md) without resources, seccomp and sysctl, which have files of their own.
#include "readers.h"

#include <algorithm>
#include <map>
#include <set>

#include <sched.h>
#include <sys/mount.h>

#include "base/names.h"
#include "spec/names.h"

namespace oci::spec {

namespace {

// The kernel uses the id 4294967295 for "unmapped".
constexpr std::uint64_t greatest_id = 4294967294;
constexpr std::size_t most_mappings = 340; // UID_GID_MAP_MAX_EXTENTS of the kernel

std::vector<Namespace> read_namespaces(Node const& list) {
    std::vector<Namespace> namespaces;
    for (auto const& entry : list.objects()) {
        auto const type = entry["type"];
        std::string const name = type.required().text();
        std::string path = entry["path"].absolute_path();
        auto const flag = namespace_flag(name);
        if (!flag) {
            if (!name.empty())
                type.problem("must be a known namespace type, is ", in_quotes(name));
            continue;
        }
        if (std::ranges::find(namespaces, *flag, &Namespace::type) != namespaces.end())
            type.problem("is given twice: ", name);
        namespaces.push_back({*flag, std::move(path)});
    }
    return namespaces;
}

bool overlap(std::uint64_t first_a, std::uint64_t size_a, std::uint64_t first_b, std::uint64_t size_b) {
    return first_a < first_b + size_b && first_b < first_a + size_a;
}

void check_mapping(Node const& node, IdMapping const& mapping, std::vector<IdMapping> const& others) {
    auto const last = [&](std::uint64_t first) { return first + mapping.size - 1; };
    if (last(mapping.container_id) > greatest_id || last(mapping.host_id) > greatest_id)
        node.problem("must not go beyond the id ", greatest_id);
    for (auto const& other : others)
        if (overlap(mapping.container_id, mapping.size, other.container_id, other.size) ||
            overlap(mapping.host_id, mapping.size, other.host_id, other.size))
            return node.problem("must not overlap another mapping");
}

} // namespace

std::vector<IdMapping> read_id_mappings(Node const& list) {
    std::vector<IdMapping> mappings;
    auto const entries = list.objects();
    if (entries.size() > most_mappings) {
        list.problem("must not have more than ", most_mappings, " entries, has ", entries.size());
        return mappings;
    }
    for (auto const& entry : entries) {
        auto const container_id = entry["containerID"].required().number<std::uint32_t>();
        auto const host_id = entry["hostID"].required().number<std::uint32_t>();
        auto const size = entry["size"].required().number<std::uint32_t>(1);
        if (!container_id || !host_id || !size)
            continue;
        IdMapping const mapping{*container_id, *host_id, *size};
        check_mapping(entry, mapping, mappings);
        mappings.push_back(mapping);
    }
    return mappings;
}

namespace {

void read_user_namespace(Node const& node, Linux& linux) {
    auto const uids = node["uidMappings"].in("config-linux.md#user-namespace-mappings");
    auto const gids = node["gidMappings"].in("config-linux.md#user-namespace-mappings");
    linux.uid_mappings = read_id_mappings(uids);
    linux.gid_mappings = read_id_mappings(gids);
    for (auto const& list : {uids, gids}) {
        if (!list.empty() && linux.find(CLONE_NEWUSER) == nullptr)
            list.problem("needs a user namespace");
        if (list.empty() && linux.creates(CLONE_NEWUSER))
            list.problem("must not be empty: a new user namespace needs uidMappings and gidMappings");
    }
}

std::map<std::string, TimeOffset> read_time_offsets(Node const& node, Linux const& linux) {
    std::map<std::string, TimeOffset> offsets;
    constexpr std::uint32_t greatest_nanoseconds = 999'999'999;
    for (auto const& [clock, value] : node.members()) {
        if (clock != "monotonic" && clock != "boottime")
            value.problem("must be the clock monotonic or boottime, is ", in_quotes(clock));
        if (!value.is_object())
            continue;
        TimeOffset& offset = offsets[clock];
        offset.seconds = value["secs"].number<std::int64_t>().value_or(0);
        offset.nanoseconds = value["nanosecs"].number<std::uint32_t>(0, greatest_nanoseconds).value_or(0);
    }
    if (!offsets.empty() && !linux.creates(CLONE_NEWTIME))
        node.problem("needs a new time namespace");
    return offsets;
}

std::optional<DeviceType> read_device_type(Node const& node) {
    std::string const type = node.required().text();
    if (type == "c" || type == "u")
        return DeviceType::character;
    if (type == "b")
        return DeviceType::block;
    if (type == "p")
        return DeviceType::fifo;
    if (!type.empty())
        node.problem("must be c, b, u or p, is ", in_quotes(type));
    return std::nullopt;
}

std::int64_t read_device_number(Node const& node, bool needed) {
    if (needed)
        (void)node.required();
    return node.number<std::int64_t>(0, 4294967295).value_or(0);
}

std::vector<Device> read_devices(Node const& list) {
    constexpr std::uint32_t permission_bits = 07777;
    std::vector<Device> devices;
    std::map<std::string, std::size_t> indexes; // by path
    for (auto const& entry : list.objects()) {
        Device device;
        auto const path = entry["path"];
        device.path = path.required().absolute_path();
        auto const type = read_device_type(entry["type"]);
        bool const numbers_needed = type && *type != DeviceType::fifo;
        device.type = type.value_or(DeviceType::character);
        device.major = read_device_number(entry["major"], numbers_needed);
        device.minor = read_device_number(entry["minor"], numbers_needed);
        // Some engines put the whole st_mode here, with the file's type.
        device.file_mode = entry["fileMode"].number<std::uint32_t>().value_or(0666) & permission_bits;
        device.uid = entry["uid"].number<std::uint32_t>(0, greatest_id).value_or(0);
        device.gid = entry["gid"].number<std::uint32_t>(0, greatest_id).value_or(0);
        if (!device.path.empty())
            device.path = clean_path(device.path);
        auto const [place, is_new] = indexes.emplace(device.path, devices.size());
        if (!is_new && devices[place->second] == device)
            continue; // engines list what they are asked for twice
        if (!device.path.empty() && !is_new)
            path.problem("is given twice, as different devices: ", in_quotes(device.path));
        devices.push_back(std::move(device));
    }
    return devices;
}

std::string read_cgroups_path(Node const& node) {
    std::string path = node.text();
    auto const parts = split(path, '/');
    if (std::ranges::find(parts, "..") != parts.end())
        node.problem("must not contain \"..\", is ", in_quotes(path));
    else if (!path.empty() && absolute_path("/", path) == "/")
        node.problem("must not be the root of the hierarchy");
    return path;
}

std::uint64_t read_propagation(Node const& node) {
    std::string const name = node.text();
    if (name.empty())
        return 0;
    // The words are those of the mount options.
    auto const* const option = find_mount_option(name);
    if (option != nullptr && option->kind == MountOption::Kind::propagation)
        return option->set;
    node.problem("must be shared, slave, private or unbindable, or one of these with an r before it, is ",
                 in_quotes(name));
    return 0;
}

/// dev_valid_name() of the kernel, which takes one "%d" in a name that it is to complete.
bool is_device_name(std::string_view name, bool may_be_template) {
    constexpr std::size_t longest = 15; // IFNAMSIZ with its NUL
    auto const percent = name.find('%');
    bool const complete = percent == std::string_view::npos;
    bool const one_number =
        may_be_template && !complete && name.substr(percent, 2) == "%d" && name.find('%', percent + 1) == name.npos;
    return !name.empty() && name.size() <= longest && name != "." && name != ".." &&
           name.find_first_of("/: \t\n\v\f\r") == std::string_view::npos && (complete || one_number);
}

std::map<std::string, std::string> read_net_devices(Node const& node, Linux const& linux) {
    std::map<std::string, std::string> devices;
    if (!node.empty() && linux.find(CLONE_NEWNET) == nullptr)
        node.problem("needs a network namespace");
    std::set<std::string> taken{"lo"};
    for (auto const& [host_name, device] : node.members()) {
        if (!is_device_name(host_name, false))
            device.problem("is no name of a network device");
        if (!device.is_object())
            continue;
        auto name = device["name"].text();
        if (!name.empty() && !is_device_name(name, true))
            device["name"].problem("must be the name of a network device, perhaps with %d, is ", in_quotes(name));
        if (name.empty())
            name = host_name;
        if (name.find('%') == std::string::npos && !taken.insert(name).second)
            device.problem("there is a device ", in_quotes(name), " in the container already");
        devices[host_name] = name;
    }
    return devices;
}

} // namespace

void read_linux(Node const& node, Linux& linux) {
    (void)node.is_object(); // if it is something else: reported here, and read like an empty one
    auto const namespaces = node["namespaces"].in("config-linux.md#namespaces");
    linux.namespaces = read_namespaces(namespaces);
    // Mounts take rights over the mount namespace, which a user namespace does not give over one that was there before.
    if (linux.find(CLONE_NEWNS) == nullptr && linux.find(CLONE_NEWUSER) != nullptr)
        namespaces.problem("a mount namespace is required with a user namespace");
    read_user_namespace(node, linux);
    linux.time_offsets = read_time_offsets(node["timeOffsets"].in("config-linux.md#offset-for-time-namespace"), linux);
    linux.devices = read_devices(node["devices"].in("config-linux.md#devices"));
    linux.net_devices = read_net_devices(node["netDevices"].in("config-linux.md#network-devices"), linux);
    linux.cgroups_path = read_cgroups_path(node["cgroupsPath"].in("config-linux.md#cgroups-path"));
    auto const resources = node["resources"].in("config-linux.md#control-groups");
    linux.resources = read_resources(resources);
    check_new_resources(resources, linux.resources);
    auto const propagation = node["rootfsPropagation"].in("config-linux.md#rootfs-mount-propagation");
    linux.rootfs_propagation = read_propagation(propagation);
    // A root that is only a process's root directory takes part in nothing.
    if ((linux.rootfs_propagation & ~std::uint64_t{MS_REC | MS_PRIVATE}) != 0 && linux.find(CLONE_NEWNS) == nullptr)
        propagation.problem("needs a mount namespace");
    linux.seccomp = read_seccomp(node["seccomp"].in("config-linux.md#seccomp"));
    linux.memory_policy = read_memory_policy(node["memoryPolicy"].in("config-linux.md#memory-policy"));
    linux.intel_rdt = read_intel_rdt(node["intelRdt"].in("config-linux.md#intelrdt"));
    linux.personality = read_personality(node["personality"].in("config-linux.md#personality"));
    linux.masked_paths = node["maskedPaths"].in("config-linux.md#masked-paths").absolute_paths();
    linux.readonly_paths = node["readonlyPaths"].in("config-linux.md#readonly-paths").absolute_paths();
    linux.mount_label = node["mountLabel"].in("config-linux.md#mount-label").text();
}

} // namespace oci::spec
