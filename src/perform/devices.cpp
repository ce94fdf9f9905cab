// SPDX-License-Identifier: Apache-2.0
// Device nodes, their links and the console. Everything in /dev is made through one descriptor of it, by a single name,
// so that an image whose /dev is a symbolic link gets nothing made elsewhere (CVE-2026-41579, CVE-2026-47766).
#include <cerrno>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <utility>

#include "attach.h"
#include "base/defer.h"
#include "base/text.h"
#include "kernel/file.h"
#include "kernel/mount.h"
#include "kernel/socket.h"
#include "kernel/terminal.h"
#include "perform/operations.h"

namespace oci::perform {

namespace {

// ---- places

/// Where something is made: a folder's descriptor and a name in it.
struct Place {
    int folder = -1;
    std::string name;
    kernel::Fd opened; ///< `folder`, unless that is the one /dev
};

Result<int> device_folder(Context& context) {
    if (!context.device_folder)
        context.device_folder = TRY(kernel::make_directories_in_root(context.rootfs.get(), "/dev", 0755));
    return context.device_folder.get();
}

Result<Place> find_place(std::string const& path, Context& context) {
    auto const clean = clean_path(path);
    auto const parent = parent_path(clean);
    Place place;
    place.name = base_name(clean);
    if (place.name.empty())
        return fail(path, " is not the name of a file");
    if (parent == "/dev") {
        place.folder = TRY(device_folder(context));
        return place;
    }
    bool const below_dev = parent.starts_with("/dev/");
    int const root = below_dev ? TRY(device_folder(context)) : context.rootfs.get();
    place.opened =
        TRY(kernel::make_directories_in_root(root, std::string(below_dev ? parent.substr(4) : parent), 0755));
    place.folder = place.opened.get();
    return place;
}

/// A file to mount on: a new empty one, or whatever already has that name; no link is followed.
Result<kernel::Fd> make_file(Place const& place) {
    auto made = kernel::openat(place.folder, place.name, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
    if (made || made.error().errno_value != EEXIST)
        return made;
    return kernel::openat(place.folder, place.name, O_PATH | O_NOFOLLOW);
}

// ---- nodes

mode_t file_type(steps::DeviceNode const& node) {
    switch (node.type) {
    case 'b':
        return S_IFBLK;
    case 'p':
        return S_IFIFO;
    default:
        return S_IFCHR;
    }
}

bool is_that_device(struct ::stat const& status, steps::DeviceNode const& node) {
    bool const numbered = node.type != 'p';
    return (status.st_mode & S_IFMT) == file_type(node) &&
           (!numbered || status.st_rdev == ::makedev(node.major, node.minor));
}

/// mknod(2) takes the group from a set-group-id folder, and a default ACL of it may change the mode.
Result<void> correct_metadata(Place const& place, steps::DeviceNode const& node, struct ::stat const& status) {
    if (status.st_uid != node.uid || status.st_gid != node.gid)
        TRY(kernel::fchownat(place.folder, place.name, node.uid, node.gid, AT_SYMLINK_NOFOLLOW));
    if ((status.st_mode & 07777U) != node.mode)
        TRY(kernel::fchmodat(place.folder, place.name, node.mode));
    return {};
}

Result<void> make_node(Place const& place, steps::DeviceNode const& node) {
    dev_t const number = node.type == 'p' ? 0 : ::makedev(node.major, node.minor);
    auto made = kernel::mknodat(place.folder, place.name, file_type(node) | node.mode, number);
    bool const existed = !made && made.error().errno_value == EEXIST;
    if (!made && made.error().errno_value == EPERM)
        made.error().message += " (device nodes cannot be made in a user namespace or without CAP_MKNOD)";
    if (!made && !existed)
        return made;
    auto const status = TRY(kernel::fstatat(place.folder, place.name, AT_SYMLINK_NOFOLLOW));
    if (!is_that_device(status, node))
        return fail("a file that is not that device is already there");
    return existed ? Result<void>() : correct_metadata(place, node, status);
}

/// The empty file that an earlier container of the same rootfs was given for this purpose may be used again.
Result<void> bind_node(Place const& place, steps::DeviceNode const& node, int tree) {
    if (!is_that_device(TRY(kernel::fstat(tree)), node))
        return fail("the host's file is not that device");
    TRY(protect_host_device(tree));
    auto const target = TRY(make_file(place));
    auto const status = TRY(kernel::fstat(target.get()));
    if (is_that_device(status, node))
        return {};
    if (!S_ISREG(status.st_mode) || status.st_size != 0)
        return fail("a file that is not that device is already there");
    return kernel::attach_mount(tree, target.get());
}

Result<void> create_device(steps::CreateDevices const& operation, std::size_t index, Context& context) {
    auto const& node = operation.nodes[index];
    auto const place = TRY(find_place(node.path, context));
    if (!operation.from_host || node.type == 'p') // a pipe of the host would be a way out; making one needs no rights
        return make_node(place, node);
    auto const tree = TRY(take_source(context, operation.first_source + index));
    return bind_node(place, node, tree.get());
}

// ---- links

/// An image's /dev/ptmx would be the host's multiplexer, or lead to one; it has to be that of the container's devpts.
Result<void> remove_other_file(Place const& place, std::string const& target) {
    auto const existing = kernel::readlinkat(place.folder, place.name);
    if (existing && *existing == target)
        return {};
    auto removed = kernel::unlinkat(place.folder, place.name, 0);
    if (!removed && removed.error().errno_value == ENOENT)
        return {};
    return removed;
}

Result<void> make_link(steps::SymbolicLink const& link, Context& context) {
    auto const place = TRY(find_place(link.path, context));
    if (link.path == "/dev/ptmx")
        TRY(remove_other_file(place, link.target));
    auto made = kernel::symlinkat(link.target, place.folder, place.name);
    if (!made && made.error().errno_value == EEXIST)
        return {};
    return made;
}

// ---- console

Result<kernel::Fd> open_devpts(int dev) {
    constexpr auto resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    auto devpts = kernel::openat2(dev, "pts", O_PATH | O_DIRECTORY, 0, resolve);
    if (!devpts && (devpts.error().errno_value == ELOOP || devpts.error().errno_value == ENOTDIR))
        return fail("/dev/pts must be an ordinary directory");
    if (!devpts)
        return in_context(std::move(devpts), "/process/terminal: /dev/pts");
    if (TRY(kernel::filesystem_type(devpts->get())) != DEVPTS_SUPER_MAGIC)
        return fail("/process/terminal: /dev/pts is not a devpts: a terminal needs one among the mounts");
    return devpts;
}

/// Attaches the terminal, by its descriptor, over the file /dev/console; a link of that name is replaced
/// (CVE-2025-52565).
Result<void> mount_console(int dev, int terminal) {
    Place const console{dev, "console", {}};
    auto target = TRY(make_file(console));
    if (S_ISLNK(TRY(kernel::fstat(target.get())).st_mode)) {
        TRY(kernel::unlinkat(dev, console.name, 0));
        target = TRY(make_file(console));
    }
    auto const type = TRY(kernel::fstat(target.get())).st_mode & S_IFMT;
    if (type != S_IFREG && type != S_IFCHR)
        return fail("/dev/console is neither a file nor a device");
    auto const tree = TRY(kernel::clone_tree(terminal, "", AT_EMPTY_PATH));
    return kernel::attach_mount(tree.get(), target.get());
}

constexpr auto same_group = static_cast<gid_t>(-1); // that of devpts' option gid, usually "tty"

/// The master to whoever wants the terminal.
Result<void> pass_on(kernel::Pseudoterminal const& terminal, Context& context) {
    int const master = terminal.master.get();
    TRY(kernel::send_descriptors(context.console.get(), terminal.name, {&master, 1}));
    context.console.close();
    return {};
}

} // namespace

Result<void> apply(steps::CreateDevices const& operation, Context& context) {
    mode_t const saved = ::umask(0); // the modes are meant exactly
    Defer const restore([&] { ::umask(saved); });
    for (std::size_t index = 0; index < operation.nodes.size(); ++index)
        TRY(in_context(create_device(operation, index, context), operation.nodes[index].path));
    return {};
}

Result<void> apply(steps::LinkDevices const& operation, Context& context) {
    for (auto const& link : operation.links)
        TRY(in_context(make_link(link, context), link.path));
    return {};
}

Result<void> apply(steps::SetUpConsole const& operation, Context& context) {
    int const dev = TRY(device_folder(context));
    auto const devpts = TRY(open_devpts(dev));
    auto const terminal = TRY(kernel::open_pseudoterminal(devpts.get()));
    int const master = terminal.master.get();
    int const slave = terminal.slave.get();
    if (operation.size)
        TRY(kernel::set_window_size(master, operation.size->rows, operation.size->columns));
    TRY(kernel::fchownat(slave, "", operation.owner, same_group, AT_EMPTY_PATH));
    TRY(in_context(mount_console(dev, slave), "/dev/console"));
    TRY(kernel::make_standard_streams(slave));
    TRY(kernel::make_controlling_terminal(slave));
    return pass_on(terminal, context);
}

Result<void> apply(steps::SetUpExecTerminal const& operation, Context& context) {
    auto const dev = TRY(in_context(kernel::open_in_root(context.rootfs.get(), "/dev", O_PATH | O_DIRECTORY), "/dev"));
    auto const terminal = TRY(kernel::open_pseudoterminal(TRY(open_devpts(dev.get())).get()));
    int const master = terminal.master.get();
    int const slave = terminal.slave.get();
    if (operation.size)
        TRY(kernel::set_window_size(master, operation.size->rows, operation.size->columns));
    if (operation.owner)
        TRY(kernel::fchownat(slave, "", *operation.owner, same_group, AT_EMPTY_PATH));
    TRY(kernel::make_standard_streams(slave));
    return pass_on(terminal, context);
}

} // namespace oci::perform
