// SPDX-License-Identifier: Apache-2.0
// SELinux and AppArmor in plans, for machines of which the tests have none.
#include <algorithm>
#include <gtest/gtest.h>
#include <sched.h>

#include "base/text.h"
#include "plan/plan.h"

namespace oci::plan {
namespace {

spec::Spec labelled() {
    spec::Spec spec;
    spec.process.emplace().args = {"sh"};
    spec.process->cwd = "/";
    spec.root.path = "rootfs";
    spec.linux.namespaces = {{CLONE_NEWNS, ""}};
    for (auto const* const type : {"proc", "sysfs", "mqueue", "tmpfs", "devpts"}) {
        auto& mount = spec.mounts.emplace_back();
        mount.destination = concat("/", type);
        mount.type = type;
        mount.source = type;
    }
    spec.process->apparmor_profile = "profile";
    spec.process->selinux_label = "u:r:t:s0:c1,c2";
    spec.linux.mount_label = "u:object_r:f:s0:c1,c2";
    return spec;
}

HostFacts host_with_both() {
    HostFacts host;
    host.cgroup2_mount = "/sys/fs/cgroup";
    host.apparmor = true;
    host.selinux = true;
    return host;
}

CreateRequest request() {
    CreateRequest request;
    request.id = "c";
    request.bundle = "/b";
    return request;
}

template <typename Operation>
std::vector<std::pair<std::size_t, Operation>> all_of(steps::Plan const& plan) {
    std::vector<std::pair<std::size_t, Operation>> found;
    for (std::size_t i = 0; i < plan.size(); ++i)
        if (auto const* operation = std::get_if<Operation>(&plan[i].operation))
            found.emplace_back(i, *operation);
    return found;
}

TEST(Labels, KeyringBeforeItIsMadeAndProcessAfterHooks) {
    auto const plan = make_create_plan(labelled(), host_with_both(), request()).value();
    using enum steps::Label;
    auto const files = all_of<steps::OpenLabelFiles>(plan);
    ASSERT_EQ(files.size(), 1U);
    EXPECT_EQ(files[0].second.labels, (std::vector{keyring, selinux_process, apparmor_process}));
    auto const labels = all_of<steps::SetLabel>(plan);
    ASSERT_EQ(labels.size(), 3U);
    EXPECT_EQ(labels[0].second, (steps::SetLabel{keyring, "u:r:t:s0:c1,c2", 0}));
    EXPECT_LT(labels[0].first, all_of<steps::JoinSessionKeyring>(plan).at(0).first);
    EXPECT_EQ(labels[1].second, (steps::SetLabel{selinux_process, "u:r:t:s0:c1,c2", 1}));
    EXPECT_EQ(labels[2].second, (steps::SetLabel{apparmor_process, "profile", 2}));
    EXPECT_GT(labels[1].first, all_of<steps::WaitForStart>(plan).at(0).first);
}

TEST(Labels, MountLabelOfNewFileSystemsOnly) {
    auto spec = labelled();
    spec.annotations["run.oci.mount_context_type"] = "rootcontext";
    auto const plan = make_create_plan(spec, host_with_both(), request()).value();
    unsigned labelled_mounts = 0;
    for (auto const& [index, mount] : all_of<steps::MountFilesystem>(plan)) {
        bool const has_label =
            std::ranges::find(mount.parameters, "rootcontext=u:object_r:f:s0:c1,c2") != mount.parameters.end();
        EXPECT_EQ(has_label, mount.type != "proc" && mount.type != "sysfs" && mount.type != "mqueue") << mount.type;
        labelled_mounts += has_label ? 1 : 0;
    }
    EXPECT_GT(labelled_mounts, 0U);
}

TEST(Labels, OptionsOfAMountKeepTheirLabelWithoutQuotes) {
    auto spec = labelled();
    spec.mounts[3].data = {"size=1m,mode=700", "context=\"u:object_r:own:s0:c1,c2\"", "other=\"a,b\""};
    auto const plan = make_create_plan(spec, host_with_both(), request()).value();
    auto const mounts = all_of<steps::MountFilesystem>(plan);
    auto const found =
        std::ranges::find(mounts, "/tmpfs", [](auto const& entry) { return entry.second.target.destination; });
    ASSERT_NE(found, mounts.end());
    EXPECT_EQ(found->second.parameters,
              (std::vector<std::string>{"size=1m", "mode=700", "context=u:object_r:own:s0:c1,c2", "other=\"a,b\""}));
}

TEST(Labels, WhatTheMachineLacksIsRefusedByField) {
    auto spec = labelled();
    auto host = host_with_both();
    spec.annotations["run.oci.mount_context_type"] = "othercontext";
    EXPECT_NE(make_create_plan(spec, host, request()).error().message.find("/annotations/run.oci.mount_context_type"),
              std::string::npos);
    host.apparmor = false;
    EXPECT_NE(make_create_plan(spec, host, request()).error().message.find("/process/apparmorProfile"),
              std::string::npos);
    spec.process->apparmor_profile.clear();
    host.selinux = false;
    EXPECT_NE(make_create_plan(spec, host, request()).error().message.find("/process/selinuxLabel"), std::string::npos);
    spec.process.reset();
    EXPECT_NE(make_create_plan(spec, host, request()).error().message.find("/linux/mountLabel"), std::string::npos);
}

} // namespace
} // namespace oci::plan
