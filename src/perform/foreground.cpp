// SPDX-License-Identifier: Apache-2.0
#include "perform/foreground.h"

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <string>
#include <unistd.h>

#include "base/trace.h"
#include "kernel/file.h"
#include "kernel/process.h"
#include "kernel/signals.h"
#include "kernel/terminal.h"

namespace oci::perform {

namespace {

/// The terminal's side of the foreground: bytes from standard input to the master, from the master to standard output.
class TerminalCopy {
public:
    explicit TerminalCopy(int master)
        : master_(master)
        , raw_mode_(master >= 0 ? STDIN_FILENO : -1) {
        if (master_ >= 0) {
            resize();
            // A write to the master blocks while nobody reads on the other side; meanwhile its output must still be
            // copied.
            (void)kernel::set_nonblocking(master_);
        }
    }

    void resize() const {
        if (master_ >= 0)
            (void)kernel::copy_window_size(STDIN_FILENO, master_);
    }
    ::pollfd standard_input() const {
        return {master_ >= 0 && input_.empty() && input_open_ ? STDIN_FILENO : -1, POLLIN, 0};
    }
    ::pollfd standard_output() const { return {output_.empty() ? -1 : STDOUT_FILENO, POLLOUT, 0}; }
    ::pollfd terminal() const {
        int const events = (output_.empty() ? POLLIN : 0) | (input_.empty() ? 0 : POLLOUT);
        return {output_open_ && events != 0 ? master_ : -1, static_cast<short>(events), 0};
    }

    void read_input() {
        std::array<char, 4096> buffer{};
        auto const count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
        if (count > 0)
            input_.assign(buffer.data(), static_cast<std::size_t>(count));
        else
            input_open_ = false;
    }
    void write_input() { write_some(master_, input_); }
    /// At most PIPE_BUF bytes once the descriptor is ready: such a write does not block (pipe(7)), and standard output
    /// is not ours to make non-blocking.
    void write_output() { write_some(STDOUT_FILENO, output_); }
    void read_output() {
        std::array<char, PIPE_BUF> buffer{};
        auto const count = ::read(master_, buffer.data(), buffer.size());
        if (count > 0)
            output_.assign(buffer.data(), static_cast<std::size_t>(count));
        // EIO: the last process has closed the other side, pty(7).
        else if (count == 0 || (errno != EAGAIN && errno != EINTR))
            output_open_ = false;
    }
    /// What is left when the process has ended; not more, for other processes may hold the terminal open, and no
    /// waiting for a reader that does not read.
    void drain() {
        constexpr int patience = 200; // milliseconds
        while (true) {
            ::pollfd ready = standard_output();
            if (!output_.empty() && ::poll(&ready, 1, patience) > 0 && (ready.revents & POLLOUT) != 0)
                write_output();
            if (!output_.empty() || !output_open_ || master_ < 0)
                return;
            read_output();
            if (output_.empty())
                return;
        }
    }

private:
    static void write_some(int descriptor, std::string& bytes) {
        auto const count = ::write(descriptor, bytes.data(), bytes.size());
        if (count > 0)
            bytes.erase(0, static_cast<std::size_t>(count));
        else if (errno != EAGAIN && errno != EINTR)
            bytes.clear(); // nobody will take them any more
    }

    int master_;
    kernel::RawMode raw_mode_;
    std::string input_;  ///< read, not yet written to the terminal
    std::string output_; ///< read, not yet written to standard output
    bool input_open_ = true;
    bool output_open_ = true;
};

/// Exit status of the process if it is among the children that ended.
Result<std::optional<int>> reap_children(pid_t process) {
    std::optional<int> status;
    while (auto const child = TRY(kernel::reap_any()))
        if (child->pid == process)
            status = child->status;
    return status;
}

Result<std::optional<int>> handle_signals(int signals, ForegroundProcess const& process, TerminalCopy const& copy) {
    while (auto const signal = TRY(kernel::next_signal(signals))) {
        if (*signal == SIGCHLD) {
            if (auto const status = TRY(reap_children(process.pid)))
                return status;
        } else if (*signal == SIGWINCH) {
            copy.resize();
        } else if (*signal != SIGURG) {
            (void)kernel::pidfd_send_signal(process.pidfd, *signal);
        }
    }
    return std::nullopt;
}

} // namespace

Result<int> wait_in_foreground(ForegroundProcess const& process) {
    TraceSpan const span("wait for the program's end");
    auto const signals = TRY(kernel::signal_descriptor());
    TerminalCopy copy(process.terminal);
    // It may have ended before there was a descriptor to tell.
    auto status = TRY(reap_children(process.pid));
    while (!status) {
        bool const listening = process.notify != nullptr && !process.notify->failure;
        std::array<::pollfd, 5> events{{{signals.get(), POLLIN, 0},
                                        copy.standard_input(),
                                        copy.standard_output(),
                                        copy.terminal(),
                                        {listening ? process.notify->from_container.get() : -1, POLLIN, 0}}};
        if (::poll(events.data(), events.size(), -1) < 0 && errno != EINTR)
            return fail_errno(errno, "poll");
        if (events[2].revents != 0)
            copy.write_output();
        if ((events[3].revents & POLLOUT) != 0)
            copy.write_input();
        if ((events[3].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
            copy.read_output();
        if (events[1].revents != 0)
            copy.read_input();
        if (events[4].revents != 0)
            receive_notifications(*process.notify, ::getpid());
        if (events[0].revents != 0)
            status = TRY(handle_signals(signals.get(), process, copy));
    }
    copy.drain();
    return *status;
}

} // namespace oci::perform
