// SPDX-License-Identifier: Apache-2.0
// Paths that the container must not read, or not write. Done inside the new root, where links lead nowhere else.
#include <cerrno>
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <utility>

#include "attach.h"
#include "kernel/file.h"
#include "kernel/mount.h"
#include "perform/operations.h"

namespace oci::perform {

namespace {

/// One mount that covers many paths: attached at the first, cloned from there for the others (open_tree(2) of a tree
/// that is not attached is EINVAL before Linux 6.15).
struct Cover {
    kernel::Fd mount;
    bool attached = false;
};

Result<void> cover(Cover& with, int target) {
    if (std::exchange(with.attached, true)) {
        auto const copy = TRY(kernel::clone_tree(with.mount.get(), "", AT_EMPTY_PATH));
        return kernel::attach_mount(copy.get(), target);
    }
    return kernel::attach_mount(with.mount.get(), target);
}

/// As small as a file system gets: one block, and one inode for its root.
Result<kernel::Fd> empty_folder() {
    return kernel::new_filesystem("tmpfs", "tmpfs", {{"nr_blocks", "1"}, {"nr_inodes", "1"}, {"mode", "0755"}},
                                  MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

struct Covers {
    Cover file;
    Cover folder;
};

Result<void> mask(Covers& covers, int target) {
    if (!S_ISDIR(TRY(kernel::fstat(target)).st_mode)) {
        if (!covers.file.mount)
            return fail("/dev/null of the host is missing or not the null device");
        return cover(covers.file, target);
    }
    if (!covers.folder.mount)
        covers.folder.mount = TRY(empty_folder());
    return cover(covers.folder, target);
}

/// Not what is mounted below: a writable volume in a read-only folder stays writable, as with the other runtimes.
Result<void> make_readonly(int target) {
    auto const copy = TRY(kernel::clone_tree(target, "", AT_EMPTY_PATH | AT_RECURSIVE));
    TRY(kernel::mount_setattr(copy.get(), {.set = MOUNT_ATTR_RDONLY}, 0));
    return kernel::attach_mount(copy.get(), target);
}

/// What the configuration names need not be in every image; anything else is an error, or it would not be protected.
Result<kernel::Fd> open_if_there(Context const& context, std::string const& path) {
    auto target = kernel::open_in_root(context.rootfs.get(), path, O_PATH);
    if (!target && target.error().errno_value == ENOENT)
        return kernel::Fd();
    return target;
}

} // namespace

Result<void> apply(steps::MaskPaths const& operation, Context& context) {
    Covers covers;
    covers.file.mount = std::move(context.null_device);
    for (auto const& path : operation.paths) {
        if (auto const target = TRY(open_if_there(context, path)))
            TRY(in_context(mask(covers, target.get()), path));
    }
    return {};
}

Result<void> apply(steps::MakePathsReadonly const& operation, Context& context) {
    for (auto const& path : operation.paths) {
        // Over the root a mount would be seen by nobody who has it already.
        if (clean_path(path) == "/")
            TRY(in_context(kernel::mount_setattr(context.rootfs.get(), {.set = MOUNT_ATTR_RDONLY}, 0), path));
        else if (auto const target = TRY(open_if_there(context, path)))
            TRY(in_context(make_readonly(target.get()), path));
    }
    return {};
}

} // namespace oci::perform
