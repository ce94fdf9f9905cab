// SPDX-License-Identifier: Apache-2.0
#include "kernel/sealed.h"

#include "support.h"

#include <csignal>
#include <sys/mman.h>

#include "kernel/process.h"
#include "kernel/procfs.h"

namespace oci::kernel {
namespace {

std::vector<unsigned char> image_of(char const* path) {
    auto const content = read_file(AT_FDCWD, path, 64U << 20U).value();
    return {content.begin(), content.end()};
}

int run(int program, std::vector<std::string> const& arguments) {
    auto const process = clone3({});
    if (process && process->pid == 0) {
        execveat(program, arguments, {});
        ::_exit(99);
    }
    return reap(process->pidfd.get()).value();
}

std::string check_unchangeable(int program) {
    auto const through_proc = concat("/proc/self/fd/", program);
    Fd const writable(::open(through_proc.c_str(), O_WRONLY | O_CLOEXEC));
    if (writable) { // a memfd can be opened for writing, but not written
        REQUIRE(::write(writable.get(), "x", 1) == -1 && errno == EPERM);
        REQUIRE(::ftruncate(writable.get(), 0) == -1 && errno == EPERM);
        REQUIRE(::fcntl(writable.get(), F_ADD_SEALS, F_SEAL_WRITE) == -1 && errno == EPERM);
    } else {
        REQUIRE(errno == EROFS || errno == EACCES || errno == ETXTBSY);
    }
    return "";
}

TEST(SealedProgram, runs_and_cannot_be_changed) {
    auto const program = sealed_program("test", image_of("/bin/sh"));
    ASSERT_TRUE(good(program));
    EXPECT_EQ(FD_CLOEXEC, ::fcntl(program->get(), F_GETFD));
    EXPECT_EQ(0111U, fstat(program->get())->st_mode & 07777U);
    EXPECT_EQ(5, run(program->get(), {"sh", "-c", "exit 5"}));
    EXPECT_EQ("", check_unchangeable(program->get()));
    EXPECT_EQ(5, run(program->get(), {"sh", "-c", "exit 5"}));
}

TEST(SealedProgram, is_made_on_a_tmpfs_where_executable_memfds_are_forbidden) {
    NEEDS_ROOT();
    if (::access("/proc/sys/vm/memfd_noexec", F_OK) != 0)
        GTEST_SKIP() << "no vm.memfd_noexec";
    auto const image = image_of("/bin/sh");
    EXPECT_EQ("", in_child([&]() -> std::string {
                  CloneRequest request;
                  request.flags = CLONE_NEWPID; // the sysctl belongs to the pid namespace
                  auto const process = clone3(request);
                  REQUIRE_GOOD(process);
                  if (process->pid > 0)
                      return reap(process->pidfd.get()).value() == 0 ? "" : "failed in the pid namespace";
                  auto const body = [&]() -> std::string {
                      auto const procfs = ProcFd::make();
                      REQUIRE_GOOD(procfs);
                      REQUIRE_GOOD(procfs->write("sys/vm/memfd_noexec", "2"));
                      REQUIRE(::memfd_create("x", MFD_CLOEXEC | 0x10U /* MFD_EXEC */) == -1 && errno == EACCES);
                      auto const program = sealed_program("test", image);
                      REQUIRE_GOOD(program);
                      REQUIRE(run(program->get(), {"sh", "-c", "exit 6"}) == 6);
                      REQUIRE((fstat(program->get())->st_mode & 07777U) == 0111U);
                      REQUIRE(fstat(program->get())->st_nlink == 0);
                      Fd const procfs_fd(::openat(procfs->get(), concat(::getpid(), "/fd/", program->get()).c_str(),
                                                  O_WRONLY | O_CLOEXEC));
                      REQUIRE(!procfs_fd && errno == EROFS);
                      REQUIRE_GOOD(sealed_data("data", "x"));
                      return "";
                  };
                  auto const failure = body();
                  std::fputs(failure.c_str(), stderr);
                  ::_exit(failure.empty() ? 0 : 1);
              }));
}

TEST(SealedProgram, cannot_be_read_without_rights) {
    NEEDS_ROOT();
    auto const program = sealed_program("test", image_of("/bin/sh"));
    EXPECT_EQ("", in_child([&]() -> std::string {
                  REQUIRE(::setresuid(1000, 1000, 1000) == 0);
                  REQUIRE(::open(concat("/proc/self/fd/", program->get()).c_str(), O_RDONLY) == -1 && errno == EACCES);
                  REQUIRE(run(program->get(), {"sh", "-c", "exit 5"}) == 5);
                  return "";
              }));
}

TEST(SealedData, is_read_from_the_beginning_and_cannot_be_changed) {
    auto const data = sealed_data("request", "all of it");
    ASSERT_TRUE(good(data));
    EXPECT_EQ("all of it", read_all(data->get(), 100).value());
    EXPECT_EQ("", check_unchangeable(data->get()));
    EXPECT_EQ(-1, ::write(data->get(), "x", 1));
    EXPECT_EQ(EPERM, errno);
}

TEST(MemoryFile, is_written_and_read_but_not_executed) {
    auto const memory = memory_file("buffer");
    ASSERT_TRUE(good(memory));
    EXPECT_TRUE(good(write_all(memory->get(), "#!/bin/true\n")));
    EXPECT_EQ("#!/bin/true\n", read_from_start(memory->get(), 100).value());
}

TEST(RestartSealed, this_test_runs_from_an_ordinary_file) {
    EXPECT_FALSE(running_sealed());
}

/// Run by the tests below in a restarted copy of this program; alone it does nothing.
TEST(RestartSealed, DISABLED_witness) {
    char const* const witness = ::getenv("OCI_TEST_WITNESS");
    if (witness == nullptr)
        GTEST_SKIP() << "only after a restart";
    bool const sealed = running_sealed();
    EXPECT_TRUE(sealed);
    EXPECT_EQ(2, ::write(std::atoi(witness), sealed ? "ok" : "no", 2));
}

std::string restart(uid_t uid) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    Fd const reading(ends[0]);
    Fd writing(ends[1]);
    auto const process = clone3({});
    REQUIRE_GOOD(process);
    if (process->pid == 0) {
        ::setenv("OCI_TEST_WITNESS", std::to_string(writing.get()).c_str(), 1);
        if (uid != 0 && ::setresuid(uid, uid, uid) != 0)
            ::_exit(1);
        auto const error = restart_sealed({"test", "--gtest_filter=RestartSealed.DISABLED_witness",
                                           "--gtest_also_run_disabled_tests", "--gtest_brief=1"});
        std::fputs(error.message.c_str(), stderr);
        ::_exit(1);
    }
    writing.close();
    REQUIRE(reap(process->pidfd.get()).value() == 0);
    return read_all(reading.get(), 100).value();
}

TEST(RestartSealed, the_copy_knows_that_it_is_sealed) {
    EXPECT_EQ("ok", restart(0));
}

TEST(RestartSealed, the_copy_knows_it_also_without_the_right_to_read_itself) {
    NEEDS_ROOT();
    if (::access("/proc/self/exe", R_OK) != 0)
        GTEST_SKIP();
    EXPECT_EQ("ok", restart(1000));
}

} // namespace
} // namespace oci::kernel
