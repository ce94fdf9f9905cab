// SPDX-License-Identifier: Apache-2.0
// What criu has to know of a container to dump it and to bring it back.
#include <algorithm>
#include <linux/mount.h>
#include <sched.h>

#include "plan/topics.h"
#include "spec/names.h"

namespace oci::plan {

namespace {

std::vector<steps::CheckpointMount> checkpoint_mounts(spec::Spec const& spec, std::string const& bundle) {
    std::vector<steps::CheckpointMount> mounts;
    for (auto const& mount : spec.mounts)
        if (!mount.remount)
            mounts.push_back({mount.destination, mount.bind ? absolute_path(bundle, mount.source) : std::string(),
                              mount.recursive, mount.type});
    return mounts;
}

/// Of id-mapped mounts criu knows nothing: the container would see the files with other owners than before.
Result<void> check_mounts(spec::Spec const& spec) {
    if (spec.linux.find(CLONE_NEWNS) == nullptr)
        return fail("/linux/namespaces: without a mount namespace a container can be neither dumped nor restored");
    for (std::size_t i = 0; i < spec.mounts.size(); ++i)
        if (spec.mounts[i].id_mapped)
            return fail("/mounts/", i, ": an id-mapped mount can be neither dumped nor restored by criu");
    return {};
}

std::vector<std::string> device_paths(spec::Spec const& spec) {
    std::vector<std::string> paths;
    for (auto const& node : all_devices(spec))
        paths.push_back(node.path);
    return paths;
}

Result<std::vector<steps::JoinedNamespace>> joined_namespaces(spec::Spec const& spec) {
    std::vector<steps::JoinedNamespace> joined;
    for (auto const& entry : spec.linux.namespaces) {
        if (entry.path.empty())
            continue;
        if (entry.type == CLONE_NEWNS || entry.type == CLONE_NEWCGROUP)
            return fail("/linux/namespaces: a ", entry.type == CLONE_NEWNS ? "mount" : "cgroup",
                        " namespace by path cannot be restored into");
        joined.push_back({entry.type, entry.path});
    }
    return joined;
}

/// In the order in which create does it.
steps::ProtectMounts protect_mounts(spec::Spec const& spec) {
    steps::ProtectMounts protect;
    for (auto const& mount : spec.mounts)
        if (mount.bind || mount.remount)
            protect.mounts.push_back(
                {mount.destination, mount.set, mount.clear, mount.recursive_set, mount.recursive_clear});
    constexpr std::uint64_t device = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    auto paths = spec.linux.masked_paths;
    for (auto& path : device_paths(spec))
        paths.push_back(std::move(path));
    for (auto& path : paths)
        protect.mounts.push_back({.path = std::move(path), .set = device, .host_device = true});
    if (spec.root.readonly)
        protect.mounts.push_back({.path = "/", .set = MOUNT_ATTR_RDONLY});
    return protect;
}

} // namespace

std::string criu_config_file(spec::Spec const& spec) {
    auto const found = spec.annotations.find(std::string(spec::criu_config_annotation));
    return found == spec.annotations.end() ? "/etc/criu/runc.conf" : found->second;
}

Result<steps::Plan> make_checkpoint_plan(spec::Spec const& spec, std::string const& bundle,
                                         CheckpointRequest const& request) {
    TRY(check_mounts(spec));
    steps::DumpContainer dump;
    dump.options = request.options;
    dump.parent_path = request.parent_path;
    dump.leave_running = request.leave_running;
    dump.pre_dump = request.pre_dump;
    dump.page_server = request.page_server;
    dump.page_server_port = request.page_server_port;
    dump.status_fd = request.status_fd;
    dump.mounts = checkpoint_mounts(spec, bundle);
    dump.masked_paths = spec.linux.masked_paths;
    dump.devices = device_paths(spec);
    for (auto const& entry : spec.linux.namespaces)
        if (!entry.path.empty() && (entry.type == CLONE_NEWNET || entry.type == CLONE_NEWPID))
            dump.namespaces.push_back(entry.type);
    for (auto const& mapping : spec.linux.gid_mappings)
        if (mapping.container_id == 0)
            dump.group = mapping.host_id;
    return steps::Plan{{steps::Actor::runtime, std::move(dump)}};
}

Result<void> append_restore(spec::Spec const& spec, CreateRequest const& create, RestoreRequest const& restore,
                            std::optional<steps::SetUpResctrlGroup> resctrl, steps::Plan& plan) {
    TRY(check_mounts(spec));
    auto const add = [&](steps::Operation operation) { plan.push_back({steps::Actor::runtime, std::move(operation)}); };
    auto const rootfs = absolute_path(create.bundle, spec.root.path);
    auto mounts = checkpoint_mounts(spec, create.bundle);
    if (spec.process && spec.process->terminal)
        add(steps::ConnectConsole{create.console_socket});
    add(steps::MakeMountPoints{rootfs, mounts});
    auto joined = TRY(joined_namespaces(spec));
    add(steps::BeginRestore{restore.options, rootfs, std::move(mounts), device_paths(spec), std::move(joined),
                            restore.lsm_profile, restore.lsm_mount_context});
    // The first process has no children yet.
    if (resctrl)
        add(*std::move(resctrl));
    if (spec.linux.creates(CLONE_NEWNET)) {
        steps::SetUpNetwork network;
        for (auto const& [name, value] : spec.linux.sysctl)
            if (name.starts_with("net/"))
                network.sysctls.emplace_back(name, value);
        add(std::move(network));
        if (auto devices = move_network_devices(spec))
            add(*std::move(devices));
    }
    for (auto const kind : {spec::HookKind::prestart, spec::HookKind::create_runtime})
        if (auto hooks = make_hooks(spec, kind))
            add(*std::move(hooks));
    add(steps::RestoreProcesses{});
    add(protect_mounts(spec));
    return {};
}

} // namespace oci::plan
