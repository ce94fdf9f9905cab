// SPDX-License-Identifier: Apache-2.0
// The container's root: its own mount tree, attached, entered, finished.
#include <cerrno>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <utility>

#include "attach.h"
#include "kernel/file.h"
#include "kernel/mount.h"
#include "perform/operations.h"
#include "refusal.h"
#include "staging.h"

namespace oci::perform {

namespace {

/// pivot_root(2) refuses a new root whose parent mount is shared; the parent will be the mount that `folder` lies in.
/// Only at its root can a mount be changed (EINVAL elsewhere), so this goes up until it is there.
Result<void> make_surrounding_mount_private(int folder) {
    kernel::Fd above;
    int current = folder;
    while (true) {
        auto changed = kernel::mount_setattr(current, {.propagation = MS_PRIVATE}, 0);
        if (changed || changed.error().errno_value != EINVAL)
            return changed;
        auto parent = TRY(kernel::openat(current, "..", O_PATH | O_DIRECTORY));
        auto const below = TRY(kernel::fstat(current));
        auto const status = TRY(kernel::fstat(parent.get()));
        if (status.st_dev == below.st_dev && status.st_ino == below.st_ino) // "/" of a chroot that is not a mount
            return changed;
        above = std::move(parent);
        current = above.get();
    }
}

/// A tree with the host's /dev/null for MaskPaths. The image has no part in it (CVE-2025-31133), and that nobody
/// changed the host's is seen on the descriptor. Once the root has changed there is no way to it any more.
Result<kernel::Fd> open_null_device() {
    auto tree = TRY(kernel::clone_tree(AT_FDCWD, "/dev/null", AT_SYMLINK_NOFOLLOW));
    auto const status = TRY(kernel::fstat(tree.get()));
    if (!S_ISCHR(status.st_mode) || status.st_rdev != ::makedev(1, 3))
        return fail("/dev/null is not the null device");
    TRY(protect_host_device(tree.get()));
    return tree;
}

Result<void> make_readonly(int root, std::string const& path) {
    auto const mount = TRY(kernel::open_in_root(root, path, O_PATH));
    return explain_not_a_mount(kernel::mount_setattr(mount.get(), {.set = MOUNT_ATTR_RDONLY}, 0), path);
}

} // namespace

Result<kernel::Fd> open_rootfs(std::string const& path) {
    auto folder = TRY(kernel::openat2(AT_FDCWD, path, O_PATH | O_NOFOLLOW, 0, 0));
    auto const status = TRY(kernel::fstat(folder.get()));
    if (S_ISLNK(status.st_mode))
        return fail(path, " is a symbolic link");
    if (!S_ISDIR(status.st_mode))
        return fail_errno(ENOTDIR, path);
    return folder;
}

Result<kernel::Fd> clone_source(steps::MountSource const& source, int proc) {
    auto const clone = [&]() -> Result<kernel::Fd> {
        auto cloned = kernel::clone_tree(AT_FDCWD, source.path, source.recursive ? AT_RECURSIVE : 0);
        if (!cloned && cloned.error().errno_value == EINVAL && !source.recursive)
            cloned.error().message += " (in a user namespace a folder with locked mounts in it needs rbind)";
        auto tree = TRY(std::move(cloned));
        if (source.id_map)
            TRY(map_ids(tree.get(), *source.id_map, proc));
        if (source.locked != 0)
            TRY(kernel::mount_setattr(tree.get(), {.set = source.locked}, 0));
        if (source.recursively_locked != 0)
            TRY(kernel::mount_setattr(tree.get(), {.set = source.recursively_locked}, AT_RECURSIVE));
        return tree;
    };
    auto tree = clone();
    if (source.pointer.empty())
        return tree;
    return in_context(std::move(tree), source.pointer);
}

Result<void> set_propagation(int mount, std::uint64_t propagation) {
    bool const recursive = (propagation & MS_REC) != 0;
    return kernel::mount_setattr(mount, {.propagation = propagation & ~static_cast<std::uint64_t>(MS_REC)},
                                 recursive ? AT_RECURSIVE : 0);
}

Result<kernel::Fd> take_source(Context& context, std::size_t index) {
    if (index >= context.sources.size() || !context.sources[index])
        return fail("mount source ", index, " was not opened");
    return std::move(context.sources[index]);
}

Result<void> protect_host_device(int tree) {
    return kernel::mount_setattr(tree, {.set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC}, 0);
}

Result<void> explain_not_a_mount(Result<void> changed, std::string const& path) {
    if (!changed && changed.error().errno_value == EINVAL) // mount_setattr(2)
        changed.error().message += concat(" (", path, " is not a mount point)");
    return changed;
}

Result<void> apply(steps::IsolateMounts const& operation, Context& context) {
    auto isolated = kernel::set_root_propagation(operation.propagation);
    // The first thing that takes rights: a user who has none here got a user namespace without any.
    if (!isolated && !context.host.has_capability(cap_sys_admin))
        isolated.error().message += why_refused(isolated.error().errno_value, CLONE_NEWUSER);
    return isolated;
}

Result<void> apply(steps::OpenProcfs const&, Context& context) {
    context.procfs.emplace(TRY(kernel::ProcFd::make()));
    return {};
}

/// In a user namespace this happens inside it: a tree cloned outside would come without the locks that keep the
/// container from making a read-only source writable (mount_namespaces(7)).
Result<void> apply(steps::OpenMountSources const& operation, Context& context) {
    context.sources.reserve(context.sources.size() + operation.sources.size());
    for (std::size_t i = 0; i < operation.sources.size(); ++i)
        context.sources.push_back(TRY(operation.staged ? kernel::clone_tree(AT_FDCWD, staged_source(i), AT_RECURSIVE)
                                                       : clone_source(operation.sources[i], context.procfs->get())));
    return {};
}

Result<void> apply(steps::AttachRootfs const& operation, Context& context) {
    auto const folder =
        TRY(operation.staged ? kernel::openat(AT_FDCWD, ".", O_PATH | O_DIRECTORY) : open_rootfs(operation.path));
    if (operation.among_shared)
        TRY(in_context(make_surrounding_mount_private(folder.get()), "the mount with ", operation.path));
    auto cloned = operation.staged ? kernel::clone_tree(AT_FDCWD, staged_rootfs, AT_RECURSIVE)
                                   : kernel::clone_tree(folder.get(), "", AT_EMPTY_PATH | AT_RECURSIVE);
    auto tree = TRY(in_context(std::move(cloned), operation.path));
    if (!operation.stays_slave)
        TRY(in_context(kernel::mount_setattr(tree.get(), {.propagation = MS_PRIVATE}, 0), operation.path));
    TRY(in_context(kernel::attach_mount(tree.get(), folder.get()), operation.path));
    // The descriptor of a detached tree goes on with the mount that it became.
    context.rootfs = std::move(tree);
    // A host without a null device is told of when something is to be masked with it.
    if (auto null_device = open_null_device())
        context.null_device = std::move(*null_device);
    return {};
}

Result<void> apply(steps::CreateWorkingDirectory const& operation, Context& context) {
    auto const folder = TRY(kernel::make_directories_in_root(context.rootfs.get(), operation.path, 0755));
    return {};
}

Result<void> apply(steps::PivotRoot const& operation, Context& context) {
    TRY(operation.by_moving ? kernel::move_root(context.rootfs.get()) : kernel::pivot_root(context.rootfs.get()));
    context.rootfs = TRY(kernel::openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY));
    return {};
}

Result<void> apply(steps::SetRootPropagation const& operation, Context& context) {
    return set_propagation(context.rootfs.get(), operation.propagation);
}

Result<void> apply(steps::FinishReadonlyMounts const& operation, Context& context) {
    for (auto const& destination : operation.destinations)
        TRY(make_readonly(context.rootfs.get(), destination));
    return {};
}

Result<void> apply(steps::MakeRootReadonly const&, Context& context) {
    return kernel::mount_setattr(context.rootfs.get(), {.set = MOUNT_ATTR_RDONLY}, 0);
}

} // namespace oci::perform
