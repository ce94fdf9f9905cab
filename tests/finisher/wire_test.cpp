// SPDX-License-Identifier: Apache-2.0
// What the finisher and the other side say to each other: turns, the start gate, and exec's two halves.
#include <fstream>
#include <sched.h>

#include "support.h"

namespace oci::perform {

namespace {

// ---- turns

TEST(Finisher, RunsNothingWithoutCommit) {
    TemporaryFolder const folder;
    auto const trace = concat(folder.path(), "/trace");
    RunningFinisher running(plan_of({}, execute({"touch", trace})));
    ASSERT_EQ(running.hear()->kind, MessageKind::turn);
    running.close_wire();
    EXPECT_EQ(running.status(), 1);
    EXPECT_FALSE(std::filesystem::exists(trace));
}

TEST(Finisher, RunsNothingWhenAnythingButATurnComesBack) {
    for (auto const kind : {MessageKind::start, MessageKind::failed, static_cast<MessageKind>(77)}) {
        RunningFinisher running(plan_of({}, execute({"true"})));
        ASSERT_EQ(running.hear()->kind, MessageKind::turn);
        say(running.wire(), kind);
        EXPECT_EQ(running.status(), 1);
    }
    RunningFinisher running(plan_of({}, execute({"true"})));
    ASSERT_EQ(running.hear()->kind, MessageKind::turn);
    ASSERT_EQ(::send(running.wire(), "abc", 3, 0), 3);
    EXPECT_EQ(running.status(), 1);
}

TEST(Finisher, StartsNothingForARuntimeThatIsGone) {
    TemporaryFolder const folder;
    auto const trace = concat(folder.path(), "/trace");
    steps::Plan const plan = {finisher_step(find("touch")), finisher_step(steps::CloseDescriptors{}),
                              finisher_step(execute({"touch", trace}))};
    RunningFinisher running(plan, {.closed_wire = true});
    EXPECT_EQ(running.status(), 1);
    EXPECT_FALSE(std::filesystem::exists(trace));
}

// ---- the start gate

class FinisherGate : public testing::Test {
protected:
    void SetUp() override { listen_again(); }
    /// For another round in the same test.
    void listen_again() {
        running_.reset();
        (void)::unlink(concat(folder_.path(), "/start.sock").c_str());
        directory_ = kernel::Fd(::open(folder_.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        auto listener = kernel::listen_at(directory_.get(), "start.sock");
        ASSERT_TRUE(listener) << listener.error().message;
        listener_ = std::move(*listener);
    }
    /// Up to the moment when it waits; afterwards only the finisher holds the gate.
    void wait_at_gate(steps::Plan const& plan, std::string_view state = {}, StartOptions options = {}) {
        options.gate = listener_.get();
        running_.emplace(compile_finisher_request(plan), options);
        listener_.close();
        auto const message = running_->hear();
        ASSERT_TRUE(message);
        ASSERT_EQ(message->kind, MessageKind::turn) << message->text;
        say(running_->wire(), MessageKind::turn, state);
        auto const waits = running_->hear();
        ASSERT_TRUE(waits);
        ASSERT_EQ(waits->kind, MessageKind::turn) << waits->text;
        EXPECT_FALSE(running_->hear()); // then the wire is closed
    }
    Result<kernel::Fd> connect() const { return kernel::connect_at(directory_.get(), "start.sock", SOCK_SEQPACKET); }
    /// A connection that has said start; none (-1) fails the test.
    kernel::Fd start() const {
        auto connection = connect();
        EXPECT_TRUE(connection) << connection.error().message;
        if (!connection)
            return {};
        say(connection->get(), MessageKind::start);
        return std::move(*connection);
    }
    static steps::Plan gate_plan(std::vector<steps::Operation> after, steps::Execute const& program) {
        steps::Plan plan = {finisher_step(find(program.arguments.front())), runtime_step(),
                            finisher_step(steps::WaitForStart{})};
        for (auto& operation : after)
            plan.push_back(finisher_step(std::move(operation)));
        plan.push_back(finisher_step(steps::CloseDescriptors{}));
        plan.push_back(finisher_step(program));
        return plan;
    }
    static steps::RunHooks hooks(std::vector<std::string> arguments, std::optional<int> timeout = {},
                                 std::optional<std::vector<std::string>> environment = {}) {
        auto const path = arguments.front();
        return {"startContainer", "created", {{path, std::move(arguments), std::move(environment), timeout}}};
    }

    TemporaryFolder folder_;
    kernel::Fd directory_;
    kernel::Fd listener_;
    std::optional<RunningFinisher> running_;
};

TEST_F(FinisherGate, OpensOnlyForStart) {
    wait_at_gate(gate_plan({}, execute({"echo", "started"})));
    std::vector<kernel::Fd> silent;
    for (int count = 0; count < 20; ++count) {
        ASSERT_TRUE(connect()); // a probe: connects and goes away
        auto stays = connect();
        ASSERT_TRUE(stays);
        silent.push_back(std::move(*stays));
    }
    auto const other = connect();
    ASSERT_TRUE(other);
    say(other->get(), MessageKind::warning); // anything else does not open
    EXPECT_TRUE(running_->is_silent_for(100));
    auto const starter = start();
    EXPECT_FALSE(hear_at_gate(starter.get())); // end of file: it runs
    EXPECT_EQ(running_->output(), "started\n");
    EXPECT_EQ(running_->status(), 0);
    auto const late = connect();
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().errno_value, ECONNREFUSED);
}

TEST_F(FinisherGate, StartCountsEvenIfItsSenderIsGone) {
    wait_at_gate(gate_plan({}, execute({"echo", "started"})));
    (void)start();
    EXPECT_EQ(running_->output(), "started\n");
}

TEST_F(FinisherGate, ReportsFailuresToWhoStarted) {
    wait_at_gate(gate_plan({hooks({"/bin/sh", "-c", "exit 3"})}, execute({"true"})));
    auto const starter = start();
    auto const failure = hear_at_gate(starter.get());
    ASSERT_TRUE(failure);
    EXPECT_EQ(failure->kind, MessageKind::failed);
    EXPECT_EQ(failure->text, "run startContainer hook /bin/sh: hook /bin/sh: exit status 3");
    EXPECT_EQ(running_->status(), 1);
}

TEST_F(FinisherGate, DiesOfSignalsWhileItWaits) {
    for (int const signal : {SIGTERM, SIGINT}) {
        listen_again();
        wait_at_gate(gate_plan({}, execute({"true"})));
        ASSERT_EQ(::kill(running_->pid(), signal), 0);
        EXPECT_EQ(running_->status(), 128 + signal);
    }
}

TEST_F(FinisherGate, GivesStateAndEnvironmentToHooks) {
    std::string const state(300000, 's');              // more than a pipe holds
    auto const told = concat(folder_.path(), "/told"); // what they print is kept for errors
    auto plan = gate_plan({hooks({"/bin/sh", "-c", "ls /proc/self/fd | cat >$0; echo $A-$HOME $(wc -c) >>$0", told}),
                           hooks({"/bin/sh", "-c", "echo printed; echo $A-$HOME $(head -c 2) >>$0", told}, 5,
                                 {{"HOME=/hook", "PATH=/bin:/usr/bin"}})},
                          execute({"sh", "-c", "test -c /proc/self/fd/3 && echo program"},
                                  {"A=a", "HOME=/process", "PATH=/bin:/usr/bin"}));
    StartOptions options; // the program inherits 3, hooks do not
    options.preserved = 1;
    options.before_exec = [] { ::dup2(0, 3); };
    for (auto& step : plan)
        if (auto* const close = std::get_if<steps::CloseDescriptors>(&step.operation))
            close->preserved = 1;
    wait_at_gate(plan, state, options);
    auto const starter = start();
    auto const failure = hear_at_gate(starter.get());
    EXPECT_FALSE(failure) << failure->text;
    EXPECT_EQ(running_->status(), 0);
    EXPECT_EQ(running_->output(), "program\n");
    std::ifstream file(told);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "0\n1\n2\n3\na-/process 300000\n-/hook ss\n");
}

TEST_F(FinisherGate, KillsAHookThatTakesTooLong) {
    wait_at_gate(gate_plan({hooks({"/bin/sleep", "100"}, 1)}, execute({"true"})));
    auto const starter = start();
    auto const failure = hear_at_gate(starter.get());
    ASSERT_TRUE(failure);
    EXPECT_TRUE(failure->text.ends_with("hook /bin/sleep ran past specified timeout of 1.0s")) << failure->text;
    EXPECT_EQ(running_->status(), 1);
}

TEST_F(FinisherGate, TellsHowAHookFailed) {
    struct Case {
        std::vector<std::string> arguments;
        std::string end;
        int errno_value;
    };
    for (auto const& [arguments, end, errno_value] : std::vector<Case>{
             {{"/bin/sh", "-c", "kill -9 $$"}, "hook /bin/sh: killed by signal 9", 0},
             {{"/bin/sh", "-c", "echo one; echo two >&2; exit 3"}, "hook /bin/sh: exit status 3: one two", 0},
             {{"/no/such/hook"}, "hook /no/such/hook: execve", ENOENT}}) {
        listen_again();
        wait_at_gate(gate_plan({hooks(arguments)}, execute({"true"})));
        auto const starter = start();
        auto const failure = hear_at_gate(starter.get());
        ASSERT_TRUE(failure);
        EXPECT_TRUE(failure->text.ends_with(end)) << failure->text;
        EXPECT_EQ(failure->errno_value, errno_value);
    }
}

// ---- exec: joining

TEST(Finisher, JoinsAndGoesOnInAChildOfTheRuntime) {
    if (!is_root())
        GTEST_SKIP() << "needs root";
    constexpr int types[] = {CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID};
    int named[2]; // tells that the target has its name
    ASSERT_EQ(::pipe2(named, O_CLOEXEC), 0);
    auto target = kernel::clone3({CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID, -1});
    ASSERT_TRUE(target);
    if (target->pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)::sethostname("inside", 6);
        (void)!::write(named[1], "", 1);
        ::pause();
        ::_exit(0);
    }
    char byte = 0;
    ASSERT_EQ(::read(named[0], &byte, 1), 1);
    ::close(named[0]);
    ::close(named[1]);
    std::vector<kernel::Fd> namespaces;
    std::vector<int> placed;
    steps::JoinContainer join;
    for (auto const* name : {"uts", "ipc", "pid"}) {
        kernel::Fd const opened(::open(concat("/proc/", target->pid, "/ns/", name).c_str(), O_RDONLY | O_CLOEXEC));
        namespaces.emplace_back(::fcntl(opened.get(), F_DUPFD, 50)); // inherited
        placed.push_back(namespaces.back().get());
        join.namespaces.push_back(static_cast<std::uint64_t>(types[placed.size() - 1]));
    }
    auto plan = plan_of({join}, execute({"sh", "-c", "echo $$; uname -n"}));
    {
        RunningFinisher running(compile_finisher_request(plan, placed));
        auto const announced = running.hear();
        ASSERT_TRUE(announced);
        ASSERT_EQ(announced->kind, MessageKind::process) << announced->text;
        auto const inner = parse_number<pid_t>(announced->text);
        ASSERT_TRUE(inner);
        ASSERT_NE(*inner, running.pid());
        running.follow(*inner);
        running.serve();
        EXPECT_EQ(running.output(), "2\ninside\n");
        EXPECT_EQ(running.status(), 0); // a child of this process
    }
    {
        RunningFinisher running(compile_finisher_request(plan, std::span(placed).first(2))); // one is missing
        running.serve();
        EXPECT_EQ(running.status(), 1);
        EXPECT_EQ(running.output(), "");
    }
    ::kill(target->pid, SIGKILL);
    ::waitpid(target->pid, nullptr, 0);
}

} // namespace

} // namespace oci::perform
