// SPDX-License-Identifier: Apache-2.0
// The JSON of `events`, with and without figures.
#include "state/statistics.h"

#include <gtest/gtest.h>
#include <limits>
#include <nlohmann/json.hpp>

namespace oci::state {
namespace {

using Json = nlohmann::json;

Json data_of(Statistics const& statistics) {
    auto const text = statistics_event("c1", statistics);
    EXPECT_EQ(std::string::npos, text.find('\n'));
    auto const event = Json::parse(text);
    EXPECT_EQ("stats", event["type"]);
    EXPECT_EQ("c1", event["id"]);
    return event["data"];
}

TEST(StatisticsEvent, nothing_to_tell) {
    auto const zero = Json::parse(R"({"limit": 0, "failcnt": 0})");
    auto const data = data_of({});
    EXPECT_EQ(Json::parse(R"({"usage": {"kernel": 0, "user": 0}, "throttling": {}})"), data["cpu"]);
    EXPECT_EQ((Json{{"usage", zero}, {"swap", zero}, {"kernel", zero}, {"kernelTCP", zero}}), data["memory"]);
    for (auto const* const key : {"pids", "blkio", "hugetlb", "intel_rdt"})
        EXPECT_EQ(Json::object(), data[key]) << key;
    EXPECT_TRUE(data.contains("network_interfaces") && data["network_interfaces"].is_null());
    EXPECT_EQ(9U, data["cpuset"].size());
}

TEST(StatisticsEvent, everything) {
    constexpr auto most = std::numeric_limits<std::uint64_t>::max();
    Statistics statistics;
    statistics.cpu_total = 3000;
    statistics.cpu_user = 2000;
    statistics.cpu_system = 1000;
    statistics.periods = 4;
    statistics.throttled_periods = 5;
    statistics.throttled_time = 6000;
    statistics.cpu_pressure = Pressure{{0.25, 1, 2, 3}, {}};
    statistics.cpus = {0, 3};
    statistics.memory_nodes = {1};
    statistics.memory = {most, 2, 3, 4};
    statistics.memory_and_swap = {5, 6, 0, 7};
    statistics.memory_detail = {{"file", 8}, {"anon", 9}};
    statistics.memory_pressure.emplace();
    statistics.pids = 10;
    statistics.pids_limit = 11;
    statistics.io_bytes = {{8, 0, "Read", 12}, {8, 1, "Write", 0}};
    statistics.io_pressure.emplace();
    statistics.hugetlb["2MB"] = {13, 14};
    EXPECT_EQ(Json::parse(R"({
        "cpu": {"usage": {"total": 3000, "kernel": 1000, "user": 2000},
                "throttling": {"periods": 4, "throttledPeriods": 5, "throttledTime": 6000},
                "psi": {"some": {"avg10": 0.25, "avg60": 1.0, "avg300": 2.0, "total": 3},
                        "full": {"avg10": 0.0, "avg60": 0.0, "avg300": 0.0, "total": 0}}},
        "cpuset": {"cpus": [0, 3], "mems": [1], "cpu_exclusive": 0, "mem_hardwall": 0, "mem_exclusive": 0,
                   "memory_migrate": 0, "memory_spread_page": 0, "memory_spread_slab": 0, "memory_pressure": 0,
                   "sched_load_balance": 0, "sched_relax_domain_level": 0},
        "memory": {"cache": 8, "usage": {"limit": 18446744073709551615, "usage": 2, "max": 3, "failcnt": 4},
                   "swap": {"limit": 5, "usage": 6, "failcnt": 7}, "kernel": {"limit": 0, "failcnt": 0},
                   "kernelTCP": {"limit": 0, "failcnt": 0}, "raw": {"anon": 9, "file": 8},
                   "psi": {"some": {"avg10": 0.0, "avg60": 0.0, "avg300": 0.0, "total": 0},
                           "full": {"avg10": 0.0, "avg60": 0.0, "avg300": 0.0, "total": 0}}},
        "pids": {"current": 10, "limit": 11},
        "blkio": {"ioServiceBytesRecursive": [{"major": 8, "op": "Read", "value": 12},
                                              {"major": 8, "minor": 1, "op": "Write"}],
                  "psi": {"some": {"avg10": 0.0, "avg60": 0.0, "avg300": 0.0, "total": 0},
                          "full": {"avg10": 0.0, "avg60": 0.0, "avg300": 0.0, "total": 0}}},
        "hugetlb": {"2MB": {"usage": 13, "failcnt": 14}}, "intel_rdt": {}, "network_interfaces": null})"),
              data_of(statistics));
}

TEST(StatisticsEvent, memory_ran_out) {
    EXPECT_EQ(R"({"type":"oom","id":"c1"})", oom_event("c1"));
}

} // namespace
} // namespace oci::state
