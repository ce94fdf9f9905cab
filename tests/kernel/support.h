// SPDX-License-Identifier: Apache-2.0
// What the kernel layer's tests share: a temporary folder, results as assertions, and code run in a child process.
#pragma once

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <sched.h>
#include <string>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/result.h"
#include "kernel/fd.h"
#include "kernel/file.h"
#include "kernel/mount.h"

namespace oci::kernel {

template <typename T>
testing::AssertionResult good(Result<T> const& result) {
    if (result)
        return testing::AssertionSuccess();
    return testing::AssertionFailure() << result.error().message;
}

/// 0 for a good result, -1 for a failure that did not come from the kernel.
template <typename T>
int errno_of(Result<T> const& result) {
    if (result)
        return 0;
    return result.error().errno_value == 0 ? -1 : result.error().errno_value;
}

template <typename T>
std::string message_of(Result<T> const& result) {
    return result ? std::string() : result.error().message;
}

inline bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string pattern = std::filesystem::temp_directory_path() / "oci-run-test-XXXXXX";
        path_ = ::mkdtemp(pattern.data());
        descriptor_ = Fd(::open(path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryFolder(TemporaryFolder const&) = delete;
    TemporaryFolder& operator=(TemporaryFolder const&) = delete;

    int get() const { return descriptor_.get(); }
    std::string path(std::string_view below = "") const { return concat(path_, below.empty() ? "" : "/", below); }

    void folder(std::string_view name) const { std::filesystem::create_directories(path(name)); }
    void file(std::string_view name, std::string_view content) const { std::ofstream(path(name)) << content; }
    void link(std::string_view name, std::string_view target) const {
        std::filesystem::create_symlink(target, path(name));
    }
    std::string content(std::string_view name) const {
        std::ifstream stream(path(name));
        return {std::istreambuf_iterator<char>(stream), {}};
    }
    bool exists(std::string_view name) const {
        struct ::stat status {};
        return ::lstat(path(name).c_str(), &status) == 0;
    }
    struct ::stat status(std::string_view name) const {
        struct ::stat status {};
        ::lstat(path(name).c_str(), &status);
        return status;
    }

private:
    std::string path_;
    Fd descriptor_;
};

/// Runs `body` in a forked child; what it returns (empty: all is well) comes back. Death by a signal is told too.
inline std::string in_child(std::function<std::string()> const& body) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        return "pipe2";
    pid_t const pid = ::fork();
    if (pid == 0) {
        std::string const failure = body();
        [[maybe_unused]] auto const ignored = ::write(ends[1], failure.data(), failure.size());
        ::_exit(failure.empty() ? 0 : 1);
    }
    ::close(ends[1]);
    std::string failure;
    char buffer[4096];
    ssize_t length = 0;
    while ((length = ::read(ends[0], buffer, sizeof buffer)) > 0)
        failure.append(buffer, static_cast<std::size_t>(length));
    ::close(ends[0]);
    int status = 0;
    ::waitpid(pid, &status, 0);
    if (!WIFEXITED(status))
        return concat(failure, " (child killed by signal ", WTERMSIG(status), ")");
    return failure.empty() && WEXITSTATUS(status) != 0 ? concat("exit code ", WEXITSTATUS(status)) : failure;
}

/// The same in a mount namespace of its own, from which nothing propagates.
inline std::string in_mount_namespace(std::function<std::string()> const& body) {
    return in_child([&]() -> std::string {
        if (::unshare(CLONE_NEWNS) != 0)
            return concat("unshare: ", errno_text(errno));
        if (auto const made = set_root_propagation(MS_REC | MS_PRIVATE); !made)
            return made.error().message;
        return body();
    });
}

} // namespace oci::kernel

/// In a body for in_child: returns the text as its failure.
#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            return ::oci::concat("line ", __LINE__, ": ", #condition, " (", ::oci::errno_text(errno), ")");            \
    } while (false)
#define REQUIRE_GOOD(result)                                                                                           \
    do {                                                                                                               \
        if (auto const& checked_ = (result); !checked_)                                                                \
            return ::oci::concat("line ", __LINE__, ": ", checked_.error().message);                                   \
    } while (false)
#define NEEDS_ROOT()                                                                                                   \
    if (::geteuid() != 0)                                                                                              \
    GTEST_SKIP() << "needs root"
