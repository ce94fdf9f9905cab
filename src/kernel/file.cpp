// SPDX-License-Identifier: Apache-2.0
#include "kernel/file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <memory>
#include <poll.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/defer.h"

namespace oci::kernel {

Result<Fd> openat(int directory, std::string const& path, int flags, mode_t mode) {
    Fd opened(::openat(directory, path.c_str(), flags | O_CLOEXEC, mode));
    if (!opened)
        return fail_errno(errno, "open ", path);
    return opened;
}

Result<void> mkdirat(int directory, std::string const& path, mode_t mode) {
    if (::mkdirat(directory, path.c_str(), mode) != 0)
        return fail_errno(errno, "mkdir ", path);
    return {};
}

Result<void> mknodat(int directory, std::string const& path, mode_t mode, dev_t device) {
    if (::mknodat(directory, path.c_str(), mode, device) != 0)
        return fail_errno(errno, "mknod ", path);
    return {};
}

Result<void> symlinkat(std::string const& target, int directory, std::string const& path) {
    if (::symlinkat(target.c_str(), directory, path.c_str()) != 0)
        return fail_errno(errno, "symlink ", path);
    return {};
}

Result<void> unlinkat(int directory, std::string const& path, int flags) {
    if (::unlinkat(directory, path.c_str(), flags) != 0)
        return fail_errno(errno, (flags & AT_REMOVEDIR) != 0 ? "rmdir " : "unlink ", path);
    return {};
}

Result<void> renameat(int old_directory, std::string const& old_path, int new_directory, std::string const& new_path) {
    if (::renameat(old_directory, old_path.c_str(), new_directory, new_path.c_str()) != 0)
        return fail_errno(errno, "rename ", old_path, " to ", new_path);
    return {};
}

Result<std::string> readlinkat(int directory, std::string const& path) {
    std::array<char, PATH_MAX> target{};
    ssize_t const length = ::readlinkat(directory, path.c_str(), target.data(), target.size());
    if (length < 0)
        return fail_errno(errno, "readlink ", path);
    if (static_cast<std::size_t>(length) == target.size())
        return fail_errno(ENAMETOOLONG, "readlink ", path);
    return std::string(target.data(), static_cast<std::size_t>(length));
}

Result<struct ::stat> fstat(int descriptor) {
    struct ::stat status {};
    if (::fstat(descriptor, &status) != 0)
        return fail_errno(errno, "fstat");
    return status;
}

Result<struct ::stat> fstatat(int directory, std::string const& path, int flags) {
    struct ::stat status {};
    if (::fstatat(directory, path.c_str(), &status, flags) != 0)
        return fail_errno(errno, "stat ", path);
    return status;
}

Result<std::int64_t> filesystem_type(int descriptor) {
    struct ::statfs status {};
    if (::fstatfs(descriptor, &status) != 0)
        return fail_errno(errno, "fstatfs");
    return static_cast<std::int64_t>(status.f_type);
}

Result<void> fchmod(int descriptor, mode_t mode) {
    if (::fchmod(descriptor, mode) != 0)
        return fail_errno(errno, "fchmod ", octal(mode));
    return {};
}

Result<void> fchmodat(int directory, std::string const& path, mode_t mode) {
    // glibc does this without following a link also where the kernel has no fchmodat2(2) (before 6.6).
    if (::fchmodat(directory, path.c_str(), mode, AT_SYMLINK_NOFOLLOW) != 0)
        return fail_errno(errno, "chmod ", octal(mode), " ", path);
    return {};
}

Result<void> fchownat(int directory, std::string const& path, uid_t uid, gid_t gid, int flags) {
    if (::fchownat(directory, path.c_str(), uid, gid, flags) != 0)
        return fail_errno(errno, "chown ", uid, ":", gid, path.empty() ? "" : " ", path);
    return {};
}

Result<void> fchdir(int descriptor) {
    if (::fchdir(descriptor) != 0)
        return fail_errno(errno, "fchdir");
    return {};
}

Result<std::string> getcwd() {
    std::array<char, PATH_MAX> path{};
    if (::getcwd(path.data(), path.size()) == nullptr)
        return fail_errno(errno, "getcwd");
    return std::string(path.data());
}

Result<void> keep_over_exec(int descriptor) {
    int const flags = ::fcntl(descriptor, F_GETFD);
    if (flags < 0 || ::fcntl(descriptor, F_SETFD, flags & ~FD_CLOEXEC) != 0)
        return fail_errno(errno, "fcntl F_SETFD of descriptor ", descriptor);
    return {};
}

Result<void> set_nonblocking(int descriptor) {
    int const flags = ::fcntl(descriptor, F_GETFL);
    if (flags < 0 || ::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) != 0)
        return fail_errno(errno, "fcntl F_SETFL");
    return {};
}

Result<void> flock(int descriptor, int operation) {
    while (::flock(descriptor, operation) != 0)
        if (errno != EINTR)
            return fail_errno(errno, "flock");
    return {};
}

Result<void> lock_exclusively(int descriptor, Deadline deadline) {
    if (deadline.poll_timeout() < 0)
        return flock(descriptor, LOCK_EX);
    while (true) {
        auto locked = flock(descriptor, LOCK_EX | LOCK_NB);
        if (locked || locked.error().errno_value != EWOULDBLOCK)
            return locked;
        if (deadline.passed())
            return fail_errno(ETIMEDOUT, "flock");
        // flock(2) has no timeout, and an alarm would need a signal handler.
        constexpr int pause_milliseconds = 5;
        ::poll(nullptr, 0, pause_milliseconds);
    }
}

