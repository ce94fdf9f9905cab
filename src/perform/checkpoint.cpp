// SPDX-License-Identifier: Apache-2.0
// A container's processes as files, by criu. What came from the host (bind mounts, namespaces joined by path, standard
// streams) goes into the image as a name only.
#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/names.h"
#include "criu_files.h"
#include "kernel/file.h"
#include "perform/criu.h"
#include "perform/freezer.h"
#include "perform/mountinfo.h"
#include "perform/operations.h"
#include "state/descriptors.h"

namespace oci::perform {

namespace {

constexpr int streams = 3;
constexpr unsigned memory_devices = 1; // major number: /dev/null, /dev/zero ...

/// A container's mounts, looked at from outside.
struct View {
    kernel::Fd root;
    std::vector<MountPoint> mounts;
    /// The mount whose place a path of the container is, links on the way followed; nullptr: it is none.
    Result<MountPoint const*> mount_point(std::string const& path) const {
        auto const file = kernel::open_in_root(root.get(), path, O_PATH);
        auto const* const mount = file ? find_mount(mounts, TRY(mount_id("self", file->get()))) : nullptr;
        if (mount == nullptr || mount->path == "/")
            return nullptr;
        auto const place = TRY(kernel::open_in_root(root.get(), mount->path, O_PATH));
        auto const one = TRY(kernel::fstat(file->get()));
        auto const other = TRY(kernel::fstat(place.get()));
        return one.st_dev == other.st_dev && one.st_ino == other.st_ino ? mount : nullptr;
    }
    Result<bool> is_folder(std::string const& path) const {
        auto const file = TRY(kernel::open_in_root(root.get(), path, O_PATH));
        return S_ISDIR(TRY(kernel::fstat(file.get())).st_mode);
    }
};

/// What a recursive bind mount has brought along: mounts below it that config.json does not know.
void add_inner_mounts(steps::CheckpointMount const& mount, MountPoint const& top, View const& view,
                      std::vector<unsigned> const& known, std::vector<ExternalMount>& mounts) {
    for (auto const& inner : view.mounts)
        if (inner.id != top.id && is_below(inner.path, top.path) && std::ranges::find(known, inner.id) == known.end())
            mounts.push_back({inner.path, mount.destination + inner.path.substr(top.path.size())});
}

Result<std::vector<ExternalMount>> external_mounts(steps::DumpContainer const& operation, View const& view) {
    std::vector<unsigned> known;
    std::vector<MountPoint const*> points;
    for (auto const& mount : operation.mounts) {
        points.push_back(TRY(view.mount_point(mount.destination)));
        if (points.back() != nullptr)
            known.push_back(points.back()->id);
    }
    std::vector<ExternalMount> mounts;
    for (std::size_t i = 0; i < points.size(); ++i) {
        auto const& mount = operation.mounts[i];
        if (points[i] == nullptr || mount.source.empty())
            continue;
        mounts.push_back({points[i]->path, mount.destination});
        if (mount.recursive)
            add_inner_mounts(mount, *points[i], view, known, mounts);
    }
    // Masked folders are file systems of the container's own.
    for (auto const& path : operation.masked_paths)
        if (auto const* const point = TRY(view.mount_point(path)); point != nullptr && !TRY(view.is_folder(path)))
            mounts.push_back({point->path, "/dev/null"});
    for (auto const& path : operation.devices)
        if (auto const* const point = TRY(view.mount_point(path)))
            mounts.push_back({point->path, path});
    return mounts;
}

Result<std::vector<std::string>> external_namespaces(steps::DumpContainer const& operation, pid_t init) {
    std::vector<std::string> externals;
    for (auto const type : operation.namespaces) {
        auto const file = namespace_file(type);
        auto const inode = TRY(kernel::fstatat(AT_FDCWD, concat("/proc/", init, "/ns/", file), 0)).st_ino;
        externals.push_back(concat(file, "[", inode, "]:", namespace_key(type)));
    }
    return externals;
}

std::string hexadecimal(std::uint64_t value) {
    std::string out;
    do {
        out.insert(out.begin(), "0123456789abcdef"[value % 16]);
        value /= 16;
    } while (value != 0);
    return out;
}

/// What the standard streams are called in the image: for pipes their link in /proc. Files of the host, which no mount
/// of the container leads to, are external under such a name; terminals criu knows by itself.
Result<std::string> stream_name(pid_t init, int number, View const& view) {
    auto const path = concat("/proc/", init, "/fd/", number);
    auto const link = kernel::readlinkat(AT_FDCWD, path);
    if (!link)
        return std::string("/dev/null"); // closed
    auto const status = TRY(kernel::fstatat(AT_FDCWD, path, 0));
    bool const is_file = S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) ||
                         (S_ISCHR(status.st_mode) && major(status.st_rdev) == memory_devices);
    auto const id = TRY(mount_id(std::to_string(init), number));
    if (!is_file || find_mount(view.mounts, id) != nullptr)
        return *link;
    return concat(external_file_prefix, hexadecimal(id), ":", hexadecimal(status.st_ino), "]");
}

Result<void> add_streams(CriuFacts& facts, View const& view) {
    std::vector<std::string> names;
    for (int number = 0; number < streams; ++number) {
        names.push_back(TRY(stream_name(facts.process, number, view)));
        if (names.back().starts_with(external_file_prefix))
            facts.externals.push_back(names.back());
    }
    return kernel::write_file_atomically(facts.images, descriptors_file, state::descriptors_json(names), 0600);
}

Result<void> add_what_is_outside(steps::DumpContainer const& operation, Context const& context, CriuFacts& facts) {
    auto const init = context.state.pid;
    View view;
    view.root = TRY(kernel::openat(AT_FDCWD, concat("/proc/", init, "/root"), O_PATH | O_DIRECTORY));
    view.mounts = TRY(mount_points_of(std::to_string(init)));
    facts.mounts = TRY(external_mounts(operation, view));
    facts.externals = TRY(external_namespaces(operation, init));
    return add_streams(facts, view);
}

/// Who passes on lazy pages waits for this byte, and then for the end of file.
Result<void> tell_ready(int& status_fd) {
    if (status_fd < 0)
        return {};
    TRY(in_context(kernel::write_all(status_fd, std::string_view("\0", 1)), "--status-fd"));
    kernel::Fd(std::exchange(status_fd, -1)).close();
    return {};
}

Result<void> dump(steps::DumpContainer const& operation, Criu& criu, std::string_view request) {
    // Pages are served as long as somebody asks for them.
    auto const deadline =
        operation.options.lazy_pages ? kernel::Deadline::never() : kernel::Deadline::after(criu_limit);
    int status_fd = operation.status_fd;
    TRY(criu.request(request));
    while (true) {
        auto const answer = TRY(criu.next(deadline));
        if (!answer.is_notification)
            break;
        if (answer.script == "status-ready")
            TRY(tell_ready(status_fd));
        TRY(criu.go_on());
    }
    return criu.finish();
}

/// A restored process opens images itself: where it is root of a user namespace only, it must get into the folder. A
/// folder that was there is somebody else's.
Result<kernel::Fd> make_image_folder(steps::DumpContainer const& operation) {
    auto const& path = operation.options.image_path;
    bool const exists = kernel::fstatat(AT_FDCWD, path, 0).has_value();
    auto folder = TRY(make_folder(path));
    if (!exists && operation.group) {
        constexpr auto same_owner = static_cast<uid_t>(-1);
        TRY(kernel::fchownat(folder.get(), "", same_owner, *operation.group, AT_EMPTY_PATH));
        TRY(kernel::fchmod(folder.get(), 0710));
    }
    return folder;
}

Result<void> check_parent(int images, std::string const& path) {
    if (path.empty())
        return {};
    auto const status = TRY(kernel::fstatat(images, path, 0));
    return S_ISDIR(status.st_mode) ? Result<void>() : fail_errno(ENOTDIR, path);
}

bool is_being_frozen(int cgroup) {
    auto const value = kernel::read_file(cgroup, "cgroup.freeze", 16);
    return value && trim(*value) == "1";
}

} // namespace

