// SPDX-License-Identifier: Apache-2.0
// Mounts of the container. Each is made or cloned detached, gets its attributes, and is then attached from descriptor
// to descriptor: between looking at a target and mounting on it no path is resolved again (CVE-2021-30465).
#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <string_view>
#include <sys/stat.h>
#include <utility>

#include "attach.h"
#include "base/text.h"
#include "kernel/file.h"
#include "kernel/mount.h"
#include "perform/operations.h"

namespace oci::perform {

namespace {

// ---- targets

struct KernelFolder {
    std::string_view path;
    std::string_view type;
    std::int64_t magic;
};
constexpr std::array kernel_folders{KernelFolder{"/proc", "proc", PROC_SUPER_MAGIC},
                                    KernelFolder{"/sys", "sysfs", SYSFS_MAGIC}};

KernelFolder const* find_kernel_folder(std::string_view path) {
    auto const* const found = std::find_if(kernel_folders.begin(), kernel_folders.end(),
                                           [&](KernelFolder const& folder) { return folder.path == path; });
    return found == kernel_folders.end() ? nullptr : found;
}

/// Where /proc or /sys goes no symbolic link may lead: else the image chooses what its later users find there
/// (CVE-2019-19921, CVE-2023-27561, CVE-2025-54867).
Result<kernel::Fd> open_plain_directory(int root, std::string const& path) {
    auto const open = [&]() -> Result<kernel::Fd> {
        auto folder = kernel::openat2(root, path, O_PATH | O_DIRECTORY, 0, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
        if (!folder && (folder.error().errno_value == ELOOP || folder.error().errno_value == ENOTDIR))
            return fail(path, " must be mounted on an ordinary directory");
        return folder;
    };
    auto existing = open();
    if (existing || existing.error().errno_value != ENOENT)
        return existing;
    auto const made = TRY(kernel::make_directories_in_root(root, path, 0755));
    return open();
}

/// What lxcfs and its like put over files of /proc, so that programs see the container's share of the machine.
bool may_be_covered(std::string_view path) {
    static constexpr std::array<std::string_view, 11> files{"/proc/cpuinfo",
                                                            "/proc/diskstats",
                                                            "/proc/loadavg",
                                                            "/proc/meminfo",
                                                            "/proc/slabinfo",
                                                            "/proc/stat",
                                                            "/proc/swaps",
                                                            "/proc/uptime",
                                                            "/proc/sys/kernel/ns_last_pid",
                                                            "/proc/sys/crypto/fips_enabled",
                                                            "/proc/sys/crypto/fips_name"};
    return std::find(files.begin(), files.end(), path) != files.end();
}

/// Nothing may cover a part of the container's /proc but those files (CVE-2019-16884, CVE-2025-52881). Whether a target
/// lies in it is seen on its descriptor, so a symbolic link in the image makes no difference.
Result<void> refuse_inside_procfs(int root, std::string const& destination, int target) {
    if (destination == "/proc" || may_be_covered(destination))
        return {};
    if (TRY(kernel::filesystem_type(target)) != PROC_SUPER_MAGIC)
        return {};
    auto const proc = kernel::open_in_root(root, "/proc", O_PATH);
    if (proc && TRY(kernel::fstat(proc->get())).st_dev == TRY(kernel::fstat(target)).st_dev)
        return fail(destination, " is inside /proc and cannot be mounted on");
    return {};
}

} // namespace

Result<kernel::Fd> open_target(Context const& context, std::string const& destination, bool is_directory,
                               bool plain_directory) {
    int const root = context.rootfs.get();
    auto target = TRY(plain_directory ? open_plain_directory(root, destination)
                                      : kernel::make_mount_target(root, destination, is_directory));
    TRY(refuse_inside_procfs(root, destination, target.get()));
    return target;
}

// ---- attributes

namespace {

Result<void> change_attributes(int tree, std::uint64_t set, std::uint64_t clear, unsigned flags) {
    if (set == 0 && clear == 0)
        return {};
    auto changed = kernel::mount_setattr(tree, {.set = set, .clear = clear}, flags);
    if (!changed && changed.error().errno_value == EPERM) // mount_namespaces(7)
        changed.error().message += " (attributes from outside the user namespace are locked and cannot be cleared)";
    return changed;
}

/// For trees of the host in place of new sysfs and cgroup2 mounts: access times mean nothing there, and may be locked.
Result<void> change_kernel_attributes(int tree, std::uint64_t set, std::uint64_t clear, unsigned flags) {
    constexpr std::uint64_t access_time = MOUNT_ATTR__ATIME;
    return change_attributes(tree, set & ~access_time, clear & ~access_time, flags);
}

} // namespace

Result<void> attach(steps::MountTarget const& target, int tree, int place) {
    // While it is detached nobody can use the tree without these.
    TRY(change_attributes(tree, target.recursive_set, target.recursive_clear, AT_RECURSIVE));
    TRY(kernel::attach_mount(tree, place));
    for (auto const propagation : target.propagation)
        TRY(set_propagation(tree, propagation));
    return {};
}

// ---- new file systems

namespace {

/// Two flags of mount(2) that fsconfig(2) does not know. MS_I_VERSION: which file systems count changes they decide for
/// themselves by now (ext4, the last one that asked, since Linux 6.1). MS_SILENT: keeps a few lines out of the log.
bool is_without_effect(std::string_view parameter) {
    return parameter == "iversion" || parameter == "silent";
}

bool has_parameter(steps::MountFilesystem const& operation, std::string_view key) {
    return std::any_of(operation.parameters.begin(), operation.parameters.end(),
                       [&](std::string_view parameter) { return parameter.substr(0, parameter.find('=')) == key; });
}

/// A tmpfs over an existing folder looks like it: peers keep the folder's mode, and with a copy its owner has to fit
/// too.
Result<void> take_over_folder(steps::MountFilesystem const& operation, int folder,
                              std::vector<kernel::FilesystemParameter>& parameters) {
    auto const status = TRY(kernel::fstat(folder));
    if (!has_parameter(operation, "mode"))
        parameters.push_back({"mode", octal(status.st_mode & 07777U)});
    constexpr std::uint32_t unmapped = 65534; // how an owner without a number in this user namespace is shown
    if (operation.copy_up && !has_parameter(operation, "uid") && status.st_uid != unmapped)
        parameters.push_back({"uid", std::to_string(status.st_uid)});
    if (operation.copy_up && !has_parameter(operation, "gid") && status.st_gid != unmapped)
        parameters.push_back({"gid", std::to_string(status.st_gid)});
    return {};
}

std::vector<kernel::FilesystemParameter> filesystem_parameters(steps::MountFilesystem const& operation) {
    std::vector<kernel::FilesystemParameter> parameters;
    for (auto const& parameter : operation.parameters) {
        if (is_without_effect(parameter))
            continue;
        auto const end = std::min(parameter.find('='), parameter.size());
        parameters.push_back({parameter.substr(0, end), parameter.substr(std::min(end + 1, parameter.size()))});
    }
    // A block device may itself be read-only, so the file system on it must be too; elsewhere the mount is enough.
    if ((operation.target.set & MOUNT_ATTR_RDONLY) != 0 && operation.source.starts_with('/'))
        parameters.push_back({"ro", ""});
    return parameters;
}

/// A new sysfs is refused where the network namespace belongs to another user namespace. The host's is what engines
/// expect then, with everything mounted below it (a part that is hidden must not come to light).
Result<kernel::Fd> clone_host_sysfs(steps::MountTarget const& target) {
    auto tree = TRY(kernel::clone_tree(AT_FDCWD, "/sys", AT_RECURSIVE));
    if (TRY(kernel::filesystem_type(tree.get())) != SYSFS_MAGIC)
        return fail("/sys of the host is not sysfs");
    TRY(change_kernel_attributes(tree.get(), target.set, 0, AT_RECURSIVE));
    return tree;
}

Result<kernel::Fd> new_mount(steps::MountFilesystem const& operation,
                             std::vector<kernel::FilesystemParameter> const& parameters) {
    auto tree = kernel::new_filesystem(operation.type, operation.source, parameters,
                                       static_cast<unsigned>(operation.target.set));
    if (!tree && operation.or_host && tree.error().errno_value == EPERM)
        return clone_host_sysfs(operation.target);
    // Engines ask for gid=5 (tty), which small user namespaces do not have.
    bool const names_id = has_parameter(operation, "gid") || has_parameter(operation, "uid");
    if (!tree && operation.type == "devpts" && tree.error().errno_value == EINVAL && names_id)
        tree.error().message += " (uid and gid must be mapped in the user namespace)";
    return tree;
}

} // namespace

Result<kernel::Fd> covered_folder(steps::MountFilesystem const& operation, Context const& context) {
    auto const& destination = operation.target.destination;
    if (operation.type != "tmpfs")
        return kernel::Fd();
    auto folder = kernel::open_in_root(context.rootfs.get(), destination, O_PATH);
    if (!folder)
        return kernel::Fd(); // a tmpfs is then as the kernel makes it; other errors show when the target is opened
    TRY(refuse_inside_procfs(context.rootfs.get(), destination, folder->get()));
    return folder;
}

Result<kernel::Fd> filesystem_tree(steps::MountFilesystem const& operation, kernel::Fd const& folder,
                                   Context& context) {
    auto parameters = filesystem_parameters(operation);
    if (folder)
        TRY(take_over_folder(operation, folder.get(), parameters));
    auto tree = TRY(new_mount(operation, parameters));
    if (folder && operation.copy_up)
        TRY(kernel::copy_tree(folder.get(), tree.get()));
    if (operation.target.id_map)
        TRY(map_ids(tree.get(), *operation.target.id_map, context.procfs->get()));
    return tree;
}

// ---- binds and cgroups

namespace {

/// Only procfs itself may be at /proc, and only sysfs at /sys: programs in the container trust what they read there.
Result<void> check_kernel_folder(KernelFolder const& folder, int source) {
    constexpr ino_t root_inode = 1; // of both, so a folder inside of them is refused too
    auto const type = TRY(kernel::filesystem_type(source));
    if (type != folder.magic || TRY(kernel::fstat(source)).st_ino != root_inode)
        return fail("only ", folder.type, " can be mounted at ", folder.path);
    return {};
}

/// A folder of the host's cgroup2 mount and nothing above it.
Result<kernel::Fd> clone_cgroup(steps::MountCgroup const& operation, HostFacts const& host, std::uint64_t set) {
    auto const& below = operation.cgroup_path.empty() ? host.own_cgroup : operation.cgroup_path;
    auto const path = clean_path(concat(host.cgroup2_mount, "/", below));
    auto tree = TRY(kernel::clone_tree(AT_FDCWD, path, 0));
    if (TRY(kernel::filesystem_type(tree.get())) != CGROUP2_SUPER_MAGIC)
        return fail(path, " is not in cgroup2");
    TRY(change_kernel_attributes(tree.get(), set, operation.target.clear, 0)); // what is set wins over what is cleared
    return tree;
}

Result<kernel::Fd> cgroup_tree(steps::MountCgroup const& operation, HostFacts const& host) {
    auto const set = operation.target.set;
    if (!operation.new_namespace)
        return clone_cgroup(operation, host, set);
    auto tree = kernel::new_filesystem("cgroup2", "cgroup", {}, static_cast<unsigned>(set));
    if (!tree && (tree.error().errno_value == EPERM || tree.error().errno_value == EBUSY))
        return clone_cgroup(operation, host, set);
    return tree;
}

} // namespace

Result<kernel::Fd> bind_tree(steps::BindMount const& operation, Context& context) {
    auto tree = TRY(take_source(context, operation.source));
    TRY(change_attributes(tree.get(), operation.target.set, operation.target.clear, 0));
    return tree;
}

Result<void> apply(steps::MountFilesystem const& operation, Context& context) {
    auto const& destination = operation.target.destination;
    if (destination == "/proc" && operation.type != "proc")
        return fail("only proc can be mounted at /proc");
    auto const folder = TRY(covered_folder(operation, context));
    auto const place = TRY(open_target(context, destination, true, operation.plain_directory));
    auto const tree = TRY(filesystem_tree(operation, folder, context));
    return attach(operation.target, tree.get(), place.get());
}

Result<void> apply(steps::BindMount const& operation, Context& context) {
    auto const& target = operation.target;
    auto const tree = TRY(bind_tree(operation, context));
    auto const* const kernel_folder = find_kernel_folder(target.destination);
    if (kernel_folder != nullptr)
        TRY(check_kernel_folder(*kernel_folder, tree.get()));
    bool const is_directory = S_ISDIR(TRY(kernel::fstat(tree.get())).st_mode);
    auto const place = TRY(open_target(context, target.destination, is_directory, kernel_folder != nullptr));
    return attach(target, tree.get(), place.get());
}

Result<void> apply(steps::MountCgroup const& operation, Context& context) {
    auto const place = TRY(open_target(context, operation.target.destination, true, false));
    auto const tree = TRY(cgroup_tree(operation, context.host));
    if (operation.target.id_map)
        TRY(map_ids(tree.get(), *operation.target.id_map, context.procfs->get()));
    return attach(operation.target, tree.get(), place.get());
}

Result<void> apply(steps::Remount const& operation, Context& context) {
    auto const& target = operation.target;
    auto const mount = TRY(kernel::open_in_root(context.rootfs.get(), target.destination, O_PATH));
    // The whole tree first: what is said of this mount alone counts more.
    auto tree = change_attributes(mount.get(), target.recursive_set, target.recursive_clear, AT_RECURSIVE);
    TRY(explain_not_a_mount(std::move(tree), target.destination));
    TRY(explain_not_a_mount(change_attributes(mount.get(), target.set, target.clear, 0), target.destination));
    for (auto const propagation : target.propagation)
        TRY(set_propagation(mount.get(), propagation));
    return {};
}

} // namespace oci::perform
