// SPDX-License-Identifier: Apache-2.0
#include "config.h"

namespace oci::spec {
namespace {

constexpr auto memory = "config-linux.md#memory";
constexpr auto cpu = "config-linux.md#cpu";
constexpr auto device_rules = "config-linux.md#allowed-device-list";
constexpr auto block_io = "config-linux.md#block-io";
constexpr auto hugepages = "config-linux.md#huge-page-limits";
constexpr auto rdma = "config-linux.md#rdma";
constexpr auto unified = "config-linux.md#unified";
constexpr auto no_equivalent = "has no equivalent on cgroup v2";

BadConfig bad(std::string resources, std::string pointer, std::string rule, std::string section) {
    return BadConfig{{{"/linux/resources", std::move(resources)}},
                     "/linux/resources" + pointer,
                     std::move(rule),
                     std::move(section)};
}

Resources good(std::string resources) {
    return good_spec({{"/linux/resources", std::move(resources)}}).linux.resources;
}

class ResourceProblem : public testing::TestWithParam<BadConfig> {};

TEST_P(ResourceProblem, IsFound) {
    expect_problem(GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    Memory, ResourceProblem,
    testing::Values(
        bad("[]", "", "must be an object, is an array", "config-linux.md#control-groups"),
        bad(R"({"memory": 1})", "/memory", "must be an object, is a number", memory),
        bad(R"({"memory": {"limit": -2}})", "/memory/limit", "from -1 to 9223372036854775807, is -2", memory),
        bad(R"({"memory": {"limit": "1g"}})", "/memory/limit", "is a string", memory),
        bad(R"({"memory": {"limit": 9223372036854775808}})", "/memory/limit", "from -1 to 9223372036854775807", memory),
        bad(R"({"memory": {"reservation": 1.5}})", "/memory/reservation", "must be an integer", memory),
        bad(R"({"memory": {"swap": 1}})", "/memory/swap", "needs a memory limit", memory),
        bad(R"({"memory": {"limit": -1, "swap": 1}})", "/memory/swap", "needs a memory limit", memory),
        bad(R"({"memory": {"limit": "2", "swap": 1}})", "/memory/limit", "must be an integer", memory),
        bad(R"({"memory": {"limit": 2, "swap": 1}})", "/memory/swap", "must not be less than limit", memory),
        bad(R"({"memory": {"kernel": 1}})", "/memory/kernel", "has no equivalent on cgroup v2", memory),
        bad(R"({"memory": {"kernelTCP": 1}})", "/memory/kernelTCP", "has no equivalent on cgroup v2", memory),
        bad(R"({"memory": {"swappiness": 60}})", "/memory/swappiness", "has no equivalent on cgroup v2", memory),
        bad(R"({"memory": {"swappiness": 101}})", "/memory/swappiness", "from 0 to 100, is 101", memory),
        bad(R"({"memory": {"swappiness": ""}})", "/memory/swappiness", "must be an integer", memory),
        bad(R"({"memory": {"disableOOMKiller": 0}})", "/memory/disableOOMKiller", "must be a boolean", memory),
        bad(R"({"memory": {"disableOOMKiller": true}})", "/memory/disableOOMKiller", "has no equivalent on cgroup v2",
            memory),
        bad(R"({"memory": {"checkBeforeUpdate": 1}})", "/memory/checkBeforeUpdate", "must be a boolean", memory)));

INSTANTIATE_TEST_SUITE_P(
    Cpu, ResourceProblem,
    testing::Values(
        bad(R"({"cpu": []})", "/cpu", "must be an object, is an array", cpu),
        bad(R"({"cpu": {"shares": -1}})", "/cpu/shares", "from 0 to 18446744073709551615, is -1", cpu),
        bad(R"({"cpu": {"period": -1}})", "/cpu/period", "from 0 to", cpu),
        bad(R"({"cpu": {"quota": 10, "burst": 11}})", "/cpu/burst", "must not be greater than quota", cpu),
        bad(R"({"cpu": {"idle": 2}})", "/cpu/idle", "from 0 to 1, is 2", cpu),
        bad(R"({"cpu": {"cpus": 3}})", "/cpu/cpus", "must be a string", cpu),
        bad(R"({"cpu": {"mems": "0\u0000"}})", "/cpu/mems", "NUL", cpu),
        bad(R"({"cpu": {"realtimeRuntime": 1}})", "/cpu/realtimeRuntime", "has no equivalent on cgroup v2", cpu),
        bad(R"({"cpu": {"realtimeRuntime": []}})", "/cpu/realtimeRuntime", "must be an integer", cpu),
        bad(R"({"cpu": {"realtimePeriod": -1}})", "/cpu/realtimePeriod", "from 0 to", cpu),
        bad(R"({"cpu": {"realtimePeriod": 1}})", "/cpu/realtimePeriod", "has no equivalent on cgroup v2", cpu)));

INSTANTIATE_TEST_SUITE_P(Devices, ResourceProblem,
                         testing::Values(bad(R"({"devices": [{}]})", "/devices/0/allow", "is required", device_rules),
                                         bad(R"({"devices": [{"allow": "no"}]})", "/devices/0/allow",
                                             "must be a boolean", device_rules),
                                         bad(R"({"devices": [{"allow": true, "type": "u"}]})", "/devices/0/type",
                                             R"(must be a, b or c, is "u")", device_rules),
                                         bad(R"({"devices": [{"allow": true, "major": -2}]})", "/devices/0/major",
                                             "from -1 to 4294967295", device_rules),
                                         bad(R"({"devices": [{"allow": true, "minor": 4294967296}]})",
                                             "/devices/0/minor", "from -1 to 4294967295", device_rules),
                                         bad(R"({"devices": [{"allow": true, "access": "rx"}]})", "/devices/0/access",
                                             R"(letters r, w and m, is "rx")", device_rules)));

INSTANTIATE_TEST_SUITE_P(
    Others, ResourceProblem,
    testing::Values(
        bad(R"({"pids": {"limit": 1.5}})", "/pids/limit", "must be an integer", "config-linux.md#pids"),
        bad(R"({"pids": 1})", "/pids", "must be an object", "config-linux.md#pids"),
        bad(R"({"network": {"classID": false}})", "/network/classID", "must be an integer", "config-linux.md#network"),
        bad(R"({"network": {"priorities": {}}})", "/network/priorities", "must be an array", "config-linux.md#network"),
        bad(R"({"network": {"classID": 1}})", "/network/classID", no_equivalent, "config-linux.md#network"),
        bad(R"({"network": {"priorities": [{"name": "eth0", "priority": 0}]}})", "/network/priorities", no_equivalent,
            "config-linux.md#network"),
        bad(R"({"hugepageLimits": [{"limit": 0}]})", "/hugepageLimits/0/pageSize", "is required", hugepages),
        bad(R"({"hugepageLimits": [{"pageSize": "2MB"}]})", "/hugepageLimits/0/limit", "is required", hugepages),
        bad(R"({"hugepageLimits": [{"pageSize": "2MB", "limit": -1}]})", "/hugepageLimits/0/limit", "from 0 to",
            hugepages),
        bad(R"({"hugepageLimits": [{"pageSize": "2M", "limit": 0}]})", "/hugepageLimits/0/pageSize",
            R"(must be a size such as 64KB, 2MB or 1GB, is "2M")", hugepages),
        bad(R"({"hugepageLimits": [{"pageSize": "MB", "limit": 0}]})", "/hugepageLimits/0/pageSize", "is \"MB\"",
            hugepages),
        bad(R"({"hugepageLimits": [{"pageSize": "02MB", "limit": 0}]})", "/hugepageLimits/0/pageSize", "is \"02MB\"",
            hugepages),
        bad(R"({"hugepageLimits": [{"pageSize": "2MB/../x", "limit": 0}]})", "/hugepageLimits/0/pageSize", "must be a",
            hugepages),
        bad(R"({"rdma": {"mlx": {}}})", "/rdma/mlx", "must have hcaHandles or hcaObjects", rdma),
        bad(R"({"rdma": {"mlx": {"hcaHandles": -1}}})", "/rdma/mlx/hcaHandles", "from 0 to 4294967295", rdma),
        bad(R"({"rdma": {"m x": {"hcaHandles": 1}}})", "/rdma/m x", "must be the name of a device", rdma),
        bad(R"({"unified": {"memory.high": 1}})", "/unified/memory.high", "must be a string", unified),
        bad(R"({"unified": {"a/memory.high": "1"}})", "/unified/a~1memory.high", "(no slashes)", unified),
        bad(R"({"unified": {"memory": "1"}})", "/unified/memory", "must be named in the form CONTROLLER.PARAMETER",
            unified),
        bad(R"({"unified": {"..": "1"}})", "/unified/..", "must be named in the form", unified),
        bad(R"({"unified": {"memory.": "1"}})", "/unified/memory.", "must be named in the form", unified),
        bad(R"({"unified": {"cgroup.procs": "1"}})", "/unified/cgroup.procs", "is for the runtime to write", unified),
        bad(R"({"unified": {"cgroup.freeze": "1"}})", "/unified/cgroup.freeze", "is for the runtime to write",
            unified)));

INSTANTIATE_TEST_SUITE_P(
    BlockIo, ResourceProblem,
    testing::Values(bad(R"({"blockIO": {"weight": 9}})", "/blockIO/weight", "must be from 10 to 1000, is 9", block_io),
                    bad(R"({"blockIO": {"weight": 1001}})", "/blockIO/weight", "must be from 10 to 1000, is 1001",
                        block_io),
                    bad(R"({"blockIO": {"weight": 65536}})", "/blockIO/weight", "from 0 to 65535", block_io),
                    bad(R"({"blockIO": {"leafWeight": ""}})", "/blockIO/leafWeight", "must be an integer", block_io),
                    bad(R"({"blockIO": {"leafWeight": 10}})", "/blockIO/leafWeight", no_equivalent, block_io),
                    bad(R"({"blockIO": {"weightDevice": [{"major": 8, "minor": 0}]}})", "/blockIO/weightDevice/0",
                        "must have weight or leafWeight", block_io),
                    bad(R"({"blockIO": {"weightDevice": [{"major": 8, "weight": 10}]}})",
                        "/blockIO/weightDevice/0/minor", "is required", block_io),
                    bad(R"({"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "leafWeight": 10}]}})",
                        "/blockIO/weightDevice/0/leafWeight", no_equivalent, block_io),
                    bad(R"({"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "weight": 5}]}})",
                        "/blockIO/weightDevice/0/weight", "must be from 10 to 1000", block_io),
                    bad(R"({"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0}]}})",
                        "/blockIO/throttleReadBpsDevice/0/rate", "is required", block_io),
                    bad(R"({"blockIO": {"throttleWriteBpsDevice": [{"major": -1, "minor": 0, "rate": 1}]}})",
                        "/blockIO/throttleWriteBpsDevice/0/major", "from 0 to", block_io),
                    bad(R"({"blockIO": {"throttleReadIOPSDevice": {}}})", "/blockIO/throttleReadIOPSDevice",
                        "must be an array", block_io),
                    bad(R"({"blockIO": {"throttleWriteIOPSDevice": [5]}})", "/blockIO/throttleWriteIOPSDevice/0",
                        "must be an object", block_io)));

