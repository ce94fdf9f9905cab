// SPDX-License-Identifier: Apache-2.0
// linux.resources as values of control files: every rule, for a new cgroup and for one that has limits already.
#include "plan/cgroup.h"

#include <algorithm>
#include <linux/mount.h>
#include <ostream>
#include <sched.h>

#include <gtest/gtest.h>

#include "spec/parse.h"

namespace oci::plan {
namespace {

using Lines = std::vector<std::string>;

std::string line_of(steps::CgroupSetting const& setting) {
    auto line = concat(setting.file, " ", setting.value);
    if (!setting.fallback_file.empty())
        line += concat(" or ", setting.fallback_file, " ", setting.fallback_value);
    return line + (setting.may_be_missing ? " (may be missing)" : "") + (setting.check_usage ? " (checked)" : "");
}

spec::Resources parsed(std::string const& json) {
    auto const resources = spec::parse_resources(json);
    EXPECT_TRUE(resources) << resources.error().message;
    return resources.value_or(spec::Resources{});
}

/// All settings in the order done.
Result<std::vector<steps::CgroupSetting>> settings_of(std::string const& json, CurrentLimits const& current) {
    auto const resources = parsed(json);
    auto settings = early_settings(resources, current);
    auto const late = TRY(late_settings(resources, current));
    settings.insert(settings.end(), late.begin(), late.end());
    return settings;
}

struct Case {
    std::string json;
    Lines expected;
    CurrentLimits current = {};
};

std::ostream& operator<<(std::ostream& out, Case const& one) {
    return out << one.json;
}

class Settings : public testing::TestWithParam<Case> {};

TEST_P(Settings, AreThese) {
    auto const settings = settings_of(GetParam().json, GetParam().current);
    ASSERT_TRUE(settings) << settings.error().message;
    Lines lines;
    for (auto const& setting : *settings)
        lines.push_back(line_of(setting));
    EXPECT_EQ(lines, GetParam().expected);
}

constexpr CurrentLimits half_a_cpu{.cpu_quota = 50'000, .memory_limit = {}};
constexpr CurrentLimits small_memory{.cpu_quota = {}, .memory_limit = 1000};

INSTANTIATE_TEST_SUITE_P(
    Cpu, Settings,
    testing::Values(
        Case{R"({"cpu": {"shares": 1024}})", {"cpu.weight 100"}}, Case{R"({"cpu": {"shares": 2}})", {"cpu.weight 1"}},
        Case{R"({"cpu": {"shares": 1}})", {"cpu.weight 1"}}, Case{R"({"cpu": {"shares": 0}})", {}},
        Case{R"({"cpu": {"shares": 262144}})", {"cpu.weight 10000"}},
        Case{R"({"cpu": {"shares": 18446744073709551615}})", {"cpu.weight 10000"}},
        Case{R"({"cpu": {"shares": 1024, "idle": 1}})", {"cpu.idle 1"}},
        Case{R"({"cpu": {"shares": 1024, "idle": 0}})", {"cpu.idle 0 (may be missing)", "cpu.weight 100"}},
        Case{R"({"cpu": {"quota": 50000, "period": 100000}})", {"cpu.max 50000 100000"}},
        Case{R"({"cpu": {"quota": 50000}})", {"cpu.max 50000"}},
        Case{R"({"cpu": {"quota": -1}})", {"cpu.max max"}, half_a_cpu},
        Case{R"({"cpu": {"quota": -5, "period": 50000}})", {"cpu.max max 50000"}},
        Case{R"({"cpu": {"period": 200000}})", {"cpu.max max 200000"}},
        Case{R"({"cpu": {"period": 200000}})", {"cpu.max 50000 200000"}, half_a_cpu},
        Case{R"({"cpu": {"quota": 0, "period": 0}})", {}, half_a_cpu},
        Case{R"({"cpu": {"burst": 10000}})", {"cpu.max.burst 10000"}},
        Case{R"({"cpu": {"burst": 0}})", {"cpu.max.burst 0"}},
        // never a burst above the quota of the moment
        Case{R"({"cpu": {"quota": 20000, "burst": 10000}})", {"cpu.max 20000", "cpu.max.burst 10000"}},
        Case{R"({"cpu": {"quota": 20000, "burst": 10000}})", {"cpu.max.burst 10000", "cpu.max 20000"}, half_a_cpu},
        Case{R"({"cpu": {"quota": 90000, "burst": 80000}})", {"cpu.max 90000", "cpu.max.burst 80000"}, half_a_cpu},
        Case{R"({"cpu": {"cpus": "0-1", "mems": "0"}})", {"cpuset.cpus 0-1", "cpuset.mems 0"}}));

INSTANTIATE_TEST_SUITE_P(
    Io, Settings,
    testing::Values(Case{R"({"blockIO": {"weight": 10}})", {"io.bfq.weight 10 or io.weight 1"}},
                    Case{R"({"blockIO": {"weight": 500}})", {"io.bfq.weight 500 or io.weight 4950"}},
                    Case{R"({"blockIO": {"weight": 1000}})", {"io.bfq.weight 1000 or io.weight 10000"}},
                    Case{R"({"blockIO": {"weight": 0}})", {}},
                    Case{R"({"blockIO": {"weight": 100, "weightDevice": [{"major": 8, "minor": 0, "weight": 500},
                                                             {"major": 8, "minor": 16, "weight": 0}]}})",
                         {"io.bfq.weight 100 or io.weight 910", "io.bfq.weight 8:0 500 or io.weight 8:0 4950"}},
                    Case{R"({"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 600}],
                             "throttleWriteBpsDevice": [{"major": 8, "minor": 0, "rate": 0}],
                             "throttleReadIOPSDevice": [{"major": 8, "minor": 0, "rate": 18446744073709551615}],
                             "throttleWriteIOPSDevice": [{"major": 8, "minor": 16, "rate": 300},
                                                         {"major": 259, "minor": 1048575, "rate": 1}]}})",
                         {"io.max 8:0 rbps=600", "io.max 8:0 wbps=max", "io.max 8:0 riops=18446744073709551615",
                          "io.max 8:16 wiops=300", "io.max 259:1048575 wiops=1"}}));

