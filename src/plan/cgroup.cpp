// SPDX-License-Identifier: Apache-2.0
#include "plan/cgroup.h"

#include <algorithm>
#include <cmath>
#include <linux/mount.h>
#include <sched.h>

#include "plan/device_filter.h"

namespace oci::plan {

namespace {

using steps::CgroupSetting;
using Settings = std::vector<CgroupSetting>;

std::string limit_text(std::int64_t limit) {
    return limit < 0 ? "max" : std::to_string(limit);
}

std::string device_text(std::uint32_t major, std::uint32_t minor) {
    return concat(major, ":", minor);
}

// ---- cpu

CgroupSetting cpu_setting(std::string_view file, std::string value, std::string_view field) {
    return {std::string(file), std::move(value), "cpu", concat(resources_pointer, "/cpu/", field)};
}

/// cpu.max is "QUOTA PERIOD"; the kernel keeps the period when only a quota is written.
void add_bandwidth(spec::Cpu const& cpu, CurrentLimits const& current, Settings& settings) {
    auto const quota = cpu.quota.value_or(0);
    auto const period = cpu.period.value_or(0);
    std::optional<CgroupSetting> max;
    if (quota != 0)
        max = cpu_setting("cpu.max", concat(limit_text(quota), period != 0 ? concat(" ", period) : ""), "quota");
    else if (period != 0)
        max = cpu_setting("cpu.max", concat(limit_text(current.cpu_quota.value_or(-1)), " ", period), "period");
    if (!cpu.burst) {
        if (max)
            settings.push_back(*std::move(max));
        return;
    }
    auto burst = cpu_setting("cpu.max.burst", std::to_string(*cpu.burst), "burst");
    // The kernel refuses a burst above the quota, so a smaller one goes before a smaller quota, and a larger one after
    // a larger quota.
    bool const fits_now = current.cpu_quota && *cpu.burst <= static_cast<std::uint64_t>(*current.cpu_quota);
    if (fits_now)
        settings.push_back(burst);
    if (max)
        settings.push_back(*std::move(max));
    if (!fits_now)
        settings.push_back(std::move(burst));
}

void add_cpu(spec::Cpu const& cpu, CurrentLimits const& current, Settings& settings) {
    if (cpu.idle) {
        settings.push_back(cpu_setting("cpu.idle", std::to_string(*cpu.idle), "idle"));
        settings.back().may_be_missing = *cpu.idle == 0; // what every cgroup is, also where Linux 5.14 has no such file
    }
    // The kernel refuses a weight for an idle cgroup (EINVAL): idle says everything.
    if (cpu.shares.value_or(0) != 0 && cpu.idle.value_or(0) == 0)
        settings.push_back(cpu_setting("cpu.weight", std::to_string(cpu_weight(*cpu.shares)), "shares"));
    add_bandwidth(cpu, current, settings);
    if (!cpu.cpus.empty())
        settings.push_back({"cpuset.cpus", cpu.cpus, "cpuset", concat(resources_pointer, "/cpu/cpus")});
    if (!cpu.mems.empty())
        settings.push_back({"cpuset.mems", cpu.mems, "cpuset", concat(resources_pointer, "/cpu/mems")});
}

// ---- io

/// The BFQ scheduler has weights on the scale of the specification; else those of iocost are used.
CgroupSetting weight_setting(std::string const& device, unsigned weight, std::string pointer) {
    auto const prefix = device.empty() ? "" : concat(device, " ");
    CgroupSetting setting{"io.bfq.weight", concat(prefix, weight), "io", std::move(pointer)};
    setting.fallback_file = "io.weight";
    setting.fallback_value = concat(prefix, io_weight(weight));
    return setting;
}

void add_throttles(std::vector<spec::DeviceRate> const& rates, std::string_view field, std::string_view key,
                   Settings& settings) {
    for (std::size_t i = 0; i < rates.size(); ++i) {
        auto const limit = rates[i].rate == 0 ? "max" : std::to_string(rates[i].rate);
        settings.push_back({"io.max", concat(device_text(rates[i].major, rates[i].minor), " ", key, "=", limit), "io",
                            concat(resources_pointer, "/blockIO/", field, "/", i)});
    }
}

void add_io(spec::BlockIo const& io, Settings& settings) {
    auto const pointer = concat(resources_pointer, "/blockIO/");
    if (io.weight)
        settings.push_back(weight_setting("", *io.weight, pointer + "weight"));
    for (std::size_t i = 0; i < io.weight_devices.size(); ++i) {
        auto const& device = io.weight_devices[i];
        if (device.weight)
            settings.push_back(weight_setting(device_text(device.major, device.minor), *device.weight,
                                              concat(pointer, "weightDevice/", i, "/weight")));
    }
    add_throttles(io.read_bytes, "throttleReadBpsDevice", "rbps", settings);
    add_throttles(io.write_bytes, "throttleWriteBpsDevice", "wbps", settings);
    add_throttles(io.read_operations, "throttleReadIOPSDevice", "riops", settings);
    add_throttles(io.write_operations, "throttleWriteIOPSDevice", "wiops", settings);
}

// ---- memory

/// memory.swap.max counts swap alone, the specification's swap is memory plus swap; nullopt: leave as it is.
Result<std::optional<std::string>> swap_value(spec::Memory const& memory, CurrentLimits const& current) {
    auto const asked = memory.limit.value_or(0);
    auto const swap = memory.swap.value_or(0);
    if (swap == 0)
        return asked == -1 ? std::optional<std::string>("max") : std::nullopt;
    if (swap < 0)
        return "max";
    auto const limit = asked == 0 ? current.memory_limit.value_or(-1) : asked;
    if (limit < 0)
        return fail(resources_pointer,
                    "/memory/swap: needs a memory limit: it is the limit of memory and swap together");
    if (swap < limit)
        return fail(resources_pointer, "/memory/swap: must not be less than the memory limit, ", limit);
    return std::to_string(swap - limit);
}

Result<void> add_memory(spec::Memory const& memory, CurrentLimits const& current, Settings& settings) {
    auto const setting = [&](std::string_view file, std::string value, std::string_view field, bool may_be_missing) {
        return CgroupSetting{std::string(file), std::move(value), "memory",
                             concat(resources_pointer, "/memory/", field), may_be_missing};
    };
    if (memory.reservation.value_or(0) != 0)
        settings.push_back(
            setting("memory.low", limit_text(*memory.reservation), "reservation", *memory.reservation < 0));
    // Before the limit: what a smaller limit drives out of memory needs the room. The kernel takes the two files in any
    // order, each counts for itself.
    if (auto swap = TRY(swap_value(memory, current))) {
        // Without swap accounting the file is missing; then there is no swap to limit either.
        bool const is_default = *swap == "0" || *swap == "max";
        settings.push_back(setting("memory.swap.max", *std::move(swap), "swap", is_default));
    }
    if (memory.limit.value_or(0) != 0) {
        settings.push_back(setting("memory.max", limit_text(*memory.limit), "limit", *memory.limit < 0));
        settings.back().check_usage = memory.check_before_update && *memory.limit > 0;
    }
    return {};
}

// ---- the others

void add_hugepages(std::vector<spec::HugepageLimit> const& limits, Settings& settings) {
    for (std::size_t i = 0; i < limits.size(); ++i) {
        CgroupSetting setting{concat("hugetlb.", limits[i].page_size, ".max"), std::to_string(limits[i].limit),
                              "hugetlb", concat(resources_pointer, "/hugepageLimits/", i)};
        settings.push_back(setting);
        // Reservations are counted since Linux 5.7 and only with CONFIG_CGROUP_HUGETLB.
        setting.file = concat("hugetlb.", limits[i].page_size, ".rsvd.max");
        setting.may_be_missing = true;
        settings.push_back(std::move(setting));
    }
}

void add_rdma(std::map<std::string, spec::RdmaLimit> const& rdma, Settings& settings) {
    for (auto const& [device, limit] : rdma) {
        auto value = device;
        if (limit.handles)
            value += concat(" hca_handle=", *limit.handles);
        if (limit.objects)
            value += concat(" hca_object=", *limit.objects);
        settings.push_back({"rdma.max", std::move(value), "rdma", concat(resources_pointer, "/rdma/", device)});
    }
}

void add_unified(std::map<std::string, std::string> const& unified, Settings& settings) {
    for (auto const& [file, value] : unified) {
        auto const controller = file.substr(0, file.find('.'));
        settings.push_back(
            {file, value, controller == "cgroup" ? "" : controller, concat(resources_pointer, "/unified/", file)});
    }
}

} // namespace

std::uint64_t cpu_weight(std::uint64_t shares) {
    if (shares <= 2)
        return 1;
    if (shares >= 262'144)
        return 10'000;
    double const l = std::log2(static_cast<double>(shares));
    double const exponent = (l * l + 125 * l) / 612.0 - 7.0 / 34.0;
    return static_cast<std::uint64_t>(std::ceil(std::pow(10, exponent)));
}

unsigned io_weight(unsigned weight) {
    return 1 + (weight - 10) * 9999 / 990;
}

Settings early_settings(spec::Resources const& resources, CurrentLimits const& current) {
    Settings settings;
    add_cpu(resources.cpu, current, settings);
    add_io(resources.block_io, settings);
    return settings;
}

Result<Settings> late_settings(spec::Resources const& resources, CurrentLimits const& current) {
    Settings settings;
    TRY(add_memory(resources.memory, current, settings));
    if (resources.pids_limit)
        settings.push_back({"pids.max", limit_text(*resources.pids_limit), "pids",
                            concat(resources_pointer, "/pids/limit"), *resources.pids_limit < 0});
    add_hugepages(resources.hugepage_limits, settings);
    add_rdma(resources.rdma, settings);
    add_unified(resources.unified, settings);
    return settings;
}

steps::AttachDeviceFilter device_filter(std::vector<spec::DeviceRule> const& rules) {
    steps::AttachDeviceFilter filter;
    for (auto const& rule : rules)
        filter.rules.push_back(describe_rule(rule));
    filter.program = compile_device_filter(rules);
    return filter;
}

Result<std::string> cgroup_path(spec::Spec const& spec, HostFacts const& host, std::string const& id) {
    auto const& asked = spec.linux.cgroups_path;
    for (auto const part : split(asked, '/'))
        if (part == "..")
            return fail("/linux/cgroupsPath: must not contain '..'");
    auto path = absolute_path(cgroup_base(host), asked.empty() ? id : asked);
    if (path == "/")
        return fail("/linux/cgroupsPath: must not be the root of the hierarchy");
    return path;
}

namespace {

bool mounts_writable_cgroup(spec::Spec const& spec) {
    return std::ranges::any_of(spec.mounts, [](spec::Mount const& mount) {
        return mount.source == "cgroup" && !mount.bind && mount.destination == "/sys/fs/cgroup" &&
               ((mount.set | mount.recursive_set) & MOUNT_ATTR_RDONLY) == 0;
    });
}

} // namespace

std::optional<steps::DelegateCgroup> delegate_cgroup(spec::Spec const& spec) {
    if (!spec.process || !spec.linux.creates(CLONE_NEWCGROUP) || !mounts_writable_cgroup(spec))
        return std::nullopt;
    auto const uid = spec.process->user.uid;
    if (spec.linux.find(CLONE_NEWUSER) == nullptr)
        return uid == 0 ? std::nullopt : std::optional(steps::DelegateCgroup{uid}); // it is root's already
    for (auto const& mapping : spec.linux.uid_mappings)
        if (uid >= mapping.container_id && uid - mapping.container_id < mapping.size)
            return steps::DelegateCgroup{mapping.host_id + (uid - mapping.container_id)};
    return std::nullopt; // a joined user namespace: who the user is on the host is not known here
}

} // namespace oci::plan
