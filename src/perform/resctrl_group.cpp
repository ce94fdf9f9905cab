// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <linux/magic.h>
#include <map>
#include <poll.h>

#include "kernel/file.h"
#include "kernel/host.h"
#include "perform/cgroup_folder.h"
#include "perform/resctrl.h"

namespace oci::perform {

namespace {

constexpr std::size_t file_limit = 1U << 20U;
constexpr std::chrono::seconds lock_limit{30};

/// A path below the root without its leading '/'.
std::string relative(std::string const& path) {
    return path == "/" ? "." : path.substr(1);
}

/// A refused command with the kernel's reason (resctrl.rst, "info/last_cmd_status").
Result<void> with_reason(int root, Result<void> done) {
    // With these it did not come as far as resctrl itself, and the reason is an older one's.
    constexpr std::array elsewhere{ENOENT, EEXIST, EACCES, EROFS};
    if (done || std::ranges::find(elsewhere, done.error().errno_value) != elsewhere.end())
        return done;
    auto const status = kernel::read_file(root, "info/last_cmd_status", file_limit);
    auto const reason = status ? trim(*status) : std::string_view();
    if (!reason.empty() && reason != "ok")
        done.error().message += concat(" (", printable(reason), ")");
    return done;
}

Result<bool> exists(int root, std::string const& path) {
    auto const status = kernel::fstatat(root, relative(path), AT_SYMLINK_NOFOLLOW);
    if (!status && status.error().errno_value != ENOENT)
        return Failure(status.error());
    return status.has_value();
}

Result<bool> has_tasks(int root, std::string const& path) {
    auto const group = TRY(open_resctrl_group(root, path));
    return !trim(TRY(kernel::read_file(group.get(), "tasks", file_limit))).empty();
}

Result<void> remove_if_there(int root, std::string const& path) {
    auto removed = kernel::unlinkat(root, relative(path), AT_REMOVEDIR);
    return removed || is_gone(removed.error()) ? Result<void>{}
                                               : in_context(std::move(removed), "remove resctrl group ", path);
}

/// Values by resource ("L3") and domain ("0").
using Schemata = std::map<std::string, std::map<std::string, std::string>, std::less<>>;

/// "0x0F0" and " f0" as "f0": the kernel reads masks with and without the prefix, and fills up what it prints.
std::string plain_value(std::string_view text) {
    text = trim(text);
    if (text.starts_with("0x") || text.starts_with("0X"))
        text.remove_prefix(2);
    while (text.size() > 1 && text[0] == '0')
        text.remove_prefix(1);
    std::string value(text);
    for (char& c : value)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return value;
}

/// What is before the first separator, and what is after it.
std::pair<std::string_view, std::string_view> split_at(std::string_view text, char separator) {
    auto const at = text.find(separator);
    return {text.substr(0, at), at == std::string_view::npos ? std::string_view() : text.substr(at + 1)};
}

/// Lines such as "    L3:0=7ff;1=7ff"; of two values for the same domain the later one counts.
void read_schemata(std::string_view text, Schemata& schemata) {
    for (auto const line : split(text, '\n')) {
        if (trim(line).empty())
            continue;
        auto const [resource, values] = split_at(line, ':');
        auto& domains = schemata[std::string(trim(resource))];
        for (auto const entry : split(values, ';')) {
            auto const [domain, value] = split_at(entry, '=');
            domains[plain_value(domain)] = plain_value(value);
        }
    }
}

/// `resource` is a name of the kernel's.
bool is_same_value(int root, std::string const& resource, std::string const& wanted, std::string const& found) {
    if (wanted == found)
        return true;
    // resctrl.rst, "bandwidth_gran": a value in between becomes the next step.
    auto const granularity = kernel::read_file(root, concat("info/", resource, "/bandwidth_gran"), file_limit);
    auto const step = granularity ? parse_number<std::uint32_t>(trim(*granularity)).value_or(0) : 0;
    auto const value = parse_number<std::uint32_t>(wanted);
    return step != 0 && value && found == std::to_string((std::uint64_t{*value} + step - 1) / step * step);
}

bool has_all(int root, Schemata const& wanted, Schemata const& found) {
    for (auto const& [resource, domains] : wanted) {
        auto const there = found.find(resource);
        if (there == found.end())
            return false;
        for (auto const& [domain, value] : domains) {
            auto const own = there->second.find(domain);
            if (own == there->second.end() || !is_same_value(root, resource, value, own->second))
                return false;
        }
    }
    return true;
}

/// "L3:0=f;1=f, MB:0=20" of the lines of a file.
std::string on_one_line(std::string_view text) {
    std::string out;
    for (auto const line : split(text, '\n'))
        if (!trim(line).empty())
            out += concat(out.empty() ? "" : ", ", trim(line));
    return printable(out);
}

} // namespace

Result<kernel::Fd> open_resctrl(std::string const& mount) {
    if (mount.empty())
        return fail_errno(ENOENT, "no resctrl file system is mounted");
    auto root = TRY(kernel::openat(AT_FDCWD, mount, O_RDONLY | O_DIRECTORY));
    if (TRY(kernel::filesystem_type(root.get())) != RDTGROUP_SUPER_MAGIC)
        return fail(mount, " is not a resctrl file system");
    // resctrl.rst, "Locking".
    TRY(in_context(kernel::lock_exclusively(root.get(), kernel::Deadline::after(lock_limit)), mount));
    return root;
}

Result<void> record_resctrl_group(int root, steps::ResctrlGroup const& group, state::Record& record) {
    bool const there = TRY(exists(root, group.path));
    if (!there && group.must_exist)
        return fail("/linux/intelRdt/closID: there is no resctrl group ", group.path,
                    ", and no schemata to make it with");
    if (!group.monitoring_path.empty() && TRY(exists(root, group.monitoring_path)))
        return fail_errno(EEXIST, "/linux/intelRdt/enableMonitoring: resctrl group ", group.monitoring_path);
    record.resctrl_group = group.path;
    record.resctrl_monitoring_group = group.monitoring_path;
    record.resctrl_created = !there;
    record.resctrl_named = group.named_by_clos_id;
    return {};
}

Result<void> make_resctrl_group(int root, std::string const& path) {
    auto const made = kernel::mkdirat(root, relative(path), 0755);
    return in_context(with_reason(root, made), "resctrl group ", path);
}

Result<kernel::Fd> open_resctrl_group(int root, std::string const& path) {
    auto group = TRY(in_context(open_below(root, relative(path)), "resctrl group ", path));
    if (!kernel::fstatat(group.get(), "tasks", AT_SYMLINK_NOFOLLOW))
        return fail(path, " is not a resctrl group");
    return group;
}

Result<void> write_schemata(int root, int group, std::vector<steps::ResctrlSchema> const& schemata) {
    for (auto const& schema : schemata) {
        auto text = schema.text;
        if (!text.ends_with('\n'))
            text += '\n'; // else the kernel takes nothing
        TRY(in_context(with_reason(root, kernel::write_control_file(group, "schemata", text)), schema.pointer));
    }
    return {};
}

Result<void> check_schemata(int root, int group, std::vector<steps::ResctrlSchema> const& schemata) {
    if (schemata.empty())
        return {};
    std::string asked;
    Schemata wanted;
    for (auto const& schema : schemata) {
        read_schemata(schema.text, wanted);
        asked += concat(schema.text, "\n");
    }
    auto const text = TRY(kernel::read_file(group, "schemata", file_limit));
    Schemata found;
    read_schemata(text, found);
    if (!has_all(root, wanted, found))
        return fail("exists with other schemata (", on_one_line(text), ") than are asked for (", on_one_line(asked),
                    ")");
    return {};
}

Result<void> check_existing_group(int root, steps::SetUpResctrlGroup const& operation) {
    auto const& path = operation.group.path;
    auto const group = TRY(open_resctrl_group(root, path));
    if (!operation.group.named_by_clos_id && TRY(has_tasks(root, path)))
        return fail("resctrl group ", path, " exists with tasks of others");
    return in_context(check_schemata(root, group.get(), operation.schemata), "resctrl group ", path);
}

Result<void> join_resctrl_group(int root, steps::ResctrlGroup const& group, pid_t pid) {
    // A task of another group is not taken by a monitoring group.
    for (auto const& path : {group.path, group.monitoring_path}) {
        if (path.empty())
            continue;
        auto const folder = TRY(open_resctrl_group(root, path));
        auto const joined = kernel::write_control_file(folder.get(), "tasks", std::to_string(pid));
        TRY(in_context(with_reason(root, joined), "resctrl group ", path));
    }
    return {};
}

Result<void> remove_resctrl_groups(int root, state::Record const& record, Ending ending, kernel::Deadline deadline) {
    if (!record.resctrl_monitoring_group.empty())
        TRY(remove_if_there(root, record.resctrl_monitoring_group));
    if (record.resctrl_group.empty() || !record.resctrl_created)
        return {};
    if (!record.resctrl_named)
        return remove_if_there(root, record.resctrl_group);
    if (ending == Ending::deleted)
        return {};
    // Another container may have joined. A process of ours counts until its parent has reaped it.
    while (TRY(exists(root, record.resctrl_group)) && TRY(has_tasks(root, record.resctrl_group))) {
        if (deadline.passed())
            return {};
        ::poll(nullptr, 0, 5);
    }
    return remove_if_there(root, record.resctrl_group);
}

Result<void> remove_resctrl_groups(state::Record const& record, HostFacts const& host, Ending ending,
                                   kernel::Deadline deadline) {
    if (record.resctrl_group.empty() || host.resctrl_mount.empty() || record.boot_id != TRY(kernel::boot_id()))
        return {};
    return remove_resctrl_groups(TRY(open_resctrl(host.resctrl_mount)).get(), record, ending, deadline);
}

} // namespace oci::perform
