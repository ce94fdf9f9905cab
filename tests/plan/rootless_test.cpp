// SPDX-License-Identifier: Apache-2.0
// What a plan makes of a caller without privileges: id maps, groups, the cgroup, staging.
#include "plan/plan.h"

#include <sched.h>
#include <sys/mount.h>

#include <gtest/gtest.h>

#include "plan/topics.h"

namespace oci::plan {
namespace {

HostFacts host_of_user() {
    HostFacts host;
    host.euid = 2000;
    host.egid = 2001;
    host.capabilities = 0;
    host.own_cgroup = "/user.slice/session";
    host.delegated_cgroup = "";
    return host;
}

spec::Spec user_spec() {
    spec::Spec spec;
    spec.process.emplace().args = {"sh"};
    spec.process->cwd = "/";
    spec.root.path = "rootfs";
    spec.linux.namespaces = {{CLONE_NEWNS, ""}, {CLONE_NEWUSER, ""}};
    spec.linux.uid_mappings = {{0, 2000, 1}};
    spec.linux.gid_mappings = {{0, 2001, 1}};
    return spec;
}

CreateRequest request() {
    CreateRequest request;
    request.id = "c1";
    request.bundle = "/b";
    request.cgroup_may_be_missing = true;
    return request;
}

template <typename Operation>
Operation const* find(steps::Plan const& plan) {
    for (auto const& step : plan)
        if (auto const* operation = std::get_if<Operation>(&step.operation))
            return operation;
    return nullptr;
}

std::string error_of(Result<steps::Plan> const& plan) {
    return plan ? "no error" : plan.error().message;
}

using steps::MapWriter;

TEST(Rootless, the_own_id_is_written_by_the_runtime) {
    auto const maps = write_id_maps(user_spec(), host_of_user());
    ASSERT_TRUE(maps);
    EXPECT_EQ(maps->uid_writer, MapWriter::runtime);
    EXPECT_EQ(maps->gid_writer, MapWriter::runtime);
    EXPECT_TRUE(maps->deny_setgroups);
}

TEST(Rootless, everything_else_is_written_by_the_programs_of_uidmap) {
    auto spec = user_spec();
    spec.linux.uid_mappings.push_back({1, 100000, 10});
    auto maps = write_id_maps(spec, host_of_user());
    EXPECT_EQ(maps->uid_writer, MapWriter::helper);
    EXPECT_EQ(maps->gid_writer, MapWriter::runtime);
    EXPECT_TRUE(maps->deny_setgroups);
    spec.linux.gid_mappings = {{0, 2001, 2}}; // the own group, but not alone
    maps = write_id_maps(spec, host_of_user());
    EXPECT_EQ(maps->gid_writer, MapWriter::helper);
    EXPECT_FALSE(maps->deny_setgroups);
    spec.linux.gid_mappings = {{0, 2000, 1}}; // somebody else's
    EXPECT_EQ(write_id_maps(spec, host_of_user())->gid_writer, MapWriter::helper);
}

TEST(Rootless, who_has_the_capability_writes_and_keeps_setgroups) {
    auto spec = user_spec();
    spec.linux.uid_mappings = spec.linux.gid_mappings = {{0, 1, 65536}};
    auto host = host_of_user();
    host.capabilities = 1U << cap_setuid | 1U << cap_setgid;
    auto const maps = write_id_maps(spec, host);
    EXPECT_EQ(maps->uid_writer, MapWriter::runtime);
    EXPECT_EQ(maps->gid_writer, MapWriter::runtime);
    EXPECT_FALSE(maps->deny_setgroups);
}

TEST(Rootless, groups) {
    auto spec = user_spec();
    spec.process->user.additional_gids = {5};
    EXPECT_NE(error_of(make_create_plan(spec, host_of_user(), request())).find("/process/user/additionalGids: a user"),
              std::string::npos);
    spec.linux.gid_mappings = {{0, 100000, 4}};
    EXPECT_EQ(error_of(make_create_plan(spec, host_of_user(), request())),
              "/process/user/additionalGids/0: group 5 is not mapped by /linux/gidMappings");
    spec.linux.gid_mappings = {{0, 100000, 6}};
    auto const plan = make_create_plan(spec, host_of_user(), request());
    ASSERT_TRUE(plan) << error_of(plan);
    EXPECT_FALSE(find<steps::SetUser>(*plan)->keep_groups);
}

TEST(Rootless, needs_a_user_namespace) {
    auto spec = user_spec();
    spec.linux.namespaces = {{CLONE_NEWNS, ""}};
    EXPECT_EQ(error_of(make_create_plan(spec, host_of_user(), request())).find("/linux/namespaces: "), 0U);
    spec.linux.namespaces.push_back({CLONE_NEWUSER, "/run/user"}); // of somebody else will do
    EXPECT_TRUE(make_create_plan(spec, host_of_user(), request()));
}

TEST(Rootless, without_delegation_there_is_no_cgroup) {
    auto const plan = make_create_plan(user_spec(), host_of_user(), request());
    ASSERT_TRUE(plan) << error_of(plan);
    EXPECT_EQ(find<steps::CreateCgroup>(*plan), nullptr);
    EXPECT_EQ(find<steps::AttachDeviceFilter>(*plan), nullptr);
    EXPECT_EQ(find<steps::RecordContainer>(*plan)->cgroup_path, "");
    EXPECT_FALSE(find<steps::StartInit>(*plan)->into_cgroup);
}

TEST(Rootless, what_needs_a_cgroup_is_refused_without_delegation) {
    auto spec = user_spec();
    spec.linux.resources.pids_limit = 5;
    EXPECT_EQ(error_of(make_create_plan(spec, host_of_user(), request()))
                  .find("/linux/resources/pids/limit: no delegated cgroup"),
              0U);
    spec = user_spec();
    spec.linux.cgroups_path = "/c1";
    EXPECT_EQ(error_of(make_create_plan(spec, host_of_user(), request()))
                  .find("/linux/cgroupsPath: /c1: no delegated cgroup"),
              0U);
    auto insisting = request();
    insisting.cgroup_may_be_missing = false;
    EXPECT_TRUE(find<steps::CreateCgroup>(*make_create_plan(spec, host_of_user(), insisting)));
}

TEST(Rootless, places_of_a_delegated_cgroup) {
    struct Case {
        std::string own;
        std::string delegated;
        std::string asked;
        std::string path; ///< "": refused
    };
    std::vector<Case> const cases = {
        {"/u/session", "/u", "", "/u/c1"},
        {"/u/app/session", "/u", "", "/u/app/c1"},
        {"/u/session", "/u", "pod/x", "/u/pod/x"},
        {"/u/session", "/u", "/u/deep/x", "/u/deep/x"},
        {"/u/session", "/u", "/other", ""},
        {"/u/session", "/u", "/ux", ""}, // not below, only the beginning of the name is the same
        {"/u/session", "/u", "/u", ""},
        {"/u/session", "/u/session", "", "/u/session/c1"}, // only the own one
        {"/", "/", "", "/c1"},
        {"/init", "/", "", "/c1"},
    };
    for (auto const& one : cases) {
        auto host = host_of_user();
        host.own_cgroup = one.own;
        host.delegated_cgroup = one.delegated;
        auto spec = user_spec();
        spec.linux.cgroups_path = one.asked;
        auto const plan = make_create_plan(spec, host, request());
        if (one.path.empty())
            EXPECT_FALSE(plan) << one.asked;
        else
            EXPECT_EQ(plan ? find<steps::RecordContainer>(*plan)->cgroup_path : error_of(plan), one.path) << one.own;
    }
}

TEST(Rootless, staging_is_for_those_who_may_mount) {
    EXPECT_EQ(find<steps::StageMounts>(*make_create_plan(user_spec(), host_of_user(), request())), nullptr);

    auto spec = user_spec();
    auto& mount = spec.mounts.emplace_back();
    mount.destination = "/data";
    mount.source = "data";
    mount.bind = true;
    auto plan = make_create_plan(spec, HostFacts{}, request());
    ASSERT_TRUE(plan) << error_of(plan);
    auto const* stage = find<steps::StageMounts>(*plan);
    ASSERT_TRUE(stage);
    EXPECT_EQ(stage->rootfs, "/b/rootfs");
    EXPECT_EQ(stage->sources.front().path, "/b/data");
    EXPECT_TRUE(find<steps::OpenMountSources>(*plan)->staged);
    EXPECT_TRUE(find<steps::AttachRootfs>(*plan)->staged);

    for (auto const& namespaces :
         {std::vector<spec::Namespace>{{CLONE_NEWNS, ""}},
          std::vector<spec::Namespace>{{CLONE_NEWNS, "/run/mnt"}, {CLONE_NEWUSER, "/run/user"}}}) {
        spec.linux.namespaces = namespaces;
        plan = make_create_plan(spec, HostFacts{}, request());
        ASSERT_TRUE(plan) << error_of(plan);
        EXPECT_EQ(find<steps::StageMounts>(*plan), nullptr);
        EXPECT_FALSE(find<steps::AttachRootfs>(*plan)->staged);
    }
}

TEST(Rootfs, KnowsWhetherItLiesAmongSharedMounts) {
    spec::Spec spec;
    spec.process.emplace().args = {"sh"};
    spec.process->cwd = "/";
    spec.root.path = "rootfs";
    spec.linux.namespaces = {{CLONE_NEWNS, ""}};
    for (auto const& [propagation, expected] :
         {std::pair{0UL, false}, std::pair{static_cast<unsigned long>(MS_PRIVATE), false},
          std::pair{static_cast<unsigned long>(MS_SLAVE), false},
          std::pair{static_cast<unsigned long>(MS_SHARED | MS_REC), true}}) {
        spec.linux.rootfs_propagation = propagation;
        auto const plan = make_create_plan(spec, HostFacts{}, request());
        ASSERT_TRUE(plan) << error_of(plan);
        EXPECT_EQ(find<steps::AttachRootfs>(*plan)->among_shared, expected) << propagation;
    }
}

} // namespace
} // namespace oci::plan
