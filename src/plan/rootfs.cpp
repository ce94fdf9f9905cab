// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <sched.h>
#include <sys/mount.h>

#include "plan/topics.h"

namespace oci::plan {

namespace {

steps::MountTarget mount_target(spec::Mount const& mount, std::string const& pointer) {
    return {mount.destination,     mount.set,         mount.clear, mount.recursive_set,
            mount.recursive_clear, mount.propagation, pointer};
}

std::optional<steps::MountIdMap> mount_id_map(spec::Spec const& spec, spec::Mount const& mount) {
    if (!mount.id_mapped)
        return std::nullopt;
    steps::MountIdMap map{.uids = {}, .gids = {}, .recursive = mount.id_mapped_recursively};
    auto const* const container = spec.linux.find(CLONE_NEWUSER);
    bool const own = !mount.uid_mappings.empty();
    if (!own && container != nullptr)
        map.user_namespace = container->path;
    for (auto const& entry : own ? mount.uid_mappings : spec.linux.uid_mappings)
        map.uids.push_back({entry.container_id, entry.host_id, entry.size});
    for (auto const& entry : own ? mount.gid_mappings : spec.linux.gid_mappings)
        map.gids.push_back({entry.container_id, entry.host_id, entry.size});
    return map;
}

/// Host side of the list of detached trees; returns the index of `path` in it.
std::size_t add_source(Rootfs& rootfs, std::string path, bool recursive, std::string pointer) {
    rootfs.sources.sources.push_back({std::move(path), recursive, std::move(pointer), 0, 0});
    return rootfs.sources.sources.size() - 1;
}

/// mount(2) takes "size=1m,mode=700" in one option too; fsconfig(2) wants each alone. Quotes and escapes keep their
/// commas.
void append_parameters(std::string const& option, std::vector<std::string>& parameters) {
    if (option.find_first_of("\"\\") != std::string::npos) {
        parameters.push_back(without_context_quotes(option));
        return;
    }
    for (auto const part : split(option, ','))
        if (!part.empty())
            parameters.emplace_back(part);
}

steps::Operation plan_mount(spec::Spec const& spec, HostFacts const& host, std::size_t index, std::string const& bundle,
                            std::string const& cgroup, Rootfs& rootfs) {
    auto const& mount = spec.mounts[index];
    auto const pointer = concat("/mounts/", index);
    auto target = mount_target(mount, pointer);
    target.id_map = mount_id_map(spec, mount);
    if (mount.remount)
        return steps::Remount{std::move(target)};
    if (mount.bind) {
        auto path = absolute_path(bundle, mount.source);
        auto const source = add_source(rootfs, path, mount.recursive, pointer + "/source");
        rootfs.sources.sources[source].id_map = target.id_map;
        return steps::BindMount{std::move(target), source, std::move(path)};
    }
    if (mount.type == "cgroup" || mount.type == "cgroup2") {
        bool const has_namespace = spec.linux.find(CLONE_NEWCGROUP) != nullptr;
        // Without a namespace around it nothing keeps the user of the container's own user namespace, who the cgroup
        // may belong to, from changing the limits (CVE-2023-25809). Root of the host may do that anyway.
        bool const privileged = host.euid == 0 && !host.in_user_namespace && !uses_user_namespace(spec);
        // Without a cgroup of its own what would be mounted is the caller's.
        if (cgroup.empty() || (!has_namespace && !privileged)) {
            constexpr auto read_only = static_cast<std::uint64_t>(MOUNT_ATTR_RDONLY);
            target.set |= read_only;
            target.clear &= ~read_only;
            target.recursive_clear &= ~read_only;
        }
        // Whoever has the host's cgroup namespace finds the cgroups of /proc/PID/cgroup there, as with other runtimes.
        return steps::MountCgroup{std::move(target), has_namespace, privileged && !has_namespace ? "/" : cgroup};
    }

    steps::MountFilesystem operation;
    operation.type = mount.type;
    operation.source = mount.source;
    operation.parameters = mount.superblock_flags;
    for (auto const& option : mount.data)
        append_parameters(option, operation.parameters);
    add_mount_label(spec, operation);
    operation.copy_up = mount.copy_up;
    operation.plain_directory = mount.type == "proc" || mount.type == "sysfs";
    operation.or_host = mount.type == "sysfs" && (uses_user_namespace(spec) || host.in_user_namespace);
    // Folders, links and nodes are still made in a tmpfs that is asked for read-only.
    if (mount.type == "tmpfs" && (target.set & MOUNT_ATTR_RDONLY) != 0) {
        target.set &= ~static_cast<std::uint64_t>(MOUNT_ATTR_RDONLY);
        rootfs.finish_readonly.push_back(target.destination);
    }
    operation.target = std::move(target);
    return operation;
}

/// config-linux.md#default-devices.
struct DefaultDevice {
    std::string_view path;
    std::uint32_t major;
    std::uint32_t minor;
};
constexpr std::array<DefaultDevice, 6> default_devices{{
    {"/dev/null", 1, 3},
    {"/dev/zero", 1, 5},
    {"/dev/full", 1, 7},
    {"/dev/random", 1, 8},
    {"/dev/urandom", 1, 9},
    {"/dev/tty", 5, 0},
}};

/// runtime-linux.md, and /dev/core as the other runtimes have it.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> device_links{{
    {"/dev/fd", "/proc/self/fd"},
    {"/dev/stdin", "/proc/self/fd/0"},
    {"/dev/stdout", "/proc/self/fd/1"},
    {"/dev/stderr", "/proc/self/fd/2"},
    {"/dev/core", "/proc/kcore"},
    {"/dev/ptmx", "pts/ptmx"},
}};

