// SPDX-License-Identifier: Apache-2.0
#include "plan/cgroup.h"

#include <cmath>

#include "plan/plan.h"

namespace oci::plan {

namespace {

constexpr std::uint64_t default_cpu_period = 100'000; // microseconds, cpu.max's own default

std::string limit_text(std::int64_t limit) {
    return limit < 0 ? "max" : std::to_string(limit);
}

void add_cpu(spec::Cpu const& cpu, std::vector<steps::CgroupSetting>& settings) {
    auto const add = [&](std::string_view file, std::string value, std::string_view field) {
        settings.push_back({std::string(file), std::move(value), "cpu", concat("/linux/resources/cpu/", field)});
    };
    if (cpu.idle)
        add("cpu.idle", std::to_string(*cpu.idle), "idle");
    // The kernel refuses a weight for an idle cgroup (EINVAL): idle says everything.
    if (cpu.shares.value_or(0) != 0 && cpu.idle.value_or(0) == 0)
        add("cpu.weight", std::to_string(cpu_weight(*cpu.shares)), "shares");
    bool const has_quota = cpu.quota.value_or(0) != 0;
    bool const has_period = cpu.period.value_or(0) != 0;
    if (has_quota || has_period) {
        auto const period = has_period ? *cpu.period : default_cpu_period;
        add("cpu.max", concat(limit_text(has_quota ? *cpu.quota : -1), " ", period), has_quota ? "quota" : "period");
    }
    // After cpu.max: a burst may not be larger than the quota.
    if (cpu.burst)
        add("cpu.max.burst", std::to_string(*cpu.burst), "burst");
}

void add_cpuset(spec::Cpu const& cpu, std::vector<steps::CgroupSetting>& settings) {
    if (!cpu.cpus.empty())
        settings.push_back({"cpuset.cpus", cpu.cpus, "cpuset", "/linux/resources/cpu/cpus"});
    if (!cpu.mems.empty())
        settings.push_back({"cpuset.mems", cpu.mems, "cpuset", "/linux/resources/cpu/mems"});
}

/// memory.swap.max counts swap alone, the specification's swap is memory plus swap; nullopt: leave as it is.
Result<std::optional<std::string>> swap_value(spec::Memory const& memory) {
    auto const limit = memory.limit.value_or(0);
    auto const swap = memory.swap.value_or(0);
    if (swap == 0)
        return limit == -1 ? std::optional<std::string>("max") : std::nullopt;
    if (swap < 0)
        return "max";
    if (limit <= 0)
        return fail("/linux/resources/memory/swap: a swap limit needs a memory limit");
    if (swap < limit)
        return fail("/linux/resources/memory/swap: must not be smaller than the memory limit");
    return std::to_string(swap - limit);
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

std::vector<steps::CgroupSetting> early_settings(spec::Resources const& resources) {
    std::vector<steps::CgroupSetting> settings;
    add_cpu(resources.cpu, settings);
    add_cpuset(resources.cpu, settings);
    return settings;
}

Result<std::vector<steps::CgroupSetting>> late_settings(spec::Resources const& resources) {
    std::vector<steps::CgroupSetting> settings;
    auto const& memory = resources.memory;
    auto const add_memory = [&](std::string_view file, std::string value, std::string_view field, bool may_be_missing) {
        settings.push_back(
            {std::string(file), std::move(value), "memory", concat("/linux/resources/memory/", field), may_be_missing});
    };
    if (memory.reservation.value_or(0) != 0)
        add_memory("memory.low", limit_text(*memory.reservation), "reservation", *memory.reservation < 0);
    if (auto swap = TRY(swap_value(memory))) {
        // Without swap accounting the file is missing; then there is no swap to limit either.
        bool const is_default = *swap == "0" || *swap == "max";
        add_memory("memory.swap.max", *std::move(swap), "swap", is_default);
    }
    if (memory.limit.value_or(0) != 0)
        add_memory("memory.max", limit_text(*memory.limit), "limit", *memory.limit < 0);
    if (resources.pids_limit)
        settings.push_back({"pids.max", limit_text(*resources.pids_limit), "pids", "/linux/resources/pids/limit",
                            *resources.pids_limit < 0});
    return settings;
}

Result<std::string> cgroup_path(spec::Spec const& spec, HostFacts const& host, std::string const& id) {
    auto const& asked = spec.linux.cgroups_path;
    for (auto const part : split(asked, '/'))
        if (part == "..")
            return fail("/linux/cgroupsPath: must not contain '..'");
    auto const parent = std::string(parent_path(host.own_cgroup));
    auto path = absolute_path(parent == "." ? "/" : parent, asked.empty() ? id : asked);
    if (path == "/")
        return fail("/linux/cgroupsPath: must not be the root of the hierarchy");
    return path;
}

} // namespace oci::plan
