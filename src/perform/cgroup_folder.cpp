// SPDX-License-Identifier: Apache-2.0
#include "perform/cgroup_folder.h"

#include <cerrno>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <poll.h>
#include <unistd.h>

#include "kernel/file.h"
#include "kernel/host.h"
#include "perform/cgroup_tree.h"

namespace oci::perform {

namespace {

constexpr std::uint64_t stay_inside = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS;
constexpr char made_attribute[] = "user.oci-run.made"; ///< cgroup2 has user attributes since Linux 5.7
constexpr std::size_t control_file_limit = 64U << 10U;

Result<kernel::Fd> open_mount(std::string const& mount) {
    auto root = TRY(kernel::openat(AT_FDCWD, mount, O_RDONLY | O_DIRECTORY));
    if (TRY(kernel::filesystem_type(root.get())) != CGROUP2_SUPER_MAGIC)
        return fail(mount, " is not a cgroup2 file system");
    return root;
}

/// A path below the mount without its leading '/'.
std::string relative(std::string const& path) {
    return path.substr(1);
}

bool has_event(std::string_view events, std::string_view key) {
    for (auto const line : split(events, '\n'))
        if (line.starts_with(key) && line.substr(key.size()).starts_with(' '))
            return line.substr(key.size() + 1) != "0";
    return false;
}

Result<void> remove_empty(int parent, std::string const& name) {
    auto removed = kernel::unlinkat(parent, name, AT_REMOVEDIR);
    if (!removed && is_gone(removed.error()))
        return {};
    return removed;
}

/// One attempt: what is below, then the folder itself.
Result<void> remove_tree(int parent, std::string const& name, kernel::Deadline deadline) {
    auto const folder = open_below(parent, name);
    if (!folder)
        return is_gone(folder.error()) ? Result<void>{} : Result<void>(Failure(folder.error()));
    TRY(visit_below(folder->get(), deadline, remove_empty));
    return remove_empty(parent, name);
}

} // namespace

bool is_gone(Error const& error) {
    return error.errno_value == ENOENT || error.errno_value == ENODEV || error.errno_value == ESRCH;
}

Result<kernel::Fd> open_below(int directory, std::string const& relative) {
    return kernel::openat2(directory, relative, O_RDONLY | O_DIRECTORY, 0, stay_inside);
}

Result<kernel::Fd> open_cgroup(std::string const& mount, std::string const& path) {
    auto const root = TRY(open_mount(mount));
    return open_below(root.get(), relative(path));
}

Result<kernel::Fd> open_cgroup_of(state::Record const& record, std::string const& mount) {
    if (record.cgroup_path.empty())
        return fail(
            "the container has no cgroup of its own (cgroup manager disabled, or nothing delegated to the user)");
    if (mount.empty())
        return fail("cgroup v2 is needed, but none is mounted at /sys/fs/cgroup");
    // After a reboot a cgroup of that name is somebody else's.
    if (record.boot_id != TRY(kernel::boot_id()))
        return fail_errno(ENOENT, "cgroup ", record.cgroup_path);
    return open_cgroup(mount, record.cgroup_path);
}

void mark_as_made(int cgroup) {
    (void)kernel::fsetxattr(cgroup, made_attribute, "1");
}

bool is_marked_as_made(int cgroup) {
    return kernel::fgetxattr(cgroup, made_attribute).has_value();
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
    return has_event(TRY(kernel::read_file(cgroup, "cgroup.events", control_file_limit)), key);
}

Result<bool> wait_for_cgroup_event(int cgroup, std::string_view key, bool value, kernel::Deadline deadline) {
    auto const events = TRY(kernel::openat(cgroup, "cgroup.events", O_RDONLY));
    while (true) {
        // Read through the descriptor that is polled: poll(2) then tells of changes since.
        if (has_event(TRY(kernel::read_from_start(events.get(), 4096)), key) == value)
            return true;
        if (deadline.passed())
            return false;
        // A look each few milliseconds besides: the kernel limits these notifications to one in 10 ms.
        ::pollfd change{events.get(), POLLPRI, 0};
        ::poll(&change, 1, 2);
    }
}

Result<bool> wait_until_empty(int cgroup, kernel::Deadline deadline) {
    auto empty = wait_for_cgroup_event(cgroup, "populated", false, deadline);
    if (!empty && is_gone(empty.error()))
        return true;
    return empty;
}

namespace {

Result<kernel::Fd> open_parent(std::string const& mount, std::string const& path) {
    auto const parent = std::string(parent_path(path));
    return parent == "/" ? open_mount(mount) : open_cgroup(mount, parent);
}

} // namespace

Result<void> remove_cgroup(std::string const& mount, std::string const& path, kernel::Deadline deadline) {
    auto const parent = open_parent(mount, path);
    if (!parent)
        return is_gone(parent.error()) ? Result<void>{} : Result<void>(Failure(parent.error()));
    while (true) {
        auto removed = remove_tree(parent->get(), std::string(base_name(path)), deadline);
        // EBUSY: a process still exits, or somebody made a folder meanwhile.
        if (removed || removed.error().errno_value != EBUSY || deadline.passed())
            return in_context(std::move(removed), "remove cgroup ", path);
        ::poll(nullptr, 0, 1);
    }
}

Result<void> remove_empty_cgroup(std::string const& mount, std::string const& path) {
    return remove_empty(TRY(open_parent(mount, path)).get(), std::string(base_name(path)));
}

} // namespace oci::perform
