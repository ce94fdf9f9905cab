// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <optional>
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

constexpr std::string_view has_processes = " (processes are in it, so it cannot hand on controllers)";

/// cgroups(7), "no internal processes": the root alone may have both (and no cgroup.type). The threaded controllers
/// (cpu, pids ...) the kernel would enable all the same, and take the cgroup for the root of a threaded tree from then
/// on, in which no container can start (EOPNOTSUPP).
bool cannot_hand_on(int folder) {
    auto const processes = kernel::read_file(folder, "cgroup.procs", control_file_limit);
    return processes && !processes->empty() && kernel::fstatat(folder, "cgroup.type", 0);
}

/// Lets the children of `folder` use its controllers: those that the settings need, and all the others as far as
/// possible, because engines read the usage of what is not limited, too.
Result<void> enable_controllers(int folder, std::string const& path, std::vector<steps::CgroupSetting> const& needs) {
    auto const available = TRY(kernel::read_file(folder, "cgroup.controllers", control_file_limit));
    auto const enabled = TRY(kernel::read_file(folder, "cgroup.subtree_control", control_file_limit));
    for (auto const& need : needs)
        if (!need.controller.empty() && !need.may_be_missing && !has_word(available, need.controller))
            return fail(need.pointer, ": unified resource ", json_string(need.file), " can't be set: controller ",
                        json_string(need.controller), " not available in cgroup ", path,
                        " (available: ", trim(available).empty() ? "none" : trim(available), ")");
    std::vector<std::string> missing;
    for (auto const controller : split(trim(available), ' '))
        if (!controller.empty() && !has_word(enabled, controller))
            missing.push_back(concat("+", controller));
    if (!missing.empty() && cannot_hand_on(folder)) {
        for (auto const& need : needs)
            if (!need.may_be_missing && std::ranges::find(missing, concat("+", need.controller)) != missing.end())
                return fail(need.pointer, ": enable controller ", need.controller, " in cgroup ", path, has_processes);
        return {};
    }
    if (missing.empty() || kernel::write_control_file(folder, "cgroup.subtree_control", join(missing, " ")))
        return {};
    // The kernel takes all or none: one by one, to see which.
    for (auto const& controller : missing) {
        auto written = kernel::write_control_file(folder, "cgroup.subtree_control", controller);
        auto const need = std::ranges::find(needs, controller.substr(1), &steps::CgroupSetting::controller);
        if (written || need == needs.end() || need->may_be_missing)
            continue;
        if (written.error().errno_value == EBUSY)
            written.error().message += has_processes;
        return in_context(std::move(written), need->pointer, ": enable controller ", need->controller, " in cgroup ",
                          path);
    }
    return {};
}

/// Makes and opens the next folder. Another container's delete may remove the parent between the two calls: then
/// ENOENT. `must_be_new`: EEXIST is an error.
Result<kernel::Fd> enter_folder(int parent, std::string const& name, bool must_be_new) {
    auto made = kernel::mkdirat(parent, name, 0755);
    if (!made && (made.error().errno_value != EEXIST || must_be_new))
        return Failure(made.error());
    auto folder = TRY(kernel::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (made)
        mark_as_made(folder.get());
    return folder;
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

void disown_cgroup(Context& context) {
    context.record.cgroup_path.clear();
    context.record.cgroup_created.clear();
    context.record.systemd_unit.clear();
    // For a `delete` after we were killed. Where it cannot be written the undoing, which does not read it, comes next.
    (void)context.directory->write_record(context.record);
}

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
            disown_cgroup(context);
        // ENODEV: it was removed between its opening and the writing of a file in it.
        bool const removed = folder.error().errno_value == ENOENT || folder.error().errno_value == ENODEV;
        if (!removed || attempt == tries)
            return Failure(folder.error());
    }
    // Below a frozen cgroup the clone would never run.
    if (TRY(cgroup_event(context.cgroup.get(), "frozen")))
        return fail("/linux/cgroupsPath: cgroup ", operation.path, " is frozen by one above it");
    return {};
}

