// SPDX-License-Identifier: Apache-2.0
// Below a seccomp filter: the fallbacks of openat2(2) and close_range(2), and what has none.
#include "support.h"

#include <array>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "kernel/outer_filter.h"
#include "kernel/process.h"
#include "kernel/procfs.h"

namespace oci::kernel {
namespace {

bool forbid(unsigned error, std::array<unsigned, 2> calls = {SYS_openat2, SYS_close_range}) {
    std::array<sock_filter, 5> program{{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), // seccomp_data.nr
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[0], 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[1], 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
    }};
    sock_fprog const filter{static_cast<unsigned short>(program.size()), program.data()};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) == 0 &&
           ::prctl(PR_SET_SECCOMP, static_cast<unsigned long>(SECCOMP_MODE_FILTER), &filter, 0UL, 0UL) == 0;
}

class Filtered : public testing::TestWithParam<unsigned> {};

TEST_P(Filtered, paths_are_resolved_in_root) {
    TemporaryFolder const outer;
    outer.folder("root/etc");
    outer.file("root/etc/file", "inside");
    outer.link("root/link", "../../etc/file");
    EXPECT_EQ("", in_child([&]() -> std::string {
                  REQUIRE(forbid(GetParam()));
                  auto const root = openat(AT_FDCWD, outer.path("root"), O_PATH | O_DIRECTORY);
                  REQUIRE(::syscall(SYS_openat2, root->get(), "etc", nullptr, 0) == -1);
                  REQUIRE(errno == static_cast<int>(GetParam()));
                  auto const file = open_in_root(root->get(), "/link", O_RDONLY);
                  REQUIRE_GOOD(file);
                  REQUIRE(read_all(file->get(), 100).value() == "inside");
                  REQUIRE_GOOD(make_directories_in_root(root->get(), "/a/b", 0755));
                  REQUIRE_GOOD(make_mount_target(root->get(), "/a/b/target", false));
                  REQUIRE(outer.exists("root/a/b/target"));
                  REQUIRE(errno_of(openat2(root->get(), "link", O_RDONLY, 0, RESOLVE_BENEATH)) == EXDEV);
                  REQUIRE_GOOD(write_control_file(root->get(), "etc/file", "written"));
                  return "";
              }));
    EXPECT_EQ("written", outer.content("root/etc/file").substr(0, 7));
}

TEST_P(Filtered, procfs_is_written) {
    EXPECT_EQ("", in_child([&]() -> std::string {
                  REQUIRE(forbid(GetParam()));
                  auto const procfs = ProcFd::make();
                  REQUIRE_GOOD(procfs);
                  REQUIRE_GOOD(procfs->write("self/comm", "renamed"));
                  REQUIRE(procfs->read("self/comm").value() == "renamed\n");
                  REQUIRE(errno_of(procfs->read("self/exe")) == ELOOP);
                  return "";
              }));
}

TEST_P(Filtered, descriptors_are_closed) {
    EXPECT_EQ("", in_child([&]() -> std::string {
                  REQUIRE(forbid(GetParam()));
                  REQUIRE(::dup2(0, 100) == 100 && ::dup2(0, 101) == 101 && ::dup2(0, 200) == 200);
                  REQUIRE_GOOD(mark_close_on_exec(101, 150));
                  REQUIRE(::fcntl(100, F_GETFD) == 0 && ::fcntl(101, F_GETFD) == FD_CLOEXEC);
                  REQUIRE_GOOD(close_descriptors(101, ~0U));
                  REQUIRE(::fcntl(100, F_GETFD) == 0);
                  REQUIRE(::fcntl(101, F_GETFD) == -1 && ::fcntl(200, F_GETFD) == -1);
                  return "";
              }));
}

TEST_P(Filtered, what_nothing_can_replace_is_named) {
    EXPECT_EQ("", in_child([&]() -> std::string {
                  REQUIRE(forbid(GetParam()));
                  REQUIRE(calls_forbidden_by_outer_filter().empty());
                  REQUIRE(forbid(GetParam(), {SYS_clone3, SYS_open_tree}));
                  REQUIRE((calls_forbidden_by_outer_filter() == std::vector<std::string_view>{"clone3", "open_tree"}));
                  return "";
              }));
}

INSTANTIATE_TEST_SUITE_P(EpermAndEnosys, Filtered, testing::Values(EPERM, ENOSYS));

} // namespace
} // namespace oci::kernel
