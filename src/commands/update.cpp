// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <fcntl.h>
#include <unistd.h>

#include "commands/common.h"
#include "commands/lifecycle.h"
#include "kernel/file.h"
#include "kernel/process.h"
#include "perform/cgroup_folder.h"
#include "perform/perform.h"
#include "perform/systemd.h"
#include "spec/parse.h"

namespace oci::commands {

namespace {

enum class ValueKind { text, number, bytes };

/// An option and its field in the resources object.
struct Field {
    std::string_view option;
    std::string_view pointer;
    ValueKind kind;
};
constexpr std::array fields = std::to_array<Field>({
    {"blkio-weight", "/blockIO/weight", ValueKind::number},
    {"cpu-period", "/cpu/period", ValueKind::number},
    {"cpu-quota", "/cpu/quota", ValueKind::number},
    {"cpu-burst", "/cpu/burst", ValueKind::number},
    {"cpu-share", "/cpu/shares", ValueKind::number},
    {"cpu-idle", "/cpu/idle", ValueKind::number},
    {"cpu-rt-period", "/cpu/realtimePeriod", ValueKind::number},
    {"cpu-rt-runtime", "/cpu/realtimeRuntime", ValueKind::number},
    {"cpuset-cpus", "/cpu/cpus", ValueKind::text},
    {"cpuset-mems", "/cpu/mems", ValueKind::text},
    {"kernel-memory", "/memory/kernel", ValueKind::bytes},
    {"kernel-memory-tcp", "/memory/kernelTCP", ValueKind::bytes},
    {"memory", "/memory/limit", ValueKind::bytes},
    {"memory-reservation", "/memory/reservation", ValueKind::bytes},
    {"memory-swap", "/memory/swap", ValueKind::bytes},
    {"pids-limit", "/pids/limit", ValueKind::number},
});

Result<spec::Override> override_of(Field const& field, std::string const& value) {
    auto const pointer = std::string(field.pointer);
    switch (field.kind) {
    case ValueKind::text:
        return spec::Override{pointer, value};
    case ValueKind::number:
        if (auto const number = parse_number<std::uint64_t>(value))
            return spec::Override{pointer, *number};
        if (auto const number = parse_number<std::int64_t>(value))
            return spec::Override{pointer, *number};
        return fail("invalid value for ", field.option, ": ", json_string(value), " is not a number");
    case ValueKind::bytes:
        if (auto const bytes = parse_bytes(value))
            return spec::Override{pointer, *bytes};
        return fail("invalid value for ", field.option, ": ", json_string(value), " is not a size such as 512m");
    }
    return fail("invalid value for ", field.option);
}

Result<std::vector<spec::Override>> overrides(ParsedOptions const& options) {
    std::vector<spec::Override> list;
    for (auto const& field : fields)
        if (auto const value = options.text(field.option); !value.empty())
            list.push_back(TRY(override_of(field, value)));
    return list;
}

/// --resources FILE, or "-" for standard input; without it an object that says nothing.
Result<std::string> resources_text(std::string const& file) {
    if (file.empty())
        return "{}";
    if (file == "-")
        return in_context(kernel::read_all(STDIN_FILENO, spec::maximum_config_size), "standard input");
    return in_context(kernel::read_file(AT_FDCWD, file, spec::maximum_config_size), "--resources");
}

/// Errors tell the option where the value came from one: "--memory" instead of "/memory/limit".
template <typename Value>
Result<Value> with_option_names(Result<Value> result, ParsedOptions const& options) {
    if (result)
        return result;
    auto& message = result.error().message;
    for (auto const& field : fields) {
        auto const pointer = concat(field.pointer, ":");
        if (auto const at = message.find(pointer); at != std::string::npos && !options.text(field.option).empty())
            message.replace(at, pointer.size(), concat("--", field.option, ":"));
    }
    return result;
}

/// Both options together, so that the kernel takes or refuses them together; "" without.
Result<steps::ResctrlSchema> schema_of(ParsedOptions const& options) {
    steps::ResctrlSchema schema;
    auto const bandwidth = options.text("mem-bw-schema");
    if (!bandwidth.empty() && !spec::is_memory_bandwidth_schema(bandwidth))
        return fail("--mem-bw-schema: must be one line that begins with MB:, is ", json_string(bandwidth));
    for (auto const* const option : {"l3-cache-schema", "mem-bw-schema"}) {
        auto const text = options.text(option);
        if (text.empty())
            continue;
        schema.text += concat(schema.text.empty() ? "" : "\n", text);
        schema.pointer += concat(schema.pointer.empty() ? "" : ", ", "--", option);
    }
    return schema;
}

/// The numbers in a file; nullopt for "max". None where there is no such file.
std::vector<std::optional<std::int64_t>> numbers(int cgroup, std::string const& file) {
    constexpr std::size_t limit = 4096;
    std::vector<std::optional<std::int64_t>> found;
    if (auto const content = kernel::read_file(cgroup, file, limit))
        for (auto const word : split(trim(*content), ' '))
            found.push_back(parse_number<std::int64_t>(word));
    return found;
}

plan::CurrentLimits current_limits(int cgroup) {
    auto cpu = numbers(cgroup, "cpu.max");
    auto memory = numbers(cgroup, "memory.max");
    auto idle = numbers(cgroup, "cpu.idle");
    cpu.resize(2);
    memory.resize(1);
    idle.resize(1);
    return {.cpu_quota = cpu[0], .memory_limit = memory[0], .cpu_period = cpu[1], .cpu_idle = idle[0] == 1};
}

/// `devices_updated`: the rules in force are not those of config.json any more.
Result<steps::Plan> make_plan(plan::UpdateRequest request, perform::Context& context, bool devices_updated) {
    if (request.resources == spec::Resources{})
        return plan::make_update_plan(request);
    context.cgroup = TRY(perform::open_cgroup_of(context.record, context.host.cgroup2_mount));
    request.cgroup_path = context.record.cgroup_path;
    request.current = current_limits(context.cgroup.get());
    request.systemd_unit = context.record.systemd_unit;
    if (!request.systemd_unit.empty())
        request.systemd = TRY(perform::observe_systemd(context.host, kernel::Deadline::after(systemd_limit)));
    if (!request.resources.devices.empty() && !devices_updated)
        request.created_with = TRY(recorded_spec(*context.directory)).linux.resources.devices;
    return plan::make_update_plan(request);
}

/// Before the filter is attached: rather too early than never.
Result<void> remember_devices(steps::Plan const& plan, state::ContainerDir& directory,
                              std::optional<state::State>& state) {
    bool const attaches = std::ranges::any_of(plan, [](steps::Step const& step) {
        return std::holds_alternative<steps::AttachDeviceFilter>(step.operation);
    });
    if (!attaches || !state || state->devices_updated)
        return {};
    state->devices_updated = true;
    return directory.write_state(*state);
}

} // namespace

Result<int> run_update(Invocation const& invocation) {
    auto const& options = invocation.options;
    auto const id = TRY(container_id(invocation.arguments[0]));
    auto const text = TRY(resources_text(options.text("resources")));
    auto resources = TRY(with_option_names(spec::parse_resources(text, TRY(overrides(options))), options));
    auto schema = TRY(schema_of(options));
    auto const host = TRY(supported_host(NeedCgroup::no));

    perform::Context context;
    context.host = host;
    context.directory = TRY(open_locked(invocation, host, id));
    auto container = TRY(state::look_at(*context.directory, host.cgroup2_mount));
    if (container.status == state::Status::stopped)
        return fail("container not running");
    context.record = std::move(container.record);
    if (!schema.text.empty() && context.record.resctrl_group.empty())
        return fail(schema.pointer, ": the container has no resctrl group (/linux/intelRdt of its config.json)");
    plan::UpdateRequest request;
    request.resources = std::move(resources);
    if (!schema.text.empty())
        request.schemata = {context.record.resctrl_group, std::move(schema)};
    bool const devices_updated = container.state && container.state->devices_updated;
    auto const plan = TRY(with_option_names(make_plan(std::move(request), context, devices_updated), options));
    TRY(kernel::block_all_signals()); // not half of it
    TRY(remember_devices(plan, *context.directory, container.state));
    auto updated = with_option_names(perform::perform(plan, context), options);
    if (!updated)
        perform::take_back_schemata(context);
    TRY(std::move(updated));
    return 0;
}

} // namespace oci::commands
