// SPDX-License-Identifier: Apache-2.0
#include "perform/statistics.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

#include "kernel/file.h"
#include "perform/cgroup_tree.h"

namespace oci::perform {

namespace {

constexpr std::size_t maximum_size = 4U << 20U;
constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

/// Empty where there is no such file, or (EOPNOTSUPP: pressure) the kernel was told not to account for it.
Result<std::string> read(int cgroup, std::string const& file) {
    auto text = kernel::read_file(cgroup, file, maximum_size);
    if (!text && (text.error().errno_value == ENOENT || text.error().errno_value == EOPNOTSUPP))
        return std::string();
    return text;
}

Result<std::uint64_t> read_figure(int cgroup, std::string const& file) {
    return parse_figure(trim(TRY(read(cgroup, file)))).value_or(0);
}

std::uint64_t value_of(KeyedFigures const& figures, std::string const& key) {
    auto const found = figures.find(key);
    return found == figures.end() ? 0 : found->second;
}

/// Never around: "max" and more is "max".
std::uint64_t add(std::uint64_t one, std::uint64_t other) {
    return one > unlimited - other ? unlimited : one + other;
}

std::uint64_t nanoseconds(std::uint64_t microseconds) {
    return microseconds > unlimited / 1000 ? unlimited : microseconds * 1000;
}

Result<void> read_cpu(int cgroup, state::Statistics& statistics) {
    auto const figures = parse_flat_keyed(TRY(read(cgroup, "cpu.stat")));
    statistics.cpu_total = nanoseconds(value_of(figures, "usage_usec"));
    statistics.cpu_user = nanoseconds(value_of(figures, "user_usec"));
    statistics.cpu_system = nanoseconds(value_of(figures, "system_usec"));
    statistics.periods = value_of(figures, "nr_periods");
    statistics.throttled_periods = value_of(figures, "nr_throttled");
    statistics.throttled_time = nanoseconds(value_of(figures, "throttled_usec"));
    statistics.cpu_pressure = parse_pressure(TRY(read(cgroup, "cpu.pressure")));
    statistics.cpus = parse_number_list(TRY(read(cgroup, "cpuset.cpus.effective")));
    statistics.memory_nodes = parse_number_list(TRY(read(cgroup, "cpuset.mems.effective")));
    return {};
}

Result<void> read_memory(int cgroup, state::Statistics& statistics) {
    auto& memory = statistics.memory;
    memory.limit = TRY(read_figure(cgroup, "memory.max"));
    memory.usage = TRY(read_figure(cgroup, "memory.current"));
    memory.highest = TRY(read_figure(cgroup, "memory.peak"));
    memory.failures = value_of(parse_flat_keyed(TRY(read(cgroup, "memory.events"))), "max");
    // Without accounting of swap there are no such files.
    if (auto const swap = TRY(read(cgroup, "memory.swap.current")); !swap.empty()) {
        auto& both = statistics.memory_and_swap;
        both.limit = add(memory.limit, TRY(read_figure(cgroup, "memory.swap.max")));
        both.usage = add(memory.usage, parse_figure(trim(swap)).value_or(0));
        both.failures = value_of(parse_flat_keyed(TRY(read(cgroup, "memory.swap.events"))), "max");
    }
    statistics.memory_detail = parse_flat_keyed(TRY(read(cgroup, "memory.stat")));
    statistics.memory_pressure = parse_pressure(TRY(read(cgroup, "memory.pressure")));
    return {};
}

Result<void> read_pids(int cgroup, state::Statistics& statistics) {
    auto const current = TRY(read(cgroup, "pids.current"));
    statistics.pids = current.empty() ? TRY(processes_of_tree(cgroup)).size() : parse_figure(trim(current)).value_or(0);
    auto const limit = TRY(read_figure(cgroup, "pids.max"));
    statistics.pids_limit = limit == unlimited ? 0 : limit;
    return {};
}

/// Every page size that has a file "hugetlb.<size>.current". What is reserved counts where the kernel tells (5.7).
Result<void> read_hugetlb(int cgroup, state::Statistics& statistics) {
    constexpr std::string_view prefix = "hugetlb.";
    constexpr std::string_view suffix = ".events";
    for (auto const& name : TRY(kernel::list_directory(cgroup))) {
        if (!name.starts_with(prefix) || !name.ends_with(suffix) || name.size() <= prefix.size() + suffix.size())
            continue;
        auto const size = name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
        if (size.find('.') != std::string::npos)
            continue; // hugetlb.2MB.events.local
        auto reserved = TRY(read(cgroup, concat(prefix, size, ".rsvd.current")));
        if (reserved.empty())
            reserved = TRY(read(cgroup, concat(prefix, size, ".current")));
        statistics.hugetlb[size] = {parse_figure(trim(reserved)).value_or(0),
                                    value_of(parse_flat_keyed(TRY(read(cgroup, name))), "max")};
    }
    return {};
}

/// "avg10=0.00": the name before '=', and what comes after.
std::pair<std::string_view, std::string_view> split_pair(std::string_view word) {
    auto const equals = word.find('=');
    if (equals == std::string_view::npos)
        return {};
    return {word.substr(0, equals), word.substr(equals + 1)};
}

state::PressureLine parse_pressure_line(std::vector<std::string_view> const& words) {
    state::PressureLine line;
    for (auto const word : words) {
        auto const [name, value] = split_pair(word);
        if (name == "avg10")
            line.average10 = parse_decimal(value).value_or(0);
        else if (name == "avg60")
            line.average60 = parse_decimal(value).value_or(0);
        else if (name == "avg300")
            line.average300 = parse_decimal(value).value_or(0);
        else if (name == "total")
            line.total = parse_number<std::uint64_t>(value).value_or(0);
    }
    return line;
}

} // namespace

KeyedFigures parse_flat_keyed(std::string_view text) {
    KeyedFigures figures;
    for (auto const line : split(text, '\n')) {
        auto const blank = line.find(' ');
        if (blank == std::string_view::npos)
            continue;
        if (auto const value = parse_figure(line.substr(blank + 1)))
            figures.emplace(line.substr(0, blank), *value);
    }
    return figures;
}

std::optional<std::uint64_t> parse_figure(std::string_view text) {
    return text == "max" ? unlimited : parse_number<std::uint64_t>(text);
}

std::optional<state::Pressure> parse_pressure(std::string_view text) {
    std::optional<state::Pressure> pressure;
    for (auto const line : split(text, '\n')) {
        auto const words = split(line, ' ');
        if (words[0] != "some" && words[0] != "full")
            continue;
        if (!pressure)
            pressure.emplace();
        (words[0] == "some" ? pressure->some : pressure->full) = parse_pressure_line(words);
    }
    return pressure;
}

void parse_io(std::string_view text, state::Statistics& statistics) {
    struct Column {
        std::string_view name;
        std::vector<state::DeviceFigure>& figures;
        std::string_view operation;
    };
    std::array<Column, 4> const columns = {{{"rbytes", statistics.io_bytes, "Read"},
                                            {"wbytes", statistics.io_bytes, "Write"},
                                            {"rios", statistics.io_operations, "Read"},
                                            {"wios", statistics.io_operations, "Write"}}};
    for (auto const line : split(text, '\n')) {
        auto const words = split(line, ' ');
        auto const numbers = split(words[0], ':');
        auto const major = parse_number<std::uint32_t>(numbers[0]);
        auto const minor = numbers.size() == 2 ? parse_number<std::uint32_t>(numbers[1]) : std::nullopt;
        if (!major || !minor)
            continue;
        for (auto const word : words) {
            auto const pair = split_pair(word);
            auto const value = parse_number<std::uint64_t>(pair.second);
            for (auto const& column : columns)
                if (column.name == pair.first && value)
                    column.figures.push_back({*major, *minor, column.operation, *value});
        }
    }
}

std::vector<std::uint16_t> parse_number_list(std::string_view text) {
    std::vector<std::uint16_t> numbers;
    for (auto const range : split(trim(text), ',')) {
        auto const dash = range.find('-');
        auto const first = parse_number<std::uint16_t>(range.substr(0, dash));
        auto const last = dash == std::string_view::npos ? first : parse_number<std::uint16_t>(range.substr(dash + 1));
        if (!first || !last)
            continue;
        for (std::uint32_t number = *first; number <= *last; ++number)
            numbers.push_back(static_cast<std::uint16_t>(number));
    }
    return numbers;
}

std::uint64_t count_oom(std::string_view memory_events) {
    auto const figures = parse_flat_keyed(memory_events);
    return std::max(value_of(figures, "oom"), value_of(figures, "oom_kill"));
}

Result<state::Statistics> read_statistics(int cgroup) {
    state::Statistics statistics;
    TRY(read_cpu(cgroup, statistics));
    TRY(read_memory(cgroup, statistics));
    TRY(read_pids(cgroup, statistics));
    parse_io(TRY(read(cgroup, "io.stat")), statistics);
    statistics.io_pressure = parse_pressure(TRY(read(cgroup, "io.pressure")));
    TRY(read_hugetlb(cgroup, statistics));
    return statistics;
}

} // namespace oci::perform
