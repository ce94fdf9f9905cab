// SPDX-License-Identifier: Apache-2.0
// Runs a command and makes something go wrong at one of its system calls: a killed process, an error, a short transfer.
//
// usage: fault_injector --report FD [OPTION]... -- COMMAND [ARGUMENT]...
//   --report FD        where the result goes, one line of NAME=VALUE words; `list` lines before it
//   --limit SECONDS    then everything is killed and the result is ended=hang (default 20)
//   --stop N           what the next option does happens at the Nth stop: each call has two, before and after it
//   --kill WHO         `main` (the command), `child` (the oldest other process), `all`
//   --meanwhile TEXT   in place of --kill: a command for the shell, run to its end while all stand still
//   --entry N          the Nth call of the processes that --of names fails
//   --of WHO           `main`, `child` (all others), `any` (default)
//   --error NUMBER     with this errno
//   --short            each read or write of a file transfers half of what was asked for
//   --list             one line for each call: WHO and its number
//
// Followed are the command and all it starts, as long as they are the same program or one from memory (memfd): a hook
// or the container's program is let go. One counter for all of them: they take turns, so its numbers hardly ever vary.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <map>
#include <string>
#include <string_view>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

enum class Who { nobody, main, child, all };

struct Options {
    int report = -1;
    unsigned limit = 20;
    long stop = 0;
    Who kill = Who::nobody;
    char const* meanwhile = nullptr;
    long entry = 0;
    Who of = Who::all;
    int error = 0;
    bool shorten = false;
    bool list = false;
    char** command = nullptr;
};

/// A followed process.
struct Process {
    long number = 0;      ///< its birth: 0 is the command itself
    long call = -1;       ///< in which it is, or was last
    bool failing = false; ///< the result of the call it is in becomes the error
};

struct Counts {
    long stops = 0;
    long main = 0;
    long child = 0;
};

[[noreturn]] void die(char const* what) {
    std::perror(what);
    std::exit(125);
}

long number(char const* text) {
    char* end = nullptr;
    long const value = std::strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0') {
        std::fprintf(stderr, "fault_injector: not a number: %s\n", text);
        std::exit(125);
    }
    return value;
}

Who who(std::string_view text) {
    if (text == "main")
        return Who::main;
    if (text == "child")
        return Who::child;
    return Who::all;
}

Options parse(int count, char** words) {
    Options options;
    for (int i = 1; i < count; ++i) {
        std::string_view const word = words[i];
        if (word == "--") {
            options.command = words + i + 1;
            break;
        }
        if (word == "--short")
            options.shorten = true;
        else if (word == "--list")
            options.list = true;
        else if (i + 1 == count)
            break;
        else if (char const* value = words[++i]; word == "--report")
            options.report = static_cast<int>(number(value));
        else if (word == "--limit")
            options.limit = static_cast<unsigned>(number(value));
        else if (word == "--stop")
            options.stop = number(value);
        else if (word == "--kill")
            options.kill = who(value);
        else if (word == "--meanwhile")
            options.meanwhile = value;
        else if (word == "--entry")
            options.entry = number(value);
        else if (word == "--of")
            options.of = who(value);
        else if (word == "--error")
            options.error = static_cast<int>(number(value));
        else
            break;
    }
    if (options.command == nullptr || *options.command == nullptr || options.report < 0) {
        std::fprintf(stderr, "usage: fault_injector --report FD [OPTION]... -- COMMAND [ARGUMENT]...\n");
        std::exit(125);
    }
    return options;
}

std::string read_link(std::string const& path) {
    char text[4096];
    ssize_t const size = ::readlink(path.c_str(), text, sizeof text);
    return {text, size < 0 ? 0 : static_cast<std::size_t>(size)};
}

std::string program_of(pid_t pid) {
    return read_link("/proc/" + std::to_string(pid) + "/exe");
}

// ---- registers: the one part that differs between machines

using Registers = user_regs_struct;

Registers registers_of(pid_t pid) {
    Registers registers{};
    iovec part{&registers, sizeof registers};
    ::ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &part);
    return registers;
}

void set_registers(pid_t pid, Registers& registers) {
    iovec part{&registers, sizeof registers};
    ::ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &part);
}

#if defined(__x86_64__)
void skip_call(pid_t pid) {
    auto registers = registers_of(pid);
    registers.orig_rax = ~0ULL;
    set_registers(pid, registers);
}
void set_result(pid_t pid, long result) {
    auto registers = registers_of(pid);
    registers.rax = static_cast<unsigned long long>(result);
    set_registers(pid, registers);
}
void set_third_argument(pid_t pid, unsigned long long value) {
    auto registers = registers_of(pid);
    registers.rdx = value;
    set_registers(pid, registers);
}
#elif defined(__aarch64__)
void skip_call(pid_t pid) {
    int none = -1;
    iovec part{&none, sizeof none};
    ::ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &part);
}
void set_result(pid_t pid, long result) {
    auto registers = registers_of(pid);
    registers.regs[0] = static_cast<unsigned long long>(result);
    set_registers(pid, registers);
}
void set_third_argument(pid_t pid, unsigned long long value) {
    auto registers = registers_of(pid);
    registers.regs[2] = value;
    set_registers(pid, registers);
}
#endif

