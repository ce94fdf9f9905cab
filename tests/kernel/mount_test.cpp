// SPDX-License-Identifier: Apache-2.0
// Everything here happens in a mount namespace of a child: the machine's own mounts are never touched.
#include "kernel/mount.h"

#include "support.h"

#include <sys/statvfs.h>

#include "base/defer.h"
#include "kernel/process.h"

namespace oci::kernel {
namespace {

unsigned long mount_flags(int descriptor) {
    struct ::statvfs status {};
    ::fstatvfs(descriptor, &status);
    return status.f_flag;
}

TEST(NewFilesystem, is_detached_and_has_its_parameters_and_attributes) {
    NEEDS_ROOT();
    auto const mount =
        new_filesystem("tmpfs", "scratch", {{"size", "64k"}, {"mode", "0711"}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    ASSERT_TRUE(good(mount));
    EXPECT_EQ(FD_CLOEXEC, ::fcntl(mount->get(), F_GETFD));
    EXPECT_EQ(0711U, fstat(mount->get())->st_mode & 07777U);
    EXPECT_EQ(ST_NOSUID | ST_NOEXEC, mount_flags(mount->get()) & (ST_NOSUID | ST_NOEXEC | ST_NODEV));
    auto const file = openat(mount->get(), "file", O_WRONLY | O_CREAT, 0600);
    ASSERT_TRUE(good(file));
    EXPECT_EQ(ENOSPC, errno_of(write_all(file->get(), std::string(100000, 'x'))));
}

TEST(NewFilesystem, flags_are_parameters_without_value) {
    NEEDS_ROOT();
    auto const mount = new_filesystem("tmpfs", "", {{"ro", ""}}, 0);
    ASSERT_TRUE(good(mount));
    EXPECT_EQ(EROFS, errno_of(mkdirat(mount->get(), "x", 0755)));
}

TEST(NewFilesystem, failure_names_the_parameter_and_says_what_the_kernel_says) {
    NEEDS_ROOT();
    auto const bad_value = new_filesystem("tmpfs", "", {{"mode", "0755"}, {"size", "plenty"}}, 0);
    EXPECT_EQ(EINVAL, errno_of(bad_value));
    EXPECT_TRUE(message_of(bad_value).starts_with("fsconfig tmpfs size=plenty: invalid argument (tmpfs: Bad value for"))
        << message_of(bad_value);
    auto const unknown = new_filesystem("tmpfs", "", {{"colour", "green"}}, 0);
    EXPECT_TRUE(message_of(unknown).starts_with("fsconfig tmpfs colour=green: invalid argument ("))
        << message_of(unknown);
    EXPECT_EQ("fsopen nosuchfs: no such device", message_of(new_filesystem("nosuchfs", "", {}, 0)));
}

TEST(Mounts, are_attached_by_descriptor) {
    NEEDS_ROOT();
    TemporaryFolder const folder;
    folder.folder("target");
    EXPECT_EQ("", in_mount_namespace([&]() -> std::string {
                  auto const mount = new_filesystem("tmpfs", "", {}, 0);
                  REQUIRE_GOOD(mount);
                  REQUIRE_GOOD(mkdirat(mount->get(), "inside", 0755));
                  auto const target = openat(AT_FDCWD, folder.path("target"), O_PATH);
                  REQUIRE_GOOD(attach_mount(mount->get(), target->get()));
                  REQUIRE(folder.exists("target/inside"));
                  REQUIRE_GOOD(detach_mount(folder.path("target")));
                  REQUIRE(!folder.exists("target/inside"));
                  REQUIRE(errno_of(detach_mount(folder.path("target"))) == EINVAL);
                  return "";
              }));
    EXPECT_FALSE(folder.exists("target/inside"));
}

TEST(Mounts, detach_does_not_follow_a_link) {
    NEEDS_ROOT();
    TemporaryFolder const folder;
    folder.folder("target");
    folder.link("link", "target");
    EXPECT_EQ("", in_mount_namespace([&]() -> std::string {
                  auto const mount = new_filesystem("tmpfs", "", {}, 0);
                  auto const target = openat(AT_FDCWD, folder.path("target"), O_PATH);
                  REQUIRE_GOOD(attach_mount(mount->get(), target->get()));
                  REQUIRE(errno_of(detach_mount(folder.path("link"))) == EINVAL);
                  return "";
              }));
}

TEST(Mounts, are_cloned_with_or_without_what_is_below) {
    NEEDS_ROOT();
    TemporaryFolder const folder;
    folder.folder("source/below");
    folder.file("source/file", "text");
    EXPECT_EQ("", in_mount_namespace([&]() -> std::string {
                  auto const mount = new_filesystem("tmpfs", "", {}, 0);
                  REQUIRE_GOOD(mkdirat(mount->get(), "inner", 0755));
                  auto const target = openat(AT_FDCWD, folder.path("source/below"), O_PATH);
                  REQUIRE_GOOD(attach_mount(mount->get(), target->get()));
                  auto const source = openat(AT_FDCWD, folder.path("source"), O_PATH);
                  auto const alone = clone_tree(source->get(), "", AT_EMPTY_PATH);
                  REQUIRE_GOOD(alone);
                  REQUIRE_GOOD(fstatat(alone->get(), "file", 0));
                  REQUIRE(errno_of(fstatat(alone->get(), "below/inner", 0)) == ENOENT);
                  auto const whole = clone_tree(AT_FDCWD, folder.path("source"), AT_RECURSIVE);
                  REQUIRE_GOOD(whole);
                  REQUIRE_GOOD(fstatat(whole->get(), "below/inner", 0));
                  return "";
              }));
    EXPECT_EQ("open_tree /missing: no such file or directory", message_of(clone_tree(AT_FDCWD, "/missing", 0)));
}

TEST(Mounts, attributes_are_set_and_cleared_recursively) {
    NEEDS_ROOT();
    TemporaryFolder const folder;
    folder.folder("target");
    EXPECT_EQ("", in_mount_namespace([&]() -> std::string {
                  auto const outer = new_filesystem("tmpfs", "", {}, MOUNT_ATTR_NOEXEC);
                  auto const inner = new_filesystem("tmpfs", "", {}, 0);
                  REQUIRE_GOOD(mkdirat(outer->get(), "inner", 0755));
                  auto const target = openat(AT_FDCWD, folder.path("target"), O_PATH);
                  REQUIRE_GOOD(attach_mount(outer->get(), target->get()));
                  auto const inner_target = openat(AT_FDCWD, folder.path("target/inner"), O_PATH);
                  REQUIRE_GOOD(attach_mount(inner->get(), inner_target->get()));
                  REQUIRE_GOOD(mount_setattr(outer->get(), {.set = MOUNT_ATTR_RDONLY, .clear = MOUNT_ATTR_NOEXEC}, 0));
                  REQUIRE(errno_of(mkdirat(outer->get(), "x", 0755)) == EROFS);
                  REQUIRE((mount_flags(outer->get()) & ST_NOEXEC) == 0);
                  REQUIRE_GOOD(mkdirat(inner->get(), "x", 0755));
                  REQUIRE_GOOD(mount_setattr(outer->get(), {.set = MOUNT_ATTR_RDONLY}, AT_RECURSIVE));
                  REQUIRE(errno_of(mkdirat(inner->get(), "y", 0755)) == EROFS);
                  REQUIRE_GOOD(mount_setattr(outer->get(), {.propagation = MS_SHARED}, 0));
                  auto const table = read_file(AT_FDCWD, "/proc/self/mountinfo", 1U << 20U);
                  for (auto const line : split(*table, '\n'))
                      if (contains(line, concat(" ", folder.path("target"), " ")))
                          REQUIRE(contains(line, "shared:"));
                  return "";
              }));
}

/// A root file system on a tmpfs at `folder`/root, opened inside the namespace.
Result<Fd> make_root(TemporaryFolder const& folder) {
    auto const mount = TRY(new_filesystem("tmpfs", "", {}, 0));
    TRY(write_file_atomically(mount.get(), "marker", "new root", 0644));
    auto const target = TRY(openat(AT_FDCWD, folder.path("root"), O_PATH));
    TRY(attach_mount(mount.get(), target.get()));
    return openat(AT_FDCWD, folder.path("root"), O_PATH | O_DIRECTORY);
}

TEST(PivotRoot, leaves_nothing_of_the_old_root) {
    NEEDS_ROOT();
    TemporaryFolder const folder;
    folder.folder("root");
    EXPECT_EQ("", in_mount_namespace([&]() -> std::string {
                  auto const procfs = openat(AT_FDCWD, "/proc", O_PATH);
                  auto const root = make_root(folder);
                  REQUIRE_GOOD(root);
                  REQUIRE_GOOD(pivot_root(root->get()));
                  REQUIRE(read_file(AT_FDCWD, "/marker", 100).value() == "new root");
                  REQUIRE(list_directory(AT_FDCWD).value() == std::vector<std::string>{"marker"});
                  REQUIRE(getcwd().value() == "/");
                  auto const table = read_file(procfs->get(), "self/mountinfo", 1U << 20U);
                  REQUIRE_GOOD(table);
                  REQUIRE(split(trim(*table), '\n').size() == 1);
                  return "";
              }));
    EXPECT_TRUE(folder.exists("root"));
    EXPECT_FALSE(folder.exists("root/marker"));
}

TEST(PivotRoot, leaves_shared_mounts_of_the_new_root_shared) {
    NEEDS_ROOT();
    TemporaryFolder const folder;
    folder.folder("root");
    EXPECT_EQ("", in_mount_namespace([&]() -> std::string {
                  auto const procfs = openat(AT_FDCWD, "/proc", O_PATH);
                  auto const root = make_root(folder);
                  REQUIRE_GOOD(root);
                  REQUIRE_GOOD(mkdirat(root->get(), "data", 0755));
                  auto const data = new_filesystem("tmpfs", "", {}, 0);
                  auto const target = openat(root->get(), "data", O_PATH);
                  REQUIRE_GOOD(attach_mount(data->get(), target->get()));
                  REQUIRE_GOOD(mount_setattr(data->get(), {.propagation = MS_SHARED}, 0));
                  REQUIRE_GOOD(pivot_root(root->get()));
                  auto const table = read_file(procfs->get(), "self/mountinfo", 1U << 20U);
                  REQUIRE(contains(*table, " shared:") && !contains(*table, " master:"));
                  return "";
              }));
}

TEST(PivotRoot, does_not_unmount_anything_in_a_peer_that_shares) {
    NEEDS_ROOT();
    TemporaryFolder const folder;
    folder.folder("root");
    EXPECT_EQ("", in_mount_namespace([&]() -> std::string {
                  REQUIRE_GOOD(set_root_propagation(MS_REC | MS_SHARED));
                  auto const before = read_file(AT_FDCWD, "/proc/self/mountinfo", 1U << 20U);
                  auto const inner = in_child([&]() -> std::string {
                      REQUIRE_GOOD(unshare(CLONE_NEWNS)); // still a peer of the outer one
                      REQUIRE_GOOD(set_root_propagation(MS_REC | MS_SLAVE));
                      auto const root = make_root(folder);
                      REQUIRE_GOOD(root);
                      REQUIRE_GOOD(pivot_root(root->get()));
                      return "";
                  });
                  REQUIRE(*before == read_file(AT_FDCWD, "/proc/self/mountinfo", 1U << 20U).value());
                  return inner;
              }));
}

TEST(MoveRoot, stands_in_where_pivot_root_is_not_possible) {
    NEEDS_ROOT();
    TemporaryFolder const folder;
    folder.folder("root");
    EXPECT_EQ("", in_mount_namespace([&]() -> std::string {
                  auto const root = make_root(folder);
                  REQUIRE_GOOD(root);
                  REQUIRE_GOOD(move_root(root->get()));
                  REQUIRE(read_file(AT_FDCWD, "/marker", 100).value() == "new root");
                  REQUIRE(list_directory(AT_FDCWD).value() == std::vector<std::string>{"marker"});
                  REQUIRE(read_file(AT_FDCWD, "/../marker", 100).value() == "new root");
                  return "";
              }));
}

} // namespace
} // namespace oci::kernel
