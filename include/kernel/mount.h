// SPDX-License-Identifier: Apache-2.0
// The mount API by descriptor (fsopen(2), open_tree(2), move_mount(2), mount_setattr(2)) and pivot_root(2).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernel/fd.h"

namespace oci::kernel {

struct FilesystemParameter {
    std::string key;
    std::string value; ///< empty: a flag (FSCONFIG_SET_FLAG)
};

/// fsopen, fsconfig for every parameter, FSCONFIG_CMD_CREATE, fsmount: a detached mount (O_PATH-like descriptor).
/// `attributes` are MOUNT_ATTR_*. On EINVAL the message carries what the kernel wrote to the context's log, and the
/// parameter.
Result<Fd> new_filesystem(std::string const& type, std::string const& source,
                          std::vector<FilesystemParameter> const& parameters, unsigned attributes);
/// open_tree(2) with OPEN_TREE_CLONE: a detached copy of the mount at `path`; flags: AT_RECURSIVE, AT_EMPTY_PATH,
/// AT_SYMLINK_NOFOLLOW.
Result<Fd> clone_tree(int directory, std::string const& path, unsigned flags);
/// Attaches a detached mount at `target` (both by descriptor, no path involved).
Result<void> attach_mount(int mount, int target);

struct MountAttributes {
    std::uint64_t set = 0;         ///< MOUNT_ATTR_*
    std::uint64_t clear = 0;       ///< MOUNT_ATTR_*
    std::uint64_t propagation = 0; ///< MS_PRIVATE, MS_SLAVE, MS_SHARED or MS_UNBINDABLE
    int user_namespace = -1;       ///< with MOUNT_ATTR_IDMAP
};
/// mount_setattr(2) on the mount at `descriptor`; flags: AT_RECURSIVE.
Result<void> mount_setattr(int descriptor, MountAttributes const& attributes, unsigned flags);
/// mount(2) of nothing but a propagation type (MS_REC allowed) on "/".
Result<void> set_root_propagation(unsigned long flags);
/// pivot_root(".", ".") into the mount at `new_root`, then umount2(".", MNT_DETACH) and chdir("/").
/// The old root is made `MS_SLAVE | MS_REC` first, so that nothing of the unmount goes back to the host.
Result<void> pivot_root(int new_root);
/// Without pivot_root (initramfs; --no-pivot): move the mount over "/" and chroot(".").
Result<void> move_root(int new_root);
/// chroot(2) to a folder, and chdir("/").
Result<void> change_root(int folder);
struct MountOf {
    std::uint64_t id = 0; ///< as in /proc/PID/mountinfo
    bool is_root = false; ///< the file is the root of that mount
};
/// The mount that an open file lies on, statx(2).
Result<MountOf> mount_of(int descriptor);
/// umount2(2) with MNT_DETACH of the mount whose root a descriptor is. `proc`: a procfs of our own pid namespace, which
/// becomes the current folder.
Result<void> detach_mount(int proc, int descriptor);
/// Detaches the mount at a path: umount2(path, MNT_DETACH).
Result<void> detach_mount(std::string const& path);

} // namespace oci::kernel
