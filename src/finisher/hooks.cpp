// SPDX-License-Identifier: Apache-2.0
#include "process.h"

#include <cerrno>
#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memory.h"
#include "wire.h"

namespace oci::finisher {

namespace {

struct Hook {
    char const* path = nullptr;
    std::uint64_t timeout = 0; ///< seconds; 0: none
    char const** arguments = nullptr;
    char const** environment = nullptr;
};

struct Pipe {
    int out = -1; ///< the end to read from
    int in = -1;
};

Pipe make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        fail(errno, "pipe");
    return {.out = ends[0], .in = ends[1]};
}

void close_end(int& end) {
    if (end >= 0)
        (void)::close(end);
    end = -1;
}

Hook read_hook(Arguments& arguments, Process const& process) {
    Hook hook;
    hook.path = arguments.c_string();
    hook.timeout = arguments.number();
    bool const own_environment = arguments.flag();
    hook.arguments = string_array(arguments).texts;
    char const** const environment = string_array(arguments).texts;
    hook.environment = own_environment ? environment : process.environment;
    return hook;
}

/// The child: standard input is the state, output is kept for an error's text, nothing else is inherited.
[[noreturn]] void become_hook(Hook const& hook, int input, int output, int report) {
    if (::dup2(input, 0) < 0 || ::dup2(output, 1) < 0 || ::dup2(output, 2) < 0)
        fail(errno, "dup2");
    mark_close_on_exec(3);
    reset_signals();
    ::execve(hook.path, const_cast<char**>(hook.arguments), const_cast<char**>(hook.environment));
    int const problem = errno;
    (void)!::write(report, &problem, sizeof problem);
    leave(127);
}

std::uint64_t milliseconds_now() {
    timespec now{};
    (void)::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1000 + static_cast<std::uint64_t>(now.tv_nsec) / 1000000;
}

/// What poll(2) may wait for until `end` (0: for ever).
int time_left(std::uint64_t end) {
    if (end == 0)
        return -1;
    std::uint64_t const now = milliseconds_now();
    constexpr std::uint64_t longest = 1000000000;
    std::uint64_t const left = end > now ? end - now : 0;
    return static_cast<int>(left < longest ? left : longest);
}

/// Writes as much as the pipe takes; closes it when all is written or nobody reads.
void feed(int& pipe, std::string_view& text) {
    ssize_t const size = text.empty() ? 0 : ::write(pipe, text.data(), text.size());
    if (size > 0)
        text.remove_prefix(static_cast<std::size_t>(size));
    if (text.empty() || (size < 0 && errno != EAGAIN))
        close_end(pipe);
}

/// Feeds the state and waits for the end of the hook; false when its time is over.
bool feed_and_wait(Hook const& hook, int pidfd, int& input, std::string_view state) {
    std::uint64_t const longest = 1000000000; // seconds; no overflow below
    std::uint64_t const seconds = hook.timeout < longest ? hook.timeout : longest;
    std::uint64_t const end = seconds == 0 ? 0 : milliseconds_now() + seconds * 1000;
    (void)::fcntl(input, F_SETFL, O_NONBLOCK);
    for (;;) {
        pollfd watched[] = {{.fd = pidfd, .events = POLLIN, .revents = 0},
                            {.fd = input, .events = POLLOUT, .revents = 0}}; // a closed one (-1) is skipped
        int const ready = ::poll(watched, 2, time_left(end));
        if (ready < 0 && errno != EINTR)
            fail(errno, "poll");
        if (watched[0].revents != 0)
            return true;
        if (ready == 0 && time_left(end) == 0)
            return false;
        if (watched[1].revents != 0)
            feed(input, state);
    }
}

/// Why execve(2) failed in the child, or 0: its end of the pipe is closed by then in any case.
int execve_problem(int report) {
    int problem = 0;
    return ::read(report, &problem, sizeof problem) == static_cast<ssize_t>(sizeof problem) ? problem : 0;
}

/// Memory instead of a pipe: a hook that prints much cannot stall us.
int make_output() {
    auto const output = static_cast<int>(::syscall(SYS_memfd_create, "output", MFD_CLOEXEC));
    if (output < 0)
        fail(errno, "memfd_create");
    return output;
}

/// The end of what it printed, on one line: ": ..."; "" if it printed nothing.
Line output_text(int output) {
    constexpr off_t longest = 1024;
    char text[longest];
    off_t const size = ::lseek(output, 0, SEEK_END);
    ssize_t length = ::pread(output, text, sizeof text, size > longest ? size - longest : 0);
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' '))
        --length;
    if (length <= 0)
        return Line();
    for (ssize_t index = 0; index < length; ++index)
        if (text[index] == '\n')
            text[index] = ' ';
    return Line(": ", std::string_view(text, static_cast<std::size_t>(length)));
}

void run_hook(Hook const& hook, std::string_view state) {
    Pipe input = make_pipe();
    Pipe report = make_pipe();
    int output = make_output();
    int const pid = clone_process(0);
    if (pid < 0)
        fail(errno, "hook ", hook.path, ": clone");
    if (pid == 0)
        become_hook(hook, input.out, output, report.in);
    close_end(input.out);
    close_end(report.in);
    int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    if (pidfd < 0) {
        int const problem = errno;
        (void)::kill(pid, SIGKILL);
        fail(problem, "hook ", hook.path, ": pidfd_open");
    }
    bool const in_time = feed_and_wait(hook, pidfd, input.in, state);
    if (!in_time)
        (void)::kill(pid, SIGKILL); // not reaped yet: the number is still the hook's
    int status = 0;
    if (::waitpid(pid, &status, 0) != pid)
        fail(errno, "hook ", hook.path, ": waitpid");
    if (!in_time)
        fail(0, "hook ", hook.path, " ran past specified timeout of ", hook.timeout, ".0s");
    if (int const problem = execve_problem(report.out); problem != 0)
        fail(problem, "hook ", hook.path, ": execve");
    if (WIFSIGNALED(status))
        fail(0, "hook ", hook.path, ": killed by signal ", WTERMSIG(status), output_text(output).view());
    if (WEXITSTATUS(status) != 0)
        fail(0, "hook ", hook.path, ": exit status ", WEXITSTATUS(status), output_text(output).view());
    close_end(pidfd);
    close_end(input.in);
    close_end(report.out);
    close_end(output);
}

} // namespace

void run_hooks(Arguments arguments, Process const& process) {
    (void)arguments.text(); // the kind: it is in the description
    if (process.environment == nullptr)
        refuse("hooks before `find_program`");
    std::size_t const count = arguments.count(5);
    for (std::size_t index = 0; index < count; ++index)
        run_hook(read_hook(arguments, process), process.state);
}

} // namespace oci::finisher
