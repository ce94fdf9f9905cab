// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <fcntl.h>
#include <sys/socket.h>

#include "kernel/file.h"
#include "kernel/host.h"
#include "kernel/socket.h"
#include "perform/cgroup_folder.h"
#include "perform/operations.h"
#include "perform/resctrl.h"
#include "state/status.h"

namespace oci::perform {

namespace {

/// The pid of a process in its own pid namespace: the last number of the NSpid line, proc(5).
Result<pid_t> pid_inside(pid_t pid) {
    auto const status = TRY(kernel::read_file(AT_FDCWD, concat("/proc/", pid, "/status"), 64U << 10U));
    for (auto const line : split(status, '\n')) {
        if (!line.starts_with("NSpid:"))
            continue;
        auto const number = trim(line.substr(line.find_last_of("\t ") + 1));
        return parse_number<pid_t>(number).value_or(pid);
    }
    return pid;
}

} // namespace

Result<void> apply(steps::ReserveContainer const& operation, Context& context) {
    context.directory = TRY(state::ContainerDir::reserve(context.root, operation.id));
    return {};
}

Result<void> apply(steps::RecordContainer const& operation, Context& context) {
    auto& record = context.record;
    record.boot_id = TRY(kernel::boot_id());
    record.bundle = operation.bundle;
    record.cgroup_path = operation.cgroup_path;
    record.systemd_unit = operation.unit;
    record.cgroup_driver = operation.cgroup_path.empty() ? "disabled" : operation.unit.empty() ? "cgroupfs" : "systemd";
    if (!operation.cgroup_path.empty()) {
        auto const& mount = context.host.cgroup2_mount;
        record.cgroup_created = TRY(first_missing_cgroup(mount, operation.cgroup_path));
        // Before the record, since what is recorded gets killed by delete.
        if (record.cgroup_created.empty())
            TRY(check_existing_cgroup(mount, operation.cgroup_path));
        // The slices above are systemd's; the scope's own is always ours.
        if (!operation.unit.empty())
            record.cgroup_created = operation.cgroup_path;
    }
    if (operation.resctrl_group) {
        auto const root = TRY(open_resctrl(context.host.resctrl_mount));
        TRY(record_resctrl_group(root.get(), *operation.resctrl_group, record));
    }
    TRY(context.directory->write_record(record));
    return context.directory->write_config(context.config);
}

Result<void> apply(steps::MakeNotifyFolder const&, Context& context) {
    return context.directory->make_notify_folder();
}

Result<void> apply(steps::ConnectConsole const& operation, Context& context) {
    if (!operation.path.empty()) {
        context.console = TRY(kernel::connect_at(AT_FDCWD, operation.path, SOCK_STREAM));
        return {};
    }
    auto [ours, theirs] = TRY(kernel::sequenced_pair());
    context.terminal = std::move(ours);
    context.console = std::move(theirs);
    return {};
}

Result<void> apply(steps::OpenStartGate const&, Context& context) {
    context.gate = TRY(context.directory->open_gate());
    return {};
}

Result<void> apply(steps::SaveState const&, Context& context) {
    auto& state = context.state;
    state.start_time = TRY(kernel::start_time(state.pid));
    state.created = state::rfc3339_now();
    TRY(context.directory->write_state(state));
    // For startContainer hooks: it goes to the finisher with the commit.
    context.handover =
        state::hook_state(context.record, state.oci_version, state.annotations, "created", TRY(pid_inside(state.pid)));
    return {};
}

Result<void> apply(steps::WritePidFile const& operation, Context& context) {
    auto const folder = TRY(kernel::openat(AT_FDCWD, std::string(parent_path(operation.path)), O_PATH | O_DIRECTORY));
    // No line end: engines convert the whole content to a number.
    TRY(kernel::write_file_atomically(folder.get(), std::string(base_name(operation.path)),
                                      std::to_string(context.state.pid), 0644));
    context.pid_file = operation.path;
    return {};
}

Result<void> apply(steps::SendPidfd const& operation, Context& context) {
    auto const socket = TRY(kernel::connect_at(AT_FDCWD, operation.path, SOCK_STREAM));
    std::array const descriptors{context.init_pidfd.get()};
    return kernel::send_descriptors(socket.get(), operation.payload, descriptors);
}

} // namespace oci::perform