INSTANTIATE_TEST_SUITE_P(
    Memory, Settings,
    testing::Values(
        Case{R"({"memory": {"limit": 512}})", {"memory.max 512"}}, Case{R"({"memory": {"limit": 0, "swap": 0}})", {}},
        Case{R"({"memory": {"limit": -1}})",
             {"memory.swap.max max (may be missing)", "memory.max max (may be missing)"}},
        Case{R"({"memory": {"limit": 512, "swap": 1024}})", {"memory.swap.max 512", "memory.max 512"}},
        Case{R"({"memory": {"limit": 512, "swap": 512}})", {"memory.swap.max 0 (may be missing)", "memory.max 512"}},
        Case{R"({"memory": {"limit": 512, "swap": -1}})", {"memory.swap.max max (may be missing)", "memory.max 512"}},
        Case{R"({"memory": {"swap": -1}})", {"memory.swap.max max (may be missing)"}},
        Case{R"({"memory": {"swap": 1500}})", {"memory.swap.max 500"}, small_memory},
        Case{R"({"memory": {"swap": 1500, "limit": 1200}})", {"memory.swap.max 300", "memory.max 1200"}, small_memory},
        Case{R"({"memory": {"limit": 1200}})", {"memory.max 1200"}, small_memory},
        Case{R"({"memory": {"reservation": 5}})", {"memory.low 5"}},
        Case{R"({"memory": {"reservation": -1}})", {"memory.low max (may be missing)"}},
        Case{R"({"memory": {"limit": 5, "checkBeforeUpdate": true}})", {"memory.max 5 (checked)"}},
        Case{R"({"memory": {"limit": -1, "swap": -1, "checkBeforeUpdate": true}})",
             {"memory.swap.max max (may be missing)", "memory.max max (may be missing)"}},
        Case{R"({"memory": {"disableOOMKiller": false, "swappiness": 0, "kernel": -1, "useHierarchy": true}})", {}}));

INSTANTIATE_TEST_SUITE_P(
    Others, Settings,
    testing::Values(
        Case{R"({"pids": {"limit": 100}})", {"pids.max 100"}}, Case{R"({"pids": {"limit": 0}})", {"pids.max 0"}},
        Case{R"({"pids": {"limit": -1}})", {"pids.max max (may be missing)"}},
        Case{R"({"pids": {"limit": -7}})", {"pids.max max (may be missing)"}}, Case{R"({"pids": {}})", {}},
        Case{R"({"hugepageLimits": [{"pageSize": "2MB", "limit": 0}, {"pageSize": "1GB", "limit": 1073741824}]})",
             {"hugetlb.2MB.max 0", "hugetlb.2MB.rsvd.max 0 (may be missing)", "hugetlb.1GB.max 1073741824",
              "hugetlb.1GB.rsvd.max 1073741824 (may be missing)"}},
        Case{R"({"rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}, "rxe3": {"hcaObjects": 0}}})",
             {"rdma.max mlx5_1 hca_handle=3 hca_object=10000", "rdma.max rxe3 hca_object=0"}},
        Case{R"({"unified": {"memory.max": "5", "cgroup.max.depth": "2"}, "memory": {"limit": 6},
                 "cpu": {"shares": 2}, "pids": {"limit": 7}})",
             {"cpu.weight 1", "memory.max 6", "pids.max 7", "cgroup.max.depth 2", "memory.max 5"}}));

