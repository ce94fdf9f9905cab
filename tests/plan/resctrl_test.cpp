// SPDX-License-Identifier: Apache-2.0
// linux.intelRdt in plans, for machines of which the tests have none.
#include <algorithm>
#include <gtest/gtest.h>
#include <sched.h>

#include "base/text.h"
#include "plan/plan.h"

namespace oci::plan {
namespace {

spec::Spec with(spec::IntelRdt rdt) {
    spec::Spec spec;
    spec.process.emplace().args = {"sh"};
    spec.process->cwd = "/";
    spec.root.path = "rootfs";
    spec.linux.namespaces = {{CLONE_NEWNS, ""}};
    spec.hooks[spec::HookKind::create_runtime].emplace_back().path = "/bin/hook";
    spec.linux.intel_rdt = std::move(rdt);
    return spec;
}

HostFacts host_with_resctrl() {
    HostFacts host;
    host.cgroup2_mount = "/sys/fs/cgroup";
    host.resctrl_mount = "/sys/fs/resctrl";
    return host;
}

CreateRequest request() {
    CreateRequest request;
    request.id = "c1";
    request.bundle = "/b";
    return request;
}

std::vector<std::string> lines_with(steps::Plan const& plan, std::string_view word) {
    std::vector<std::string> lines;
    for (auto const& step : plan)
        if (auto line = steps::describe(step.operation); line.find(word) != std::string::npos)
            lines.push_back(concat(steps::actor_name(step.actor), " ", line));
    return lines;
}

using Lines = std::vector<std::string>;

struct Case {
    spec::IntelRdt rdt;
    std::string recorded;
    std::string done;
};

class Resctrl : public testing::TestWithParam<Case> {};

TEST_P(Resctrl, IsRecordedAndThenDone) {
    auto const plan = make_create_plan(with(GetParam().rdt), host_with_resctrl(), request()).value();
    EXPECT_EQ(lines_with(plan, "resctrl"),
              (Lines{concat("runtime record bundle /b and cgroup /c1 and ", GetParam().recorded),
                     concat("runtime ", GetParam().done)}));
}

INSTANTIATE_TEST_SUITE_P(
    Groups, Resctrl,
    testing::Values(Case{{}, "resctrl group /c1", "set up and join resctrl group /c1"},
                    Case{{.enable_monitoring = true},
                         "resctrl groups /c1 and /c1/mon_groups/c1",
                         "set up and join resctrl groups /c1 and /c1/mon_groups/c1"},
                    Case{{.clos_id = "gold"}, "resctrl group /gold", "find and join resctrl group /gold"},
                    Case{{.clos_id = "/", .enable_monitoring = true},
                         "resctrl groups / and /mon_groups/c1",
                         "find and join resctrl groups / and /mon_groups/c1"},
                    Case{{.clos_id = "gold",
                          .l3_cache_schema = "L3:0=f",
                          .memory_bandwidth_schema = "MB:0=20",
                          .schemata = {"L3:0=3", "L2:0=1"}},
                         "resctrl group /gold",
                         "set up and join resctrl group /gold (L3:0=f, MB:0=20, L3:0=3, L2:0=1)"}));

template <typename Operation>
std::size_t index_of(steps::Plan const& plan) {
    auto const found = std::ranges::find_if(
        plan, [](steps::Step const& step) { return std::holds_alternative<Operation>(step.operation); });
    return static_cast<std::size_t>(found - plan.begin());
}

TEST(ResctrlPlan, TheProcessIsInItsGroupBeforeItDoesAnything) {
    auto const plan = make_create_plan(with({.clos_id = "gold"}), host_with_resctrl(), request()).value();
    auto const joined = index_of<steps::SetUpResctrlGroup>(plan);
    EXPECT_LT(index_of<steps::StartInit>(plan), joined);
    auto const first_of_others =
        std::ranges::find_if(plan, [](steps::Step const& step) { return step.actor != steps::Actor::runtime; });
    EXPECT_LT(joined, static_cast<std::size_t>(first_of_others - plan.begin()));
    EXPECT_LT(joined, index_of<steps::RunHooks>(plan));
}

TEST(ResctrlPlan, PointersOfTheSchemata) {
    auto const plan =
        make_create_plan(
            with({.l3_cache_schema = "L3:0=f", .memory_bandwidth_schema = "MB:0=20", .schemata = {"L2:0=1", "L2:1=1"}}),
            host_with_resctrl(), request())
            .value();
    auto const& step = std::get<steps::SetUpResctrlGroup>(plan[index_of<steps::SetUpResctrlGroup>(plan)].operation);
    EXPECT_EQ(step.schemata, (std::vector<steps::ResctrlSchema>{{"L3:0=f", "/linux/intelRdt/l3CacheSchema"},
                                                                {"MB:0=20", "/linux/intelRdt/memBwSchema"},
                                                                {"L2:0=1", "/linux/intelRdt/schemata/0"},
                                                                {"L2:1=1", "/linux/intelRdt/schemata/1"}}));
    EXPECT_FALSE(step.group.named_by_clos_id);
    EXPECT_FALSE(step.group.must_exist);
}

TEST(ResctrlPlan, NotMounted) {
    auto host = host_with_resctrl();
    host.resctrl_mount.clear();
    EXPECT_EQ(make_create_plan(with({}), host, request()).error().message,
              "/linux/intelRdt: no resctrl file system is mounted on this machine");
    auto without = with({});
    without.linux.intel_rdt.reset();
    EXPECT_EQ(lines_with(make_create_plan(without, host_with_resctrl(), request()).value(), "resctrl"), Lines{});
}

TEST(ResctrlPlan, ExecJoinsBeforeItsProcessGoesOn) {
    ExecRequest exec;
    auto const spec = with({});
    exec.process = *spec.process;
    exec.resctrl_group = steps::ResctrlGroup{"/gold", "/gold/mon_groups/c1"};
    auto const plan = make_exec_plan(spec, host_with_resctrl(), exec).value();
    EXPECT_EQ(lines_with(plan, "resctrl"), Lines{"runtime join resctrl groups /gold and /gold/mon_groups/c1"});
    EXPECT_LT(index_of<steps::StartExec>(plan), index_of<steps::JoinResctrlGroup>(plan));
    EXPECT_LT(index_of<steps::JoinResctrlGroup>(plan), index_of<steps::BecomeFinisher>(plan));
}

TEST(ResctrlPlan, UpdateChangesTheSchemataFirst) {
    UpdateRequest update;
    update.cgroup_path = "/c1";
    update.resources.pids_limit = 5;
    update.schemata = {"/gold", {"L3:0=f\nMB:0=20", "--l3-cache-schema, --mem-bw-schema"}};
    auto const plan = make_update_plan(update).value();
    EXPECT_EQ(lines_with(plan, "resctrl"), Lines{"runtime change resctrl group /gold to L3:0=f, MB:0=20"});
    EXPECT_EQ(index_of<steps::ChangeResctrlSchemata>(plan), 0U);
    EXPECT_GT(plan.size(), 1U);
}

} // namespace
} // namespace oci::plan
