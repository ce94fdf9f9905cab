// SPDX-License-Identifier: Apache-2.0
// The finisher as a real process: what it does to itself, and what it says when something fails.
#include <elf.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "support.h"

namespace oci::perform {

namespace {

std::uint64_t bit(unsigned capability) {
    return std::uint64_t{1} << capability;
}

// ---- the image

TEST(FinisherImage, IsSmallAndHasNoWritableCode) {
    auto const image = finisher_image();
    ASSERT_GT(image.size(), sizeof(Elf64_Ehdr));
    EXPECT_LT(image.size(), 64U << 10U);
    Elf64_Ehdr header{};
    std::memcpy(&header, image.data(), sizeof header);
    ASSERT_EQ(std::memcmp(header.e_ident, ELFMAG, SELFMAG), 0);
    bool stack_found = false;
    for (unsigned index = 0; index < header.e_phnum; ++index) {
        Elf64_Phdr segment{};
        std::memcpy(&segment, image.data() + header.e_phoff + index * sizeof segment, sizeof segment);
        EXPECT_NE(segment.p_flags & (PF_W | PF_X), static_cast<unsigned>(PF_W | PF_X)) << "segment " << index;
        EXPECT_NE(segment.p_type, static_cast<unsigned>(PT_INTERP));
        stack_found = stack_found || segment.p_type == PT_GNU_STACK;
    }
    EXPECT_TRUE(stack_found);
}

// ---- finding and starting the program

TEST(Finisher, RunsAProgram) {
    auto const outcome = run(plan_of({}, execute({"echo", "hello", ""}, {"PATH=/nowhere:/usr/bin:/bin"})));
    EXPECT_EQ(outcome.status, 0);
    EXPECT_EQ(outcome.output, "hello \n");
    EXPECT_FALSE(outcome.failure);
}

TEST(Finisher, UsesTheUsualPathWithoutPath) {
    EXPECT_EQ(run(plan_of({}, execute({"echo", "hello"}, {}))).output, "hello\n");
}

TEST(Finisher, TellsThatAProgramIsNotInPath) {
    auto const outcome = run(plan_of({}, execute({"no-such-program"})));
    EXPECT_EQ(outcome.status, 1);
    ASSERT_TRUE(outcome.failure);
    EXPECT_EQ(outcome.failure->text, concat(steps::describe(find("no-such-program")),
                                            ": exec: \"no-such-program\": executable file not found in $PATH"));
    EXPECT_EQ(outcome.failure->errno_value, 0);
}

struct BadProgram {
    std::string name;
    std::string text;
    int errno_value;
};

TEST(Finisher, TellsWhyAProgramCannotBeExecuted) {
    TemporaryFolder const folder;
    auto const plain = folder.file("plain", "#!/bin/sh\n");
    BadProgram const cases[] = {
        {"/no/such/file", "exec: \"/no/such/file\": stat /no/such/file", ENOENT},
        {"/", "exec: \"/\": is a directory", EACCES},
        {"/dev/null", "exec: \"/dev/null\"", EACCES},
        {plain, concat("exec: \"", plain, "\""), EACCES},
        {"plain", "exec: \"plain\"", EACCES},
        {"", "exec: \"\": executable file not found in $PATH", 0},
        {"..", "exec: \"..\": executable file not found in $PATH", 0},
    };
    for (auto const& [name, text, errno_value] : cases) {
        auto const outcome = run(plan_of({}, execute({name}, {concat("PATH=/bin:", folder.path())})));
        ASSERT_TRUE(outcome.failure) << name;
        EXPECT_EQ(outcome.failure->text, concat(steps::describe(find(name)), ": ", text));
        EXPECT_EQ(outcome.failure->errno_value, errno_value) << name;
        EXPECT_EQ(outcome.status, 1);
    }
}

TEST(Finisher, FailsAtAMissingInterpreterOnlyInTheEnd) {
    TemporaryFolder const folder;
    auto const script = folder.file("script", "#!/no/such/interpreter\n", 0755);
    auto const outcome = run(plan_of({}, execute({script})));
    ASSERT_TRUE(outcome.failure);
    EXPECT_TRUE(contains(outcome.failure->text, concat("execve ", script))) << outcome.failure->text;
    EXPECT_EQ(outcome.failure->errno_value, ENOENT);
}

TEST(Finisher, AddsHomeFromPasswd) {
    auto const home_of = [](std::uint32_t uid, std::vector<std::string> environment) {
        auto const outcome = run(plan_of({steps::SetUser{.uid = uid, .gid = uid, .groups = {}}},
                                         execute({"/usr/bin/env"}, std::move(environment))));
        return outcome.output;
    };
    EXPECT_TRUE(contains(home_of(::geteuid(), {"HOME=/given"}), "HOME=/given\n"));
    if (!is_root())
        GTEST_SKIP() << "needs root";
    EXPECT_EQ(home_of(0, {}), concat("HOME=", ::getpwuid(0)->pw_dir, "\n"));
    EXPECT_EQ(home_of(54321, {}), "HOME=/\n");
}

TEST(Finisher, TellsTheProgramThatTheSocketsAreMeantForIt) {
    auto program =
        execute({"sh", "-c", "test $LISTEN_PID = $$ && echo own $LISTEN_FDS"}, {"PATH=/bin", "LISTEN_FDS=2"});
    program.listens = true;
    EXPECT_EQ(run(plan_of({}, program)).output, "own 2\n");
    EXPECT_EQ(run(plan_of({}, execute({"sh", "-c", "echo ${LISTEN_PID-unset}"}))).output, "unset\n");
}

// ---- the process that it becomes

TEST(Finisher, HasDefaultSignals) {
    auto const outcome = run(plan_of({}, execute({"grep", "-E", "^Sig(Blk|Ign|Cgt):|^ShdPnd:", "/proc/self/status"})),
                             {.before_exec = [] {
                                 // Those that our own caller ignores would be reset by the runtime.
                                 for (int signal = 1; signal < NSIG; ++signal)
                                     (void)::signal(signal, SIG_DFL);
                                 (void)::signal(SIGPIPE, SIG_IGN);
                             }});
    EXPECT_TRUE(contains(outcome.output, "SigBlk:\t0000000000000000\n")) << outcome.output;
    EXPECT_TRUE(contains(outcome.output, "SigIgn:\t0000000000000000\n")) << outcome.output;
}

TEST(Finisher, LeavesOnlyStreamsAndPreservedDescriptors) {
    StartOptions options;
    options.preserved = 2;
    options.before_exec = [] {
        for (int const descriptor : {3, 4, 5, 7, 200}) {
            int const null = ::open("/dev/null", O_RDONLY);
            ::dup2(null, descriptor);
        }
    };
    auto plan = plan_of({}, execute({"sh", "-c", "for i in /proc/self/fd/*; do test -e $i && echo ${i##*/}; done"}));
    for (auto& step : plan)
        if (auto* const close = std::get_if<steps::CloseDescriptors>(&step.operation))
            close->preserved = 2;
    auto const outcome = run(plan, options);
    EXPECT_EQ(outcome.output, "0\n1\n2\n3\n4\n") << outcome.failure.value_or(Heard{}).text;
}

TEST(Finisher, HoldsNothingElseWhileItWaitsForItsTurn) {
    RunningFinisher running(plan_of({}, execute({"true"})), {.before_exec = [] {
                                int const null = ::open("/dev/null", O_RDONLY);
                                ::dup2(null, 300);
                            }});
    ASSERT_EQ(running.hear()->kind, MessageKind::turn);
    if (!is_root())
        GTEST_SKIP() << "needs root to look at a process that is not dumpable";
    std::size_t open = 0;
    for (auto const& entry : std::filesystem::directory_iterator(concat("/proc/", running.pid(), "/fd"))) {
        (void)entry;
        ++open;
    }
    EXPECT_EQ(open, 4U); // standard streams and the wire
    say(running.wire(), MessageKind::turn);
    running.serve();
    EXPECT_EQ(running.status(), 0);
}

/// Takes capabilities of numbers below 32 away from this process.
void weaken(std::uint32_t lost) {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    __user_cap_data_struct data[2]{};
    ::syscall(SYS_capget, &header, data);
    for (unsigned number = 0; number < 32; ++number)
        if ((lost >> number & 1U) != 0)
            ::prctl(PR_CAPBSET_DROP, number, 0, 0, 0);
    data[0].permitted &= ~lost;
    data[0].effective = data[0].inheritable = data[0].permitted;
    ::syscall(SYS_capset, &header, data);
}

TEST(Finisher, CannotBeLookedAt) {
    if (!is_root())
        GTEST_SKIP() << "needs root";
    RunningFinisher running(plan_of({steps::SetCapabilities{}}, execute({"true"})));
    ASSERT_EQ(running.hear()->kind, MessageKind::turn);
    // Another process of the same user, without CAP_SYS_PTRACE: ptrace(2), "Ptrace access mode checking".
    pid_t const observer = ::fork();
    if (observer == 0) {
        weaken(1U << CAP_SYS_PTRACE);
        bool const refused = ::open(concat("/proc/", running.pid(), "/mem").c_str(), O_RDONLY) < 0 && errno == EACCES;
        ::_exit(refused ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(observer, &status, 0), observer);
    EXPECT_EQ(status, 0);
}

TEST(Finisher, ChecksTheWorkingDirectory) {
    EXPECT_EQ(run(plan_of({steps::ChangeDirectory{"/usr"}}, execute({"pwd"}))).output, "/usr\n");
    auto const missing = run(plan_of({steps::ChangeDirectory{"/no/such"}}, execute({"pwd"})));
    ASSERT_TRUE(missing.failure);
    EXPECT_EQ(missing.failure->errno_value, ENOENT);
    if (!is_root())
        GTEST_SKIP() << "needs root";
    TemporaryFolder const folder;
    auto const outside = run(plan_of({steps::ChangeDirectory{"."}}, execute({"pwd"})), {.before_exec = [&] {
                                 if (::chdir("/usr") != 0 || ::chroot(folder.path().c_str()) != 0)
                                     ::_exit(98);
                             }});
    ASSERT_TRUE(outside.failure);
    EXPECT_TRUE(contains(outside.failure->text, "is outside of the container")) << outside.failure->text;
}

TEST(Finisher, EntersADirectoryThatOnlyTheUserMayEnter) {
    if (!is_root())
        GTEST_SKIP() << "needs root";
    TemporaryFolder const folder;
    auto const home = concat(folder.path(), "/home");
    std::filesystem::create_directory(home);
    ASSERT_EQ(::chown(home.c_str(), 1000, 1000), 0);
    ASSERT_EQ(::chmod(home.c_str(), 0700), 0);
    // Root without CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, as root of a network file system.
    StartOptions options;
    options.before_exec = [] { weaken((1U << CAP_DAC_OVERRIDE) | (1U << CAP_DAC_READ_SEARCH)); };
    auto const outcome = run(plan_of({steps::ChangeDirectory{home},
                                      steps::SetUser{.uid = 1000, .gid = 1000, .groups = {}}, steps::SetCapabilities{}},
                                     execute({"pwd"})),
                             options);
    EXPECT_EQ(outcome.output, home + "\n") << outcome.failure.value_or(Heard{}).text;
}

TEST(Finisher, BecomesTheUser) {
    if (!is_root())
        GTEST_SKIP() << "needs root";
    steps::SetUser const user{.uid = 1000, .gid = 1001, .groups = {7, 2000}, .umask = 027};
    auto const outcome =
        run(plan_of({user}, execute({"sh", "-c", "grep -E '^(Uid|Gid|Groups|Umask)' /proc/self/status"})));
    EXPECT_EQ(outcome.output, "Umask:\t0027\nUid:\t1000\t1000\t1000\t1000\nGid:\t1001\t1001\t1001\t1001\n"
                              "Groups:\t7 2000 \n");
}

TEST(Finisher, ClearsTheGroups) {
    if (!is_root())
        GTEST_SKIP() << "needs root";
    auto const outcome = run(
        plan_of({steps::SetUser{.uid = 1, .gid = 1, .groups = {}}}, execute({"grep", "Groups", "/proc/self/status"})),
        {.before_exec = [] {
            gid_t const groups[] = {5, 6};
            (void)::setgroups(2, groups);
        }});
    EXPECT_EQ(outcome.output, "Groups:\t \n");
}

TEST(Finisher, GivesStreamsToTheUserButNotSharedDevices) {
    if (!is_root())
        GTEST_SKIP() << "needs root";
    auto const outcome = run(plan_of({steps::SetUser{.uid = 1000, .gid = 1000, .groups = {}}},
                                     execute({"stat", "-L", "-c", "%u:%g", "/proc/self/fd/0", "/proc/self/fd/1"})));
    EXPECT_EQ(outcome.output, "0:0\n1000:0\n"); // /dev/null, and the pipe
}

/// The five lines of /proc/self/status after execve(2).
std::string capability_lines(std::uint64_t inheritable, std::uint64_t permitted, std::uint64_t bounding,
                             std::uint64_t ambient) {
    char text[256];
    std::snprintf(text, sizeof text,
                  "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\nCapBnd:\t%016lx\nCapAmb:\t%016lx\n", inheritable,
                  permitted, permitted, bounding, ambient);
    return text;
}

TEST(Finisher, SetsCapabilitiesExactly) {
    if (!is_root())
        GTEST_SKIP() << "needs root";
    auto const three = bit(CAP_CHOWN) | bit(CAP_KILL) | bit(CAP_NET_BIND_SERVICE);
    auto const one = bit(CAP_NET_BIND_SERVICE);
    auto const show = execute({"grep", "^Cap", "/proc/self/status"});
    auto const outcome_of = [&](std::uint32_t uid, steps::SetCapabilities const& capabilities, bool no_new_privileges) {
        std::vector<steps::Operation> operations = {steps::SetUser{.uid = uid, .gid = uid, .groups = {}}, capabilities};
        if (no_new_privileges)
            operations.emplace_back(steps::SetNoNewPrivileges{});
        return run(plan_of(std::move(operations), show));
    };
    for (bool const keep : {false, true}) {
        for (bool const no_new_privileges : {false, true}) {
            auto const user = outcome_of(1000, {three, three, one, three, one, keep}, no_new_privileges);
            EXPECT_EQ(user.output, capability_lines(one, one, three, one));
            EXPECT_EQ(user.warnings, "");
            auto const plain = outcome_of(1000, {three, three, 0, three, 0, keep}, no_new_privileges);
            EXPECT_EQ(plain.output, capability_lines(0, 0, three, 0));
            auto const root = outcome_of(0, {three, three, 0, three, 0, keep}, no_new_privileges);
            EXPECT_EQ(root.output, capability_lines(0, three, three, 0));
            auto const nothing = outcome_of(0, {0, 0, 0, 0, 0, keep}, no_new_privileges);
            EXPECT_EQ(nothing.output, capability_lines(0, 0, 0, 0));
        }
    }
}

TEST(Finisher, WarnsOfCapabilitiesThatItLacks) {
    if (!is_root())
        GTEST_SKIP() << "needs root";
    auto const both = bit(CAP_KILL) | bit(CAP_SYS_TIME);
    StartOptions options;
    options.before_exec = [] { weaken(1U << CAP_SYS_TIME); };
    auto const outcome =
        run(plan_of({steps::SetUser{.groups = {}}, steps::SetCapabilities{both, both, both, both, both, false}},
                    execute({"grep", "^Cap", "/proc/self/status"})),
            options);
    auto const kill = bit(CAP_KILL);
    EXPECT_EQ(outcome.output, capability_lines(kill, kill, kill, kill));
    EXPECT_EQ(outcome.warnings, "capabilities that cannot be granted are left out: CAP_SYS_TIME\n");
}

TEST(Finisher, SetsResourceLimits) {
    steps::Plan plan = plan_of({}, execute({"sh", "-c", "ulimit -S -n; ulimit -H -n; ulimit -S -c"}));
    plan.insert(plan.end() - 2,
                finisher_step(steps::SetResourceLimits{{{RLIMIT_NOFILE, 20, 30}, {RLIMIT_CORE, 0, 0}}}));
    EXPECT_EQ(run(plan).output, "20\n30\n0\n");
    plan = plan_of({}, execute({"true"}));
    plan.insert(plan.end() - 2, finisher_step(steps::SetResourceLimits{{{RLIMIT_NOFILE, 30, 20}}}));
    auto const outcome = run(plan);
    ASSERT_TRUE(outcome.failure);
    EXPECT_TRUE(contains(outcome.failure->text, "prlimit RLIMIT_NOFILE")) << outcome.failure->text;
    EXPECT_EQ(outcome.failure->errno_value, EINVAL);
}

} // namespace

} // namespace oci::perform
