// SPDX-License-Identifier: Apache-2.0
#include "state/statistics.h"

#include <nlohmann/json.hpp>

namespace oci::state {

namespace {

using Json = nlohmann::ordered_json;

/// What Go's "omitempty" leaves out.
template <typename Value>
void put_if_any(Json& object, char const* key, Value const& value) {
    if (value != Value{})
        object[key] = value;
}

Json pressure_line(PressureLine const& line) {
    return {{"avg10", line.average10}, {"avg60", line.average60}, {"avg300", line.average300}, {"total", line.total}};
}

void put_pressure(Json& object, std::optional<Pressure> const& pressure) {
    if (pressure)
        object["psi"] = {{"some", pressure_line(pressure->some)}, {"full", pressure_line(pressure->full)}};
}

Json cpu(Statistics const& statistics) {
    auto usage = Json::object();
    put_if_any(usage, "total", statistics.cpu_total);
    usage["kernel"] = statistics.cpu_system;
    usage["user"] = statistics.cpu_user;
    auto throttling = Json::object();
    put_if_any(throttling, "periods", statistics.periods);
    put_if_any(throttling, "throttledPeriods", statistics.throttled_periods);
    put_if_any(throttling, "throttledTime", statistics.throttled_time);
    Json object = {{"usage", usage}, {"throttling", throttling}};
    put_pressure(object, statistics.cpu_pressure);
    return object;
}

/// The members that cgroup v2 does not have are there and 0, as with runc.
Json cpuset(Statistics const& statistics) {
    auto object = Json::object();
    put_if_any(object, "cpus", statistics.cpus);
    object["cpu_exclusive"] = 0;
    put_if_any(object, "mems", statistics.memory_nodes);
    for (auto const* const key :
         {"mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page", "memory_spread_slab",
          "memory_pressure", "sched_load_balance", "sched_relax_domain_level"})
        object[key] = 0;
    return object;
}

Json memory_figures(MemoryFigures const& figures) {
    Json object = {{"limit", figures.limit}};
    put_if_any(object, "usage", figures.usage);
    put_if_any(object, "max", figures.highest);
    object["failcnt"] = figures.failures;
    return object;
}

Json memory(Statistics const& statistics) {
    auto object = Json::object();
    auto const file = statistics.memory_detail.find("file");
    put_if_any(object, "cache", file == statistics.memory_detail.end() ? std::uint64_t{0} : file->second);
    object["usage"] = memory_figures(statistics.memory);
    object["swap"] = memory_figures(statistics.memory_and_swap);
    object["kernel"] = memory_figures({});
    object["kernelTCP"] = memory_figures({});
    put_if_any(object, "raw", statistics.memory_detail);
    put_pressure(object, statistics.memory_pressure);
    return object;
}

void put_devices(Json& object, char const* key, std::vector<DeviceFigure> const& figures) {
    for (auto const& figure : figures) {
        auto entry = Json::object();
        put_if_any(entry, "major", figure.major);
        put_if_any(entry, "minor", figure.minor);
        entry["op"] = figure.operation;
        put_if_any(entry, "value", figure.value);
        object[key].push_back(entry);
    }
}

Json block_io(Statistics const& statistics) {
    auto object = Json::object();
    put_devices(object, "ioServiceBytesRecursive", statistics.io_bytes);
    put_devices(object, "ioServicedRecursive", statistics.io_operations);
    put_pressure(object, statistics.io_pressure);
    return object;
}

Json hugetlb(Statistics const& statistics) {
    auto object = Json::object();
    for (auto const& [size, figures] : statistics.hugetlb) {
        auto& entry = object[size] = Json::object();
        put_if_any(entry, "usage", figures.usage);
        entry["failcnt"] = figures.failures;
    }
    return object;
}

Json pids(Statistics const& statistics) {
    auto object = Json::object();
    put_if_any(object, "current", statistics.pids);
    put_if_any(object, "limit", statistics.pids_limit);
    return object;
}

} // namespace

std::string statistics_event(std::string_view id, Statistics const& statistics) {
    Json data;
    data["cpu"] = cpu(statistics);
    data["cpuset"] = cpuset(statistics);
    data["memory"] = memory(statistics);
    data["pids"] = pids(statistics);
    data["blkio"] = block_io(statistics);
    data["hugetlb"] = hugetlb(statistics);
    data["intel_rdt"] = Json::object();
    data["network_interfaces"] = nullptr;
    Json const event = {{"type", "stats"}, {"id", id}, {"data", data}};
    return event.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string oom_event(std::string_view id) {
    Json const event = {{"type", "oom"}, {"id", id}};
    return event.dump(-1, ' ', false, Json::error_handler_t::replace);
}

} // namespace oci::state