Result<void> apply(steps::EnableControllers const& operation, Context& context) {
    auto folder = TRY(kernel::openat(AT_FDCWD, context.host.cgroup2_mount, O_RDONLY | O_DIRECTORY));
    std::string path;
    for (auto const name : split(std::string_view(operation.path).substr(1), '/')) {
        TRY(enable_controllers(folder.get(), path.empty() ? "/" : path, operation.needs));
        path += concat("/", name);
        folder = TRY(kernel::openat(folder.get(), std::string(name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    }
    return {};
}

namespace {

// ---- setting values

/// Line by line: files with one entry for each device take one in a write.
Result<void> write_lines(int cgroup, std::string const& file, std::string_view value) {
    auto const lines = split(value, '\n');
    for (auto const line : lines)
        if (!line.empty() || lines.size() == 1)
            TRY(kernel::write_control_file(cgroup, file, line));
    return {};
}

/// "memory.max" to "memory.current"; nullopt where there is no such file.
std::optional<std::uint64_t> current_usage(int cgroup, std::string_view file) {
    constexpr std::string_view limit_suffix = ".max";
    if (!file.ends_with(limit_suffix))
        return std::nullopt;
    file.remove_suffix(limit_suffix.size());
    auto const usage = kernel::read_file(cgroup, concat(file, ".current"), control_file_limit);
    return usage ? parse_number<std::uint64_t>(trim(*usage)) : std::nullopt;
}

Result<void> check_usage(int cgroup, steps::CgroupSetting const& setting) {
    auto const usage = current_usage(cgroup, setting.file);
    if (setting.check_usage && usage && parse_number<std::uint64_t>(setting.value).value_or(*usage) < *usage)
        return fail(setting.pointer, ": ", setting.file, " ", setting.value, " is below the current usage ", *usage);
    return {};
}

/// The kernel's reasons in words.
std::string hint(int cgroup, steps::CgroupSetting const& setting, int errno_value) {
    if (errno_value == ENOENT)
        return " (this kernel has no such setting)";
    auto const usage = errno_value == EBUSY ? current_usage(cgroup, setting.file) : std::nullopt;
    return usage ? concat(" (current usage ", *usage, ")") : "";
}

Result<void> write_setting(int cgroup, steps::CgroupSetting const& setting) {
    auto written = write_lines(cgroup, setting.file, setting.value);
    // EOPNOTSUPP: the file is there, but this device's scheduler does not use it.
    if (!written && !setting.fallback_file.empty() &&
        (written.error().errno_value == ENOENT || written.error().errno_value == EOPNOTSUPP))
        written = write_lines(cgroup, setting.fallback_file, setting.fallback_value);
    if (written || (written.error().errno_value == ENOENT && setting.may_be_missing))
        return {};
    written.error().message += hint(cgroup, setting, written.error().errno_value);
    return in_context(std::move(written), setting.pointer, ": set ", setting.file, " to ", printable(setting.value));
}

// ---- the way back

struct OldValue {
    std::string file;
    std::string content;
};

/// What cannot be read (memory.reclaim) is an action and not a value.
std::vector<OldValue> old_values(int cgroup, steps::CgroupSetting const& setting) {
    std::vector<OldValue> values;
    for (auto const& file : {setting.file, setting.fallback_file})
        if (!file.empty())
            if (auto const content = kernel::read_file(cgroup, file, control_file_limit))
                values.push_back({file, std::string(trim(*content))});
    return values;
}

/// Takes back "8:0 rbps=100": a file with a line for each device has none for one without limits.
Result<void> clear_devices(int cgroup, std::string const& file, std::string_view value) {
    for (auto const line : split(value, '\n')) {
        auto const device = line.substr(0, line.find(' '));
        if (device.find(':') == std::string_view::npos)
            continue;
        auto const none = file == "io.max" ? " rbps=max wbps=max riops=max wiops=max" : " default";
        TRY(kernel::write_control_file(cgroup, file, concat(device, none)));
    }
    return {};
}

Result<void> restore(int cgroup, steps::CgroupSetting const& setting, std::vector<OldValue> const& values) {
    for (auto const& old : values) {
        TRY(clear_devices(cgroup, old.file, old.file == setting.file ? setting.value : setting.fallback_value));
        // write_lines() leaves out empty lines, but an empty cpuset is a value.
        TRY(old.content.empty() ? kernel::write_control_file(cgroup, old.file, "\n")
                                : write_lines(cgroup, old.file, old.content));
    }
    return {};
}

} // namespace

Result<void> apply(steps::ApplyCgroupSettings const& operation, Context& context) {
    int const cgroup = context.cgroup.get();
    for (auto const& setting : operation.settings)
        TRY(check_usage(cgroup, setting));
    std::vector<std::vector<OldValue>> old;
    for (auto const& setting : operation.settings) {
        if (operation.all_or_nothing)
            old.push_back(old_values(cgroup, setting));
        auto written = write_setting(cgroup, setting);
        if (written)
            continue;
        // Of several lines some may be written, so the one that was refused goes back, too; that may be refused as
        // well.
        for (auto i = old.size(); i-- > 0;) {
            auto const back = restore(cgroup, operation.settings[i], old[i]);
            if (!back && i + 1 < old.size())
                written.error().message += concat(" (and going back failed: ", back.error().message, ")");
        }
        return written;
    }
    return {};
}

Result<void> apply(steps::DelegateCgroup const& operation, Context& context) {
    int const cgroup = context.cgroup.get();
    auto const give = [&](std::string const& file) {
        constexpr auto same_group = static_cast<gid_t>(-1);
        return kernel::fchownat(cgroup, file, operation.uid, same_group,
                                file.empty() ? AT_EMPTY_PATH : AT_SYMLINK_NOFOLLOW);
    };
    auto given = give("");
    // A runtime without privileges has what it needs: its user owns the cgroup.
    bool const unprivileged = context.host.euid != 0 || context.host.in_user_namespace;
    if (!given && unprivileged && given.error().errno_value == EPERM)
        return {};
    TRY(given);
    auto const listed = kernel::read_file(AT_FDCWD, "/sys/kernel/cgroup/delegate", control_file_limit);
    constexpr std::string_view always = "cgroup.procs\ncgroup.subtree_control\ncgroup.threads";
    for (auto const file : split(trim(listed ? *listed : always), '\n'))
        if (auto done = give(std::string(file)); !done && done.error().errno_value != ENOENT)
            return done;
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