// ---- what may be made to fail

/// Calls that do not return or have no errors (their pages in section 2 of the manual), and those whose errors are the
/// C library's alone: arch_prctl(2) before main(), brk(2), which tells of them by the place that is as it was.
bool cannot_fail(long call) {
    static constexpr long calls[] = {
        SYS_exit,
        SYS_exit_group,
        SYS_rt_sigreturn,
        SYS_restart_syscall,
        SYS_umask,
        SYS_getpid,
        SYS_getppid,
        SYS_gettid,
        SYS_getuid,
        SYS_geteuid,
        SYS_getgid,
        SYS_getegid,
        SYS_brk,
#if defined(SYS_arch_prctl)
        SYS_arch_prctl,
#endif
    };
    return std::ranges::find(calls, call) != std::end(calls);
}

/// close(2) has released the descriptor even when it fails (NOTES there).
bool happens_all_the_same(long call) {
    return call == SYS_close;
}

/// Control files take one write as one order, and packets are whole: only files and pipes may be cut.
bool may_be_short(pid_t pid, __ptrace_syscall_info const& info) {
    bool const reads = info.entry.nr == SYS_read || info.entry.nr == SYS_pread64;
    bool const writes = info.entry.nr == SYS_write || info.entry.nr == SYS_pwrite64;
    if ((!reads && !writes) || info.entry.args[2] < 2)
        return false;
    auto const file = read_link("/proc/" + std::to_string(pid) + "/fd/" + std::to_string(info.entry.args[0]));
    if (file.starts_with("/memfd:") || file.starts_with("pipe:"))
        return true;
    bool const control = file.starts_with("/proc/") || file.starts_with("/sys/");
    return file.starts_with('/') && (reads || !control);
}

// ---- the run

class Run {
public:
    explicit Run(Options const& options)
        : options_(options) {
        if (char* const path = ::realpath(options.command[0], nullptr))
            program_ = path;
    }

    /// Until the command has ended, or the limit has passed.
    void follow(pid_t main) {
        main_ = main;
        processes_[main] = {};
        while (!ended_) {
            int status = 0;
            pid_t const pid = ::waitpid(-1, &status, __WALL);
            if (pid < 0 && errno == EINTR)
                return hang();
            if (pid < 0)
                die("waitpid");
            handle(pid, status);
        }
    }

