// SPDX-License-Identifier: Apache-2.0
#include "perform/cgroup_folder.h"

#include <cerrno>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <poll.h>
#include <unistd.h>

#include "kernel/file.h"

namespace oci::perform {

namespace {

constexpr std::uint64_t stay_inside = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS;
constexpr std::size_t control_file_limit = 64U << 10U;

Result<kernel::Fd> open_mount(std::string const& mount) {
    auto root = TRY(kernel::openat(AT_FDCWD, mount, O_RDONLY | O_DIRECTORY));
    if (TRY(kernel::filesystem_type(root.get())) != CGROUP2_SUPER_MAGIC)
        return fail(mount, " is not a cgroup2 file system");
    return root;
}

Result<kernel::Fd> open_below(int directory, std::string const& relative) {
    return kernel::openat2(directory, relative, O_RDONLY | O_DIRECTORY, 0, stay_inside);
}

/// A path below the mount without its leading '/'.
std::string relative(std::string const& path) {
    return path.substr(1);
}

/// Removes what is in `cgroup`, then it itself is empty.
Result<void> remove_children(int cgroup, kernel::Deadline deadline);

Result<void> remove_folder(int parent, std::string const& name, kernel::Deadline deadline) {
    while (true) {
        auto folder = open_below(parent, name);
        if (!folder)
            return folder.error().errno_value == ENOENT ? Result<void>{} : Result<void>(Failure(folder.error()));
        TRY(remove_children(folder->get(), deadline));
        auto removed = kernel::unlinkat(parent, name, AT_REMOVEDIR);
        if (removed || removed.error().errno_value == ENOENT)
            return {};
        // EBUSY: a process still exits, or somebody made a folder meanwhile.
        if (removed.error().errno_value != EBUSY || deadline.passed())
            return removed;
        (void)wait_until_empty(folder->get(), deadline);
        ::poll(nullptr, 0, 1);
    }
}

Result<void> remove_children(int cgroup, kernel::Deadline deadline) {
    for (auto const& name : TRY(kernel::list_directory(cgroup))) {
        auto const entry = kernel::fstatat(cgroup, name, AT_SYMLINK_NOFOLLOW);
        if (entry && S_ISDIR(entry->st_mode))
            TRY(remove_folder(cgroup, name, deadline));
    }
    return {};
}

} // namespace

Result<kernel::Fd> open_cgroup(std::string const& mount, std::string const& path) {
    auto const root = TRY(open_mount(mount));
    return open_below(root.get(), relative(path));
}

Result<std::string> first_missing_cgroup(std::string const& mount, std::string const& path) {
    auto const root = TRY(open_mount(mount));
    for (auto end = path.find('/', 1);; end = path.find('/', end + 1)) {
        auto const folder = open_below(root.get(), path.substr(1, end == std::string::npos ? end : end - 1));
        if (!folder && folder.error().errno_value == ENOENT)
            return path.substr(0, end);
        if (!folder)
            return Failure(folder.error());
        if (end == std::string::npos)
            return std::string();
    }
}

Result<void> check_existing_cgroup(std::string const& mount, std::string const& path) {
    auto const folder = TRY(open_cgroup(mount, path));
    if (TRY(cgroup_event(folder.get(), "populated")))
        return fail("/linux/cgroupsPath: cgroup ", path, " is not empty: processes of others are in it");
    auto const freeze = kernel::read_file(folder.get(), "cgroup.freeze", control_file_limit);
    if ((freeze && trim(*freeze) == "1") || TRY(cgroup_event(folder.get(), "frozen")))
        return fail("/linux/cgroupsPath: cgroup ", path, " is frozen");
    return {};
}

Result<bool> cgroup_event(int cgroup, std::string_view key) {
    auto const events = TRY(kernel::read_file(cgroup, "cgroup.events", control_file_limit));
    for (auto const line : split(events, '\n'))
        if (line.starts_with(key) && line.substr(key.size()).starts_with(' '))
            return line.substr(key.size() + 1) != "0";
    return false;
}

Result<bool> wait_until_empty(int cgroup, kernel::Deadline deadline) {
    auto const events = TRY(kernel::openat(cgroup, "cgroup.events", O_RDONLY));
    while (true) {
        auto const populated = cgroup_event(cgroup, "populated");
        if (!populated)
            // ENODEV: the cgroup was removed meanwhile.
            return populated.error().errno_value == ENODEV || populated.error().errno_value == ENOENT
                       ? Result<bool>(true)
                       : Result<bool>(Failure(populated.error()));
        if (!*populated)
            return true;
        if (deadline.passed())
            return false;
        // A look each few milliseconds besides: the kernel limits these notifications to one in 10 ms.
        ::pollfd change{events.get(), POLLPRI, 0};
        ::poll(&change, 1, 2);
    }
}

Result<void> remove_cgroup(std::string const& mount, std::string const& path, kernel::Deadline deadline) {
    auto const root = TRY(open_mount(mount));
    auto const parent = std::string(parent_path(path));
    if (parent == "/")
        return remove_folder(root.get(), relative(path), deadline);
    auto const folder = open_below(root.get(), relative(parent));
    if (!folder)
        return folder.error().errno_value == ENOENT ? Result<void>{} : Result<void>(Failure(folder.error()));
    return remove_folder(folder->get(), std::string(base_name(path)), deadline);
}

} // namespace oci::perform
