// SPDX-License-Identifier: Apache-2.0
#include "kernel/host.h"

#include "support.h"

#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include "kernel/process.h"

namespace oci::kernel {
namespace {

TEST(Host, facts_are_those_of_this_machine) {
    auto const facts = observe_host();
    ASSERT_TRUE(good(facts));
    EXPECT_EQ(::geteuid(), facts->euid);
    EXPECT_EQ(::getegid(), facts->egid);
    struct ::utsname names {};
    ::uname(&names);
    EXPECT_EQ(names.release, facts->kernel_release);
    EXPECT_TRUE(facts->kernel_release.starts_with(concat(facts->kernel_major, ".", facts->kernel_minor)));
    EXPECT_GE(facts->kernel_major, 5U);
    EXPECT_GE(facts->last_capability, 40U);
    EXPECT_TRUE(facts->own_cgroup.starts_with('/'));
    struct ::rlimit limit {};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    EXPECT_EQ((ResourceLimit{limit.rlim_cur, limit.rlim_max}), facts->resource_limits[RLIMIT_NOFILE]);
    if (!facts->cgroup2_mount.empty()) {
        struct ::statfs status {};
        ::statfs(facts->cgroup2_mount.c_str(), &status);
        EXPECT_EQ(CGROUP2_SUPER_MAGIC, status.f_type);
    }
}

TEST(Host, umask_is_read_and_left_alone) {
    mode_t const saved = ::umask(0027);
    auto const facts = observe_host();
    EXPECT_EQ(0027U, ::umask(saved));
    EXPECT_EQ(0027U, facts->umask);
}

TEST(Host, user_namespace_is_noticed) {
    auto const facts = observe_host();
    auto const failure = in_child([]() -> std::string {
        if (!unshare(CLONE_NEWUSER))
            return "skip";
        REQUIRE(observe_host()->in_user_namespace); // no map yet
        return "";
    });
    if (failure == "skip")
        GTEST_SKIP() << "no user namespaces";
    EXPECT_EQ("", failure);
    EXPECT_EQ("", in_child([&]() -> std::string {
                  REQUIRE_GOOD(unshare(CLONE_NEWUSER));
                  REQUIRE_GOOD(write_control_file(AT_FDCWD, "/proc/self/setgroups", "deny"));
                  REQUIRE_GOOD(write_control_file(AT_FDCWD, "/proc/self/uid_map", concat("0 ", facts->euid, " 1")));
                  REQUIRE(observe_host()->in_user_namespace);
                  return "";
              }));
}

TEST(Host, mount_points_are_found_by_type) {
    constexpr auto mounts = "22 28 0:21 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n"
                            "23 28 0:40 /gold /srv/group rw - resctrl resctrl rw\n"
                            "24 28 0:40 / /srv/my\\040resctrl rw,relatime shared:9 master:2 - resctrl resctrl rw,cdp\n"
                            "25 28 0:40 / /later rw - resctrl resctrl rw\n"
                            "26 28 0:41 / /mnt/resctrl rw - tmpfs resctrl rw\n";
    EXPECT_EQ("/srv/my resctrl", mount_point_of(mounts, "resctrl")) << "the first that shows all of it";
    EXPECT_EQ("/mnt/resctrl", mount_point_of(mounts, "tmpfs"));
    EXPECT_EQ("", mount_point_of(mounts, "res"));
    EXPECT_EQ("", mount_point_of("", "resctrl"));
    EXPECT_EQ("/proc", mount_point_of(read_file(AT_FDCWD, "/proc/self/mountinfo", 1U << 26U).value(), "proc"));
}

TEST(Host, boot_id_is_a_uuid) {
    auto const id = boot_id();
    ASSERT_TRUE(good(id));
    EXPECT_EQ(36U, id->size());
    EXPECT_EQ(*id, boot_id().value());
}

} // namespace
} // namespace oci::kernel
