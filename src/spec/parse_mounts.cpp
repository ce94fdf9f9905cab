// SPDX-License-Identifier: Apache-2.0
// The mounts list (config.md#mounts) and its options.
#include "readers.h"

#include <algorithm>
#include <sched.h>

#include <sys/mount.h>

#include "spec/names.h"

namespace oci::spec {

namespace {

// Files that lxcfs and similar replace. Anything else below /proc could hide what the kernel says from programs that
// trust it, or from ourselves.
constexpr std::string_view replaceable_proc_files[] = {
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/slabinfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/sys/crypto/fips_enabled",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/uptime",
};

/// The last of two contradicting options counts. A value of the atime field comes with the whole field in `clear`.
void apply_attributes(MountOption const& option, std::uint64_t& set, std::uint64_t& clear) {
    set = (set & ~option.clear) | option.set;
    clear = (clear & ~option.set) | option.clear;
}

/// Recursive attributes are meant to be applied before those of the single mount; so what a later recursive option
/// contradicts must go.
void drop_contradicted(MountOption const& option, std::uint64_t& set, std::uint64_t& clear) {
    set &= ~option.clear;
    clear &= ~option.set;
    if ((option.clear & MOUNT_ATTR__ATIME) != 0)
        clear &= ~std::uint64_t{MOUNT_ATTR__ATIME};
}

void apply_superblock_flag(MountOption const& option, std::vector<std::string>& flags) {
    std::erase(flags, option.superblock_flag);
    if (option.set != 0)
        flags.emplace_back(option.superblock_flag);
}

void apply_option(MountOption const& option, Mount& mount) {
    switch (option.kind) {
    case MountOption::Kind::ignored:
        return;
    case MountOption::Kind::bind:
        mount.bind = true;
        mount.recursive = mount.recursive || (option.set & MS_REC) != 0;
        return;
    case MountOption::Kind::remount:
        mount.remount = true;
        return;
    case MountOption::Kind::attribute:
        apply_attributes(option, mount.set, mount.clear);
        return;
    case MountOption::Kind::recursive_attribute:
        apply_attributes(option, mount.recursive_set, mount.recursive_clear);
        drop_contradicted(option, mount.set, mount.clear);
        return;
    case MountOption::Kind::propagation:
        mount.propagation.push_back(option.set);
        return;
    case MountOption::Kind::superblock:
        apply_superblock_flag(option, mount.superblock_flags);
        return;
    case MountOption::Kind::copy_up:
        mount.copy_up = true;
        return;
    case MountOption::Kind::id_map:
        (option.set == 0 ? mount.id_mapped : mount.id_mapped_recursively) = true;
        return;
    }
}

void read_options(Node const& list, Mount& mount) {
    for (auto const& entry : list.elements()) {
        std::string const name = entry.text();
        if (name.starts_with("idmap=") || name.starts_with("ridmap="))
            entry.problem("mappings are given by uidMappings and gidMappings of the mount");
        else if (auto const* const option = find_mount_option(name))
            apply_option(*option, mount);
        else if (!name.empty())
            mount.data.push_back(name);
    }
    if (mount.bind && !mount.data.empty()) {
        // mount(2) ignores them, too, so there are configurations with such.
        list.warning("bind mounts have no file system specific options, ignored: ", in_quotes(join(mount.data, ",")));
        mount.data.clear();
    }
    if (mount.copy_up && (mount.bind || mount.type != "tmpfs"))
        list.problem("tmpcopyup needs a mount of type tmpfs");
}

std::string read_destination(Node const& node) {
    std::string const written = node.required().text();
    std::string path = absolute_path("/", written);
    if (!written.empty() && path == "/")
        node.problem("must not be the root of the container");
    if (path.starts_with("/proc/") &&
        std::ranges::find(replaceable_proc_files, path) == std::end(replaceable_proc_files))
        node.problem("must not be below /proc, is ", in_quotes(path));
    return path;
}

void read_mappings(Node const& node, Mount& mount) {
    constexpr std::string_view section = "config.md#posix-platform-mounts";
    auto const uids = node["uidMappings"].in(section);
    auto const gids = node["gidMappings"].in(section);
    mount.uid_mappings = read_id_mappings(uids);
    mount.gid_mappings = read_id_mappings(gids);
    if (uids.empty() != gids.empty())
        (uids.empty() ? uids : gids).problem("is required: uidMappings and gidMappings are given together");
    // Engines leave out the option.
    mount.id_mapped = mount.id_mapped || mount.id_mapped_recursively || !uids.empty() || !gids.empty();
    if (mount.id_mapped && mount.remount)
        node["options"].problem("ids of a mount cannot be mapped later, by remount");
}

Mount read_mount(Node const& node) {
    Mount mount;
    mount.destination = read_destination(node["destination"]);
    mount.type = node["type"].text();
    mount.source = node["source"].text();
    read_options(node["options"].in("config.md#linux-mount-options"), mount);
    if (mount.bind && !mount.remount)
        node["source"].required();
    if (!mount.bind && !mount.remount)
        node["type"].required();
    if (mount.type == "bind" && !mount.bind && !mount.remount)
        node["type"].problem("is no file system: a bind mount has the option bind or rbind");
    read_mappings(node, mount);
    return mount;
}

} // namespace

void check_mounts(Node const& list, std::vector<Mount> const& mounts, Linux const& linux) {
    auto const needs_maps = [&](Mount const& mount) {
        return mount.id_mapped && mount.uid_mappings.empty() && linux.find(CLONE_NEWUSER) == nullptr;
    };
    for (std::size_t i = 0; i < mounts.size(); ++i)
        if (needs_maps(mounts[i]) && mounts[i].gid_mappings.empty())
            list.elements()[i]["options"].problem("idmap without uidMappings and gidMappings needs a user namespace");
    // Without one the container's mounts become a detached tree, and unbindable ones cannot be cloned (open_tree(2)).
    auto const is_unbindable = [](std::uint64_t propagation) { return (propagation & MS_UNBINDABLE) != 0; };
    for (std::size_t i = 0; i < mounts.size(); ++i)
        if (linux.find(CLONE_NEWNS) == nullptr && std::ranges::any_of(mounts[i].propagation, is_unbindable))
            list.elements()[i]["options"].problem("unbindable needs a mount namespace");
}

std::vector<Mount> read_mounts(Node const& list) {
    std::vector<Mount> mounts;
    for (auto const& entry : list.objects())
        mounts.push_back(read_mount(entry));
    return mounts;
}

std::vector<std::string> read_mount_destinations(Node const& list) {
    std::vector<std::string> destinations;
    for (auto const& entry : list.objects())
        destinations.push_back(read_destination(entry["destination"]));
    return destinations;
}

} // namespace oci::spec
