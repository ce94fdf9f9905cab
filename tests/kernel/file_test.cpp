// SPDX-License-Identifier: Apache-2.0
#include "support.h"

#include <csignal>
#include <sys/file.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/xattr.h>

namespace oci::kernel {
namespace {

TEST(FdTest, closes_once_and_keeps_errno) {
    Fd first(::open("/", O_PATH | O_CLOEXEC));
    int const number = first.get();
    Fd second(std::move(first));
    EXPECT_EQ(-1, first.get()); // NOLINT(bugprone-use-after-move): that is what is tested
    EXPECT_EQ(number, second.get());
    errno = EXDEV;
    second.close();
    EXPECT_EQ(EXDEV, errno);
    EXPECT_EQ(-1, ::fcntl(number, F_GETFD));
    second.close();
    EXPECT_FALSE(second);
}

TEST(File, errors_name_call_and_path) {
    TemporaryFolder const folder;
    EXPECT_EQ("open missing: no such file or directory", message_of(openat(folder.get(), "missing", O_RDONLY)));
    EXPECT_EQ("mkdir x/y: no such file or directory", message_of(mkdirat(folder.get(), "x/y", 0755)));
    EXPECT_EQ("unlink x: no such file or directory", message_of(unlinkat(folder.get(), "x", 0)));
    EXPECT_EQ("rmdir x: no such file or directory", message_of(unlinkat(folder.get(), "x", AT_REMOVEDIR)));
    EXPECT_EQ("stat x: no such file or directory", message_of(fstatat(folder.get(), "x", 0)));
    EXPECT_EQ("rename x to y: no such file or directory", message_of(renameat(folder.get(), "x", folder.get(), "y")));
}

TEST(File, descriptors_are_close_on_exec) {
    TemporaryFolder const folder;
    auto const file = openat(folder.get(), "new", O_WRONLY | O_CREAT, 0600);
    ASSERT_TRUE(good(file));
    EXPECT_EQ(FD_CLOEXEC, ::fcntl(file->get(), F_GETFD));
}

TEST(File, reads_all_up_to_the_limit) {
    TemporaryFolder const folder;
    std::string const text(100000, 'x');
    folder.file("big", text);
    EXPECT_EQ(text, read_file(folder.get(), "big", 100000).value());
    auto const too_big = read_file(folder.get(), "big", 99999);
    EXPECT_EQ(EFBIG, errno_of(too_big));
    EXPECT_EQ("big: read: more than 99999 bytes: file too large", message_of(too_big));
    folder.file("empty", "");
    EXPECT_EQ("", read_file(folder.get(), "empty", 0).value());
}

TEST(File, writes_all_through_a_pipe_that_takes_little) {
    std::string const text(300000, 'y');
    int ends[2];
    ASSERT_EQ(0, ::pipe2(ends, O_CLOEXEC));
    Fd reading(ends[0]);
    Fd writing(ends[1]);
    pid_t const writer = ::fork();
    if (writer == 0) {
        reading.close();
        ::_exit(write_all(writing.get(), text) ? 0 : 1);
    }
    writing.close();
    EXPECT_EQ(text, read_all(reading.get(), 1U << 20U).value());
    int status = 0;
    ::waitpid(writer, &status, 0);
    EXPECT_EQ(0, status);
}

TEST(File, control_files_are_written_but_never_made_and_never_outside) {
    TemporaryFolder const folder;
    folder.folder("cgroup");
    folder.file("cgroup/pids.max", "max");
    folder.file("outside", "safe");
    folder.link("cgroup/link", "../outside");
    Fd const cgroup(::open(folder.path("cgroup").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    EXPECT_TRUE(good(write_control_file(cgroup.get(), "pids.max", "100")));
    EXPECT_EQ("100", folder.content("cgroup/pids.max"));
    EXPECT_EQ("open cpu.max: no such file or directory", message_of(write_control_file(cgroup.get(), "cpu.max", "1")));
    EXPECT_EQ(EXDEV, errno_of(write_control_file(cgroup.get(), "../outside", "x")));
    EXPECT_EQ(ELOOP, errno_of(write_control_file(cgroup.get(), "link", "x")));
    EXPECT_EQ(EXDEV, errno_of(write_control_file(cgroup.get(), folder.path("outside"), "x")));
    EXPECT_EQ("safe", folder.content("outside"));
    EXPECT_TRUE(good(write_control_file(AT_FDCWD, folder.path("outside"), "good")));
    EXPECT_EQ("good", folder.content("outside"));
}

TEST(WriteAtomically, replaces_with_exactly_the_mode) {
    TemporaryFolder const folder;
    mode_t const saved = ::umask(077);
    EXPECT_TRUE(good(write_file_atomically(folder.get(), "state.json", "one", 0644)));
    EXPECT_TRUE(good(write_file_atomically(folder.get(), "state.json", "two", 0644)));
    ::umask(saved);
    EXPECT_EQ("two", folder.content("state.json"));
    EXPECT_EQ(0644U, folder.status("state.json").st_mode & 07777U);
    EXPECT_EQ(std::vector<std::string>{"state.json"}, list_directory(folder.get()).value());
}

TEST(WriteAtomically, works_with_a_whole_path_and_replaces_a_link_itself) {
    TemporaryFolder const folder;
    folder.file("victim", "safe");
    folder.link("pid", "victim");
    EXPECT_TRUE(good(write_file_atomically(AT_FDCWD, folder.path("pid"), "42", 0600)));
    EXPECT_EQ("42", folder.content("pid"));
    EXPECT_TRUE(S_ISREG(folder.status("pid").st_mode));
    EXPECT_EQ("safe", folder.content("victim"));
}

TEST(WriteAtomically, leaves_nothing_behind_on_failure) {
    TemporaryFolder const folder;
    folder.folder("taken/below");
    EXPECT_FALSE(write_file_atomically(folder.get(), "taken", "x", 0600));
    EXPECT_EQ(std::vector<std::string>{"taken"}, list_directory(folder.get()).value());
}

TEST(WriteAtomically, a_reader_sees_old_or_new_never_half) {
    TemporaryFolder const folder;
    std::string const old_content(70000, 'a');
    std::string const new_content(90000, 'b');
    ASSERT_TRUE(good(write_file_atomically(folder.get(), "file", old_content, 0600)));
    pid_t const writer = ::fork();
    if (writer == 0) {
        bool fine = true;
        for (int i = 0; i < 300; ++i)
            fine = fine && write_file_atomically(folder.get(), "file", i % 2 == 0 ? new_content : old_content, 0600);
        ::_exit(fine ? 0 : 1);
    }
    int status = 0;
    while (::waitpid(writer, &status, WNOHANG) == 0) {
        auto const content = read_file(folder.get(), "file", 1U << 20U);
        ASSERT_TRUE(good(content));
        ASSERT_TRUE(*content == old_content || *content == new_content) << content->size();
    }
    EXPECT_EQ(0, status);
}

TEST(File, lists_a_folder_sorted_also_through_o_path) {
    TemporaryFolder const folder;
    folder.file("b", "");
    folder.file("a", "");
    folder.file(".hidden", "");
    std::vector<std::string> const expected{".hidden", "a", "b"};
    EXPECT_EQ(expected, list_directory(folder.get()).value());
    EXPECT_EQ(expected, list_directory(folder.get()).value()) << "the position of the descriptor is not used";
    folder.folder("empty");
    auto const empty = openat(folder.get(), "empty", O_RDONLY | O_DIRECTORY);
    EXPECT_TRUE(list_directory(empty->get())->empty());
}

TEST(File, chmod_does_not_follow_a_link) {
    TemporaryFolder const folder;
    folder.file("victim", "");
    ASSERT_EQ(0, ::chmod(folder.path("victim").c_str(), 0600));
    folder.link("link", "victim");
    EXPECT_FALSE(fchmodat(folder.get(), "link", 0666));
    EXPECT_EQ(0600U, folder.status("victim").st_mode & 07777U);
    EXPECT_TRUE(good(fchmodat(folder.get(), "victim", 0640)));
    EXPECT_EQ(0640U, folder.status("victim").st_mode & 07777U);
}

TEST(File, readlink_and_symlink) {
    TemporaryFolder const folder;
    EXPECT_TRUE(good(symlinkat("target/of/link", folder.get(), "link")));
    EXPECT_EQ("target/of/link", readlinkat(folder.get(), "link").value());
    EXPECT_EQ("readlink nothing: no such file or directory", message_of(readlinkat(folder.get(), "nothing")));
}

TEST(File, descriptor_flags_are_set_and_cleared) {
    TemporaryFolder const folder;
    folder.file("file", "0123456789");
    auto const file = openat(folder.get(), "file", O_RDONLY);
    ASSERT_TRUE(good(keep_over_exec(file->get())));
    EXPECT_EQ(0, ::fcntl(file->get(), F_GETFD));
    ASSERT_TRUE(good(set_nonblocking(file->get())));
    EXPECT_NE(0, ::fcntl(file->get(), F_GETFL) & O_NONBLOCK);
    EXPECT_EQ(EBADF, errno_of(keep_over_exec(-1)));
    EXPECT_EQ("0123456789", read_all(file->get(), 100).value());
    EXPECT_EQ("0123", read_from_start(file->get(), 4).value());
    EXPECT_EQ("0123456789", read_from_start(file->get(), 100).value());
}

TEST(File, lock_is_seen_by_another_description) {
    TemporaryFolder const folder;
    auto const one = openat(folder.get(), ".", O_RDONLY | O_DIRECTORY);
    auto const other = openat(folder.get(), ".", O_RDONLY | O_DIRECTORY);
    EXPECT_TRUE(good(flock(one->get(), LOCK_EX | LOCK_NB)));
    EXPECT_EQ(EWOULDBLOCK, errno_of(flock(other->get(), LOCK_EX | LOCK_NB)));
    EXPECT_EQ(ETIMEDOUT, errno_of(lock_exclusively(other->get(), Deadline::after(std::chrono::milliseconds(1)))));
    EXPECT_TRUE(good(flock(one->get(), LOCK_UN)));
    EXPECT_TRUE(good(flock(other->get(), LOCK_EX | LOCK_NB)));
    EXPECT_TRUE(good(lock_exclusively(other->get(), Deadline::after(std::chrono::milliseconds(0)))));
    EXPECT_TRUE(good(lock_exclusively(other->get(), Deadline::never())));
}

void set_times(std::string const& path) {
    timespec const times[2] = {{1000000000, 0}, {1111111111, 222222222}};
    ASSERT_EQ(0, ::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW));
}

class CopyTree : public testing::Test {
protected:
    void SetUp() override {
        source.folder("folder/below");
        source.file("folder/file", "some text");
        source.file("program", "#!/bin/sh\n");
        ASSERT_EQ(0, ::chmod(source.path("program").c_str(), 04751));
        source.link("link", "/etc/passwd");
        source.link("dangling", "nowhere");
        ASSERT_EQ(0, ::mkfifo(source.path("fifo").c_str(), 0612));
        ASSERT_EQ(0, ::chmod(source.path("fifo").c_str(), 0612));
        ASSERT_EQ(0, ::chmod(source.path("folder/below").c_str(), 01777));
        for (auto const* const name : {"folder/file", "link", "folder/below", "folder"})
            set_times(source.path(name));
    }

    TemporaryFolder source;
    TemporaryFolder target;
};

TEST_F(CopyTree, keeps_content_modes_links_and_times) {
    ASSERT_TRUE(good(copy_tree(source.get(), target.get())));
    EXPECT_EQ("some text", target.content("folder/file"));
    EXPECT_EQ(04751U, target.status("program").st_mode & 07777U);
    EXPECT_EQ("/etc/passwd", readlinkat(target.get(), "link").value());
    EXPECT_EQ("nowhere", readlinkat(target.get(), "dangling").value());
    EXPECT_EQ(S_IFIFO | 0612U, target.status("fifo").st_mode);
    EXPECT_EQ(S_IFDIR | 01777U, target.status("folder/below").st_mode);
    for (auto const* const name : {"folder/file", "link", "folder/below", "folder"}) {
        EXPECT_EQ(1111111111, target.status(name).st_mtim.tv_sec) << name;
        EXPECT_EQ(222222222, target.status(name).st_mtim.tv_nsec) << name;
    }
}

TEST_F(CopyTree, keeps_attributes_where_the_file_system_has_them) {
    if (::setxattr(source.path("program").c_str(), "user.test", "value", 5, 0) != 0)
        GTEST_SKIP() << "no user attributes on this file system";
    ASSERT_TRUE(good(copy_tree(source.get(), target.get())));
    char value[16];
    ASSERT_EQ(5, ::getxattr(target.path("program").c_str(), "user.test", value, sizeof value));
    EXPECT_EQ("value", std::string(value, 5));
}

TEST_F(CopyTree, keeps_owners_and_devices) {
    NEEDS_ROOT();
    ASSERT_EQ(0, ::mknod(source.path("null").c_str(), S_IFCHR | 0666, makedev(1, 3)));
    ASSERT_EQ(0, ::chown(source.path("folder/file").c_str(), 1234, 5678));
    ASSERT_EQ(0, ::lchown(source.path("link").c_str(), 1234, 5678));
    ASSERT_EQ(0, ::chown(source.path("program").c_str(), 1234, 5678));
    ASSERT_EQ(0, ::chmod(source.path("program").c_str(), 04751));
    ASSERT_TRUE(good(copy_tree(source.get(), target.get())));
    for (auto const* const name : {"folder/file", "link", "program"}) {
        EXPECT_EQ(1234U, target.status(name).st_uid) << name;
        EXPECT_EQ(5678U, target.status(name).st_gid) << name;
    }
    EXPECT_EQ(04751U, target.status("program").st_mode & 07777U) << "chown clears set-user-id";
    EXPECT_TRUE(S_ISCHR(target.status("null").st_mode));
    EXPECT_EQ(makedev(1, 3), target.status("null").st_rdev);
}

TEST_F(CopyTree, error_names_the_place) {
    target.folder("folder");
    EXPECT_EQ("copy: folder: mkdir folder: file exists", message_of(copy_tree(source.get(), target.get())));
}

TEST_F(CopyTree, depth_is_bounded) {
    TemporaryFolder const deep;
    Fd here(::dup(deep.get()));
    for (int i = 0; i < 300; ++i) {
        ASSERT_EQ(0, ::mkdirat(here.get(), "d", 0755));
        here = Fd(::openat(here.get(), "d", O_PATH | O_DIRECTORY | O_CLOEXEC));
    }
    auto const result = copy_tree(deep.get(), target.get());
    ASSERT_FALSE(result);
    EXPECT_TRUE(contains(result.error().message, "more than 256 folders deep")) << result.error().message;
}

} // namespace
} // namespace oci::kernel
