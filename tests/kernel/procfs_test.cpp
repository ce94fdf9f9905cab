// SPDX-License-Identifier: Apache-2.0
// ProcFd against everything that can be mounted over /proc (CVE-2019-16884, CVE-2025-52881).
#include "kernel/procfs.h"

#include "support.h"

#include "kernel/process.h"

namespace oci::kernel {
namespace {

bool bind(char const* source, char const* target) {
    return ::mount(source, target, nullptr, MS_BIND, nullptr) == 0;
}

TEST(ProcFdTest, reads_and_writes_the_own_process) {
    auto const procfs = ProcFd::make();
    ASSERT_TRUE(good(procfs));
    EXPECT_EQ("", in_child([&]() -> std::string {
                  REQUIRE(contains(procfs->read("self/status").value(), concat("\nPid:\t", ::getpid(), "\n")));
                  REQUIRE(contains(procfs->read("thread-self/status").value(), concat("\nPid:\t", ::getpid(), "\n")));
                  REQUIRE_GOOD(procfs->write("self/oom_score_adj", "500"));
                  REQUIRE(procfs->read("self/oom_score_adj").value() == "500\n");
                  REQUIRE_GOOD(procfs->write("self/comm", "renamed"));
                  REQUIRE(procfs->read(concat(::getpid(), "/comm")).value() == "renamed\n");
                  return "";
              }));
}

TEST(ProcFdTest, follows_no_link_and_leaves_no_way_out) {
    auto const procfs = ProcFd::make();
    ASSERT_TRUE(good(procfs));
    for (auto const* const path : {"self/exe", "self/cwd/x", "self/root/etc/passwd", "self/fd/0", "mounts", "net/dev"})
        EXPECT_EQ(ELOOP, errno_of(procfs->read(path))) << path;
    EXPECT_EQ(EXDEV, errno_of(procfs->read("../etc/passwd")));
    EXPECT_EQ(EXDEV, errno_of(procfs->read("/etc/passwd")));
    EXPECT_EQ(EXDEV, errno_of(procfs->write("self/../../etc/passwd", "x")));
    EXPECT_EQ("open self/missing", message_of(procfs->read("self/missing")).substr(0, 4) + " self/missing");
    EXPECT_EQ(ENOENT, errno_of(procfs->write("self/missing", "x")));
}

TEST(ProcFdTest, errors_of_the_kernel_come_back) {
    auto const procfs = ProcFd::make();
    ASSERT_TRUE(good(procfs));
    EXPECT_EQ("write self/oom_score_adj: invalid argument", message_of(procfs->write("self/oom_score_adj", "5000")));
}

TEST(ProcFdTest, overmounts_are_not_seen) {
    NEEDS_ROOT();
    EXPECT_EQ("", in_mount_namespace([]() -> std::string {
                  // A file of procfs over another one passes every check of the file system's type.
                  REQUIRE(bind("/proc/version", "/proc/sys/kernel/ostype"));
                  REQUIRE(bind("/proc/self/comm", "/proc/self/oom_score_adj"));
                  REQUIRE(::mount("tmpfs", "/proc/sys/net", "tmpfs", 0, nullptr) == 0);
                  REQUIRE(read_file(AT_FDCWD, "/proc/sys/kernel/ostype", 4096).value() != "Linux\n");
                  auto const procfs = ProcFd::make();
                  REQUIRE_GOOD(procfs);
                  REQUIRE(procfs->read("sys/kernel/ostype").value() == "Linux\n");
                  REQUIRE_GOOD(procfs->write("self/oom_score_adj", "300"));
                  REQUIRE(procfs->read("self/oom_score_adj").value() == "300\n");
                  REQUIRE(procfs->read("self/comm").value() != "300\n");
                  REQUIRE_GOOD(procfs->read("sys/net/ipv4/ip_forward"));
                  return "";
              }));
}

TEST(ProcFdTest, another_file_system_at_proc_is_not_believed) {
    NEEDS_ROOT();
    EXPECT_EQ("", in_mount_namespace([]() -> std::string {
                  REQUIRE(::mount("tmpfs", "/proc", "tmpfs", 0, nullptr) == 0);
                  auto const procfs = ProcFd::make();
                  REQUIRE_GOOD(procfs);
                  REQUIRE(procfs->read("sys/kernel/ostype").value() == "Linux\n");
                  return "";
              }));
    // In a user namespace a new procfs cannot be mounted, so there is none to be had.
    EXPECT_EQ("", in_mount_namespace([]() -> std::string {
                  REQUIRE(::mount("tmpfs", "/proc", "tmpfs", 0, nullptr) == 0);
                  REQUIRE_GOOD(unshare(CLONE_NEWUSER | CLONE_NEWNS));
                  REQUIRE(message_of(ProcFd::make()) == "/proc is not a procfs");
                  return "";
              }));
}

TEST(ProcFdTest, works_in_a_user_namespace_without_its_own_pid_namespace) {
    auto const failure = in_child([]() -> std::string {
        if (!unshare(CLONE_NEWUSER | CLONE_NEWNS))
            return "skip";
        auto const procfs = ProcFd::make();
        REQUIRE_GOOD(procfs);
        REQUIRE(procfs->read("sys/kernel/ostype").value() == "Linux\n");
        REQUIRE_GOOD(procfs->write("self/oom_score_adj", "700"));
        REQUIRE(procfs->read("self/oom_score_adj").value() == "700\n");
        return "";
    });
    if (failure == "skip")
        GTEST_SKIP() << "no user namespaces";
    EXPECT_EQ("", failure);
}

TEST(ProcFdTest, last_fallback_refuses_to_cross_a_mount) {
    NEEDS_ROOT();
    EXPECT_EQ("", in_mount_namespace([]() -> std::string {
                  REQUIRE(bind("/proc/version", "/proc/sys/kernel/ostype"));
                  // Seen from a user namespace the mount is locked, and open_tree of /proc alone is refused.
                  REQUIRE_GOOD(unshare(CLONE_NEWUSER | CLONE_NEWNS));
                  REQUIRE(errno_of(clone_tree(AT_FDCWD, "/proc", 0)) == EINVAL);
                  auto const procfs = ProcFd::make();
                  REQUIRE_GOOD(procfs);
                  REQUIRE(errno_of(procfs->read("sys/kernel/ostype")) == EXDEV);
                  REQUIRE(procfs->read("sys/kernel/osrelease").value() != "");
                  return "";
              }));
}

} // namespace
} // namespace oci::kernel
