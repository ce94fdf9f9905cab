// SPDX-License-Identifier: Apache-2.0
#include "perform/foreground.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <string>
#include <unistd.h>

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
    ::pollfd input() const { return {master_ >= 0 && pending_.empty() && input_open_ ? STDIN_FILENO : -1, POLLIN, 0}; }
    ::pollfd output() const {
        return {output_open_ ? master_ : -1, static_cast<short>(pending_.empty() ? POLLIN : POLLIN | POLLOUT), 0};
    }

    void read_input() {
        std::array<char, 4096> buffer{};
        auto const count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
        if (count > 0)
            pending_.assign(buffer.data(), static_cast<std::size_t>(count));
        else
            input_open_ = false;
    }
    void write_pending() {
        auto const count = ::write(master_, pending_.data(), pending_.size());
        if (count > 0)
            pending_.erase(0, static_cast<std::size_t>(count));
        else if (errno != EAGAIN && errno != EINTR)
            pending_.clear();
    }
    /// False when there is nothing (more) to read.
    bool copy_output() {
        std::array<char, 16384> buffer{};
        auto const count = ::read(master_, buffer.data(), buffer.size());
        if (count > 0)
            return kernel::write_all(STDOUT_FILENO, {buffer.data(), static_cast<std::size_t>(count)}).has_value();
        // EIO: the last process has closed the other side, pty(7).
        if (count == 0 || (errno != EAGAIN && errno != EINTR))
            output_open_ = false;
        return false;
    }
    void drain() {
        while (output_open_ && master_ >= 0 && copy_output()) {
        }
    }

private:
    int master_;
    kernel::RawMode raw_mode_;
    std::string pending_;
    bool input_open_ = true;
    bool output_open_ = true;
};

/// Exit status of the process if it is among the children that ended.
std::optional<int> reap_children(pid_t process) {
    std::optional<int> status;
    while (auto const child = kernel::reap_any())
        if (child->pid == process)
            status = child->status;
    return status;
}

Result<std::optional<int>> handle_signals(int signals, ForegroundProcess const& process, TerminalCopy const& copy) {
    while (auto const signal = TRY(kernel::next_signal(signals))) {
        if (*signal == SIGCHLD) {
            if (auto const status = reap_children(process.pid))
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
    auto const signals = TRY(kernel::signal_descriptor());
    TerminalCopy copy(process.terminal);
    // It may have ended before there was a descriptor to tell.
    auto status = reap_children(process.pid);
    while (!status) {
        std::array<::pollfd, 3> events{{{signals.get(), POLLIN, 0}, copy.input(), copy.output()}};
        if (::poll(events.data(), events.size(), -1) < 0 && errno != EINTR)
            return fail_errno(errno, "poll");
        if ((events[2].revents & POLLOUT) != 0)
            copy.write_pending();
        if ((events[2].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
            copy.copy_output();
        if ((events[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
            copy.read_input();
        if (events[0].revents != 0)
            status = TRY(handle_signals(signals.get(), process, copy));
    }
    copy.drain();
    return *status;
}

} // namespace oci::perform
