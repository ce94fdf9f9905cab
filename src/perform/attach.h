// SPDX-License-Identifier: Apache-2.0
// What the operations on mounts and files of the container have in common (private to perform).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "kernel/fd.h"
#include "perform/context.h"

namespace oci::perform {

/// The rootfs on the host: a folder and no symbolic link.
Result<kernel::Fd> open_rootfs(std::string const& path);
/// A detached tree of a mount source of the host.
/// `proc`: a folder with a procfs of our own pid namespace.
Result<kernel::Fd> clone_source(steps::MountSource const& source, int proc);
/// Maps the ids of a detached tree (mount_setattr(2), "ID-mapped mounts"). `proc`: as above.
Result<void> map_ids(int tree, steps::MountIdMap const& map, int proc);
/// The lines of a uid_map or gid_map, user_namespaces(7).
std::string id_map_lines(std::vector<steps::IdMap> const& maps);
/// One change of propagation, MS_* with or without MS_REC, of the mount whose root `mount` is.
Result<void> set_propagation(int mount, std::uint64_t propagation);
/// Where to mount below context.rootfs, made if it is missing. Neither the container's /proc nor anything in it, but
/// for a few files. `plain_directory`: no symbolic link may lead there.
Result<kernel::Fd> open_target(Context const& context, std::string const& destination, bool is_directory,
                               bool plain_directory);
/// The folder that a tmpfs takes its looks from, and its content with copy_up; none for others, or where there is none.
Result<kernel::Fd> covered_folder(steps::MountFilesystem const& operation, Context const& context);
/// A new file system, detached, with all but what attach() does. `folder`: from covered_folder().
Result<kernel::Fd> filesystem_tree(steps::MountFilesystem const& operation, kernel::Fd const& folder, Context& context);
/// The same for a bind mount.
Result<kernel::Fd> bind_tree(steps::BindMount const& operation, Context& context);
/// Recursive attributes of a detached tree, attaching it, propagation.
Result<void> attach(steps::MountTarget const& target, int tree, int place);
/// Takes a detached tree from OpenMountSources' list: each is attached once, and its descriptor need not stay open.
Result<kernel::Fd> take_source(Context& context, std::size_t index);
/// The host's node itself is in such a tree: a read-only mount keeps the container from changing its mode or owner, and
/// does not keep anybody from writing to the device.
Result<void> protect_host_device(int tree);
/// Says so when a change of attributes failed because `path` is not the root of a mount.
Result<void> explain_not_a_mount(Result<void> changed, std::string const& path);

} // namespace oci::perform
