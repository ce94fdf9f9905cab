// SPDX-License-Identifier: Apache-2.0
#include "config.h"

namespace oci::spec {
namespace {

constexpr auto memory = "config-linux.md#memory";
constexpr auto cpu = "config-linux.md#cpu";
constexpr auto device_rules = "config-linux.md#allowed-device-list";
constexpr auto block_io = "config-linux.md#block-io";
constexpr auto unsupported = "is not supported by this version";

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
        bad(R"({"memory": {"limit": 2, "swap": 1}})", "/memory/swap", "must not be less than limit", memory),
        bad(R"({"memory": {"kernel": 1}})", "/memory/kernel", "is not possible on cgroup v2", memory),
        bad(R"({"memory": {"kernelTCP": 1}})", "/memory/kernelTCP", "is not possible on cgroup v2", memory),
        bad(R"({"memory": {"swappiness": 60}})", "/memory/swappiness", "is not possible on cgroup v2", memory),
        bad(R"({"memory": {"disableOOMKiller": true}})", "/memory/disableOOMKiller", "is not possible on cgroup v2",
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
        bad(R"({"cpu": {"realtimeRuntime": 1}})", "/cpu/realtimeRuntime", "not supported on cgroup v2", cpu),
        bad(R"({"cpu": {"realtimePeriod": 1}})", "/cpu/realtimePeriod", "not supported on cgroup v2", cpu)));

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
    testing::Values(bad(R"({"pids": {"limit": -2}})", "/pids/limit", "from -1 to", "config-linux.md#pids"),
                    bad(R"({"pids": 1})", "/pids", "must be an object", "config-linux.md#pids"),
                    bad(R"({"network": {"classID": 1}})", "/network/classID", "is not possible on cgroup v2",
                        "config-linux.md#network"),
                    bad(R"({"network": {"priorities": [{"name": "eth0", "priority": 0}]}})", "/network/priorities",
                        "is not possible on cgroup v2", "config-linux.md#network"),
                    bad(R"({"blockIO": {"weight": 10}})", "/blockIO/weight", unsupported, block_io),
                    bad(R"({"blockIO": {"leafWeight": 10}})", "/blockIO/leafWeight", unsupported, block_io),
                    bad(R"({"blockIO": {"weightDevice": [{}]}})", "/blockIO/weightDevice", unsupported, block_io),
                    bad(R"({"blockIO": {"throttleReadBpsDevice": [{}]}})", "/blockIO/throttleReadBpsDevice",
                        unsupported, block_io),
                    bad(R"({"blockIO": {"throttleWriteBpsDevice": [{}]}})", "/blockIO/throttleWriteBpsDevice",
                        unsupported, block_io),
                    bad(R"({"blockIO": {"throttleReadIOPSDevice": [{}]}})", "/blockIO/throttleReadIOPSDevice",
                        unsupported, block_io),
                    bad(R"({"blockIO": {"throttleWriteIOPSDevice": [{}]}})", "/blockIO/throttleWriteIOPSDevice",
                        unsupported, block_io),
                    bad(R"({"hugepageLimits": [{"pageSize": "2MB", "limit": 0}]})", "/hugepageLimits", unsupported,
                        "config-linux.md#huge-page-limits"),
                    bad(R"({"rdma": {"mlx": {}}})", "/rdma", unsupported, "config-linux.md#rdma"),
                    bad(R"({"unified": {"memory.high": "1"}})", "/unified", unsupported, "config-linux.md#unified")));

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
        "cpu": {"shares": 18446744073709551615, "quota": -1, "period": 100000, "burst": 0, "idle": 1, "cpus": "0-3,7", "mems": "0"}
    })");
    Resources expected;
    expected.devices = {{false, 'a', {}, {}, true, true, true},
                        {true, 'c', 10, {}, false, true, true},
                        {true, 'b', {}, 0, true, false, false},
                        {false, 'a', {}, {}, true, true, true}};
    expected.pids_limit = 0;
    expected.memory = {9223372036854772000, -1, 9223372036854772000, true};
    expected.cpu = {18446744073709551615ULL, -1, 100000, 0, 1, "0-3,7", "0"};
    EXPECT_EQ(resources, expected);
}

TEST(Resources, UnlimitedSwapNeedsNoLimit) {
    EXPECT_EQ(good(R"({"memory": {"swap": -1}})").memory.swap, -1);
    EXPECT_EQ(good(R"({"memory": {"limit": -1, "swap": -1}})").memory.swap, -1);
    EXPECT_EQ(good(R"({"memory": {"limit": 5, "swap": 5}})").memory.swap, 5);
}

} // namespace
} // namespace oci::spec
