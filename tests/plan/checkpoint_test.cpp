// SPDX-License-Identifier: Apache-2.0
// The plans of checkpoint and restore: what criu is told of a configuration, and in which order it is done.
#include <algorithm>
#include <gtest/gtest.h>
#include <linux/mount.h>
#include <sched.h>

#include "plan/plan.h"

namespace oci::plan {
namespace {

spec::Spec sample() {
    spec::Spec spec;
    spec.process.emplace().args = {"sh"};
    spec.root.path = "rootfs";
    spec.linux.namespaces = {{CLONE_NEWNS, ""}, {CLONE_NEWNET, ""}, {CLONE_NEWPID, ""}};
    spec.linux.masked_paths = {"/proc/kcore"};
    spec.linux.sysctl = {{"net/ipv4/ip_forward", "1"}, {"kernel/msgmax", "1"}};
    auto& proc = spec.mounts.emplace_back();
    proc.destination = "/proc";
    proc.type = "proc";
    auto& data = spec.mounts.emplace_back();
    data.destination = "/data";
    data.source = "data";
    data.bind = true;
    data.recursive = true;
    data.set = MOUNT_ATTR_RDONLY;
    return spec;
}

HostFacts host() {
    HostFacts facts;
    facts.cgroup2_mount = "/sys/fs/cgroup";
    return facts;
}

CreateRequest create_request() {
    CreateRequest request;
    request.id = "c1";
    request.bundle = "/b";
    request.pid_file = "/pid";
    return request;
}

RestoreRequest restore_request() {
    RestoreRequest request;
    request.options.image_path = "/images";
    return request;
}

std::vector<std::string> names(steps::Plan const& plan) {
    std::vector<std::string> found;
    for (auto const& step : plan)
        found.emplace_back(steps::operation_name(step.operation));
    return found;
}

template <typename Operation>
Operation const& find(steps::Plan const& plan) {
    auto const at = std::ranges::find_if(
        plan, [](steps::Step const& step) { return std::holds_alternative<Operation>(step.operation); });
    return std::get<Operation>(at->operation);
}

TEST(CheckpointPlan, WhatComesFromTheHostIsNamed) {
    auto spec = sample();
    spec.linux.namespaces[1].path = "/run/netns/x";
    spec.linux.gid_mappings = {{1, 1000, 1}, {0, 100000, 10}};
    CheckpointRequest request;
    request.options.image_path = "/images";
    request.pre_dump = true;
    auto const plan = make_checkpoint_plan(spec, "/b", request).value();
    ASSERT_EQ(names(plan), std::vector<std::string>{"DumpContainer"});
    auto const& dump = find<steps::DumpContainer>(plan);
    EXPECT_EQ(dump.mounts,
              (std::vector<steps::CheckpointMount>{{"/proc", "", false, "proc"}, {"/data", "/b/data", true, ""}}));
    EXPECT_EQ(dump.masked_paths, std::vector<std::string>{"/proc/kcore"});
    EXPECT_EQ(dump.namespaces, std::vector<std::uint64_t>{CLONE_NEWNET});
    EXPECT_EQ(dump.group, 100000U);
    EXPECT_EQ(steps::describe(plan[0].operation), "dump memory to /images with criu (processes run on)");
}

TEST(RestorePlan, Order) {
    auto spec = sample();
    spec.hooks[spec::HookKind::create_runtime].push_back({"/hook", {}, {}, {}});
    spec.hooks[spec::HookKind::create_container].push_back({"/hook", {}, {}, {}});
    spec.linux.resources.memory.limit = 1 << 20;
    auto const plan = make_restore_plan(spec, host(), create_request(), restore_request()).value();
    EXPECT_EQ(names(plan), (std::vector<std::string>{
                               "ReserveContainer", "RecordContainer", "CreateCgroup", "AttachDeviceFilter",
                               "MakeMountPoints", "BeginRestore", "SetUpNetwork", "RunHooks", "RestoreProcesses",
                               "ProtectMounts", "ApplyCgroupSettings", "SaveState", "WritePidFile", "ResumeRestored"}));
    EXPECT_TRUE(std::ranges::all_of(plan, [](auto const& step) { return step.actor == steps::Actor::runtime; }));
    EXPECT_EQ(find<steps::SetUpNetwork>(plan).sysctls,
              (std::vector<std::pair<std::string, std::string>>{{"net/ipv4/ip_forward", "1"}}));
}

TEST(RestorePlan, NetworkDevicesMoveIntoANewNamespace) {
    auto spec = sample();
    spec.linux.net_devices = {{"eth1", "eth0"}};
    auto found = names(make_restore_plan(spec, host(), create_request(), restore_request()).value());
    auto const moved = std::ranges::find(found, "MoveNetworkDevices");
    ASSERT_NE(moved, found.end());
    EXPECT_EQ(*(moved - 1), "SetUpNetwork");
    spec.linux.namespaces[1].path = "/run/netns/x"; // they stayed there
    found = names(make_restore_plan(spec, host(), create_request(), restore_request()).value());
    EXPECT_EQ(std::ranges::count(found, "MoveNetworkDevices"), 0);
}

TEST(RestorePlan, TerminalAndNetworkOfOthers) {
    auto spec = sample();
    spec.process->terminal = true;
    spec.linux.namespaces[1].path = "/run/netns/x";
    auto create = create_request();
    create.console_socket = "/socket";
    auto const plan = make_restore_plan(spec, host(), create, restore_request()).value();
    auto const found = names(plan);
    EXPECT_EQ(std::ranges::count(found, "ConnectConsole"), 1);
    EXPECT_EQ(std::ranges::count(found, "SetUpNetwork"), 0);
    EXPECT_EQ(find<steps::BeginRestore>(plan).joined,
              (std::vector<steps::JoinedNamespace>{{CLONE_NEWNET, "/run/netns/x"}}));
}

TEST(RestorePlan, AttributesOfMountsFromTheHost) {
    auto spec = sample();
    spec.root.readonly = true;
    auto const plan = make_restore_plan(spec, host(), create_request(), restore_request()).value();
    auto const& mounts = find<steps::ProtectMounts>(plan).mounts;
    EXPECT_EQ(mounts.front(), (steps::RestoredMount{.path = "/data", .set = MOUNT_ATTR_RDONLY}));
    EXPECT_EQ(mounts[1].path, "/proc/kcore");
    EXPECT_TRUE(mounts[1].host_device);
    EXPECT_EQ(mounts.back(), (steps::RestoredMount{.path = "/", .set = MOUNT_ATTR_RDONLY}));
}

TEST(RestorePlan, WhatCriuCannot) {
    auto mapped = sample();
    mapped.mounts[1].id_mapped = true;
    EXPECT_EQ(make_checkpoint_plan(mapped, "/b", {}).error().message.find("/mounts/1: "), 0U);
    EXPECT_EQ(make_restore_plan(mapped, host(), create_request(), {}).error().message.find("/mounts/1: "), 0U);
    auto on_host = sample();
    on_host.linux.namespaces.erase(on_host.linux.namespaces.begin());
    EXPECT_EQ(make_restore_plan(on_host, host(), create_request(), {}).error().message,
              "/linux/namespaces: without a mount namespace a container can be neither dumped nor restored");
    auto cgroup = sample();
    cgroup.linux.namespaces.push_back({CLONE_NEWCGROUP, "/proc/1/ns/cgroup"});
    EXPECT_EQ(make_restore_plan(cgroup, host(), create_request(), {}).error().message,
              "/linux/namespaces: a cgroup namespace by path cannot be restored into");
}

TEST(CriuConfigFile, Annotation) {
    spec::Spec spec;
    EXPECT_EQ(criu_config_file(spec), "/etc/criu/runc.conf");
    spec.annotations["org.criu.config"] = "/my.conf";
    EXPECT_EQ(criu_config_file(spec), "/my.conf");
    spec.annotations["org.criu.config"] = "";
    EXPECT_EQ(criu_config_file(spec), "");
}

} // namespace
} // namespace oci::plan
