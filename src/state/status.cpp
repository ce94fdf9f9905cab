// SPDX-License-Identifier: Apache-2.0
#include "state/status.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <fcntl.h>
#include <nlohmann/json.hpp>

#include "kernel/file.h"
#include "kernel/host.h"
#include "kernel/process.h"

namespace oci::state {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t small = 4096;
constexpr std::size_t maximum_passwd_size = 1U << 20U;
constexpr std::string_view own_oci_version = "1.3.0"; ///< of a container that has not got as far as its own

bool is_gone(Error const& error) {
    return error.errno_value == ESRCH || error.errno_value == ENOENT;
}

/// A descriptor of init if that process still lives, else none.
Result<kernel::Fd> open_init(Record const& record, State const& state) {
    if (state.pid <= 0 || record.boot_id != TRY(kernel::boot_id()))
        return kernel::Fd();
    auto pidfd = kernel::pidfd_open(state.pid);
    if (!pidfd && is_gone(pidfd.error()))
        return kernel::Fd();
    if (!pidfd)
        return pidfd;
    // Only now, so that the number cannot change hands between the check and the use.
    auto const start_time = kernel::start_time(state.pid);
    if (!start_time && !is_gone(start_time.error()))
        return Failure(start_time.error());
    if (!start_time || *start_time != state.start_time)
        return kernel::Fd();
    return pidfd;
}

/// Frozen, or on the way: a process in a cgroup that is being frozen does not answer any more.
bool is_frozen(std::string const& cgroup2_mount, std::string const& cgroup_path) {
    if (cgroup2_mount.empty() || cgroup_path.empty())
        return false;
    auto const folder = concat(cgroup2_mount, cgroup_path);
    if (auto const events = kernel::read_file(AT_FDCWD, folder + "/cgroup.events", small))
        for (auto const line : split(*events, '\n'))
            if (line == "frozen 1")
                return true;
    auto const freeze = kernel::read_file(AT_FDCWD, folder + "/cgroup.freeze", small);
    return freeze && trim(*freeze) == "1";
}

Result<Status> status_of(ContainerDir const& directory, Container const& container, std::string const& cgroup2_mount) {
    if (!container.pidfd)
        return Status::stopped;
    if (is_frozen(cgroup2_mount, container.record.cgroup_path))
        return Status::paused;
    return TRY(directory.gate_accepts()) ? Status::created : Status::running;
}

/// The user's name from the host's passwd file, "#1000" without an entry.
std::string user_name(std::uint32_t uid) {
    if (uid == 0)
        return "root";
    auto const passwd = kernel::read_file(AT_FDCWD, "/etc/passwd", maximum_passwd_size);
    if (passwd)
        for (auto const line : split(*passwd, '\n'))
            if (auto const fields = split(line, ':');
                fields.size() > 2 && parse_number<std::uint32_t>(fields[2]) == uid)
                return std::string(fields[0]);
    return concat("#", uid);
}

bool has_process_to_show(Status status) {
    return status == Status::created || status == Status::running || status == Status::paused;
}

pid_t shown_pid(Container const& container) {
    return container.state && has_process_to_show(container.status) ? container.state->pid : 0;
}

Json document(Container const& container) {
    Json object;
    object["ociVersion"] = container.state ? container.state->oci_version : std::string(own_oci_version);
    object["id"] = container.record.id;
    object["pid"] = shown_pid(container);
    object["status"] = status_name(container.status);
    object["bundle"] = container.record.bundle;
    object["rootfs"] = container.state ? container.state->rootfs : "";
    object["created"] = container.created;
    if (container.state && !container.state->annotations.empty())
        object["annotations"] = container.state->annotations;
    object["owner"] = user_name(container.owner);
    return object;
}

/// Bytes that are not UTF-8 (in a path) are replaced: JSON cannot hold them.
std::string dump(Json const& json, int indent) {
    return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

/// UTF-8 characters.
std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80; }));
}

} // namespace

std::string_view status_name(Status status) {
    switch (status) {
    case Status::creating:
        return "creating";
    case Status::created:
        return "created";
    case Status::running:
        return "running";
    case Status::paused:
        return "paused";
    case Status::stopped:
        return "stopped";
    }
    return "";
}

Result<Container> look_at(ContainerDir const& directory, std::string const& cgroup2_mount) {
    Container container;
    container.record = TRY(directory.read_record());
    // The lock first: a commit between the two looks is then seen as committed, not as a container without process.
    bool const in_other_hands = directory.is_locked_by_other();
    container.state = TRY(directory.read_state());
    if (!container.state) {
        auto const made = TRY(kernel::fstatat(directory.get(), "record.json", AT_SYMLINK_NOFOLLOW));
        container.created = rfc3339_nano(made.st_mtim.tv_sec, made.st_mtim.tv_nsec);
        container.owner = made.st_uid;
        container.status = in_other_hands ? Status::creating : Status::stopped;
        return container;
    }
    container.created = container.state->created;
    container.owner = container.state->owner;
    container.pidfd = TRY(open_init(container.record, *container.state));
    container.status = TRY(status_of(directory, container, cgroup2_mount));
    return container;
}

std::string rfc3339_now() {
    std::timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return rfc3339_nano(now.tv_sec, now.tv_nsec);
}

std::string state_document(Container const& container) {
    return dump(document(container), 2);
}

std::string hook_state(Record const& record, std::string const& oci_version,
                       std::map<std::string, std::string> const& annotations, std::string_view status, pid_t pid) {
    Json object;
    object["ociVersion"] = oci_version;
    object["id"] = record.id;
    object["status"] = status;
    if (pid != 0)
        object["pid"] = pid;
    object["bundle"] = record.bundle;
    if (!annotations.empty())
        object["annotations"] = annotations;
    return dump(object, -1);
}

std::string container_process_state(std::string const& state, pid_t process, std::string const& metadata) {
    auto container = Json::parse(state);
    Json object;
    object["ociVersion"] = container["ociVersion"];
    object["fds"] = {"seccompFd"};
    object["pid"] = process;
    object["metadata"] = metadata;
    object["state"] = std::move(container);
    return dump(object, -1);
}

std::string list_json(std::vector<Container> const& containers) {
    if (containers.empty())
        return "null";
    auto array = Json::array();
    for (auto const& container : containers)
        array.push_back(document(container));
    return dump(array, -1);
}

std::string list_table(std::vector<Container> const& containers) {
    constexpr std::size_t columns = 6;
    constexpr std::size_t padding = 3;
    std::vector<std::array<std::string, columns>> rows = {{"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"}};
    for (auto const& container : containers)
        rows.push_back({container.record.id, std::to_string(shown_pid(container)),
                        std::string(status_name(container.status)), printable(container.record.bundle),
                        container.created, user_name(container.owner)});
    std::array<std::size_t, columns> widths{};
    widths.fill(12); // the columns of Go's tabwriter as runc sets it up
    for (auto const& row : rows)
        for (std::size_t column = 0; column < columns; ++column)
            widths[column] = std::max(widths[column], width(row[column]) + padding);
    std::string out;
    for (auto const& row : rows) {
        for (std::size_t column = 0; column + 1 < columns; ++column)
            out += row[column] + std::string(widths[column] - width(row[column]), ' ');
        out += row.back() + "\n";
    }
    return out;
}

} // namespace oci::state
