// SPDX-License-Identifier: Apache-2.0
#include "kernel/procfs.h"

#include <cerrno>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <unistd.h>

#include "kernel/file.h"
#include "kernel/mount.h"

namespace oci::kernel {

namespace {

constexpr std::size_t largest_file = 1U << 20U;
constexpr unsigned attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

/// The root of a procfs: its inode is always 1, and that of a folder of it mounted elsewhere is not.
Result<void> check_root(int root) {
    bool const is_procfs = TRY(filesystem_type(root)) == PROC_SUPER_MAGIC;
    if (!is_procfs || TRY(fstat(root)).st_ino != 1)
        return fail("/proc is not a procfs");
    return {};
}

/// "self/x" as "<pid>/x" ("thread-self" likewise), so that no link at all has to be followed. The number is that of the
/// procfs's own pid namespace.
Result<std::string> without_self(int root, std::string const& path) {
    auto const slash = path.find('/');
    auto const first = path.substr(0, slash);
    if (first != "self" && first != "thread-self")
        return path;
    auto const target = TRY(readlinkat(root, first));
    return slash == std::string::npos ? target : concat(target, std::string_view(path).substr(slash));
}

Result<Fd> open_file(int root, std::string const& path, int flags) {
    auto const real_path = TRY(without_self(root, path));
    auto file =
        TRY(openat2(root, real_path, flags | O_NOCTTY, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV));
    if (TRY(filesystem_type(file.get())) != PROC_SUPER_MAGIC)
        return fail("open ", path, ": not on procfs");
    return file;
}

} // namespace

Result<ProcFd> ProcFd::make() {
    auto detached = new_filesystem("proc", "proc", {}, attributes);
    if (detached && check_root(detached->get()))
        return ProcFd(std::move(*detached));
    // In a user namespace without a pid namespace of its own a new procfs is EPERM, and where files of /proc are
    // covered by mounts, so is the clone.
    auto cloned = clone_tree(AT_FDCWD, "/proc", 0);
    if (cloned && check_root(cloned->get()))
        return ProcFd(std::move(*cloned));
    auto plain = TRY(openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW));
    TRY(check_root(plain.get()));
    return ProcFd(std::move(plain));
}

Result<void> ProcFd::write(std::string const& path, std::string_view value) const {
    auto const file = TRY(open_file(root_.get(), path, O_WRONLY));
    ssize_t const count = ::write(file.get(), value.data(), value.size());
    if (count < 0)
        return fail_errno(errno, "write ", path);
    if (static_cast<std::size_t>(count) != value.size())
        return fail_errno(EIO, "write ", path);
    return {};
}

Result<Fd> ProcFd::open(std::string const& path, int flags) const {
    return open_file(root_.get(), path, flags);
}

Result<std::string> ProcFd::read(std::string const& path) const {
    auto const file = TRY(open_file(root_.get(), path, O_RDONLY));
    return in_context(read_all(file.get(), largest_file), path);
}

} // namespace oci::kernel
