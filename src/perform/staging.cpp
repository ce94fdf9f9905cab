// SPDX-License-Identifier: Apache-2.0
#include "staging.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "attach.h"
#include "kernel/file.h"
#include "kernel/mount.h"
#include "kernel/process.h"
#include "perform/operations.h"

namespace oci::perform {

namespace {

Result<void> attach_named(int folder, std::string const& name, int tree) {
    if (S_ISDIR(TRY(kernel::fstat(tree)).st_mode))
        TRY(kernel::mkdirat(folder, name, 0755));
    else
        TRY(kernel::mknodat(folder, name, S_IFREG | 0644, 0));
    auto const target = TRY(kernel::openat(folder, name, O_PATH | O_NOFOLLOW));
    return kernel::attach_mount(tree, target.get());
}

} // namespace

std::string staged_source(std::size_t index) {
    return std::to_string(index);
}

Result<void> open_staged(Context& context) {
    context.staged_sources.clear();
    if (!context.staging)
        return {};
    auto const proc = TRY(kernel::openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY));
    for (auto const& source : context.staging->sources)
        context.staged_sources.push_back(TRY(clone_source(source, proc.get())));
    auto const& rootfs = context.staging->rootfs;
    if (rootfs.empty())
        return {};
    auto const folder = TRY(open_rootfs(rootfs));
    context.staged_rootfs = TRY(in_context(kernel::clone_tree(folder.get(), "", AT_EMPTY_PATH | AT_RECURSIVE), rootfs));
    return {};
}

Result<void> apply(steps::StageMounts const& operation, Context& context) {
    context.staging = operation;
    return open_staged(context);
}

Result<void> enter_staging(Context const& context) {
    TRY(kernel::unshare(CLONE_NEWNS));
    TRY(kernel::set_root_propagation(MS_SLAVE | MS_REC));
    auto const staging = TRY(kernel::new_filesystem("tmpfs", "oci-run", {{"mode", "0755"}},
                                                    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
    // Over the rootfs: what the container's hooks find there is to be the container's root, which goes on top.
    // Without one anything will do that is there for sure.
    auto const& rootfs = context.staging->rootfs;
    auto const place = TRY(rootfs.empty() ? kernel::openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY) : open_rootfs(rootfs));
    TRY(kernel::attach_mount(staging.get(), place.get()));
    for (std::size_t i = 0; i < context.staged_sources.size(); ++i)
        TRY(attach_named(staging.get(), staged_source(i), context.staged_sources[i].get()));
    if (context.staged_rootfs)
        TRY(attach_named(staging.get(), staged_rootfs, context.staged_rootfs.get()));
    return kernel::fchdir(staging.get());
}

} // namespace oci::perform