Result<void> apply(steps::DumpContainer const& operation, Context& context) {
    auto const& options = operation.options;
    auto const images = TRY(in_context(make_image_folder(operation), "--image-path"));
    TRY(in_context(check_parent(images.get(), operation.parent_path), "--parent-path"));
    auto const work = TRY(in_context(make_folder(options.work_path), "--work-path"));
    CriuFacts facts;
    facts.images = images.get();
    facts.work = work.get();
    facts.process = context.state.pid;
    if (context.cgroup)
        facts.freeze_cgroup = concat(context.host.cgroup2_mount, context.record.cgroup_path);
    if (!operation.pre_dump)
        TRY(add_what_is_outside(operation, context, facts));
    // What was opened by pid is init's only if init has lived until now.
    if (TRY(kernel::wait_for_exit(context.init_pidfd.get(), kernel::Deadline::after(std::chrono::milliseconds(0)))))
        return fail("container not running: it has ended meanwhile");

    bool const paused = context.cgroup && is_being_frozen(context.cgroup.get());
    auto criu = TRY(Criu::start({.log = concat(options.work_path, "/dump.log")}));
    auto dumped = dump(operation, criu, dump_request(operation, facts));
    if (!dumped) {
        criu.abandon();
        if (context.cgroup && !paused)
            (void)request_thaw(context.cgroup.get());
    }
    return dumped;
}

} // namespace oci::perform
