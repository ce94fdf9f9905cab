// SPDX-License-Identifier: Apache-2.0
// A state root that goes with the test, and children that do one thing.
#pragma once

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include "state/container_dir.h"

namespace oci::state {

template <typename T>
testing::AssertionResult good(Result<T> const& result) {
    if (result)
        return testing::AssertionSuccess();
    return testing::AssertionFailure() << result.error().message;
}

class StateTest : public testing::Test {
protected:
    StateTest() {
        ::unsetenv("XDG_RUNTIME_DIR"); // decides about the root's mode
        char name[] = "/tmp/oci-run-state-XXXXXX";
        top_ = ::mkdtemp(name);
        root_ = top_ + "/root";
    }
    ~StateTest() override { std::filesystem::remove_all(top_); }
    StateTest(StateTest const&) = delete;
    StateTest& operator=(StateTest const&) = delete;

    std::string file(std::string const& id, std::string const& name) const { return concat(root_, "/", id, "/", name); }
    static void write(std::string const& path, std::string const& text) { std::ofstream(path) << text; }
    static unsigned mode(std::string const& path) {
        struct ::stat status {};
        return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777U : 0U;
    }

    std::string top_;
    std::string root_;
};

/// A forked process that runs `work`, says so, and stays until it is told to end or goes out of scope.
class Child {
public:
    template <typename Work>
    explicit Child(Work work) {
        int ready[2];
        if (::pipe(ready) != 0)
            std::abort();
        pid_ = ::fork();
        if (pid_ == 0) {
            [[maybe_unused]] auto const kept = work();
            [[maybe_unused]] auto const written = ::write(ready[1], "x", 1);
            while (true)
                ::pause();
        }
        char byte = 0;
        [[maybe_unused]] auto const count = ::read(ready[0], &byte, 1);
        ::close(ready[0]);
        ::close(ready[1]);
    }
    ~Child() { end(); }
    Child(Child const&) = delete;
    Child& operator=(Child const&) = delete;

    pid_t pid() const { return pid_; }
    /// Dead, but not yet reaped.
    void make_zombie() const {
        ::kill(pid_, SIGKILL);
        siginfo_t info{};
        ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
    }
    void end() {
        if (pid_ <= 0)
            return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }

private:
    pid_t pid_ = -1;
};

inline Record sample_record(std::string const& id = "c1") {
    return {.id = id,
            .boot_id = "0b1c2d3e",
            .bundle = "/srv/b \"quoted\" \xc3\xa9",
            .cgroup_driver = "cgroupfs",
            .cgroup_path = "/a/b/c1",
            .cgroup_created = "/a/b",
            .systemd_unit = "",
            .resctrl_group = "/gold",
            .resctrl_monitoring_group = "/gold/mon_groups/c1",
            .resctrl_created = true,
            .resctrl_named = true};
}

inline State sample_state() {
    return {.oci_version = "1.2.0",
            .created = "2026-01-02T03:04:05.000000006Z",
            .rootfs = "/srv/b/rootfs",
            .annotations = {{"a", "1"}, {"b", "line\nend"}},
            .pid = 4711,
            .start_time = 1234567890123456789U,
            .owner = 1000,
            .has_process = false};
}

} // namespace oci::state
