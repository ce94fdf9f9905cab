// SPDX-License-Identifier: Apache-2.0
#include "kernel/mount.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/file.h"

namespace oci::kernel {

namespace {

/// What the kernel wrote about a file system context: one "<level> <text>" a read(2), ENODATA when there is no more.
std::string context_log(int context) {
    std::string log;
    std::array<char, 1024> line{};
    while (true) {
        ssize_t const length = ::read(context, line.data(), line.size());
        if (length <= 0)
            return log;
        auto text = trim({line.data(), static_cast<std::size_t>(length)});
        if (text.size() > 2 && text[1] == ' ')
            text.remove_prefix(2); // "e ", "w ", "i "
        log += log.empty() ? "" : "; ";
        log += text;
    }
}

Failure context_failure(int error, int context, std::string const& what) {
    auto const log = context_log(context);
    if (log.empty())
        return fail_errno(error, what);
    return Failure(Error{concat(what, ": ", errno_text(error), " (", printable(log), ")"), error});
}

Result<void> set_parameter(int context, std::string const& type, FilesystemParameter const& parameter) {
    bool const flag = parameter.value.empty();
    unsigned const command = flag ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;
    if (::fsconfig(context, command, parameter.key.c_str(), flag ? nullptr : parameter.value.c_str(), 0) == 0)
        return {};
    int const error = errno;
    return context_failure(error, context,
                           concat("fsconfig ", type, " ", parameter.key, flag ? "" : "=", parameter.value));
}

} // namespace

Result<Fd> new_filesystem(std::string const& type, std::string const& source,
                          std::vector<FilesystemParameter> const& parameters, unsigned attributes) {
    Fd const context(::fsopen(type.c_str(), FSOPEN_CLOEXEC));
    if (!context)
        return fail_errno(errno, "fsopen ", type);
    if (!source.empty())
        TRY(set_parameter(context.get(), type, {"source", source}));
    for (auto const& parameter : parameters)
        TRY(set_parameter(context.get(), type, parameter));
    if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
        int const error = errno;
        return context_failure(error, context.get(), concat("fsconfig ", type, " create"));
    }
    Fd mount(::fsmount(context.get(), FSMOUNT_CLOEXEC, attributes));
    if (!mount) {
        int const error = errno;
        return context_failure(error, context.get(), concat("fsmount ", type));
    }
    return mount;
}

Result<Fd> clone_tree(int directory, std::string const& path, unsigned flags) {
    Fd tree(::open_tree(directory, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags));
    if (!tree)
        return fail_errno(errno, path.empty() ? "open_tree" : "open_tree ", path);
    return tree;
}

Result<void> attach_mount(int mount, int target) {
    if (::move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
        return fail_errno(errno, "move_mount");
    return {};
}

Result<void> mount_setattr(int descriptor, MountAttributes const& attributes, unsigned flags) {
    struct ::mount_attr wanted {};
    wanted.attr_set = attributes.set;
    wanted.attr_clr = attributes.clear;
    wanted.propagation = attributes.propagation;
    if (attributes.user_namespace >= 0)
        wanted.userns_fd = static_cast<std::uint64_t>(attributes.user_namespace);
    if (::mount_setattr(descriptor, "", flags | AT_EMPTY_PATH, &wanted, sizeof wanted) != 0)
        return fail_errno(errno, "mount_setattr");
    return {};
}

Result<void> set_root_propagation(unsigned long flags) {
    if (::mount(nullptr, "/", nullptr, flags, nullptr) != 0)
        return fail_errno(errno, "mount propagation of /");
    return {};
}

Result<void> pivot_root(int new_root) {
    auto const old_root = TRY(openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY));
    TRY(fchdir(new_root));
    // pivot_root(2), notes: with "." twice the old root ends up mounted over the new one, and umount2(".") takes it
    // off.
    if (::syscall(SYS_pivot_root, ".", ".") != 0)
        return fail_errno(errno, "pivot_root");
    // By descriptor: for mount(2) "." is still the new root, whose shared mounts have to stay shared.
    TRY(in_context(mount_setattr(old_root.get(), {.propagation = MS_SLAVE}, AT_RECURSIVE), "the old root"));
    if (::umount2(".", MNT_DETACH) != 0)
        return fail_errno(errno, "umount of the old root");
    if (::chdir("/") != 0)
        return fail_errno(errno, "chdir /");
    return {};
}

Result<void> move_root(int new_root) {
    TRY(fchdir(new_root));
    if (::move_mount(new_root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) != 0)
        return fail_errno(errno, "move_mount to /");
    return change_root(new_root);
}

Result<void> change_root(int folder) {
    TRY(fchdir(folder));
    if (::chroot(".") != 0)
        return fail_errno(errno, "chroot");
    if (::chdir("/") != 0)
        return fail_errno(errno, "chdir /");
    return {};
}

Result<MountOf> mount_of(int descriptor) {
    struct ::statx status {};
    if (::statx(descriptor, "", AT_EMPTY_PATH, STATX_MNT_ID, &status) != 0)
        return fail_errno(errno, "statx");
    return MountOf{status.stx_mnt_id, (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0};
}

Result<void> detach_mount(int proc, int descriptor) {
    TRY(fchdir(proc));
    // umount2(2) takes no descriptor; the link leads to the mount itself, whatever is mounted over it.
    if (::umount2(concat("self/fd/", descriptor).c_str(), MNT_DETACH) != 0)
        return fail_errno(errno, "umount");
    return {};
}

Result<void> detach_mount(std::string const& path) {
    if (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0)
        return fail_errno(errno, "umount ", path);
    return {};
}

} // namespace oci::kernel
