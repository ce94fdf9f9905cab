// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sched.h>

#include "kernel/bpf.h"
#include "kernel/file.h"
#include "perform/cgroup_folder.h"
#include "perform/operations.h"

namespace oci::perform {

namespace {

constexpr std::size_t control_file_limit = 64U << 10U;

bool has_word(std::string_view words, std::string_view word) {
    auto const list = split(trim(words), ' ');
    return std::ranges::find(list, word) != list.end();
}

/// Lets the children of `folder` use the controllers that the settings need.
Result<void> enable_controllers(int folder, std::string const& path, std::vector<steps::CgroupSetting> const& needs) {
    if (needs.empty())
        return {};
    auto const available = TRY(kernel::read_file(folder, "cgroup.controllers", control_file_limit));
    auto const enabled = TRY(kernel::read_file(folder, "cgroup.subtree_control", control_file_limit));
    for (auto const& need : needs) {
        if (need.controller.empty() || has_word(enabled, need.controller))
            continue;
        if (!has_word(available, need.controller) && need.may_be_missing)
            continue;
        if (!has_word(available, need.controller))
            return fail(need.pointer, ": controller ", need.controller, " is not available in cgroup ", path,
                        " (available: ", trim(available).empty() ? "none" : trim(available), ")");
        auto written = kernel::write_control_file(folder, "cgroup.subtree_control", concat("+", need.controller));
        TRY(in_context(std::move(written), need.pointer, ": enable controller ", need.controller, " in cgroup ", path));
    }
    return {};
}

/// Makes and opens the next folder. Another container's delete may remove the parent between the two calls: then
/// ENOENT. `must_be_new`: EEXIST is an error.
Result<kernel::Fd> enter_folder(int parent, std::string const& name, bool must_be_new) {
    auto made = kernel::mkdirat(parent, name, 0755);
    if (!made && (made.error().errno_value != EEXIST || must_be_new))
        return Failure(made.error());
    return kernel::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

Result<kernel::Fd> make_cgroup(steps::CreateCgroup const& operation, std::string const& mount, bool must_be_new) {
    auto folder = TRY(kernel::openat(AT_FDCWD, mount, O_RDONLY | O_DIRECTORY));
    std::string path;
    for (auto const name : split(std::string_view(operation.path).substr(1), '/')) {
        TRY(enable_controllers(folder.get(), path.empty() ? "/" : path, operation.needs));
        path += concat("/", name);
        bool const last = path == operation.path;
        folder = TRY(enter_folder(folder.get(), std::string(name), last && must_be_new));
    }
    return folder;
}

} // namespace

Result<void> apply(steps::CreateCgroup const& operation, Context& context) {
    constexpr int tries = 10;
    for (int attempt = 1;; ++attempt) {
        // It was missing when the record was written: if it is there now, it is another container's.
        auto folder = make_cgroup(operation, context.host.cgroup2_mount, !context.record.cgroup_created.empty());
        if (folder) {
            context.cgroup = *std::move(folder);
            break;
        }
        if (folder.error().errno_value == EEXIST)
            context.record.cgroup_path.clear(); // so that undoing this create leaves it alone
        if (folder.error().errno_value != ENOENT || attempt == tries)
            return Failure(folder.error());
    }
    // Below a frozen cgroup the clone would never run.
    if (TRY(cgroup_event(context.cgroup.get(), "frozen")))
        return fail("/linux/cgroupsPath: cgroup ", operation.path, " is frozen by one above it");
    return {};
}

Result<void> apply(steps::ApplyCgroupSettings const& operation, Context& context) {
    for (auto const& setting : operation.settings) {
        auto written = kernel::write_control_file(context.cgroup.get(), setting.file, setting.value);
        if (!written && written.error().errno_value == ENOENT && setting.may_be_missing)
            continue;
        TRY(in_context(std::move(written), setting.pointer, ": set ", setting.file, " to ", setting.value));
    }
    return {};
}

Result<void> apply(steps::AttachDeviceFilter const& operation, Context& context) {
    auto const attach = [&]() -> Result<void> {
        auto const program = TRY(kernel::load_device_program(operation.program));
        return kernel::attach_device_program(context.cgroup.get(), program.get());
    };
    auto attached = attach();
    // Without rights on the host device nodes cannot be made either, only those of the host be bound.
    bool const unprivileged = context.host.euid != 0 || context.host.in_user_namespace;
    if (!attached && unprivileged && attached.error().errno_value == EPERM)
        return {};
    return attached;
}

Result<void> apply(steps::UnshareCgroupNamespace const&, Context&) {
    return kernel::unshare(CLONE_NEWCGROUP);
}

} // namespace oci::perform
