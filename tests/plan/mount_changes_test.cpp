// SPDX-License-Identifier: Apache-2.0
// The plans of `mounts`, as text: a change of behaviour is a difference here.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>

#include "base/text.h"
#include "plan/plan.h"

namespace oci::plan {
namespace {

spec::Spec container() {
    spec::Spec spec;
    spec.linux.namespaces = {{CLONE_NEWNS, ""}, {CLONE_NEWPID, ""}};
    spec.linux.masked_paths = {"/proc/kcore", "/srv/secret/"};
    spec.linux.readonly_paths = {"/proc/sys"};
    return spec;
}

spec::Spec with_user_namespace() {
    auto spec = container();
    spec.linux.namespaces.push_back({CLONE_NEWUSER, ""});
    spec.linux.uid_mappings = {{0, 100000, 65536}};
    spec.linux.gid_mappings = {{0, 100000, 65536}};
    return spec;
}

constexpr auto of_container = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC;

MountsRequest request(std::uint64_t namespaces = of_container) {
    MountsRequest request{"/bundle", {}};
    for (std::uint64_t type = 1; type != 0 && type <= namespaces; type <<= 1U)
        if ((namespaces & type) != 0)
            request.namespaces.push_back(type);
    return request;
}

spec::Mount tmpfs(std::string destination = "/t") {
    spec::Mount mount;
    mount.destination = std::move(destination);
    mount.type = "tmpfs";
    return mount;
}

spec::Mount bind() {
    spec::Mount mount;
    mount.destination = "/b";
    mount.source = "data";
    mount.bind = true;
    mount.set = MOUNT_ATTR_RDONLY;
    return mount;
}

HostFacts root() {
    return {};
}

/// "runtime: what" for each step, or the error.
std::string text_of(Result<steps::Plan> const& plan) {
    if (!plan)
        return plan.error().message;
    std::string text = "\n";
    for (auto const& step : *plan)
        text += concat(steps::actor_name(step.actor), ": ", steps::describe(step.operation), "\n");
    return text;
}

TEST(AddMounts, SourcesOfTheHost) {
    EXPECT_EQ(text_of(make_add_mounts_plan(container(), root(), request(), {bind(), tmpfs()})), R"(
runtime: start a process for the container's mounts
container: open a private procfs
container: open mount sources /bundle/data
container: add mounts: bind /bundle/data at /b (ro), mount tmpfs at /t
runtime: end the process for the container's mounts
)");
}

TEST(AddMounts, LocksStayInAUserNamespace) {
    auto mqueue = tmpfs("/q");
    mqueue.type = "mqueue";
    auto const asked = request(of_container | CLONE_NEWUSER);
    EXPECT_EQ(text_of(make_add_mounts_plan(with_user_namespace(), root(), asked, {bind(), mqueue})), R"(
runtime: start a process for the container's mounts
container: open a private procfs
container: stage mount sources /bundle/data
container: join the container's ipc, user namespaces
container: take 1 staged mount source
container: become mapped user 0:0
container: add mounts: bind /bundle/data at /b (ro), mount mqueue at /q
runtime: end the process for the container's mounts
)");
    HostFacts user;
    user.euid = 1000;
    user.capabilities = 0;
    EXPECT_EQ(text_of(make_add_mounts_plan(with_user_namespace(), user, asked, {bind(), mqueue})), R"(
runtime: start a process for the container's mounts
container: open a private procfs
container: join the container's user, ipc namespaces
container: open mount sources /bundle/data
container: become mapped user 0:0
container: add mounts: bind /bundle/data at /b (ro), mount mqueue at /q
runtime: end the process for the container's mounts
)");
}

TEST(AddMounts, AReadOnlyTmpfsIsReadOnlyFromTheBeginning) {
    auto mount = tmpfs();
    mount.set = MOUNT_ATTR_RDONLY;
    auto const plan = make_add_mounts_plan(container(), root(), request(), {mount}).value();
    auto const& added = std::get<steps::AddMounts>(plan[2].operation);
    EXPECT_EQ(std::get<steps::MountFilesystem>(added.mounts.at(0)).target.recursive_set, MOUNT_ATTR_RDONLY);
}

TEST(AddMounts, WhatCannotBe) {
    auto const error = [](spec::Mount mount, spec::Spec const& spec = container(), std::uint64_t types = of_container) {
        return text_of(make_add_mounts_plan(spec, root(), request(types), {tmpfs(), std::move(mount)}));
    };
    auto remount = tmpfs();
    remount.remount = true;
    EXPECT_TRUE(error(remount).starts_with("/mounts/1/options: remount")) << error(remount);
    for (auto const* const type : {"proc", "sysfs", "cgroup", "cgroup2"}) {
        auto mount = tmpfs();
        mount.type = type;
        EXPECT_TRUE(error(mount).starts_with(concat("/mounts/1/type: ", type, " cannot"))) << error(mount);
    }
    for (auto const* const path : {"/proc", "/sys", "/dev", "/srv", "/srv/secret"})
        EXPECT_TRUE(error(tmpfs(path)).starts_with("/mounts/1/destination: ")) << error(tmpfs(path));
    for (auto const* const path : {"/srv/other", "/srv/secrets", "/dev/bus", "/sys/x"})
        EXPECT_TRUE(error(tmpfs(path)).starts_with("\n")) << error(tmpfs(path));
    auto without = container();
    without.linux.namespaces.erase(without.linux.namespaces.begin());
    EXPECT_NE(error(tmpfs(), without).find("no mount namespace"), std::string::npos);
    EXPECT_NE(error(tmpfs(), container(), CLONE_NEWPID).find("no mount namespace"), std::string::npos);
}

TEST(RemoveMounts, Plan) {
    EXPECT_EQ(text_of(make_remove_mounts_plan(with_user_namespace(), root(), request(of_container | CLONE_NEWUSER),
                                              {"/a", "/dev/bus"})),
              R"(
runtime: start a process for the container's mounts
container: open a private procfs
container: join the container's user namespace
container: become mapped user 0:0
container: remove mounts at /a, /dev/bus
runtime: end the process for the container's mounts
)");
}

TEST(RemoveMounts, WhatMustStay) {
    auto spec = container();
    spec.mounts = {tmpfs("/dev/shm"), tmpfs("/sys/fs/cgroup"), tmpfs("/data")};
    for (auto const* const path : {"/proc", "/sys", "/dev", "/srv", "/srv/secret", "/proc/sys", "/dev/shm", "/dev/null",
                                   "/dev/console", "/sys/fs/cgroup", "/sys/fs"}) {
        auto const text = text_of(make_remove_mounts_plan(spec, root(), request(), {"/a", path}));
        EXPECT_TRUE(text.starts_with("/mounts/1/destination: must not be ")) << path << ": " << text;
    }
    EXPECT_TRUE(make_remove_mounts_plan(spec, root(), request(), {"/data", "/dev/shm/x", "/proc/cpuinfo"}));
}

} // namespace
} // namespace oci::plan