TEST(SettingsOf, NameTheirFieldAndController) {
    auto const resources =
        parsed(R"({"cpu": {"cpus": "0"}, "blockIO": {"throttleWriteIOPSDevice": [{"major": 8, "minor": 0, "rate": 1}]},
                   "unified": {"cgroup.max.depth": "2", "misc.max": "x 1"}, "rdma": {"m": {"hcaHandles": 1}}})");
    auto const early = early_settings(resources);
    ASSERT_EQ(early.size(), 2U);
    EXPECT_EQ(early[0].pointer, "/linux/resources/cpu/cpus");
    EXPECT_EQ(early[0].controller, "cpuset");
    EXPECT_EQ(early[1].pointer, "/linux/resources/blockIO/throttleWriteIOPSDevice/0");
    EXPECT_EQ(early[1].controller, "io");
    auto const late = late_settings(resources);
    ASSERT_TRUE(late && late->size() == 3);
    EXPECT_EQ((*late)[0].pointer, "/linux/resources/rdma/m");
    EXPECT_EQ((*late)[1].controller, "");
    EXPECT_EQ((*late)[2].controller, "misc");
    EXPECT_EQ((*late)[2].pointer, "/linux/resources/unified/misc.max");
}

// ---- update

steps::Plan update_plan(UpdateRequest const& request) {
    auto const plan = make_update_plan(request);
    EXPECT_TRUE(plan) << plan.error().message;
    return plan.value_or(steps::Plan{});
}

TEST(Update, IsDoneByTheRuntimeAlone) {
    auto const plan = update_plan({.resources = parsed(R"({"memory": {"limit": 5}, "devices": [{"allow": false}]})"),
                                   .cgroup_path = "/c1",
                                   .current = {},
                                   .created_with = {}});
    ASSERT_EQ(plan.size(), 3U);
    for (auto const& step : plan)
        EXPECT_EQ(step.actor, steps::Actor::runtime);
    EXPECT_EQ(steps::describe(plan[0].operation), "enable memory for cgroup /c1");
    auto const* const applied = std::get_if<steps::ApplyCgroupSettings>(&plan[1].operation);
    ASSERT_NE(applied, nullptr);
    EXPECT_TRUE(applied->all_or_nothing);
    EXPECT_EQ(applied->settings[0].pointer, "/memory/limit");
    EXPECT_TRUE(std::holds_alternative<steps::AttachDeviceFilter>(plan[2].operation));
}