Result<void> fsetxattr(int descriptor, std::string const& name, std::string_view value) {
    if (::fsetxattr(descriptor, name.c_str(), value.data(), value.size(), 0) != 0)
        return fail_errno(errno, "fsetxattr ", name);
    return {};
}

Result<std::string> fgetxattr(int descriptor, std::string const& name) {
    std::array<char, 256> value{};
    auto const size = ::fgetxattr(descriptor, name.c_str(), value.data(), value.size());
    if (size < 0)
        return fail_errno(errno, "fgetxattr ", name);
    return std::string(value.data(), static_cast<std::size_t>(size));
}

Result<std::string> read_all(int descriptor, std::size_t limit) {
    std::string content;
    std::size_t used = 0;
    while (true) {
        content.resize(std::max<std::size_t>(4096, used * 2));
        ssize_t const count = ::read(descriptor, content.data() + used, content.size() - used);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return fail_errno(errno, "read");
        if (count == 0)
            break;
        used += static_cast<std::size_t>(count);
        if (used > limit)
            return fail_errno(EFBIG, "read: more than ", limit, " bytes");
    }
    content.resize(used);
    return content;
}

Result<std::string> read_from_start(int descriptor, std::size_t limit) {
    std::string content(limit, '\0');
    ssize_t const count = ::pread(descriptor, content.data(), content.size(), 0);
    if (count < 0)
        return fail_errno(errno, "pread");
    content.resize(static_cast<std::size_t>(count));
    return content;
}

Result<std::string> read_file(int directory, std::string const& path, std::size_t limit) {
    auto const file = TRY(openat(directory, path, O_RDONLY | O_NOCTTY));
    return in_context(read_all(file.get(), limit), path);
}

Result<void> write_all(int descriptor, std::string_view data) {
    while (!data.empty()) {
        ssize_t const count = ::write(descriptor, data.data(), data.size());
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return fail_errno(errno, "write");
        data.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
}

Result<void> write_control_file(int directory, std::string const& path, std::string_view value) {
    // Below a descriptor nothing outside is reached, whatever a key from the configuration looks like.
    auto const file = TRY(directory == AT_FDCWD ? openat(directory, path, O_WRONLY | O_NOFOLLOW | O_NOCTTY)
                                                : openat2(directory, path, O_WRONLY | O_NOCTTY, 0,
                                                          RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS));
    ssize_t const count = ::write(file.get(), value.data(), value.size());
    if (count < 0)
        return fail_errno(errno, "write ", path);
    if (static_cast<std::size_t>(count) != value.size())
        return fail_errno(EIO, "write ", path);
    return {};
}

namespace {

/// "dir/name" as "dir/.name.<random>": rename(2) needs the same filesystem, and two writers must not share a file.
std::string temporary_name(std::string const& name) {
    std::uint64_t random = 0;
    if (::getrandom(&random, sizeof random, GRND_NONBLOCK) != static_cast<ssize_t>(sizeof random))
        random = static_cast<std::uint64_t>(::getpid());
    return concat(parent_path(name), "/.", base_name(name), ".", random);
}

} // namespace

Result<void> write_file_atomically(int directory, std::string const& name, std::string_view content, mode_t mode) {
    auto const temporary = temporary_name(name);
    // No fsync: the promise is towards readers, not towards a power failure (the state directory is a tmpfs).
    auto const write_and_rename = [&]() -> Result<void> {
        auto const file = TRY(openat(directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
        TRY(fchmod(file.get(), mode));
        TRY(in_context(write_all(file.get(), content), name));
        return renameat(directory, temporary, directory, name);
    };
    auto result = write_and_rename();
    if (!result)
        ::unlinkat(directory, temporary.c_str(), 0);
    return result;
}

namespace {

bool is_folder(int directory, dirent const& entry) {
    if (entry.d_type != DT_UNKNOWN)
        return entry.d_type == DT_DIR;
    auto const status = fstatat(directory, entry.d_name, AT_SYMLINK_NOFOLLOW);
    return status && S_ISDIR(status->st_mode);
}

Result<std::vector<std::string>> list(int directory, bool folders_only) {
    // A new open description: the given one may be O_PATH, and its position stays as it is.
    int const descriptor = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return fail_errno(errno, "open directory");
    DIR* const stream = ::fdopendir(descriptor);
    if (stream == nullptr) {
        int const error = errno;
        ::close(descriptor);
        return fail_errno(error, "fdopendir");
    }
    Defer const close_stream([&] { ::closedir(stream); });
    std::vector<std::string> names;
    while (true) {
        errno = 0;
        dirent const* const entry = ::readdir(stream);
        if (entry == nullptr && errno != 0)
            return fail_errno(errno, "readdir");
        if (entry == nullptr)
            break;
        std::string_view const name = entry->d_name;
        if (name != "." && name != ".." && (!folders_only || is_folder(directory, *entry)))
            names.emplace_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
}

} // namespace

Result<std::vector<std::string>> list_directory(int directory) {
    return list(directory, false);
}

Result<std::vector<std::string>> list_folders(int directory) {
    return list(directory, true);
}

} // namespace oci::kernel