TEST(Resources, WhatSaysNothingIsUnset) {
    EXPECT_EQ(good(R"({
        "devices": [], "hugepageLimits": [], "rdma": {}, "unified": {}, "pids": {},
        "memory": {"limit": 0, "swap": 0, "reservation": 0, "kernel": -1, "kernelTCP": 0, "swappiness": 0, "disableOOMKiller": false,
                   "useHierarchy": true},
        "cpu": {"shares": 0, "quota": 0, "period": 0, "realtimeRuntime": 0, "realtimePeriod": 0, "cpus": "", "mems": ""},
        "blockIO": {"weight": 0, "leafWeight": 0, "weightDevice": [], "throttleReadBpsDevice": []},
        "network": {"classID": 0, "priorities": []}
    })"),
              Resources{});
    EXPECT_EQ(good(R"({"memory": {"limit": null, "disableOOMKiller": null, "swappiness": null}, "cpu": {"shares": null},
        "pids": {"limit": null}, "blockIO": null, "hugepageLimits": null, "unified": {"memory.max": null}})"),
              Resources{});
}

TEST(Resources, EverythingIsRead) {
    auto const resources = good(R"({
        "devices": [
            {"allow": false},
            {"allow": true, "type": "c", "major": 10, "minor": -1, "access": "wm"},
            {"allow": true, "type": "b", "minor": 0, "access": "r"},
            {"allow": false, "type": "", "access": ""}
        ],
        "pids": {"limit": 0},
        "memory": {"limit": 9223372036854772000, "reservation": -1, "swap": 9223372036854772000, "checkBeforeUpdate": true},
        "cpu": {"shares": 18446744073709551615, "quota": -1, "period": 100000, "burst": 0, "idle": 1, "cpus": "0-3,7", "mems": "0"},
        "blockIO": {
            "weight": 10,
            "weightDevice": [{"major": 8, "minor": 0, "weight": 1000}, {"major": 8, "minor": 16, "weight": 0}],
            "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 18446744073709551615}],
            "throttleWriteBpsDevice": [{"major": 8, "minor": 0, "rate": 2}],
            "throttleReadIOPSDevice": [{"major": 8, "minor": 0, "rate": 3}],
            "throttleWriteIOPSDevice": [{"major": 8, "minor": 0, "rate": 0}, {"major": 259, "minor": 1, "rate": 4}]
        },
        "hugepageLimits": [{"pageSize": "2MB", "limit": 0}, {"pageSize": "64KB", "limit": 18446744073709551615}],
        "rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}, "rxe3": {"hcaObjects": 0}},
        "unified": {"memory.high": "1000", "io.max": "8:0 rbps=1\n8:16 rbps=2", "cgroup.max.depth": "5"}
    })");
    Resources expected;
    expected.devices = {{false, 'a', {}, {}, true, true, true},
                        {true, 'c', 10, {}, false, true, true},
                        {true, 'b', {}, 0, true, false, false},
                        {false, 'a', {}, {}, true, true, true}};
    expected.pids_limit = 0;
    expected.memory = {9223372036854772000, -1, 9223372036854772000, true};
    expected.cpu = {18446744073709551615ULL, -1, 100000, 0, 1, "0-3,7", "0"};
    expected.block_io.weight = 10;
    expected.block_io.weight_devices = {{8, 0, 1000}, {8, 16, {}}};
    expected.block_io.read_bytes = {{8, 0, 18446744073709551615ULL}};
    expected.block_io.write_bytes = {{8, 0, 2}};
    expected.block_io.read_operations = {{8, 0, 3}};
    expected.block_io.write_operations = {{8, 0, 0}, {259, 1, 4}};
    expected.hugepage_limits = {{"2MB", 0}, {"64KB", 18446744073709551615ULL}};
    expected.rdma = {{"mlx5_1", {3, 10000}}, {"rxe3", {{}, 0}}};
    expected.unified = {{"memory.high", "1000"}, {"io.max", "8:0 rbps=1\n8:16 rbps=2"}, {"cgroup.max.depth", "5"}};
    EXPECT_EQ(resources, expected);
}