TEST(Update, ChecksAndWritesFilesBeforeSystemdIsTold) {
    auto const plan = update_plan(
        {.resources = parsed(R"({"memory": {"limit": 5, "checkBeforeUpdate": true}, "cpu": {"quota": 3000}})"),
         .cgroup_path = "/c1",
         .current = {.cpu_quota = {}, .memory_limit = {}, .cpu_period = 50'000},
         .created_with = {},
         .systemd_unit = "c1.scope"});
    ASSERT_EQ(plan.size(), 2U);
    EXPECT_TRUE(std::holds_alternative<steps::EnableControllers>(plan[0].operation));
    // A quota alone keeps the period, for systemd too.
    EXPECT_EQ(steps::describe(plan[1].operation),
              "set cpu.max 3000 50000, memory.max 5; set properties of unit c1.scope (CPUQuotaPeriodUSec 50000, "
              "CPUQuotaPerSecUSec 60000, MemoryMax 5)");
    EXPECT_EQ(steps::describe_briefly(plan[1].operation), "set properties of unit c1.scope");
    auto const& set = std::get<steps::SetUnitProperties>(plan[1].operation);
    EXPECT_TRUE(set.settings[1].check_usage);
    EXPECT_NE(std::ranges::find(set.kept_files, "pids.max"), set.kept_files.end());
}

TEST(Update, EndsIdlenessForSystemd) {
    auto const described = [](std::string const& json, bool idle) {
        auto const plan = update_plan({.resources = parsed(json),
                                       .cgroup_path = "/c1",
                                       .current = {.cpu_quota = {}, .memory_limit = {}, .cpu_idle = idle},
                                       .created_with = {},
                                       .systemd_unit = "c1.scope"});
        return plan.empty() ? "" : steps::describe(plan.back().operation);
    };
    EXPECT_EQ(described(R"({"cpu": {"idle": 0}})", true),
              "set cpu.idle 0; set properties of unit c1.scope (CPUWeight infinity)");
    EXPECT_EQ(described(R"({"cpu": {"idle": 0, "shares": 1024}})", true),
              "set cpu.idle 0, cpu.weight 100; set properties of unit c1.scope (CPUWeight 100)");
    EXPECT_EQ(described(R"({"cpu": {"idle": 0}})", false), "set cpu.idle 0");
}

TEST(Update, OfNothingDoesNothing) {
    EXPECT_TRUE(update_plan({.resources = {}, .cgroup_path = "/c1", .current = {}, .created_with = {}}).empty());
}

TEST(Update, LeavesTheDeviceRulesOfCreateAlone) {
    auto const resources = parsed(R"({"devices": [{"allow": false}, {"allow": true, "type": "c"}]})");
    EXPECT_TRUE(
        update_plan({.resources = resources, .cgroup_path = "/c1", .current = {}, .created_with = resources.devices})
            .empty());
    auto reordered = resources.devices;
    std::swap(reordered[0], reordered[1]);
    EXPECT_EQ(
        update_plan({.resources = resources, .cgroup_path = "/c1", .current = {}, .created_with = reordered}).size(),
        1U);
}

TEST(Update, SwapNeedsALimitFromSomewhere) {
    auto const plan = [](std::string const& json, CurrentLimits const& current) {
        return make_update_plan(
            {.resources = parsed(json), .cgroup_path = "/c1", .current = current, .created_with = {}});
    };
    EXPECT_EQ(plan(R"({"memory": {"swap": 5}})", {}).error().message,
              "/memory/swap: needs a memory limit: it is the limit of memory and swap together");
    EXPECT_EQ(plan(R"({"memory": {"swap": 5, "limit": -1}})", small_memory).error().message,
              "/memory/swap: needs a memory limit: it is the limit of memory and swap together");
    EXPECT_EQ(plan(R"({"memory": {"swap": 999}})", small_memory).error().message,
              "/memory/swap: must not be less than the memory limit, 1000");
    EXPECT_TRUE(plan(R"({"memory": {"swap": 1000}})", small_memory));
}

// ---- ownership

/// A container with a private cgroup namespace, a user namespace and a writable cgroup mount.
spec::Spec delegating() {
    spec::Spec spec;
    spec.process.emplace();
    spec.linux.namespaces = {{CLONE_NEWCGROUP, ""}, {CLONE_NEWUSER, ""}};
    spec.linux.uid_mappings = {{0, 100'000, 1000}, {1000, 5000, 10}};
    auto& mount = spec.mounts.emplace_back();
    mount.destination = "/sys/fs/cgroup";
    mount.type = mount.source = "cgroup";
    return spec;
}

TEST(Delegation, GoesToTheProcessUserOnTheHost) {
    auto spec = delegating();
    EXPECT_EQ(delegate_cgroup(spec), steps::DelegateCgroup{100'000});
    spec.process->user.uid = 1005;
    EXPECT_EQ(delegate_cgroup(spec), steps::DelegateCgroup{5005});
    spec.linux.namespaces.pop_back();
    EXPECT_EQ(delegate_cgroup(spec), steps::DelegateCgroup{1005});
}

TEST(Delegation, NeedsAllThatTheSpecificationSays) {
    using Change = void (*)(spec::Spec&);
    for (Change const change : std::initializer_list<Change>{
             [](spec::Spec& spec) { spec.process.reset(); }, [](spec::Spec& spec) { spec.mounts.clear(); },
             [](spec::Spec& spec) { spec.mounts[0].set = MOUNT_ATTR_RDONLY; },
             [](spec::Spec& spec) { spec.mounts[0].recursive_set = MOUNT_ATTR_RDONLY; },
             [](spec::Spec& spec) { spec.mounts[0].source = "none"; },
             [](spec::Spec& spec) { spec.mounts[0].bind = true; },
             [](spec::Spec& spec) { spec.mounts[0].destination = "/cgroup"; },
             [](spec::Spec& spec) { spec.linux.namespaces[0].path = "/proc/1/ns/cgroup"; },
             [](spec::Spec& spec) { spec.linux.namespaces.erase(spec.linux.namespaces.begin()); },
             [](spec::Spec& spec) { spec.linux.uid_mappings.clear(); },
             [](spec::Spec& spec) { spec.linux.namespaces.pop_back(); }, // root of the host owns it already
         }) {
        auto spec = delegating();
        change(spec);
        EXPECT_EQ(delegate_cgroup(spec), std::nullopt);
    }
}

} // namespace
} // namespace oci::plan
