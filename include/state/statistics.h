// SPDX-License-Identifier: Apache-2.0
// What `events` tells: figures of a container's cgroup, in the form of runc, which monitoring tools read.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oci::state {

/// Pressure stall information, one line of it: part of the time in percent, and the sum in microseconds.
struct PressureLine {
    double average10 = 0;
    double average60 = 0;
    double average300 = 0;
    std::uint64_t total = 0;
    bool operator==(PressureLine const&) const = default;
};

struct Pressure {
    PressureLine some;
    PressureLine full;
    bool operator==(Pressure const&) const = default;
};

/// The largest number stands for "max": no limit.
struct MemoryFigures {
    std::uint64_t limit = 0; ///< bytes, as the following two
    std::uint64_t usage = 0;
    std::uint64_t highest = 0;
    std::uint64_t failures = 0; ///< how often the limit was hit
    bool operator==(MemoryFigures const&) const = default;
};

struct DeviceFigure {
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    std::string_view operation; ///< "Read", "Write"
    std::uint64_t value = 0;
    bool operator==(DeviceFigure const&) const = default;
};

struct HugetlbFigures {
    std::uint64_t usage = 0; ///< bytes
    std::uint64_t failures = 0;
    bool operator==(HugetlbFigures const&) const = default;
};

/// 0, or empty, where a controller is not enabled.
struct Statistics {
    std::uint64_t cpu_total = 0; ///< nanoseconds, as the following two
    std::uint64_t cpu_user = 0;
    std::uint64_t cpu_system = 0;
    std::uint64_t periods = 0;
    std::uint64_t throttled_periods = 0;
    std::uint64_t throttled_time = 0; ///< nanoseconds
    std::optional<Pressure> cpu_pressure;

    std::vector<std::uint16_t> cpus; ///< that may be used, as the following
    std::vector<std::uint16_t> memory_nodes;

    MemoryFigures memory;
    MemoryFigures memory_and_swap;                      ///< together, as cgroup v1 counted
    std::map<std::string, std::uint64_t> memory_detail; ///< memory.stat
    std::optional<Pressure> memory_pressure;

    std::uint64_t pids = 0;
    std::uint64_t pids_limit = 0; ///< 0: none

    std::vector<DeviceFigure> io_bytes;
    std::vector<DeviceFigure> io_operations;
    std::optional<Pressure> io_pressure;

    std::map<std::string, HugetlbFigures> hugetlb; ///< by page size: "2MB"
    bool operator==(Statistics const&) const = default;
};

/// {"type":"stats","id":...,"data":{...}} on one line, without line end. Members that are 0 are left out where runc
/// leaves them out.
std::string statistics_event(std::string_view id, Statistics const& statistics);
/// {"type":"oom","id":...}
std::string oom_event(std::string_view id);

} // namespace oci::state
