// SPDX-License-Identifier: Apache-2.0
#include "kernel/process.h"

#include "support.h"

#include <csignal>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/defer.h"
#include "kernel/host.h"

namespace oci::kernel {
namespace {

using std::chrono::milliseconds;

/// A child that does `body` and exits with its result.
template <typename Body>
ClonedProcess child(Body body, CloneRequest const& request = {}) {
    auto cloned = clone3(request);
    if (cloned && cloned->pid == 0)
        ::_exit(body());
    EXPECT_TRUE(good(cloned));
    return cloned ? std::move(*cloned) : ClonedProcess{};
}

int wait_for_ever() {
    while (true)
        ::pause();
}

TEST(DeadlineTest, counts_down_to_zero) {
    EXPECT_EQ(-1, Deadline::never().poll_timeout());
    EXPECT_FALSE(Deadline::never().passed());
    auto const later = Deadline::after(milliseconds(10000));
    EXPECT_GT(later.poll_timeout(), 9000);
    EXPECT_LE(later.poll_timeout(), 10000);
    EXPECT_TRUE(Deadline::after(milliseconds(0)).passed());
    EXPECT_EQ(0, Deadline::after(milliseconds(-100)).poll_timeout());
    EXPECT_GT(Deadline::after(std::chrono::hours(24 * 365)).poll_timeout(), 0);
}

TEST(Clone3, child_is_a_fork_with_a_pidfd) {
    auto const parent = ::getpid();
    auto const process = child([&] { return ::getppid() == parent && ::getpid() == ::gettid() ? 42 : 1; });
    ASSERT_GT(process.pid, 0);
    EXPECT_EQ(FD_CLOEXEC, ::fcntl(process.pidfd.get(), F_GETFD));
    EXPECT_TRUE(wait_for_exit(process.pidfd.get(), Deadline::after(milliseconds(5000))).value());
    EXPECT_TRUE(is_child(process.pidfd.get())) << "asking does not reap";
    EXPECT_EQ(42, reap(process.pidfd.get()).value());
    EXPECT_FALSE(is_child(process.pidfd.get()));
    EXPECT_FALSE(is_child(pidfd_open(::getppid())->get()));
    EXPECT_EQ(ECHILD, errno_of(reap(process.pidfd.get())));
}

TEST(Clone3, death_by_signal_is_128_and_more) {
    auto const process = child(wait_for_ever);
    EXPECT_FALSE(wait_for_exit(process.pidfd.get(), Deadline::after(milliseconds(30))).value());
    EXPECT_TRUE(good(pidfd_send_signal(process.pidfd.get(), SIGKILL)));
    EXPECT_TRUE(wait_for_exit(process.pidfd.get(), Deadline::never()).value());
    EXPECT_EQ(128 + SIGKILL, reap(process.pidfd.get()).value());
    EXPECT_EQ(ESRCH, errno_of(pidfd_send_signal(process.pidfd.get(), SIGTERM)));
}

TEST(Clone3, child_of_a_joiner_belongs_to_the_joiners_parent) {
    int ends[2];
    ASSERT_EQ(0, ::pipe2(ends, O_CLOEXEC));
    Fd const reading(ends[0]);
    Fd writing(ends[1]);
    auto const test = ::getpid();
    auto const joiner = child([&] {
        CloneRequest request;
        request.flags = CLONE_PARENT;
        auto const grandchild = clone3(request);
        if (!grandchild)
            return 1;
        if (grandchild->pid == 0)
            ::_exit(::getppid() == test ? 7 : 8);
        return ::write(writing.get(), &grandchild->pid, sizeof(pid_t)) == sizeof(pid_t) ? 0 : 2;
    });
    pid_t pid = 0;
    ASSERT_EQ(static_cast<ssize_t>(sizeof pid), ::read(reading.get(), &pid, sizeof pid));
    EXPECT_EQ(0, reap(joiner.pidfd.get()).value());
    auto const pidfd = pidfd_open(pid);
    ASSERT_TRUE(good(pidfd));
    EXPECT_EQ(7, reap(pidfd->get()).value());
}

TEST(Clone3, new_namespaces) {
    NEEDS_ROOT();
    CloneRequest request;
    request.flags = CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWNS;
    auto const process = child(
        [] {
            if (::getpid() != 1 || !sethostname("inside") || !setdomainname("domain"))
                return 1;
            char name[64];
            return ::gethostname(name, sizeof name) == 0 && std::string(name) == "inside" ? 0 : 2;
        },
        request);
    EXPECT_EQ(0, reap(process.pidfd.get()).value());
    char name[64];
    ::gethostname(name, sizeof name);
    EXPECT_NE("inside", std::string(name));
}

TEST(Clone3, refusal_is_reported) {
    CloneRequest request;
    request.flags = CLONE_NEWNS | CLONE_FS;
    EXPECT_EQ("clone3: invalid argument", message_of(clone3(request)));
}

/// A cgroup for the test, removed at its end; empty path: not possible here.
class TemporaryCgroup {
public:
    TemporaryCgroup() {
        auto const facts = observe_host();
        if (::geteuid() != 0 || !facts || facts->cgroup2_mount.empty())
            return;
        path_ = concat(facts->cgroup2_mount, "/oci-run-test-", ::getpid());
        if (::mkdir(path_.c_str(), 0755) != 0)
            path_.clear();
    }
    ~TemporaryCgroup() {
        if (!path_.empty())
            ::rmdir(path_.c_str());
    }
    TemporaryCgroup(TemporaryCgroup const&) = delete;
    TemporaryCgroup& operator=(TemporaryCgroup const&) = delete;
    std::string const& path() const { return path_; }

private:
    std::string path_;
};

TEST(Clone3, child_is_born_in_the_cgroup) {
    TemporaryCgroup const cgroup;
    if (cgroup.path().empty())
        GTEST_SKIP() << "needs root and cgroup2";
    auto const folder = openat(AT_FDCWD, cgroup.path(), O_RDONLY | O_DIRECTORY);
    CloneRequest request;
    request.cgroup = folder->get();
    auto const process = child(wait_for_ever, request);
    EXPECT_EQ(concat(process.pid, "\n"), read_file(folder->get(), "cgroup.procs", 4096).value());
    EXPECT_TRUE(good(pidfd_send_signal(process.pidfd.get(), SIGKILL)));
    EXPECT_EQ(128 + SIGKILL, reap(process.pidfd.get()).value());
}

TEST(Clone3, cgroup_errors_are_explained) {
    TemporaryCgroup const cgroup;
    if (cgroup.path().empty())
        GTEST_SKIP() << "needs root and cgroup2";
    // Below a cgroup with a threaded child every other child is "domain invalid".
    auto const threaded = concat(cgroup.path(), "/threaded");
    auto const invalid = concat(cgroup.path(), "/invalid");
    ASSERT_EQ(0, ::mkdir(threaded.c_str(), 0755));
    ASSERT_EQ(0, ::mkdir(invalid.c_str(), 0755));
    Defer const clean_up([&] {
        ::rmdir(threaded.c_str());
        ::rmdir(invalid.c_str());
    });
    ASSERT_TRUE(good(write_control_file(AT_FDCWD, concat(threaded, "/cgroup.type"), "threaded")));
    auto const folder = openat(AT_FDCWD, invalid, O_RDONLY | O_DIRECTORY);
    CloneRequest request;
    request.cgroup = folder->get();
    auto const refused = clone3(request);
    if (refused && refused->pid == 0)
        ::_exit(0);
    EXPECT_EQ("clone3: operation not supported (the cgroup is \"domain invalid\": it is below a threaded one)",
              message_of(refused));
    ASSERT_EQ(0, ::rmdir(invalid.c_str()));
    auto const removed = clone3(request);
    if (removed && removed->pid == 0)
        ::_exit(0);
    EXPECT_TRUE(contains(message_of(removed), "(the cgroup was removed)")) << message_of(removed);
}

TEST(StartTime, is_stable_and_tells_a_zombie_from_a_process) {
    auto const own = start_time(::getpid());
    ASSERT_TRUE(good(own));
    EXPECT_EQ(*own, start_time(::getpid()).value());
    auto const process = child([] { return 0; });
    EXPECT_TRUE(wait_for_exit(process.pidfd.get(), Deadline::never()).value());
    EXPECT_EQ(ESRCH, errno_of(start_time(process.pid))) << "not reaped yet: a zombie";
    EXPECT_EQ(0, reap(process.pidfd.get()).value());
    EXPECT_EQ(concat("process ", process.pid, ": no such process"), message_of(start_time(process.pid)));
}

TEST(StartTime, names_with_parentheses_do_not_confuse_it) {
    auto const expected = start_time(::getpid()).value();
    EXPECT_EQ("", in_child([&]() -> std::string {
                  REQUIRE(::prctl(PR_SET_NAME, ") Z 1 2 (", 0, 0, 0) == 0);
                  auto const time = start_time(::getpid());
                  REQUIRE_GOOD(time);
                  REQUIRE(*time >= expected && *time < expected + 100 * 3600);
                  return "";
              }));
}

TEST(Execveat, replaces_the_program_with_arguments_and_environment) {
    auto const shell = openat(AT_FDCWD, "/bin/sh", O_PATH);
    ASSERT_TRUE(good(shell));
    auto const process = child([&] {
        execveat(shell->get(), {"sh", "-c", "test \"$VALUE\" = 'a b' && test $# = 1 && exit 9", "sh", "one"},
                 {"VALUE=a b"});
        return 1;
    });
    EXPECT_EQ(9, reap(process.pidfd.get()).value());
}

TEST(Execveat, failure_comes_back) {
    TemporaryFolder const folder;
    folder.file("not_a_program", "x");
    auto const file = openat(folder.get(), "not_a_program", O_RDONLY);
    auto const error = execveat(file->get(), {"x"}, {});
    EXPECT_EQ("execveat: permission denied", error.message);
    EXPECT_EQ(EACCES, error.errno_value);
}

TEST(Limits, are_set_and_read) {
    EXPECT_EQ("", in_child([]() -> std::string {
                  auto const before = resource_limit(RLIMIT_NOFILE);
                  REQUIRE_GOOD(before);
                  REQUIRE_GOOD(set_resource_limit(0, RLIMIT_NOFILE, {64, before->hard}));
                  REQUIRE((resource_limit(RLIMIT_NOFILE).value() == ResourceLimit{64, before->hard}));
                  REQUIRE(::open("/", O_PATH) < 64);
                  return "";
              }));
    EXPECT_EQ("prlimit 7 2:1: invalid argument", message_of(set_resource_limit(0, RLIMIT_NOFILE, {2, 1})));
    EXPECT_EQ(EINVAL, errno_of(resource_limit(99)));
}

TEST(Attributes, of_the_calling_process) {
    EXPECT_EQ("", in_child([]() -> std::string {
                  REQUIRE_GOOD(set_not_dumpable());
                  REQUIRE(::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
                  REQUIRE_GOOD(set_child_subreaper());
                  int value = 0;
                  REQUIRE(::prctl(PR_GET_CHILD_SUBREAPER, &value, 0, 0, 0) == 0 && value == 1);
                  REQUIRE_GOOD(set_parent_death_signal(SIGUSR1));
                  REQUIRE(::prctl(PR_GET_PDEATHSIG, &value, 0, 0, 0) == 0 && value == SIGUSR1);
                  REQUIRE_GOOD(setsid());
                  REQUIRE(::getsid(0) == ::getpid());
                  REQUIRE(errno_of(setsid()) == EPERM);
                  return "";
              }));
}

TEST(Descriptors, are_marked_and_closed_by_range) {
    EXPECT_EQ("", in_child([]() -> std::string {
                  REQUIRE(::dup2(0, 100) == 100 && ::dup2(0, 101) == 101 && ::dup2(0, 102) == 102);
                  REQUIRE_GOOD(mark_close_on_exec(101, 102));
                  REQUIRE(::fcntl(100, F_GETFD) == 0 && ::fcntl(101, F_GETFD) == FD_CLOEXEC);
                  REQUIRE_GOOD(close_descriptors(102, ~0U));
                  REQUIRE(::fcntl(101, F_GETFD) == FD_CLOEXEC && ::fcntl(102, F_GETFD) == -1);
                  return "";
              }));
}

TEST(Signals, are_blocked_and_brought_back) {
    EXPECT_EQ("", in_child([]() -> std::string {
                  ::signal(SIGPIPE, SIG_IGN);
                  REQUIRE_GOOD(block_all_signals());
                  sigset_t mask;
                  REQUIRE(::sigprocmask(SIG_SETMASK, nullptr, &mask) == 0 && ::sigismember(&mask, SIGTERM) == 1);
                  REQUIRE_GOOD(unblock_all_signals_and_reset_handlers());
                  REQUIRE(::sigprocmask(SIG_SETMASK, nullptr, &mask) == 0 && ::sigismember(&mask, SIGTERM) == 0);
                  struct ::sigaction action {};
                  REQUIRE(::sigaction(SIGPIPE, nullptr, &action) == 0 && action.sa_handler == SIG_DFL);
                  return "";
              }));
}

TEST(Namespaces, are_told_apart_and_joined) {
    auto const own = openat(AT_FDCWD, "/proc/self/ns/uts", O_RDONLY);
    EXPECT_EQ(CLONE_NEWUTS, namespace_type(own->get()).value());
    EXPECT_EQ("ioctl NS_GET_NSTYPE: inappropriate ioctl for device",
              message_of(namespace_type(openat(AT_FDCWD, "/", O_RDONLY)->get())));
    NEEDS_ROOT();
    EXPECT_EQ("", in_child([&]() -> std::string {
                  REQUIRE_GOOD(unshare(CLONE_NEWUTS));
                  auto const other = openat(AT_FDCWD, "/proc/self/ns/uts", O_RDONLY);
                  REQUIRE(same_namespace(own->get(), other->get()) == false);
                  REQUIRE(errno_of(setns(own->get(), CLONE_NEWNET)) == EINVAL);
                  REQUIRE_GOOD(setns(own->get(), CLONE_NEWUTS));
                  auto const again = openat(AT_FDCWD, "/proc/self/ns/uts", O_RDONLY);
                  REQUIRE(same_namespace(own->get(), again->get()) == true);
                  return "";
              }));
}

} // namespace
} // namespace oci::kernel
