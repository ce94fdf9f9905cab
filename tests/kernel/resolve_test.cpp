// SPDX-License-Identifier: Apache-2.0
// The kernel's openat2(2) is the reference: the component-wise walk has to give the same answer for every path here.
#include "support.h"

#include <linux/openat2.h>
#include <sys/syscall.h>

#include "kernel/process.h"

namespace oci::kernel {
namespace {

struct Named {
    char const* name;
    std::uint64_t value;
};

std::vector<Named> const scopes = {
    {"in root", RESOLVE_IN_ROOT},
    {"beneath", RESOLVE_BENEATH},
    {"in root, no symlinks", RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS},
    {"beneath, no symlinks", RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS},
    {"in root, no xdev", RESOLVE_IN_ROOT | RESOLVE_NO_XDEV},
};
std::vector<Named> const unscoped = {
    {"plain", 0},
    {"no symlinks", RESOLVE_NO_SYMLINKS},
    {"no xdev", RESOLVE_NO_XDEV},
};

struct FlagSet {
    char const* name;
    int flags;
};

std::vector<FlagSet> const open_flags = {
    {"O_PATH", O_PATH},
    {"O_PATH|O_NOFOLLOW", O_PATH | O_NOFOLLOW},
    {"O_PATH|O_DIRECTORY", O_PATH | O_DIRECTORY},
    {"O_PATH|O_DIRECTORY|O_NOFOLLOW", O_PATH | O_DIRECTORY | O_NOFOLLOW},
    {"O_RDONLY", O_RDONLY | O_NONBLOCK},
    {"O_RDONLY|O_NOFOLLOW", O_RDONLY | O_NOFOLLOW | O_NONBLOCK},
    {"O_RDONLY|O_DIRECTORY", O_RDONLY | O_DIRECTORY},
    {"O_RDONLY|O_DIRECTORY|O_NOFOLLOW", O_RDONLY | O_DIRECTORY | O_NOFOLLOW},
    {"O_RDWR", O_RDWR | O_NONBLOCK},
};
std::vector<FlagSet> const create_flags = {
    {"O_CREAT", O_WRONLY | O_CREAT},
    {"O_CREAT|O_EXCL", O_WRONLY | O_CREAT | O_EXCL},
    {"O_CREAT|O_NOFOLLOW", O_WRONLY | O_CREAT | O_NOFOLLOW},
};

std::vector<std::string> const paths = {
    "",
    "/",
    ".",
    "..",
    "./",
    "../",
    "/..",
    "../..",
    "/../a",
    "//a//b",
    "a",
    "a/",
    "a/.",
    "a/..",
    "a/../..",
    "a/../../a",
    "a/b/c/file",
    "a/b/c/file/",
    "a/b/c/file/.",
    "a/b/c/file/..",
    "a/b/c/file/x",
    "/a/b/c/file",
    "a/b/../b/c",
    "missing",
    "missing/",
    "missing/.",
    "missing/x",
    "missing/..",
    "a/missing",
    "a/missing/",
    "a/b/missing/../c",
    // links
    "relative",
    "relative/",
    "relative/.",
    "relative/..",
    "relative/c/file",
    "absolute",
    "absolute/",
    "absolute/c/file",
    "absolute_file",
    "absolute_file/",
    "absolute_file/x",
    "up",
    "up/a",
    "up/up2/a",
    "a/up2",
    "a/up2/a",
    "a/up2/../a",
    "to_root",
    "to_root/",
    "to_root/a",
    "to_dot",
    "to_dot/a",
    "to_dots",
    "to_dots/a",
    "escape",
    "escape/",
    "escape/passwd",
    "escape_absolute",
    "escape_absolute/passwd",
    "to_slash",
    "to_slash/",
    "to_slash/c",
    "file_slash",
    "file_slash/",
    "loop_one",
    "loop_one/",
    "loop_one/x",
    "loop_self",
    "loop_self/x",
    "dangling",
    "dangling/",
    "dangling/x",
    "dangling_last",
    "dangling_last/",
    "dangling_absolute",
    "dangling_slash",
    "to_fifo",
    "fifo",
    "fifo/",
    "link_to_link",
    "link_to_link/",
    "link_to_link/c/file",
    "deep/../a",
    "a/b/to_top/a/b/to_top/a",
    "chain39",
    "chain39/",
    "chain40",
    "chain40/b",
    "chain39/b",
    "chain20/../chain18/b",
    "chain20/../chain19/b",
};

void make_tree(TemporaryFolder const& root) {
    root.folder("a/b/c");
    root.file("a/b/c/file", "content");
    root.link("relative", "a/b");
    root.link("absolute", "/a/b");
    root.link("absolute_file", "/a/b/c/file");
    root.link("up", "..");
    root.link("up2", "a/..");
    root.link("a/up2", "../..");
    root.link("to_root", "/");
    root.link("to_dot", ".");
    root.link("to_dots", "a/../a/..");
    root.link("escape", "../../../../../../../../../../etc");
    root.link("escape_absolute", "/etc");
    root.link("to_slash", "a/b/");
    root.link("file_slash", "a/b/c/file/");
    root.link("loop_one", "loop_two");
    root.link("loop_two", "loop_one");
    root.link("loop_self", "loop_self");
    root.link("dangling", "missing/x");
    root.link("dangling_last", "a/not_there");
    root.link("dangling_absolute", "/a/not_there");
    root.link("dangling_slash", "a/not_there/");
    root.link("link_to_link", "relative");
    root.link("deep", "a/b/c");
    root.link("a/b/to_top", "/");
    ::mkfifoat(root.get(), "fifo", 0600);
    root.link("to_fifo", "fifo");
    root.link("chain0", "a");
    for (int i = 1; i <= 40; ++i) // chain39 is 40 links long, chain40 is 41
        root.link(concat("chain", i), concat("chain", i - 1));
}

std::string identity(Result<Fd> const& opened) {
    if (!opened)
        return errno_text(opened.error().errno_value);
    struct ::stat status {};
    ::fstat(opened->get(), &status);
    return concat("dev ", status.st_dev, " ino ", status.st_ino);
}

/// The kernel's own answer, not ours with its fallback.
Result<Fd> reference(int root, std::string const& path, int flags, mode_t mode, std::uint64_t resolve) {
    struct ::open_how how {};
    how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
    how.mode = mode;
    how.resolve = resolve | RESOLVE_NO_MAGICLINKS;
    while (true) {
        Fd opened(static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how)));
        if (opened)
            return opened;
        if (errno != EAGAIN) // any rename on the whole machine, with ".." in the path
            return fail_errno(errno, "openat2");
    }
}

