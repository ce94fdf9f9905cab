// SPDX-License-Identifier: Apache-2.0
// Mounts of a container that is there already. Whatever is looked up by a path of the host is looked up before the
// helper enters the container's mount namespace; after that there are descriptors, and paths below the container's
// root.
#include <cerrno>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/stat.h>

#include "attach.h"
#include "kernel/file.h"
#include "kernel/mount.h"
#include "perform/mountinfo.h"
#include "perform/operations.h"
#include "staging.h"

namespace oci::perform {

namespace {

/// A tree that is ready, and its place.
struct Prepared {
    kernel::Fd tree;
    steps::MountTarget const* target = nullptr;
    std::string description;
    bool is_directory = true;

    template <typename Value>
    Result<Value> in_words(Result<Value> result) const {
        return in_context(std::move(result), description, ": ", target->pointer);
    }
};

Result<kernel::Fd> make_tree(steps::BindMount const& mount, Context& context) {
    return bind_tree(mount, context);
}

Result<kernel::Fd> make_tree(steps::MountFilesystem const& mount, Context& context) {
    auto const folder = TRY(covered_folder(mount, context));
    return filesystem_tree(mount, folder, context);
}

Result<Prepared> prepare(steps::NewMount const& mount, Context& context) {
    return std::visit(
        [&](auto const& alternative) -> Result<Prepared> {
            Prepared prepared{{}, &alternative.target, steps::describe(alternative)};
            prepared.tree = TRY(prepared.in_words(make_tree(alternative, context)));
            prepared.is_directory = S_ISDIR(TRY(kernel::fstat(prepared.tree.get())).st_mode);
            return prepared;
        },
        mount);
}

/// Not dumpable: a change of ids sets that anew.
Result<void> enter_mount_namespace(Context& context) {
    TRY(kernel::set_not_dumpable());
    TRY(in_context(kernel::setns(context.container_mounts.get(), CLONE_NEWNS), "join the container's mount namespace"));
    context.rootfs = TRY(kernel::openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY));
    return {};
}

/// A symbolic link may lead there, and what is mounted over the root is the root of the next one who comes in.
Result<void> refuse_root(Context const& context, int place) {
    auto const root = TRY(kernel::fstat(context.rootfs.get()));
    auto const status = TRY(kernel::fstat(place));
    if (root.st_dev == status.st_dev && root.st_ino == status.st_ino)
        return fail("is the root of the container");
    return {};
}

Result<void> attach_prepared(Prepared const& prepared, Context const& context) {
    auto const& target = *prepared.target;
    auto const place = TRY(open_target(context, target.destination, prepared.is_directory, false));
    TRY(in_context(refuse_root(context, place.get()), target.destination));
    return attach(target, prepared.tree.get(), place.get());
}

/// Also of the one that has failed: it may be there already.
void take_back(std::vector<Prepared> const& prepared, std::size_t failed, Context const& context, Error& error) {
    for (std::size_t i = failed + 1; i-- > 0;) {
        auto const detached = kernel::detach_mount(context.procfs->get(), prepared[i].tree.get());
        if (!detached && i != failed)
            error.message +=
                concat(" (and ", prepared[i].target->destination, " stays mounted: ", detached.error().message, ")");
    }
}

} // namespace

/// In the user namespace the helper's mount namespace is a copy of the staging one, or of the caller's.
Result<void> apply(steps::JoinForMounts const& operation, Context& context) {
    if (operation.staged)
        TRY(in_context(enter_staging(context), "staging"));
    context.staged_sources.clear();
    for (std::size_t i = 0; i < operation.namespaces.size(); ++i) {
        TRY(kernel::setns(context.joined[i].get(), static_cast<int>(operation.namespaces[i])));
        if (operation.namespaces[i] != CLONE_NEWUSER)
            continue;
        TRY(kernel::set_not_dumpable()); // entering a user namespace sets it anew
        TRY(kernel::unshare(CLONE_NEWNS));
    }
    return {};
}

Result<void> apply(steps::AddMounts const& operation, Context& context) {
    std::vector<Prepared> prepared;
    for (auto const& mount : operation.mounts)
        prepared.push_back(TRY(prepare(mount, context)));
    TRY(enter_mount_namespace(context));
    for (std::size_t i = 0; i < prepared.size(); ++i) {
        auto attached = prepared[i].in_words(attach_prepared(prepared[i], context));
        if (attached)
            continue;
        take_back(prepared, i, context, attached.error());
        return attached;
    }
    return {};
}

namespace {

/// No symbolic link: the container could lead us to another mount with one.
Result<kernel::Fd> open_mount(Context const& context, std::string const& destination) {
    auto mount = kernel::openat2(context.rootfs.get(), destination, O_PATH, 0, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
    if (!mount && mount.error().errno_value == ELOOP)
        return fail(destination, ": a symbolic link leads there: name the mount itself, as list shows it");
    auto opened = TRY(std::move(mount));
    if (!TRY(kernel::mount_of(opened.get())).is_root)
        return fail("nothing is mounted at ", destination);
    return opened;
}

/// The mounts that mask, or make read-only, as they are now.
Result<std::vector<std::string>> find_covers(std::vector<std::string> const& covered, Context const& context) {
    auto const mounts = parse_mountinfo(TRY(context.procfs->read("self/mountinfo")));
    std::vector<std::string> places;
    for (auto const& path : covered) {
        auto const opened = kernel::open_in_root(context.rootfs.get(), path, O_PATH);
        if (!opened)
            continue;
        auto const mount = TRY(kernel::mount_of(opened->get()));
        auto const* const point = find_mount(mounts, static_cast<unsigned>(mount.id));
        if (mount.is_root && point != nullptr)
            places.push_back(point->path);
    }
    return places;
}

Result<void> check_removable(steps::MountPlace const& place, std::vector<std::string> const& covers,
                             Context const& context) {
    auto const mount = TRY(in_context(open_mount(context, place.destination), place.pointer));
    for (auto const& path : covers)
        if (path == place.destination || is_below(path, place.destination))
            return fail(place.pointer, ": must not be ", path, ", which is masked or read-only, or a folder above it");
    return {};
}

Result<void> detach(steps::MountPlace const& place, Context const& context) {
    auto const mount = TRY(open_mount(context, place.destination));
    auto detached = kernel::detach_mount(context.procfs->get(), mount.get());
    if (!detached && detached.error().errno_value == EINVAL) // mount_namespaces(7)
        detached.error().message += " (it belongs to another mount, and is locked there)";
    return detached;
}

} // namespace

Result<void> apply(steps::RemoveMounts const& operation, Context& context) {
    TRY(enter_mount_namespace(context));
    auto const covers = TRY(find_covers(operation.covered, context));
    for (auto const& place : operation.places)
        TRY(check_removable(place, covers, context));
    for (auto place = operation.places.rbegin(); place != operation.places.rend(); ++place)
        TRY(in_context(detach(*place, context), place->pointer));
    return {};
}

} // namespace oci::perform
