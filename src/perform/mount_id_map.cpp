// SPDX-License-Identifier: Apache-2.0
// Id-mapped mounts. The kernel takes the maps from a user namespace, which is made for that and holds no process after.
#include <cerrno>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <unistd.h>

#include "attach.h"
#include "kernel/file.h"
#include "kernel/mount.h"
#include "kernel/process.h"
#include "kernel/socket.h"

namespace oci::perform {

namespace {

/// A user namespace with the maps. `proc`: a procfs of our own pid namespace.
Result<kernel::Fd> make_user_namespace(steps::MountIdMap const& map, int proc) {
    auto [ours, theirs] = TRY(kernel::sequenced_pair());
    auto member = TRY(kernel::clone3({CLONE_NEWUSER}));
    if (member.pid == 0) {
        ours.close();
        // End of file, when it is not needed any more, or when we have died.
        (void)kernel::receive_message(theirs.get(), kernel::Deadline::never());
        ::_exit(0);
    }
    auto const folder = std::to_string(member.pid);
    auto made = [&]() -> Result<kernel::Fd> {
        TRY(kernel::write_control_file(proc, folder + "/uid_map", id_map_lines(map.uids)));
        TRY(kernel::write_control_file(proc, folder + "/gid_map", id_map_lines(map.gids)));
        return kernel::openat(proc, folder + "/ns/user", O_RDONLY);
    }();
    TRY(kernel::kill_and_reap(member.pidfd.get()));
    return made;
}

Result<kernel::Fd> user_namespace(steps::MountIdMap const& map, int proc) {
    return map.user_namespace.empty() ? make_user_namespace(map, proc)
                                      : kernel::openat(AT_FDCWD, map.user_namespace, O_RDONLY);
}

} // namespace

Result<void> map_ids(int tree, steps::MountIdMap const& map, int proc) {
    auto const maps = TRY(in_context(user_namespace(map, proc), "idmap"));
    kernel::MountAttributes const attributes{.set = MOUNT_ATTR_IDMAP, .user_namespace = maps.get()};
    auto mapped = kernel::mount_setattr(tree, attributes, map.recursive ? AT_RECURSIVE : 0);
    if (mapped)
        return {};
    auto& error = mapped.error();
    error.message = concat("idmap: ", error.message);
    if (error.errno_value == EINVAL)
        error.message += " (the file system does not support id-mapped mounts, or not in this user namespace)";
    if (error.errno_value == EPERM)
        error.message += " (needs CAP_SYS_ADMIN in the user namespace that the file system was mounted in, and a mount "
                         "that is not id-mapped yet)";
    return mapped;
}

} // namespace oci::perform