    void report() const {
        auto const after =
            fired_ ? std::chrono::duration_cast<std::chrono::milliseconds>(end_ - fired_at_).count() : 0L;
        ::dprintf(options_.report,
                  "ended=%s stops=%ld main=%ld child=%ld fired=%d call=%ld by=%s after_ms=%ld crash=%d\n", how_.c_str(),
                  counts_.stops, counts_.main, counts_.child, fired_ ? 1 : 0, fired_call_, fired_by_,
                  static_cast<long>(after), crash_);
    }

private:
    void handle(pid_t pid, int status) {
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            processes_.erase(pid);
            if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
                crash_ = WTERMSIG(status);
            if (pid == main_)
                end(WIFEXITED(status) ? "exit:" + std::to_string(WEXITSTATUS(status))
                                      : "signal:" + std::to_string(WTERMSIG(status)));
            return;
        }
        if (!processes_.contains(pid))
            processes_[pid].number = ++births_;
        int const signal = WSTOPSIG(status);
        int const event = status >> 16;
        if (signal == (SIGTRAP | 0x80))
            return at_call(pid);
        if (event == PTRACE_EVENT_EXEC && !is_followed(pid)) {
            processes_.erase(pid);
            ::ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
            return;
        }
        if (event == PTRACE_EVENT_STOP && signal != SIGTRAP) {
            ::ptrace(PTRACE_LISTEN, pid, nullptr, nullptr); // stopped by a signal, and stays so
            return;
        }
        go_on(pid, event == 0 ? signal : 0);
    }

    void at_call(pid_t pid) {
        ++counts_.stops;
        auto& process = processes_[pid];
        __ptrace_syscall_info info{};
        bool const waits = options_.stop > counts_.stops + 1; // for one that comes later, and its number is enough
        if (!waits && ::ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) > 0) {
            if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
                entry(pid, process, info);
            else if (info.op == PTRACE_SYSCALL_INFO_EXIT && process.failing) {
                set_result(pid, -options_.error);
                process.failing = false;
            }
        }
        if (counts_.stops == options_.stop && options_.kill != Who::nobody)
            kill(process);
        if (counts_.stops == options_.stop && options_.meanwhile != nullptr)
            run_meanwhile(process);
        go_on(pid, 0);
    }

    void entry(pid_t pid, Process& process, __ptrace_syscall_info const& info) {
        process.call = static_cast<long>(info.entry.nr);
        bool const is_main = pid == main_;
        ++(is_main ? counts_.main : counts_.child);
        if (options_.list)
            ::dprintf(options_.report, "list %s %ld\n", is_main ? "main" : "child", process.call);
        if (options_.shorten && may_be_short(pid, info)) {
            fire(process);
            set_third_argument(pid, (info.entry.args[2] + 1) / 2);
        }
        long const count = options_.of == Who::main    ? counts_.main
                           : options_.of == Who::child ? counts_.child
                                                       : counts_.main + counts_.child;
        bool const counted = options_.of == Who::all || (options_.of == Who::main) == is_main;
        if (options_.error == 0 || !counted || count != options_.entry || cannot_fail(process.call))
            return;
        fire(process);
        process.failing = true;
        if (!happens_all_the_same(process.call))
            skip_call(pid);
    }

    void kill(Process const& process) {
        std::vector<std::pair<long, pid_t>> children;
        for (auto const& [pid, other] : processes_)
            if (pid != main_)
                children.emplace_back(other.number, pid);
        std::ranges::sort(children);
        if (options_.kill == Who::child && children.empty())
            return;
        fire(process);
        if (options_.kill != Who::child)
            ::kill(main_, SIGKILL);
        if (options_.kill == Who::child)
            children.resize(1);
        if (options_.kill != Who::main)
            for (auto const& [birth, pid] : children)
                ::kill(pid, SIGKILL);
    }

    void run_meanwhile(Process const& process) {
        fire(process);
        pid_t const shell = ::fork();
        if (shell < 0)
            die("fork");
        if (shell == 0) {
            ::execl("/bin/sh", "sh", "-c", options_.meanwhile, nullptr);
            die("/bin/sh");
        }
        int status = 0;
        while (::waitpid(shell, &status, 0) < 0 && errno == EINTR) {
        }
    }

    void fire(Process const& process) {
        if (!fired_)
            fired_at_ = Clock::now();
        fired_ = true;
        fired_call_ = process.call;
        fired_by_ = process.number == 0 ? "main" : "child";
    }

    bool is_followed(pid_t pid) const {
        auto const program = program_of(pid);
        return program == program_ || program.starts_with("/memfd:");
    }

    void go_on(pid_t pid, int signal) {
        // ESRCH: it was killed meanwhile, and its end is still to be waited for.
        ::ptrace(is_watched(pid) ? PTRACE_SYSCALL : PTRACE_CONT, pid, nullptr, signal);
    }

    /// Whether its calls have to be seen: each costs time. Not once what was to happen has happened, and where one kind
    /// of process is to fail, not those of the other.
    bool is_watched(pid_t pid) const {
        if (options_.error != 0 && options_.of != Who::all && (options_.of == Who::main) != (pid == main_))
            return false;
        return !fired_ || options_.shorten || processes_.at(pid).failing;
    }

    void hang() {
        for (auto const& [pid, process] : processes_)
            ::dprintf(options_.report, "hanging %s %ld\n", pid == main_ ? "main" : "child", call_now(pid));
        for (auto const& [pid, process] : processes_)
            ::kill(pid, SIGKILL);
        end("hang");
    }

    /// -1: in none.
    static long call_now(pid_t pid) {
        long call = -1;
        if (FILE* const file = std::fopen(("/proc/" + std::to_string(pid) + "/syscall").c_str(), "re")) {
            if (std::fscanf(file, "%ld", &call) != 1)
                call = -1;
            std::fclose(file);
        }
        return call;
    }

    void end(std::string how) {
        ended_ = true;
        how_ = std::move(how);
        end_ = Clock::now();
    }

    Options const& options_;
    pid_t main_ = 0;
    std::string program_;
    std::map<pid_t, Process> processes_;
    long births_ = 0;
    Counts counts_;
    bool fired_ = false;
    long fired_call_ = -1;
    char const* fired_by_ = "nobody";
    Clock::time_point fired_at_;
    Clock::time_point end_;
    bool ended_ = false;
    std::string how_;
    int crash_ = 0;
};

/// A child that waits to be followed, and then becomes the command.
pid_t start(Options const& options) {
    int gate[2];
    if (::pipe2(gate, O_CLOEXEC) != 0)
        die("pipe2");
    pid_t const pid = ::fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        char byte = 0;
        ::close(gate[1]);
        (void)!::read(gate[0], &byte, 1);
        ::execv(options.command[0], options.command);
        die(options.command[0]);
    }
    constexpr unsigned long followed =
        PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC;
    if (::ptrace(PTRACE_SEIZE, pid, nullptr, followed) != 0)
        die("PTRACE_SEIZE");
    ::close(gate[0]);
    ::close(gate[1]);
    return pid;
}

} // namespace

int main(int count, char** words) {
    auto const options = parse(count, words);
    ::fcntl(options.report, F_SETFD, FD_CLOEXEC);
    struct sigaction action {};
    action.sa_handler = [](int) {}; // interrupts waitpid(2)
    ::sigaction(SIGALRM, &action, nullptr);
    ::alarm(options.limit);
    Run run(options);
    run.follow(start(options));
    run.report();
}