char type_letter(spec::DeviceType type) {
    switch (type) {
    case spec::DeviceType::character:
        return 'c';
    case spec::DeviceType::block:
        return 'b';
    case spec::DeviceType::fifo:
        return 'p';
    }
    return '?';
}

void plan_devices(spec::Spec const& spec, HostFacts const& host, Rootfs& rootfs) {
    auto const is_dev_bind = [](spec::Mount const& mount) { return mount.bind && mount.destination == "/dev"; };
    if (std::ranges::any_of(spec.mounts, is_dev_bind))
        return;
    steps::CreateDevices made;
    steps::CreateDevices bound{.nodes = {}, .from_host = true, .first_source = rootfs.sources.sources.size()};
    // mknod(2) of devices needs CAP_MKNOD in the initial user namespace; fifos may be made anywhere.
    bool const may_not_make = uses_user_namespace(spec) || host.in_user_namespace;
    for (auto& node : all_devices(spec))
        (may_not_make && node.type != 'p' ? bound : made).nodes.push_back(std::move(node));
    for (auto const& node : bound.nodes)
        add_source(rootfs, node.path, false, {});
    if (!made.nodes.empty())
        rootfs.devices.emplace_back(std::move(made));
    if (!bound.nodes.empty())
        rootfs.devices.emplace_back(std::move(bound));
    steps::LinkDevices links;
    for (auto const& [path, target] : device_links)
        links.links.push_back({std::string(path), std::string(target)});
    rootfs.devices.emplace_back(std::move(links));
}

} // namespace

std::vector<steps::DeviceNode> all_devices(spec::Spec const& spec) {
    std::vector<steps::DeviceNode> nodes;
    for (auto const& device : default_devices) {
        auto const same_path = [&](spec::Device const& listed) { return clean_path(listed.path) == device.path; };
        if (std::ranges::none_of(spec.linux.devices, same_path))
            nodes.push_back({std::string(device.path), 'c', device.major, device.minor, 0666, 0, 0});
    }
    for (auto const& device : spec.linux.devices)
        nodes.push_back({clean_path(device.path), type_letter(device.type), static_cast<std::uint32_t>(device.major),
                         static_cast<std::uint32_t>(device.minor), device.file_mode, device.uid, device.gid});
    return nodes;
}

Rootfs plan_mounts(spec::Spec const& spec, HostFacts const& host, std::string const& bundle,
                   std::string const& cgroup) {
    Rootfs rootfs;
    for (std::size_t i = 0; i < spec.mounts.size(); ++i)
        rootfs.mounts.push_back(plan_mount(spec, host, i, bundle, cgroup, rootfs));
    return rootfs;
}

Rootfs plan_rootfs(spec::Spec const& spec, HostFacts const& host, std::string const& bundle,
                   std::string const& cgroup) {
    auto rootfs = plan_mounts(spec, host, bundle, cgroup);
    plan_devices(spec, host, rootfs);
    return rootfs;
}

steps::StageMounts stage_sources(Rootfs const& rootfs, std::string path) {
    steps::StageMounts stage{std::move(path), rootfs.sources.sources};
    constexpr std::uint64_t lockable = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    for (auto const& operation : rootfs.mounts)
        if (auto const* bind = std::get_if<steps::BindMount>(&operation)) {
            stage.sources[bind->source].locked = bind->target.set & lockable;
            stage.sources[bind->source].recursively_locked = bind->target.recursive_set & lockable;
        }
    return stage;
}

std::optional<steps::StageMounts> stage_mounts(spec::Spec const& spec, HostFacts const& host, Rootfs& rootfs,
                                               std::string const& path) {
    // setns(2) back out of the staging namespace needs CAP_SYS_CHROOT.
    // Nothing can be stacked on "/": clone3(2) then takes the caller for one in a chroot, and those get no namespace.
    rootfs.staged = uses_user_namespace(spec) && spec.linux.creates(CLONE_NEWNS) &&
                    host.has_capability(cap_sys_admin) && host.has_capability(cap_sys_chroot) &&
                    host.owns_mount_namespace && path != "/";
    if (!rootfs.staged)
        return std::nullopt;
    return stage_sources(rootfs, path);
}

std::uint64_t build_propagation(spec::Spec const& spec) {
    // Unbindable mounts could not be cloned (open_tree(2)): that is only set at the end.
    auto const asked = spec.linux.rootfs_propagation;
    if (asked == 0 || (asked & MS_UNBINDABLE) != 0)
        return MS_SLAVE | MS_REC;
    return asked | MS_REC;
}

} // namespace oci::plan
