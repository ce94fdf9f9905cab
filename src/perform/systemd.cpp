// SPDX-License-Identifier: Apache-2.0
#include "perform/systemd.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>
#include <vector>

#include "kernel/bus.h"
#include "kernel/file.h"
#include "kernel/host.h"
#include "perform/cgroup_folder.h"
#include "perform/operations.h"

namespace oci::perform {

namespace {

using kernel::BusMessage;

/// For all that one step wants of systemd. Hundreds of containers started at once may keep it busy for seconds.
constexpr std::chrono::seconds step_limit{30};
constexpr std::string_view unit_exists = "UnitExists";
constexpr auto manager_path = "/org/freedesktop/systemd1";
constexpr auto manager_interface = "org.freedesktop.systemd1.Manager";

std::string environment(char const* name) {
    char const* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

/// Where the manager may be reached, the best first: what the caller says, the manager's own socket (no bus daemon in
/// between), the bus.
std::vector<kernel::BusAddress> addresses(bool user) {
    std::vector<kernel::BusAddress> found;
    auto const given =
        kernel::bus_socket_path(environment(user ? "DBUS_SESSION_BUS_ADDRESS" : "DBUS_SYSTEM_BUS_ADDRESS"));
    if (!given.empty())
        found.push_back({given, false});
    auto const folder = user ? environment("XDG_RUNTIME_DIR") : "/run";
    if (!folder.empty()) {
        found.push_back({folder + "/systemd/private", true});
        found.push_back({folder + (user ? "/bus" : "/dbus/system_bus_socket"), false});
    }
    return found;
}

Failure not_running(bool user) {
    Error error{user ? "the user's systemd cannot be reached (is XDG_RUNTIME_DIR set, and user@.service running?)"
                     : "systemd is not running on this host",
                ENOENT};
    return Failure(std::move(error));
}

/// A bus may be there without the manager: that of dbus-run-session(1).
Result<bool> has_manager(kernel::Bus& bus, kernel::Deadline deadline) {
    if (bus.direct())
        return true;
    kernel::BusArguments arguments;
    arguments.add("org.freedesktop.systemd1");
    auto const reply = TRY(bus.call(
        {"org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetNameOwner", std::move(arguments)},
        deadline));
    return reply.type == BusMessage::Type::reply;
}

/// ENOENT: no manager is there.
Result<kernel::Bus> connect(bool user, kernel::Deadline deadline) {
    for (auto const& address : addresses(user)) {
        auto bus = kernel::Bus::connect(address, deadline);
        if (!bus && (bus.error().errno_value == ENOENT || bus.error().errno_value == ECONNREFUSED))
            continue;
        if (!bus || TRY(in_context(has_manager(*bus, deadline), address.path)))
            return bus;
    }
    return not_running(user);
}

kernel::BusCall manager_call(std::string member, kernel::BusArguments arguments = {}) {
    return {"org.freedesktop.systemd1", manager_path, manager_interface, std::move(member), std::move(arguments)};
}

/// What systemd says about a failed call.
Failure refusal(BusMessage const& error) {
    auto const texts = kernel::decode_texts(error, 1);
    return fail("systemd: ", printable(texts ? texts->front() : error.error_name));
}

bool is_error(BusMessage const& reply, std::string_view name) {
    return reply.type == BusMessage::Type::error && reply.error_name == concat("org.freedesktop.systemd1.", name);
}

/// The reply, where an error of systemd is a failure.
Result<BusMessage> call(kernel::Bus& bus, kernel::BusCall what, kernel::Deadline deadline) {
    auto reply = TRY(bus.call(std::move(what), deadline));
    if (reply.type == BusMessage::Type::error)
        return refusal(reply);
    return reply;
}

kernel::BusCall get_call(std::string object, std::string const& interface, std::string const& name) {
    kernel::BusArguments arguments;
    arguments.add(interface).add(name);
    return {"org.freedesktop.systemd1", std::move(object), "org.freedesktop.DBus.Properties", "Get",
            std::move(arguments)};
}

Result<std::string> manager_property(kernel::Bus& bus, std::string const& name, kernel::Deadline deadline) {
    auto const what = get_call(manager_path, manager_interface, name);
    auto const reply = TRY(in_context(call(bus, what, deadline), "ask systemd for ", name));
    return TRY(kernel::decode_texts(reply, 1)).front();
}

/// The scope's cgroup; "" where there is no such unit (any more).
Result<std::string> cgroup_of_unit(kernel::Bus& bus, std::string const& unit, kernel::Deadline deadline) {
    kernel::BusArguments arguments;
    arguments.add(unit);
    auto const found = TRY(bus.call(manager_call("GetUnit", std::move(arguments)), deadline));
    if (found.type == BusMessage::Type::error)
        return is_error(found, "NoSuchUnit") ? Result<std::string>(std::string()) : refusal(found);
    auto const object = TRY(kernel::decode_texts(found, 1)).front();
    auto const reply = TRY(bus.call(get_call(object, "org.freedesktop.systemd1.Scope", "ControlGroup"), deadline));
    if (reply.type == BusMessage::Type::error) // it has gone in between
        return std::string();
    return TRY(kernel::decode_texts(reply, 1)).front();
}

/// By its name alone a unit could be another one by now, of another manager even.
Result<void> check_unit(kernel::Bus& bus, state::Record const& record, kernel::Deadline deadline) {
    auto const found = TRY(cgroup_of_unit(bus, record.systemd_unit, deadline));
    if (found == record.cgroup_path)
        return {};
    return fail("systemd: unit ", record.systemd_unit, " has ", found.empty() ? "no cgroup" : "cgroup " + found,
                " instead of ", record.cgroup_path);
}

/// Waits for the end of a job that `reply` announces; its result is "done", "failed", "canceled" ...
Result<std::string> job_result(kernel::Bus& bus, BusMessage const& reply, kernel::Deadline deadline) {
    auto const job = TRY(kernel::decode_texts(reply, 1)).front();
    while (true) {
        auto const removed =
            TRY(in_context(bus.wait_for_signal("JobRemoved", deadline), "wait for job ", base_name(job)));
        // Everybody on a bus can send signals.
        if (removed.sender != reply.sender || removed.interface != manager_interface)
            continue;
        auto const texts = TRY(kernel::decode_texts(removed, 4)); // number, path, unit, result
        if (texts[1] == job)
            return texts[3];
    }
}

/// Signals come only to who asked for them (manager's own socket: to everybody).
Result<void> subscribe(kernel::Bus& bus, kernel::Deadline deadline) {
    return bus.direct() ? Result<void>{} : bus.tell(manager_call("Subscribe"), deadline);
}

kernel::BusCall start_call(steps::CreateScope const& operation, pid_t placeholder) {
    auto properties = operation.properties;
    properties.push_back({"PIDs", std::vector<std::uint32_t>{static_cast<std::uint32_t>(placeholder)}});
    kernel::BusArguments arguments;
    arguments.add(operation.unit).add("fail").add_properties(properties).add_auxiliary_units();
    return manager_call("StartTransientUnit", std::move(arguments));
}

kernel::BusCall reset_call(std::string const& unit) {
    kernel::BusArguments arguments;
    arguments.add(unit);
    return manager_call("ResetFailedUnit", std::move(arguments));
}

Result<void> start_scope(steps::CreateScope const& operation, bool user, pid_t placeholder, kernel::Deadline deadline) {
    auto bus = TRY(connect(user, deadline));
    TRY(subscribe(bus, deadline));
    auto reply = TRY(bus.call(start_call(operation, placeholder), deadline));
    if (is_error(reply, unit_exists)) {
        // One that failed stays until somebody looks at it; one that is in use stays in any case.
        TRY(bus.call(reset_call(operation.unit), deadline));
        reply = TRY(bus.call(start_call(operation, placeholder), deadline));
    }
    if (is_error(reply, unit_exists))
        return Failure(
            Error{concat("/linux/cgroupsPath: a unit of the name ", operation.unit, " exists already"), EEXIST});
    if (reply.type == BusMessage::Type::error)
        return refusal(reply);
    auto const result = TRY(job_result(bus, reply, deadline));
    return result == "done" ? Result<void>{}
                            : Result<void>(fail("systemd: the job to start the unit ended as ", result));
}

/// A process that does nothing until it is killed or the runtime ends.
Result<kernel::ClonedProcess> start_placeholder(Context& context) {
    auto const runtime = TRY(kernel::pidfd_open(::getpid()));
    auto child = TRY(kernel::clone3({}));
    if (child.pid != 0)
        return child;
    // Its copies of the lock and of an engine's pipes would outlive a killed runtime.
    context.directory.reset();
    auto const keep = static_cast<unsigned>(runtime.get());
    if (keep > 0)
        (void)kernel::close_descriptors(0, keep - 1);
    (void)kernel::close_descriptors(keep + 1, ~0U);
    (void)kernel::wait_for_exit(runtime.get(), kernel::Deadline::never());
    ::_exit(0);
}

// ---- control files that are to stay as they are

struct ControlFile {
    std::string name;
    std::string content;
};

/// Files that cannot be read (memory.reclaim) are actions and no values.
std::vector<ControlFile> contents(int cgroup, std::span<std::string const> names) {
    constexpr std::size_t limit = 64U << 10U;
    std::vector<ControlFile> files;
    for (auto const& name : names)
        if (auto const content = kernel::read_file(cgroup, name, limit))
            files.push_back({name, std::string(trim(*content))});
    return files;
}

std::vector<std::string> files_of(std::vector<steps::CgroupSetting> const& settings) {
    std::vector<std::string> names;
    for (auto const& setting : settings)
        for (auto const& name : {setting.file, setting.fallback_file})
            if (!name.empty())
                names.push_back(name);
    return names;
}

/// The devices ("8:0") that `now` has a line for and `before` has not: without limits there is no line.
std::vector<std::string> added_devices(std::string_view before, std::string_view now) {
    std::vector<std::string> devices;
    for (auto const line : split(now, '\n')) {
        auto const device = line.substr(0, line.find(' '));
        if (device.find(':') != std::string_view::npos &&
            concat("\n", before).find(concat("\n", device, " ")) == std::string::npos)
            devices.emplace_back(device);
    }
    return devices;
}

/// Those that have changed since. Best effort: the kernel has had these values before.
void write_back(int cgroup, std::vector<ControlFile> const& files) {
    for (auto const& file : files) {
        auto const now = contents(cgroup, std::span(&file.name, 1));
        if (now.empty() || now[0].content == file.content)
            continue;
        auto const no_limit = file.name == "io.max" ? " rbps=max wbps=max riops=max wiops=max" : " default";
        for (auto const& device : added_devices(file.content, now[0].content))
            (void)kernel::write_control_file(cgroup, file.name, concat(device, no_limit));
        for (auto const line : split(file.content, '\n'))
            (void)kernel::write_control_file(cgroup, file.name, line.empty() ? "\n" : line);
    }
}

/// Only what the kernel says counts: limits of a cgroup in which the container is not would hold nobody.
Result<void> check_cgroup(pid_t pid, std::string const& path) {
    auto const found = TRY(kernel::cgroup_of(pid));
    if (found != path)
        return fail("systemd has put process ", pid, " into cgroup ", found, " instead of ", path);
    return {};
}

} // namespace

bool uses_user_manager(HostFacts const& host) {
    return !host.is_host_root();
}

Result<SystemdFacts> observe_systemd(HostFacts const& host, kernel::Deadline deadline) {
    SystemdFacts facts;
    facts.user = uses_user_manager(host);
    // sd_booted(3)
    if (!kernel::fstatat(AT_FDCWD, "/run/systemd/system", AT_SYMLINK_NOFOLLOW))
        return not_running(false);
    auto bus = TRY(connect(facts.user, deadline));
    auto const version = TRY(manager_property(bus, "Version", deadline)); // "252.39-1~deb12u1", "v255"
    auto const digits = std::string_view(version).substr(version.starts_with('v') ? 1 : 0);
    facts.version = parse_number<unsigned>(digits.substr(0, digits.find_first_not_of("0123456789"))).value_or(~0U);
    if (facts.user)
        facts.control_group = TRY(manager_property(bus, "ControlGroup", deadline));
    return facts;
}

Result<void> set_unit_properties(state::Record const& record, HostFacts const& host,
                                 std::span<BusProperty const> properties, kernel::Deadline deadline) {
    auto bus = TRY(connect(uses_user_manager(host), deadline));
    TRY(check_unit(bus, record, deadline));
    kernel::BusArguments arguments;
    arguments.add(record.systemd_unit).add(true).add_properties(properties); // true: until the unit ends
    TRY(call(bus, manager_call("SetUnitProperties", std::move(arguments)), deadline));
    // systemd writes the control files after its reply and before it takes the next call.
    TRY(cgroup_of_unit(bus, record.systemd_unit, deadline));
    return {};
}

Result<void> attach_to_unit(state::Record const& record, HostFacts const& host, pid_t pid, kernel::Deadline deadline) {
    auto bus = TRY(connect(uses_user_manager(host), deadline));
    TRY(check_unit(bus, record, deadline));
    kernel::BusArguments arguments;
    arguments.add(record.systemd_unit).add("").add(std::vector<std::uint32_t>{static_cast<std::uint32_t>(pid)});
    TRY(call(bus, manager_call("AttachProcessesToUnit", std::move(arguments)), deadline));
    return check_cgroup(pid, record.cgroup_path);
}

Result<void> remove_unit(state::Record const& record, HostFacts const& host, kernel::Deadline deadline) {
    if (record.systemd_unit.empty() || record.cgroup_path.empty() || record.boot_id != TRY(kernel::boot_id()))
        return {};
    auto const remove = [&]() -> Result<void> {
        auto connected = connect(uses_user_manager(host), deadline);
        if (!connected && connected.error().errno_value == ENOENT)
            return {};
        auto bus = TRY(std::move(connected));
        auto const cgroup = TRY(cgroup_of_unit(bus, record.systemd_unit, deadline));
        if (!cgroup.empty() && cgroup != record.cgroup_path)
            return {}; // somebody else's
        TRY(subscribe(bus, deadline));
        kernel::BusArguments arguments;
        arguments.add(record.systemd_unit).add("replace");
        auto const reply = TRY(bus.call(manager_call("StopUnit", std::move(arguments)), deadline));
        if (is_error(reply, "NoSuchUnit"))
            return {};
        if (reply.type == BusMessage::Type::error)
            return refusal(reply);
        // How the job ends does not matter, nor whether there is a failed unit left to reset.
        TRY(job_result(bus, reply, deadline));
        TRY(bus.call(reset_call(record.systemd_unit), deadline));
        return {};
    };
    return in_context(remove(), "stop unit ", record.systemd_unit);
}

Result<void> apply(steps::CreateScope const& operation, Context& context) {
    auto placeholder = TRY(start_placeholder(context));
    context.placeholder = std::move(placeholder.pidfd);
    auto started =
        start_scope(operation, uses_user_manager(context.host), placeholder.pid, kernel::Deadline::after(step_limit));
    if (!started && started.error().errno_value == EEXIST)
        disown_cgroup(context);
    TRY(std::move(started));
    if (auto placed = check_cgroup(placeholder.pid, operation.path); !placed) {
        disown_cgroup(context);
        return placed;
    }
    context.cgroup = TRY(open_cgroup(context.host.cgroup2_mount, operation.path));
    return {};
}

Result<void> apply(steps::EndPlaceholder const&, Context& context) {
    // Before it goes: an empty scope would end.
    TRY(check_cgroup(context.state.pid, context.record.cgroup_path));
    TRY(kernel::kill_and_reap(context.placeholder.get()));
    context.placeholder.close();
    return {};
}

Result<void> apply(steps::SetUnitProperties const& operation, Context& context) {
    int const cgroup = context.cgroup.get();
    auto const before = contents(cgroup, files_of(operation.settings));
    TRY(apply(steps::ApplyCgroupSettings{operation.settings, true}, context));
    auto const kept = contents(cgroup, operation.kept_files);
    auto set =
        set_unit_properties(context.record, context.host, operation.properties, kernel::Deadline::after(step_limit));
    write_back(cgroup, kept);
    if (!set)
        write_back(cgroup, before);
    return set;
}

} // namespace oci::perform
