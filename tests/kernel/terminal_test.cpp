// SPDX-License-Identifier: Apache-2.0
#include "kernel/terminal.h"

#include "support.h"

#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <termios.h>

#include "kernel/process.h"

namespace oci::kernel {
namespace {

Result<Fd> new_devpts() {
    return new_filesystem("devpts", "devpts", {{"newinstance", ""}, {"ptmxmode", "0666"}, {"mode", "0620"}},
                          MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
}

TEST(Terminal, is_made_in_a_fresh_devpts) {
    NEEDS_ROOT();
    auto const devpts = new_devpts();
    ASSERT_TRUE(good(devpts));
    auto const first = open_pseudoterminal(devpts->get());
    ASSERT_TRUE(good(first));
    EXPECT_EQ("/dev/pts/0", first->name);
    auto const second = open_pseudoterminal(devpts->get());
    ASSERT_TRUE(good(second));
    EXPECT_EQ("/dev/pts/1", second->name);
    EXPECT_EQ(fstatat(devpts->get(), "0", 0)->st_rdev, fstat(first->slave.get())->st_rdev);
    EXPECT_EQ(FD_CLOEXEC, ::fcntl(first->master.get(), F_GETFD));
    EXPECT_EQ(FD_CLOEXEC, ::fcntl(first->slave.get(), F_GETFD));

    ASSERT_TRUE(good(write_all(first->master.get(), "hello\n")));
    char line[32];
    ASSERT_EQ(6, ::read(first->slave.get(), line, sizeof line));
    EXPECT_EQ("hello\n", std::string(line, 6));
}

TEST(Terminal, size_is_set_and_copied) {
    NEEDS_ROOT();
    auto const devpts = new_devpts();
    auto const one = open_pseudoterminal(devpts->get());
    auto const other = open_pseudoterminal(devpts->get());
    ASSERT_TRUE(good(set_window_size(one->master.get(), 33, 111)));
    ASSERT_TRUE(good(copy_window_size(one->slave.get(), other->master.get())));
    winsize size{};
    ASSERT_EQ(0, ::ioctl(other->slave.get(), TIOCGWINSZ, &size));
    EXPECT_EQ(33, size.ws_row);
    EXPECT_EQ(111, size.ws_col);
    auto const file = openat(AT_FDCWD, "/dev/null", O_RDONLY);
    EXPECT_EQ(ENOTTY, errno_of(set_window_size(file->get(), 1, 1)));
}

TEST(Terminal, becomes_the_controlling_one) {
    NEEDS_ROOT();
    auto const devpts = new_devpts();
    auto const terminal = open_pseudoterminal(devpts->get());
    EXPECT_EQ("", in_child([&]() -> std::string {
                  REQUIRE_GOOD(setsid());
                  REQUIRE_GOOD(make_controlling_terminal(terminal->slave.get()));
                  REQUIRE(::tcgetsid(terminal->slave.get()) == ::getpid());
                  return "";
              }));
}

TEST(Terminal, becomes_the_standard_streams) {
    NEEDS_ROOT();
    auto const devpts = new_devpts();
    auto const terminal = open_pseudoterminal(devpts->get());
    EXPECT_EQ("", in_child([&]() -> std::string {
                  REQUIRE_GOOD(make_standard_streams(terminal->slave.get()));
                  for (int const stream : {0, 1, 2})
                      REQUIRE(::isatty(stream) == 1 && ::fcntl(stream, F_GETFD) == 0);
                  return "";
              }));
}

TEST(Terminal, raw_mode_ends_with_its_scope) {
    NEEDS_ROOT();
    auto const devpts = new_devpts();
    auto const terminal = open_pseudoterminal(devpts->get());
    auto const flags = [&] {
        termios settings{};
        ::tcgetattr(terminal->slave.get(), &settings);
        return settings.c_lflag & (ECHO | ICANON | ISIG);
    };
    auto const before = flags();
    EXPECT_NE(0U, before);
    {
        RawMode const raw(terminal->slave.get());
        EXPECT_EQ(0U, flags());
    }
    EXPECT_EQ(before, flags());
}

TEST(Terminal, raw_mode_of_something_else_does_nothing) {
    auto const file = openat(AT_FDCWD, "/dev/null", O_RDONLY);
    RawMode const raw(file->get());
}

TEST(Terminal, an_impostor_is_not_opened) {
    NEEDS_ROOT();
    auto const fake = new_filesystem("tmpfs", "", {}, 0);
    ASSERT_TRUE(good(mknodat(fake->get(), "ptmx", S_IFCHR | 0666, makedev(1, 3))));
    EXPECT_EQ("open ptmx: not a pseudoterminal multiplexer", message_of(open_pseudoterminal(fake->get())));
    ASSERT_TRUE(good(unlinkat(fake->get(), "ptmx", 0)));
    ASSERT_TRUE(good(symlinkat("/dev/ptmx", fake->get(), "ptmx")));
    EXPECT_EQ(ELOOP, errno_of(open_pseudoterminal(fake->get())));
}

TEST(Terminal, a_ptmx_that_is_mounted_over_is_not_opened) {
    NEEDS_ROOT();
    TemporaryFolder const folder;
    folder.folder("pts");
    EXPECT_EQ("", in_mount_namespace([&]() -> std::string {
                  auto const devpts = new_devpts();
                  auto const target = openat(AT_FDCWD, folder.path("pts"), O_PATH);
                  REQUIRE_GOOD(attach_mount(devpts->get(), target->get()));
                  REQUIRE(::mount("/dev/null", folder.path("pts/ptmx").c_str(), nullptr, MS_BIND, nullptr) == 0);
                  REQUIRE(errno_of(open_pseudoterminal(devpts->get())) == EXDEV);
                  return "";
              }));
}

} // namespace
} // namespace oci::kernel
