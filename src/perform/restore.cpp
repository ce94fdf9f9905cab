// SPDX-License-Identifier: Apache-2.0
// A container out of the images of a checkpoint, by criu. Nothing is mounted where the host could see it: criu gets a
// mount namespace of its own.
#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attach.h"
#include "base/names.h"
#include "criu_files.h"
#include "kernel/file.h"
#include "kernel/mount.h"
#include "kernel/netlink.h"
#include "kernel/socket.h"
#include "perform/criu.h"
#include "perform/mountinfo.h"
#include "perform/operations.h"
#include "state/descriptors.h"

namespace oci::perform {

namespace {

constexpr std::size_t descriptors_limit = 1U << 20U;

// ---- mount namespaces

/// Runs `action` in the mount namespace that `enter` leads to, and comes back whatever happened.
Result<void> in_other_mounts(auto&& enter, auto&& action) {
    auto const own = TRY(kernel::openat(AT_FDCWD, "/proc/self/ns/mnt", O_RDONLY));
    auto const folder = TRY(kernel::openat(AT_FDCWD, ".", O_PATH | O_DIRECTORY));
    TRY(enter());
    auto done = action();
    TRY(in_context(kernel::setns(own.get(), CLONE_NEWNS), "go back"));
    TRY(in_context(kernel::fchdir(folder.get()), "go back"));
    return done;
}

/// A new one is gone with the last process in it.
Result<void> in_private_mounts(auto&& action) {
    return in_other_mounts([] { return kernel::unshare(CLONE_NEWNS); },
                           [&]() -> Result<void> {
                               TRY(kernel::set_root_propagation(MS_SLAVE | MS_REC));
                               return action();
                           });
}

/// criu wants the rootfs as a mount whose place is not covered by another one. The state directory is such a place.
std::string root_place(Context const& context) {
    return concat(context.root, "/", context.record.id);
}

/// A tree of the rootfs, mounted there.
Result<kernel::Fd> attach_root(std::string const& rootfs, Context const& context) {
    auto const folder = TRY(open_rootfs(rootfs));
    auto tree = TRY(in_context(kernel::clone_tree(folder.get(), "", AT_EMPTY_PATH | AT_RECURSIVE), rootfs));
    auto const place = TRY(kernel::openat(AT_FDCWD, root_place(context), O_PATH | O_DIRECTORY | O_NOFOLLOW));
    auto const found = TRY(kernel::fstat(place.get()));
    auto const reserved = TRY(kernel::fstat(context.directory->get()));
    if (found.st_dev != reserved.st_dev || found.st_ino != reserved.st_ino)
        return fail(root_place(context), " is not the container's state directory");
    TRY(kernel::attach_mount(tree.get(), place.get()));
    return tree;
}

// ---- mount points

/// Where criu brings the whole file system, what is in it comes along.
bool lies_in_restored_mount(steps::CheckpointMount const& mount, std::vector<steps::CheckpointMount> const& mounts) {
    return std::ranges::any_of(mounts, [&](steps::CheckpointMount const& other) {
        return other.source.empty() && other.destination != mount.destination &&
               is_below(mount.destination, other.destination);
    });
}

Result<void> make_mount_point(steps::CheckpointMount const& mount, int root) {
    if (mount.source.empty()) {
        auto const made = TRY(kernel::make_mount_target(root, mount.destination, true));
        return {};
    }
    auto const tree = TRY(kernel::clone_tree(AT_FDCWD, mount.source, AT_RECURSIVE));
    bool const is_folder = S_ISDIR(TRY(kernel::fstat(tree.get())).st_mode);
    auto const target = TRY(kernel::make_mount_target(root, mount.destination, is_folder));
    // Others may lie below it.
    return kernel::attach_mount(tree.get(), target.get());
}

// ---- what comes from outside

/// What lies below the source of a recursive bind mount belongs to it.
void add_inner_mounts(steps::CheckpointMount const& mount, std::vector<MountPoint> const& host,
                      std::vector<ExternalMount>& mounts) {
    for (auto const& point : host)
        if (point.path != mount.source && is_below(point.path, mount.source))
            mounts.push_back({mount.destination + point.path.substr(mount.source.size()), point.path});
}

Result<std::vector<ExternalMount>> external_mounts(steps::BeginRestore const& operation) {
    auto const host = TRY(mount_points_of("self"));
    std::vector<ExternalMount> mounts;
    for (auto const& mount : operation.mounts) {
        if (mount.source.empty())
            continue;
        mounts.push_back({mount.destination, mount.source});
        if (mount.recursive)
            add_inner_mounts(mount, host, mounts);
    }
    mounts.push_back({"/dev/null", "/dev/null"});
    for (auto const& path : operation.devices)
        if (path != "/dev/null")
            mounts.push_back({path, path});
    return mounts;
}

/// Pipes and files of the host in the image become the streams that we have.
Result<void> add_streams(std::string const& images, CriuFacts& facts, std::vector<kernel::Fd>& opened) {
    auto const text = TRY(kernel::read_file(AT_FDCWD, concat(images, "/", descriptors_file), descriptors_limit));
    auto const names = TRY(in_context(state::descriptors_from_json(text), descriptors_file));
    for (std::size_t i = 0; i < names.size() && i <= STDERR_FILENO; ++i) {
        auto const number = static_cast<int>(i);
        auto const& name = names[i];
        if (name.starts_with(pipe_prefix))
            facts.inherited.push_back({name, number});
        if (!name.starts_with(external_file_prefix))
            continue;
        // criu opens an external file once more, at the position of the old one. But first it looks for the name
        // without the first letter, which is a slash elsewhere, and takes what it finds as it is.
        facts.inherited.push_back({name.substr(1), number});
        opened.push_back(TRY(kernel::openat(AT_FDCWD, concat("/proc/self/fd/", number), O_PATH)));
        facts.inherited.push_back({name, opened.back().get()}); // each descriptor may be named once
    }
    return {};
}

/// criu joins most by path; network and pid namespaces are in the image under a name, which stands for an open file.
Result<void> add_namespaces(steps::BeginRestore const& operation, CriuFacts& facts, std::vector<kernel::Fd>& opened) {
    for (auto const& [type, path] : operation.joined) {
        if (type != CLONE_NEWNET && type != CLONE_NEWPID) {
            facts.joined.push_back({std::string(namespace_file(type)), path});
            continue;
        }
        opened.push_back(TRY(kernel::openat(AT_FDCWD, path, O_RDONLY)));
        facts.inherited.push_back({namespace_key(type), opened.back().get()});
    }
    return {};
}

/// What is no mount point (any more) is left alone.
Result<void> protect(steps::RestoredMount const& mount, int root) {
    auto const place = kernel::open_in_root(root, mount.path, O_PATH);
    if (!place)
        return place.error().errno_value == ENOENT || place.error().errno_value == ENOTDIR ? Result<void>()
                                                                                           : Failure(place.error());
    if (mount.host_device && S_ISDIR(TRY(kernel::fstat(place->get())).st_mode))
        return {};
    auto const change = [&](std::uint64_t set, std::uint64_t clear, unsigned flags) -> Result<void> {
        if (set == 0 && clear == 0)
            return {};
        auto changed = kernel::mount_setattr(place->get(), {.set = set, .clear = clear}, flags);
        return !changed && changed.error().errno_value == EINVAL ? Result<void>() : changed;
    };
    TRY(change(mount.recursive_set, mount.recursive_clear, AT_RECURSIVE));
    return change(mount.set, mount.clear, 0);
}

// ---- the conversation

Result<void> pass_terminal(std::vector<kernel::Fd> const& descriptors, Context& context) {
    if (descriptors.size() != 1)
        return fail("criu: one terminal was expected, ", descriptors.size(), " came");
    if (!context.console)
        return fail("the image has a terminal, but /process/terminal is not true");
    std::array const master{descriptors[0].get()};
    TRY(kernel::send_descriptors(context.console.get(), "/dev/console", master));
    context.console.close();
    return {};
}

/// Until criu says `script`, which is left without reply, or, with "", until it is done.
Result<CriuAnswer> run_until(std::string_view script, Context& context) {
    auto const deadline = kernel::Deadline::after(criu_limit);
    while (true) {
        std::vector<kernel::Fd> descriptors;
        auto answer = TRY(context.criu->next(deadline, &descriptors));
        if (answer.is_notification ? answer.script == script : script.empty())
            return answer;
        if (!answer.is_notification)
            return fail("criu: was done before \"", script, "\"");
        if (answer.script == "orphan-pts-master")
            TRY(pass_terminal(descriptors, context));
        TRY(context.criu->go_on());
    }
}

} // namespace

/// In a namespace that is gone when they are made: the mounts in it only show the way to the next mount point.
Result<void> apply(steps::MakeMountPoints const& operation, Context& context) {
    return in_private_mounts([&]() -> Result<void> {
        auto const root = TRY(attach_root(operation.rootfs, context));
        for (auto const& mount : operation.mounts)
            if (!lies_in_restored_mount(mount, operation.mounts))
                TRY(in_context(make_mount_point(mount, root.get()), mount.destination));
        return {};
    });
}

Result<void> apply(steps::BeginRestore const& operation, Context& context) {
    auto const& options = operation.options;
    CriuFacts facts;
    facts.root = root_place(context);
    facts.cgroup = context.record.cgroup_path;
    facts.mounts = TRY(external_mounts(operation));
    std::vector<kernel::Fd> opened;
    TRY(in_context(add_streams(options.image_path, facts, opened), "--image-path"));
    TRY(add_namespaces(operation, facts, opened));

    CriuStart start{.log = concat(options.work_path, "/restore.log"), .streams = true, .session = !options.shell_job};
    for (auto const& descriptor : opened)
        start.kept.push_back(descriptor.get());
    start.cgroup = context.cgroup ? context.cgroup.get() : -1;
    kernel::Fd images;
    kernel::Fd work;
    TRY(in_private_mounts([&]() -> Result<void> {
        auto const root = TRY(attach_root(operation.rootfs, context));
        // criu mounts below its work folder, which has to be in the same namespace for that.
        images = TRY(in_context(kernel::openat(AT_FDCWD, options.image_path, O_RDONLY | O_DIRECTORY), "--image-path"));
        work = TRY(in_context(make_folder(options.work_path), "--work-path"));
        context.criu.emplace(TRY(Criu::start(start)));
        return {};
    }));
    facts.images = images.get();
    facts.work = work.get();
    TRY(context.criu->request(restore_request(operation, facts)));
    auto const answer = TRY(run_until("setup-namespaces", context));
    context.init_pidfd = TRY(kernel::pidfd_open(answer.process));
    if (!kernel::is_child(context.init_pidfd.get())) {
        context.init_pidfd.close();
        return fail("criu: process ", answer.process, " is not the one that was restored");
    }
    context.state.pid = answer.process;
    return {};
}

Result<void> apply(steps::SetUpNetwork const& operation, Context& context) {
    auto const theirs = TRY(kernel::openat(AT_FDCWD, concat("/proc/", context.state.pid, "/ns/net"), O_RDONLY));
    auto inside = TRY(kernel::RouteSocket::open_in(theirs.get()));
    TRY(inside.set_up(TRY(inside.index_of("lo"))));
    if (operation.sysctls.empty())
        return {};
    // /proc/sys/net shows the namespace of who opens it.
    auto const own = TRY(kernel::openat(AT_FDCWD, "/proc/self/ns/net", O_RDONLY));
    TRY(kernel::setns(theirs.get(), CLONE_NEWNET));
    auto const write = [&]() -> Result<void> {
        for (auto const& [name, value] : operation.sysctls)
            TRY(in_context(kernel::write_control_file(AT_FDCWD, concat("/proc/sys/", name), value), "/linux/sysctl"));
        return {};
    };
    auto written = write();
    TRY(in_context(kernel::setns(own.get(), CLONE_NEWNET), "go back"));
    return written;
}

Result<void> apply(steps::RestoreProcesses const&, Context& context) {
    TRY(context.criu->go_on());
    TRY(run_until("post-restore", context));
    return {};
}

/// Nobody of the container runs yet.
Result<void> apply(steps::ProtectMounts const& operation, Context& context) {
    // Where a pid namespace is shared, strangers see who enters the container (CVE-2019-5736).
    TRY(kernel::set_not_dumpable());
    auto const theirs = TRY(kernel::openat(AT_FDCWD, concat("/proc/", context.state.pid, "/ns/mnt"), O_RDONLY));
    auto const protect_all = [&]() -> Result<void> {
        auto const root = TRY(kernel::openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY));
        for (auto const& mount : operation.mounts)
            TRY(in_context(protect(mount, root.get()), mount.path));
        return {};
    };
    return in_other_mounts([&] { return kernel::setns(theirs.get(), CLONE_NEWNS); }, protect_all);
}

Result<void> apply(steps::ResumeRestored const&, Context& context) {
    TRY(context.criu->go_on());
    TRY(run_until("", context));
    TRY(context.criu->finish());
    context.criu.reset();
    context.console.close(); // a foreground that waits for a terminal sees that none came
    return {};
}

} // namespace oci::perform
