// SPDX-License-Identifier: Apache-2.0
// The plans of exec, as text: a change of behaviour is a difference here.
#include <gtest/gtest.h>
#include <sched.h>

#include "base/text.h"
#include "plan/plan.h"

namespace oci::plan {
namespace {

spec::Spec container() {
    spec::Spec spec;
    spec.process.emplace().args = {"init"};
    spec.process->cwd = "/";
    spec.root.path = "rootfs";
    spec.linux.namespaces = {{CLONE_NEWNS, ""}, {CLONE_NEWPID, ""}};
    return spec;
}

ExecRequest request() {
    ExecRequest request;
    request.id = "c1";
    request.process.args = {"ls", "-l"};
    request.process.cwd = "/tmp";
    request.namespaces = {CLONE_NEWPID, CLONE_NEWNS};
    return request;
}

/// "runtime: what" for each step.
std::string text_of(ExecRequest const& request, spec::Spec const& spec = container(), HostFacts const& host = {}) {
    std::string text = "\n";
    auto const plan = make_exec_plan(spec, host, request).value();
    for (auto const& step : plan)
        text += concat(steps::actor_name(step.actor), ": ", steps::describe(step.operation), "\n");
    return text;
}

TEST(ExecPlan, Minimal) {
    EXPECT_EQ(text_of(request()), R"(
runtime: start a process in the cgroup
container: become the finisher
finisher: join the container's pid, mount namespaces
finisher: join session keyring _ses.c1
finisher: change directory to /tmp
finisher: become 0:0
finisher: set capabilities none
finisher: find program ls
finisher: close descriptors
finisher: execute ls -l
)");
}

TEST(ExecPlan, Everything) {
    auto spec = container();
    spec.linux.personality = 8;
    auto exec = request();
    auto& process = exec.process;
    process.terminal = true;
    process.console_size = spec::ConsoleSize{24, 80};
    process.user = {1000, 1001, 027, {5}};
    process.no_new_privileges = true;
    process.oom_score_adj = 100;
    process.exec_cpu_affinity = {"0-1", "2"};
    process.rlimits = {{7, 10, 20}};
    process.apparmor_profile = "profile";
    process.scheduler = spec::Scheduler{.policy = SCHED_BATCH};
    process.io_priority = spec::IoPriority{2, 4};
    exec.console_socket = "/run/console";
    exec.pid_file = "/run/pid";
    exec.pidfd_socket = "/run/pidfd";
    exec.sub_cgroup = "a/b";
    exec.terminal_owner = 101000;
    exec.preserved_descriptors = 3;
    exec.listen_fds = 1;
    HostFacts host;
    host.apparmor = true;
    EXPECT_EQ(text_of(exec, spec, host), R"(
runtime: start on CPUs 0-1
runtime: connect to console socket /run/console
runtime: start a process in a/b of the cgroup
runtime: set oom_score_adj 100
runtime: raise hard limits RLIMIT_NOFILE 10:20
container: set up a terminal of the container (80x24 characters; owner 101000)
container: become the finisher
finisher: join the container's pid, mount namespaces, with the terminal
runtime: run on CPUs 2
runtime: open the files for the process's labels
finisher: join session keyring _ses.c1
finisher: change directory to /tmp
runtime: set scheduler SCHED_BATCH
runtime: set I/O priority IOPRIO_CLASS_BE 4
finisher: become 1000:1001 (groups 5; umask 027)
finisher: set capabilities none
finisher: set no_new_privs
finisher: find program ls
runtime: send pidfd to /run/pidfd (setns)
runtime: write pid file /run/pid
finisher: set limits RLIMIT_NOFILE 10:20
finisher: set personality LINUX32
finisher: set AppArmor profile profile
finisher: close descriptors (but 3 preserved)
finisher: execute ls -l
)");
}

TEST(ExecPlan, WhatIsNotAskedForIsNotThere) {
    auto exec = request();
    exec.in_cgroup = false;
    exec.with_keyring = false;
    exec.namespaces = {};
    auto const text = text_of(exec);
    EXPECT_TRUE(text.starts_with("\nruntime: start a process\n")) << text;
    EXPECT_EQ(text.find("keyring"), std::string::npos) << text;
    EXPECT_NE(text.find("finisher: go on in a child\n"), std::string::npos) << text;
}

TEST(ExecPlan, UserMustBeMapped) {
    auto spec = container();
    spec.linux.namespaces.push_back({CLONE_NEWUSER, ""});
    spec.linux.uid_mappings = spec.linux.gid_mappings = {{0, 100000, 1000}};
    auto exec = request();
    exec.process.user.uid = 999;
    EXPECT_TRUE(make_exec_plan(spec, {}, exec));
    exec.process.user.uid = 1000;
    EXPECT_FALSE(make_exec_plan(spec, {}, exec));
    exec.process.user.uid = 0;
    exec.process.user.gid = 1000;
    EXPECT_FALSE(make_exec_plan(spec, {}, exec));
    exec.process.user.gid = 0;
    exec.process.user.additional_gids = {1000};
    EXPECT_FALSE(make_exec_plan(spec, {}, exec));
}

TEST(ExecPlan, DescriptorsOfSocketActivation) {
    auto exec = request();
    exec.process.env = {"LISTEN_PID=5", "LISTEN_FDS=7", "A=b"};
    exec.listen_fds = 2;
    auto const plan = make_exec_plan(container(), {}, exec).value();
    auto const& execute = std::get<steps::Execute>(plan.back().operation);
    EXPECT_EQ(execute.environment, (std::vector<std::string>{"A=b", "LISTEN_FDS=2"}));
    EXPECT_TRUE(execute.listens);
    exec.listen_fds = 0;
    auto const without = make_exec_plan(container(), {}, exec).value();
    EXPECT_EQ(std::get<steps::Execute>(without.back().operation).environment, exec.process.env);
}

/// One process acts at a time: whatever is asked for, the new process does not speak before it has got its turn.
TEST(ExecPlan, NewProcessBeginsByWaiting) {
    for (bool const terminal : {false, true}) {
        auto exec = request();
        exec.process.terminal = terminal;
        auto const plan = make_exec_plan(container(), {}, exec).value();
        bool started = false;
        for (std::size_t i = 0; i + 1 < plan.size() && !started; ++i) {
            started = std::holds_alternative<steps::StartExec>(plan[i].operation);
            EXPECT_EQ(plan[i].actor, steps::Actor::runtime);
        }
        EXPECT_TRUE(started);
    }
}

} // namespace
} // namespace oci::plan
