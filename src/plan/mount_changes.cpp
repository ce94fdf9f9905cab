// SPDX-License-Identifier: Apache-2.0
// The order in which mounts of a running container are added and removed, and which ones can be.
#include <algorithm>
#include <array>
#include <sched.h>
#include <sys/mount.h>

#include "plan/topics.h"

namespace oci::plan {

namespace {

using steps::Actor;

constexpr std::array<std::string_view, 3> kernel_folders{"/proc", "/sys", "/dev"};

bool is_at_or_below(std::string_view path, std::string_view folder) {
    return path == folder || is_below(path, folder);
}

bool joins(MountsRequest const& request, std::uint64_t type) {
    return std::ranges::find(request.namespaces, type) != request.namespaces.end();
}

Result<void> check_mount_namespace(spec::Spec const& spec, MountsRequest const& request) {
    if (spec.linux.find(CLONE_NEWNS) == nullptr || !joins(request, CLONE_NEWNS))
        return fail(
            "the container has no mount namespace of its own (/linux/namespaces), its mounts cannot be changed");
    return {};
}

std::vector<std::string> covered_paths(spec::Spec const& spec) {
    std::vector<std::string> paths;
    for (auto const* list : {&spec.linux.masked_paths, &spec.linux.readonly_paths})
        for (auto const& path : *list)
            paths.push_back(clean_path(path));
    return paths;
}

/// Nothing may uncover, or put out of sight, what create has masked or made read-only.
Result<void> check_destination(std::vector<std::string> const& covered, std::string const& destination,
                               std::string const& pointer) {
    if (std::ranges::find(kernel_folders, destination) != kernel_folders.end())
        return fail(pointer, ": must not be ", destination, " of a running container");
    for (auto const& path : covered)
        if (is_at_or_below(path, destination))
            return fail(pointer, ": must not be ", path, ", which is masked or read-only, or a folder above it");
    return {};
}

// ---- add

Result<void> check_addable(spec::Mount const& mount, std::string const& pointer) {
    if (mount.remount)
        return fail(pointer, "/options: remount: a mount of a running container cannot be changed, only added");
    if (mount.bind)
        return {};
    if (mount.type == "cgroup" || mount.type == "cgroup2")
        return fail(pointer, "/type: ", mount.type, " cannot be mounted in a running container");
    // They would be without what is masked and read-only in the container's own; and a procfs shows the processes of
    // the pid namespace that its maker is in.
    if (mount.type == "proc" || mount.type == "sysfs")
        return fail(pointer, "/type: ", mount.type, " cannot be mounted in a running container: it would show what is ",
                    "masked or read-only there");
    return {};
}

steps::NewMount new_mount(steps::Operation operation) {
    if (auto* bind = std::get_if<steps::BindMount>(&operation))
        return std::move(*bind);
    return std::get<steps::MountFilesystem>(std::move(operation)); // all others are refused before
}

/// The container runs already: there is no later moment at which a tmpfs could become read-only unseen. So it does as a
/// detached tree, after it was filled.
void finish_readonly(Rootfs& rootfs) {
    for (auto& operation : rootfs.mounts) {
        auto* const mount = std::get_if<steps::MountFilesystem>(&operation);
        if (mount == nullptr)
            continue;
        auto const& waiting = rootfs.finish_readonly;
        if (std::ranges::find(waiting, mount->target.destination) != waiting.end())
            mount->target.recursive_set |= MOUNT_ATTR_RDONLY;
    }
}

bool uses_ipc_namespace(spec::Mount const& mount) {
    return !mount.bind && mount.type == "mqueue";
}

/// Root enters the user namespace last: the others may belong to an outer one. An unprivileged caller has to enter it
/// first, to get the rights for the others.
steps::JoinForMounts join_for_mounts(MountsRequest const& request, HostFacts const& host, bool with_ipc) {
    steps::JoinForMounts join;
    if (with_ipc && joins(request, CLONE_NEWIPC))
        join.namespaces.push_back(CLONE_NEWIPC);
    if (joins(request, CLONE_NEWUSER))
        join.namespaces.insert(host.euid == 0 ? join.namespaces.end() : join.namespaces.begin(), CLONE_NEWUSER);
    return join;
}

steps::BecomeMappedUser become_root_of(spec::Spec const& spec) {
    // Without one in config.json it is the caller's at create, from which we look from outside.
    return become_mapped_user(spec).value_or(steps::BecomeMappedUser{});
}

} // namespace

Result<steps::Plan> make_add_mounts_plan(spec::Spec const& spec, HostFacts const& host, MountsRequest const& request,
                                         std::vector<spec::Mount> mounts) {
    TRY(check_mount_namespace(spec, request));
    auto const covered = covered_paths(spec);
    for (std::size_t i = 0; i < mounts.size(); ++i) {
        auto const pointer = concat("/mounts/", i);
        TRY(check_destination(covered, mounts[i].destination, pointer + "/destination"));
        TRY(check_addable(mounts[i], pointer));
    }
    auto join = join_for_mounts(request, host, std::ranges::any_of(mounts, uses_ipc_namespace));
    auto asked = spec;
    asked.mounts = std::move(mounts);
    auto rootfs = plan_mounts(asked, host, request.bundle, {});
    finish_readonly(rootfs);

    steps::Plan plan{{Actor::runtime, steps::StartMountHelper{}}, {Actor::container, steps::OpenProcfs{}}};
    auto const add = [&](steps::Operation operation) { plan.push_back({Actor::container, std::move(operation)}); };
    bool const joins_user = joins(request, CLONE_NEWUSER);
    bool const has_sources = !rootfs.sources.sources.empty();
    join.staged = joins_user && has_sources && host.has_capability(cap_sys_admin) && host.owns_mount_namespace;
    if (join.staged)
        add(stage_sources(rootfs, {}));
    rootfs.sources.staged = join.staged;
    // A detached tree must not cross into a user namespace: it would come without its locks.
    if (has_sources && !joins_user)
        add(rootfs.sources);
    if (!join.namespaces.empty())
        add(std::move(join));
    if (has_sources && joins_user)
        add(rootfs.sources);
    if (joins_user)
        add(become_root_of(spec));
    steps::AddMounts added;
    for (auto& operation : rootfs.mounts)
        added.mounts.push_back(new_mount(std::move(operation)));
    add(std::move(added));
    plan.push_back({Actor::runtime, steps::EndMountHelper{}});
    return plan;
}

namespace {

/// What the container was made with in /proc, /sys and /dev.
std::vector<std::string> needed_paths(spec::Spec const& spec) {
    std::vector<std::string> paths{"/dev/console"};
    for (auto const& node : all_devices(spec))
        paths.push_back(node.path);
    for (auto const& mount : spec.mounts)
        if (std::ranges::any_of(kernel_folders, [&](auto folder) { return is_below(mount.destination, folder); }))
            paths.push_back(mount.destination);
    return paths;
}

} // namespace

Result<steps::Plan> make_remove_mounts_plan(spec::Spec const& spec, HostFacts const& host, MountsRequest const& request,
                                            std::vector<std::string> const& destinations) {
    TRY(check_mount_namespace(spec, request));
    auto covered = covered_paths(spec);
    auto const needed = needed_paths(spec);
    steps::RemoveMounts removed;
    for (std::size_t i = 0; i < destinations.size(); ++i) {
        auto const pointer = concat("/mounts/", i, "/destination");
        TRY(check_destination(covered, destinations[i], pointer));
        for (auto const& path : needed)
            if (is_at_or_below(path, destinations[i]))
                return fail(pointer, ": must not be ", path, ", which the container needs, or a folder above it");
        removed.places.push_back({destinations[i], pointer});
    }
    removed.covered = std::move(covered);

    steps::Plan plan{{Actor::runtime, steps::StartMountHelper{}}, {Actor::container, steps::OpenProcfs{}}};
    if (auto join = join_for_mounts(request, host, false); !join.namespaces.empty())
        plan.push_back({Actor::container, std::move(join)});
    if (joins(request, CLONE_NEWUSER))
        plan.push_back({Actor::container, become_root_of(spec)});
    plan.push_back({Actor::container, std::move(removed)});
    plan.push_back({Actor::runtime, steps::EndMountHelper{}});
    return plan;
}

} // namespace oci::plan
