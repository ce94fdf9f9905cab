// SPDX-License-Identifier: Apache-2.0
// The finisher as a real process: what it does to itself, and what it says when something fails.
#include <elf.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "support.h"

namespace oci::perform {

namespace {

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

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
        {"/", "exec: \"/\"", EISDIR},
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

// ---- the process that it becomes

TEST(Finisher, HasDefaultSignals) {
    auto const outcome = run(plan_of({}, execute({"grep", "-E", "^Sig(Blk|Ign|Cgt):|^ShdPnd:", "/proc/self/status"})),
                             {.before_exec = [] { ::signal(SIGCHLD, SIG_IGN), ::signal(SIGUSR1, SIG_IGN); }});
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

// ---- seccomp

std::uint64_t instruction(sock_filter const& filter) {
    std::uint64_t word = 0;
    std::memcpy(&word, &filter, sizeof word);
    return word;
}

/// Everything but execve, exit and exit_group ends in SIGSYS.
steps::LoadSeccomp only_execve() {
    std::vector<std::uint64_t> program;
    program.push_back(instruction(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))));
    program.push_back(instruction(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 3, 0)));
    program.push_back(instruction(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 2, 0)));
    program.push_back(instruction(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0)));
    program.push_back(instruction(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)));
    program.push_back(instruction(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)));
    return {.program = program, .flags = 0, .default_action = "SCMP_ACT_KILL_PROCESS"};
}

/// The smallest program: exit_group(7). Any other program needs more system calls than the filter lets through.
std::string program_that_exits() {
#if defined(__x86_64__)
    unsigned char const code[] = {0xbf, 7, 0, 0, 0,    0xb8,
                                  231,  0, 0, 0, 0x0f, 0x05}; // mov edi, 7; mov eax, 231; syscall
    constexpr Elf64_Half machine = EM_X86_64;
#elif defined(__aarch64__)
    unsigned char const code[] = {0xe0, 0x00, 0x80, 0xd2, 0xc8, 0x0b,
                                  0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4}; // mov x0, 7; mov x8, 94; svc 0
    constexpr Elf64_Half machine = EM_AARCH64;
#endif
    constexpr Elf64_Addr base = 0x400000;
    constexpr std::size_t code_offset = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr);
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_EXEC;
    header.e_machine = machine;
    header.e_version = EV_CURRENT;
    header.e_entry = base + code_offset;
    header.e_phoff = sizeof header;
    header.e_ehsize = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 1;
    Elf64_Phdr segment{};
    segment.p_type = PT_LOAD;
    segment.p_flags = PF_R | PF_X;
    segment.p_vaddr = segment.p_paddr = base;
    segment.p_filesz = segment.p_memsz = code_offset + sizeof code;
    segment.p_align = 0x1000;
    std::string file(reinterpret_cast<char const*>(&header), sizeof header);
    file.append(reinterpret_cast<char const*>(&segment), sizeof segment);
    file.append(reinterpret_cast<char const*>(code), sizeof code);
    return file;
}

TEST(Finisher, StartsUnderAFilterThatForbidsAlmostEverything) {
    TemporaryFolder const folder;
    auto const program = folder.file("exits", program_that_exits(), 0755);
    // Without no-new-privileges loading needs CAP_SYS_ADMIN, for any user.
    for (std::uint32_t const uid : {0U, 1000U}) {
        for (bool const no_new_privileges : {true, false}) {
            if (!is_root() && (uid != 0 || !no_new_privileges))
                continue;
            std::vector<steps::Operation> operations;
            if (is_root()) {
                operations.emplace_back(steps::SetUser{.uid = uid, .gid = uid, .groups = {}});
                operations.emplace_back(steps::SetCapabilities{0, 0, 0, 0, 0, !no_new_privileges});
            }
            if (no_new_privileges)
                operations.emplace_back(steps::SetNoNewPrivileges{});
            auto plan = plan_of(std::move(operations), execute({program}));
            plan.insert(plan.end() - 1, finisher_step(only_execve()));
            auto const outcome = run(plan);
            EXPECT_EQ(outcome.status, 7) << "uid " << uid << ", no_new_privileges " << no_new_privileges << ": "
                                         << outcome.failure.value_or(Heard{}).text;
        }
    }
}

TEST(Finisher, TellsThatAFilterCannotBeLoaded) {
    auto plan = plan_of({steps::SetNoNewPrivileges{}}, execute({"true"}));
    plan.insert(plan.end() - 1, finisher_step(steps::LoadSeccomp{.program = {}, .flags = 0, .default_action = "none"}));
    auto const outcome = run(plan);
    ASSERT_TRUE(outcome.failure);
    EXPECT_EQ(outcome.failure->errno_value, EINVAL);
    EXPECT_EQ(outcome.status, 1);
}

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
        EXPECT_FALSE(running_->hear()); // the wire is closed as soon as it waits
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
    std::string const state(300000, 's'); // more than a pipe holds
    auto plan =
        gate_plan({hooks({"/bin/sh", "-c", "echo $A-$HOME $(wc -c); ls /proc/self/fd"}),
                   hooks({"/bin/sh", "-c", "echo $A-$HOME $(head -c 2)"}, 5, {{"HOME=/hook", "PATH=/bin:/usr/bin"}})},
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
    EXPECT_EQ(running_->output(), "a-/process 300000\n0\n1\n2\n3\n-/hook ss\nprogram\n");
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
    for (auto const& [arguments, end, errno_value] :
         std::vector<Case>{{{"/bin/sh", "-c", "kill -9 $$"}, "hook /bin/sh: killed by signal 9", 0},
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
