// SPDX-License-Identifier: Apache-2.0
// copy_tree: every step is on a descriptor and a single name, no link is followed.
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "kernel/file.h"

namespace oci::kernel {

namespace {

constexpr int deepest = 256; // two descriptors a level, well below the usual limit of 1024

struct Place {
    int source;
    int target;
    std::string const& name;
};

Result<void> copy_bytes(int source, int target) {
    std::array<char, 65536> buffer; // NOLINT(cppcoreguidelines-pro-type-member-init)
    while (true) {
        ssize_t const count = ::read(source, buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return fail_errno(errno, "read");
        if (count == 0)
            return {};
        TRY(write_all(target, {buffer.data(), static_cast<std::size_t>(count)}));
    }
}

bool attribute_is_optional(int error) {
    // A tmpfs takes trusted.* and security.* only (user.* since 6.6), and a user namespace may set few of them.
    return error == ENOTSUP || error == EPERM || error == ENODATA || error == EINVAL;
}

Result<void> copy_extended_attributes(int source, int target) {
    ssize_t const length = ::flistxattr(source, nullptr, 0);
    if (length <= 0)
        return {};
    std::string names(static_cast<std::size_t>(length), '\0');
    ssize_t const filled = ::flistxattr(source, names.data(), names.size());
    if (filled < 0)
        return fail_errno(errno, "flistxattr");
    names.resize(static_cast<std::size_t>(filled));
    for (auto const name : split(names, '\0')) {
        if (name.empty())
            continue;
        std::string const key(name);
        std::string value(65536, '\0'); // XATTR_SIZE_MAX
        ssize_t const size = ::fgetxattr(source, key.c_str(), value.data(), value.size());
        if (size < 0 && attribute_is_optional(errno))
            continue;
        if (size < 0 || ::fsetxattr(target, key.c_str(), value.data(), static_cast<std::size_t>(size), 0) != 0)
            if (size < 0 || !attribute_is_optional(errno))
                return fail_errno(errno, "copy attribute ", key);
    }
    return {};
}

/// Owner before mode (chown clears set-user-id) and before attributes (it clears file capabilities); times last.
Result<void> copy_metadata(int source, int target, struct ::stat const& status) {
    if (::fchown(target, status.st_uid, status.st_gid) != 0)
        return fail_errno(errno, "fchown");
    TRY(fchmod(target, status.st_mode & 07777U));
    TRY(copy_extended_attributes(source, target));
    std::array<timespec, 2> const times{status.st_atim, status.st_mtim};
    if (::futimens(target, times.data()) != 0)
        return fail_errno(errno, "futimens");
    return {};
}

Result<void> copy_regular_file(Place const& place) {
    auto const source = TRY(openat(place.source, place.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    auto const status = TRY(fstat(source.get()));
    if (!S_ISREG(status.st_mode))
        return fail("changed while it was copied");
    auto const target = TRY(openat(place.target, place.name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    TRY(copy_bytes(source.get(), target.get()));
    return copy_metadata(source.get(), target.get(), status);
}

/// A link or a special file: made by name, its metadata set by name without following.
Result<void> copy_node(Place const& place, struct ::stat const& status) {
    bool const link = S_ISLNK(status.st_mode);
    if (link)
        TRY(symlinkat(TRY(readlinkat(place.source, place.name)), place.target, place.name));
    else
        TRY(mknodat(place.target, place.name, status.st_mode, status.st_rdev));
    TRY(fchownat(place.target, place.name, status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW));
    if (!link)
        TRY(fchmodat(place.target, place.name, status.st_mode & 07777U));
    std::array<timespec, 2> const times{status.st_atim, status.st_mtim};
    if (::utimensat(place.target, place.name.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) != 0)
        return fail_errno(errno, "utimensat");
    return {};
}

Result<void> copy_content(int source_directory, int target_directory, int depth);

Result<void> copy_directory(Place const& place, int depth) {
    auto const source = TRY(openat(place.source, place.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    TRY(mkdirat(place.target, place.name, 0700));
    auto const target = TRY(openat(place.target, place.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    TRY(copy_content(source.get(), target.get(), depth));
    return copy_metadata(source.get(), target.get(), TRY(fstat(source.get())));
}

Result<void> copy_entry(Place const& place, int depth) {
    auto const status = TRY(fstatat(place.source, place.name, AT_SYMLINK_NOFOLLOW));
    if (S_ISDIR(status.st_mode))
        return copy_directory(place, depth);
    if (S_ISREG(status.st_mode))
        return copy_regular_file(place);
    return copy_node(place, status);
}

Result<void> copy_content(int source_directory, int target_directory, int depth) {
    if (depth > deepest)
        return fail("more than ", deepest, " folders deep");
    for (auto const& name : TRY(list_directory(source_directory)))
        TRY(in_context(copy_entry({source_directory, target_directory, name}, depth + 1), name));
    return {};
}

} // namespace

Result<void> copy_tree(int source_directory, int target_directory) {
    return in_context(copy_content(source_directory, target_directory, 0), "copy");
}

} // namespace oci::kernel