bool kernel_has_openat2() {
    return errno_of(reference(AT_FDCWD, "/", O_PATH, 0, 0)) == 0;
}

void compare(int root, std::string const& path, FlagSet const& flags, Named const& scope) {
    auto const expected = identity(reference(root, path, flags.flags, 0, scope.value));
    auto const walked = identity(walk_openat2(root, path, flags.flags, 0, scope.value));
    EXPECT_EQ(expected, walked) << "path '" << path << "', " << flags.name << ", " << scope.name;
    EXPECT_EQ(expected, identity(openat2(root, path, flags.flags, 0, scope.value))) << path;
}

TEST(Resolve, walk_answers_like_openat2) {
    if (!kernel_has_openat2())
        GTEST_SKIP() << "no openat2";
    TemporaryFolder const root;
    make_tree(root);
    for (auto const& path : paths)
        for (auto const& flags : open_flags) {
            for (auto const& scope : scopes)
                compare(root.get(), path, flags, scope);
            if ((flags.flags & O_RDWR) == 0) // never open the machine's own files for writing
                for (auto const& scope : unscoped)
                    compare(root.get(), path, flags, scope);
        }
}

TEST(Resolve, walk_answers_like_openat2_with_links_of_procfs) {
    if (!kernel_has_openat2())
        GTEST_SKIP() << "no openat2";
    Fd const root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    Fd const procfs(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
    for (auto const* const path :
         {"self", "self/", "self/stat", "self/exe", "self/exe/", "self/cwd", "self/cwd/", "self/root/proc", "self/fd/0",
          "self/ns/mnt", "thread-self/comm", "mounts", "net", "net/dev", "net/dev/", "self/task/../comm"})
        for (auto const& flags : open_flags) {
            if ((flags.flags & O_RDWR) != 0)
                continue;
            for (auto const& scope : scopes) {
                compare(procfs.get(), path, flags, scope);
                compare(root.get(), concat("/proc/", path), flags, scope);
            }
            for (auto const& scope : unscoped)
                compare(procfs.get(), path, flags, scope);
        }
}

/// The path a call made or opened, below the root; a new file (they are empty) is removed again.
std::string created(TemporaryFolder const& root, Result<Fd> const& opened) {
    if (!opened)
        return errno_text(opened.error().errno_value);
    auto const path = std::filesystem::read_symlink(concat("/proc/self/fd/", opened->get())).string();
    EXPECT_TRUE(path.starts_with(root.path())) << path;
    struct ::stat status {};
    ::fstat(opened->get(), &status);
    if (S_ISREG(status.st_mode) && status.st_size == 0)
        ::unlink(path.c_str());
    return path.substr(root.path().size());
}

TEST(Resolve, walk_creates_where_openat2_creates) {
    if (!kernel_has_openat2())
        GTEST_SKIP() << "no openat2";
    TemporaryFolder const root;
    make_tree(root);
    ::unlinkat(root.get(), "fifo", 0); // O_WRONLY without a reader waits
    auto all = paths;
    all.insert(all.end(), {"new", "a/new", "/new", "absolute/new", "up/new", "a/up2/new", "new/.", "a/b/to_top/new"});
    for (auto const& path : all)
        for (auto const& flags : create_flags)
            for (auto const& scope : scopes) {
                auto const expected = created(root, reference(root.get(), path, flags.flags, 0600, scope.value));
                auto const walked = created(root, walk_openat2(root.get(), path, flags.flags, 0600, scope.value));
                EXPECT_EQ(expected, walked) << "path '" << path << "', " << flags.name << ", " << scope.name;
            }
}

TEST(Resolve, mount_is_not_crossed_with_no_xdev) {
    NEEDS_ROOT();
    if (!kernel_has_openat2())
        GTEST_SKIP() << "no openat2";
    TemporaryFolder const root;
    root.folder("on/top");
    root.link("to_top", "on/top");
    EXPECT_EQ("", in_mount_namespace([&]() -> std::string {
                  auto const mount = new_filesystem("tmpfs", "", {}, 0);
                  REQUIRE_GOOD(mount);
                  Fd const target(::open(root.path("on/top").c_str(), O_PATH | O_DIRECTORY));
                  REQUIRE_GOOD(attach_mount(mount->get(), target.get()));
                  // The folder was opened outside: its mount is another one than the namespace's.
                  Fd const inside(::open(root.path().c_str(), O_PATH | O_DIRECTORY));
                  for (auto const* const path : {"on/top", "on/top/x", "to_top", "on/top/..", "on"})
                      for (auto const& scope : {scopes.back(), Named{"no xdev", RESOLVE_NO_XDEV}}) {
                          auto const expected = identity(reference(inside.get(), path, O_PATH, 0, scope.value));
                          auto const walked = identity(walk_openat2(inside.get(), path, O_PATH, 0, scope.value));
                          if (expected != walked)
                              return concat(path, ": expected ", expected, ", walked ", walked);
                      }
                  REQUIRE(errno_of(walk_openat2(inside.get(), "on/top", O_PATH, 0, RESOLVE_NO_XDEV)) == EXDEV);
                  return "";
              }));
}

TEST(Resolve, renames_by_somebody_else_never_lead_outside) {
    TemporaryFolder const outer;
    outer.folder("root/folder/below/deep");
    outer.folder("root/other");
    outer.link("root/link", "../../../../../..");
    pid_t const swapper = ::fork();
    if (swapper == 0) {
        auto const one = outer.path("root/folder/below");
        auto const other = outer.path("root/link");
        while (true)
            ::syscall(SYS_renameat2, AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), 2U /* RENAME_EXCHANGE */);
    }
    Fd const root(::open(outer.path("root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    int opened_count = 0;
    for (int i = 0; i < 3000; ++i)
        for (auto const* const path :
             {"folder/below/..", "folder/below", "link/../../../other", "folder/below/deep/.."}) {
            auto const opened = walk_openat2(root.get(), path, O_PATH, 0, RESOLVE_IN_ROOT);
            if (!opened)
                continue;
            ++opened_count;
            auto const real = std::filesystem::read_symlink(concat("/proc/self/fd/", opened->get())).string();
            EXPECT_TRUE(real.starts_with(outer.path("root"))) << real;
        }
    EXPECT_GT(opened_count, 0);
    ::kill(swapper, SIGKILL);
    ::waitpid(swapper, nullptr, 0);
}

TEST(OpenInRoot, stays_inside_and_names_call_and_path) {
    TemporaryFolder const root;
    make_tree(root);
    root.folder("etc");
    auto const inside = open_in_root(root.get(), "/escape", O_PATH);
    ASSERT_TRUE(good(inside));
    EXPECT_EQ(root.status("etc").st_ino, fstat(inside->get())->st_ino);
    EXPECT_EQ("open /missing: no such file or directory", message_of(open_in_root(root.get(), "/missing", O_PATH)));
    EXPECT_NE(0, ::fcntl(inside->get(), F_GETFD) & FD_CLOEXEC);
}

TEST(MakeDirectories, makes_what_is_missing_with_exactly_the_mode) {
    TemporaryFolder const root;
    root.folder("a");
    mode_t const saved = ::umask(077);
    auto const made = make_directories_in_root(root.get(), "/a/b/c", 0755);
    ::umask(saved);
    ASSERT_TRUE(good(made));
    EXPECT_EQ(0755U, root.status("a/b").st_mode & 07777U);
    EXPECT_EQ(0755U, root.status("a/b/c").st_mode & 07777U);
    EXPECT_EQ(root.status("a/b/c").st_ino, fstat(made->get())->st_ino);
    EXPECT_NE(0, ::fcntl(made->get(), F_GETFL) & O_PATH);
    EXPECT_TRUE(good(make_directories_in_root(root.get(), "/a/b/c", 0700)));
    EXPECT_EQ(0755U, root.status("a/b/c").st_mode & 07777U) << "an existing folder is left as it is";
}

TEST(MakeDirectories, dangling_links_are_made_inside) {
    TemporaryFolder const outer;
    outer.folder("root");
    outer.link("root/dangling", "../../../var/lib/data");
    outer.link("root/absolute", "/opt/thing");
    Fd const root(::open(outer.path("root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    EXPECT_TRUE(good(make_directories_in_root(root.get(), "dangling/x", 0755)));
    EXPECT_TRUE(outer.exists("root/var/lib/data/x"));
    EXPECT_TRUE(good(make_directories_in_root(root.get(), "/absolute", 0755)));
    EXPECT_TRUE(outer.exists("root/opt/thing"));
    EXPECT_FALSE(outer.exists("var"));
}

TEST(MakeDirectories, refuses_files_and_loops) {
    TemporaryFolder const root;
    make_tree(root);
    EXPECT_EQ(ENOTDIR, errno_of(make_directories_in_root(root.get(), "a/b/c/file", 0755)));
    EXPECT_EQ(ENOTDIR, errno_of(make_directories_in_root(root.get(), "a/b/c/file/x", 0755)));
    EXPECT_EQ(ELOOP, errno_of(make_directories_in_root(root.get(), "loop_one/x", 0755)));
    EXPECT_TRUE(good(make_directories_in_root(root.get(), "/", 0755)));
}

TEST(MakeMountTarget, makes_a_folder_or_a_file_with_its_parents) {
    TemporaryFolder const root;
    mode_t const saved = ::umask(077);
    EXPECT_TRUE(good(make_mount_target(root.get(), "/etc/deep/hosts", false)));
    EXPECT_TRUE(good(make_mount_target(root.get(), "/srv/data", true)));
    ::umask(saved);
    EXPECT_EQ(S_IFREG | 0644U, root.status("etc/deep/hosts").st_mode);
    EXPECT_EQ(S_IFDIR | 0755U, root.status("etc/deep").st_mode);
    EXPECT_EQ(S_IFDIR | 0755U, root.status("srv/data").st_mode);
}

TEST(MakeMountTarget, follows_links_in_root_also_dangling_ones) {
    TemporaryFolder const outer;
    outer.folder("root/run");
    outer.folder("root/etc");
    outer.link("root/etc/resolv.conf", "../run/resolve/stub.conf");
    outer.link("root/etc/localtime", "/usr/share/zoneinfo/UTC");
    outer.link("root/etc/outside", "../../../../victim");
    Fd const root(::open(outer.path("root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    auto const made = make_mount_target(root.get(), "/etc/resolv.conf", false);
    ASSERT_TRUE(good(made));
    EXPECT_EQ(outer.status("root/run/resolve/stub.conf").st_ino, fstat(made->get())->st_ino);
    EXPECT_TRUE(good(make_mount_target(root.get(), "/etc/resolv.conf", false))) << "a second time it exists";
    EXPECT_TRUE(good(make_mount_target(root.get(), "/etc/localtime", false)));
    EXPECT_TRUE(outer.exists("root/usr/share/zoneinfo/UTC"));
    EXPECT_TRUE(good(make_mount_target(root.get(), "/etc/outside", false)));
    EXPECT_TRUE(outer.exists("root/victim"));
    EXPECT_FALSE(outer.exists("victim"));
}

TEST(MakeMountTarget, wrong_kind_is_an_error) {
    TemporaryFolder const root;
    make_tree(root);
    EXPECT_EQ("mount target a/b/c/file: not a directory",
              message_of(make_mount_target(root.get(), "a/b/c/file", true)));
    EXPECT_EQ("mount target a/b: is a directory", message_of(make_mount_target(root.get(), "a/b", false)));
    EXPECT_TRUE(good(make_mount_target(root.get(), "fifo", false))) << "anything but a folder will do";
    EXPECT_EQ(ELOOP, errno_of(make_mount_target(root.get(), "loop_self", false)));
    EXPECT_EQ(ENOTDIR, errno_of(make_mount_target(root.get(), "dangling_slash", false)));
    EXPECT_FALSE(root.exists("a/not_there"));
}

TEST(MakeMountTarget, magic_links_are_refused) {
    Fd const procfs(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
    EXPECT_EQ(ELOOP, errno_of(make_mount_target(procfs.get(), "self/exe", false)));
    EXPECT_EQ(ELOOP, errno_of(make_mount_target(procfs.get(), "self/root/new", false)));
    EXPECT_EQ(ELOOP, errno_of(walk_openat2(procfs.get(), "self/cwd/x", O_PATH, 0, RESOLVE_IN_ROOT)));
}

} // namespace
} // namespace oci::kernel