TEST(Resources, UnlimitedSwapNeedsNoLimit) {
    EXPECT_EQ(good(R"({"memory": {"swap": -1}})").memory.swap, -1);
    EXPECT_EQ(good(R"({"memory": {"limit": -1, "swap": -1}})").memory.swap, -1);
    EXPECT_EQ(good(R"({"memory": {"limit": 5, "swap": 5}})").memory.swap, 5);
}

TEST(Resources, EveryNegativeNumberOfProcessesIsUnlimited) {
    EXPECT_EQ(good(R"({"pids": {"limit": -1}})").pids_limit, -1);
    EXPECT_EQ(good(R"({"pids": {"limit": -5}})").pids_limit, -5);
}

// ---- by itself, for update

Resources parsed(std::string_view json, std::vector<Override> const& overrides = {}) {
    auto const resources = parse_resources(json, overrides);
    EXPECT_TRUE(resources) << resources.error().message;
    return resources.value_or(Resources{});
}

TEST(ResourcesAlone, PointersBeginAtTheirRoot) {
    EXPECT_EQ(parse_resources(R"({"memory": {"limit": "x"}})").error().message,
              "/memory/limit: must be an integer from -1 to 9223372036854775807, is a string");
}

TEST(ResourcesAlone, SwapMayBuildOnTheLimitThatIsThere) {
    EXPECT_EQ(parsed(R"({"memory": {"swap": 5}})").memory.swap, 5);
    EXPECT_FALSE(parse_resources(R"({"memory": {"limit": 6, "swap": 5}})"));
}

TEST(ResourcesAlone, OptionsReplaceValues) {
    auto const resources = parsed(R"({"memory": {"limit": 1, "reservation": 2}, "cpu": null, "pids": {"limit": 3}})",
                                  {{"/memory/limit", std::int64_t{-1}},
                                   {"/cpu/cpus", std::string("0-1")},
                                   {"/cpu/shares", std::uint64_t{18446744073709551615ULL}},
                                   {"/blockIO/weight", std::uint64_t{20}}});
    Resources expected;
    expected.memory.limit = -1;
    expected.memory.reservation = 2;
    expected.cpu.cpus = "0-1";
    expected.cpu.shares = 18446744073709551615ULL;
    expected.pids_limit = 3;
    expected.block_io.weight = 20;
    EXPECT_EQ(resources, expected);
}

TEST(ResourcesAlone, OptionsAreCheckedLikeTheOthers) {
    EXPECT_EQ(parse_resources("{}", {{"/blockIO/weight", std::uint64_t{5}}}).error().message,
              "/blockIO/weight: must be from 10 to 1000, is 5");
    EXPECT_FALSE(parse_resources(R"({"memory": 5})", {{"/memory/limit", std::int64_t{1}}}));
}

} // namespace
} // namespace oci::spec
