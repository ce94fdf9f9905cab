// SPDX-License-Identifier: Apache-2.0
// The start gate: a created container waits here, and this is all that runs in it.
#include "process.h"

#include <cerrno>
#include <csignal>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire.h"

namespace oci::finisher {

namespace {

/// Connections that have said nothing yet: `start` on its way, or the probes of `state`. One more drops the oldest.
class Callers {
public:
    static constexpr std::size_t most = 8;

    void add(int connection) {
        if (count_ == most)
            drop(0);
        connections_[count_++] = connection;
    }
    void drop(std::size_t index) {
        (void)::close(connections_[index]);
        remove(index);
    }
    /// Takes one out without closing it.
    int remove(std::size_t index) {
        int const connection = connections_[index];
        --count_;
        for (; index < count_; ++index)
            connections_[index] = connections_[index + 1];
        return connection;
    }
    void drop_all() {
        while (count_ > 0)
            drop(0);
    }
    std::size_t count() const { return count_; }
    int operator[](std::size_t index) const { return connections_[index]; }

private:
    int connections_[most]{};
    std::size_t count_ = 0;
};

/// Init of a pid namespace does not die of signals by itself; while it waits it shall, as those of other runtimes do.
int open_signals() {
    sigset_t deadly;
    ::sigemptyset(&deadly);
    for (int const signal : {SIGTERM, SIGINT, SIGQUIT, SIGHUP})
        ::sigaddset(&deadly, signal);
    int const descriptor = ::signalfd(-1, &deadly, SFD_CLOEXEC | SFD_NONBLOCK);
    if (descriptor < 0)
        fail(errno, "signalfd");
    return descriptor;
}

void leave_on_signal(int signals) {
    signalfd_siginfo info{};
    if (::read(signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info))
        leave(128 + static_cast<int>(info.ssi_signo));
}

enum class Answer { nothing, start, gone };

Answer listen_to(int connection) {
    MessageHeader header{};
    ssize_t const size = ::recv(connection, &header, sizeof header, MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN)
        return Answer::nothing;
    bool const start =
        size == static_cast<ssize_t>(sizeof header) && header.kind == static_cast<std::uint32_t>(MessageKind::start);
    return start ? Answer::start : Answer::gone;
}

/// The connection that said start, or -1. From the last to the first, because dropping moves the later ones.
int started(Callers& callers) {
    for (std::size_t index = callers.count(); index-- > 0;) {
        Answer const answer = listen_to(callers[index]);
        if (answer == Answer::start)
            return callers.remove(index);
        if (answer == Answer::gone)
            callers.drop(index);
    }
    return -1;
}

void poll_all(int signals, int gate, Callers const& callers, bool& signal_came, bool& caller_came) {
    pollfd watched[2 + Callers::most];
    watched[0] = {.fd = signals, .events = POLLIN, .revents = 0};
    watched[1] = {.fd = gate, .events = POLLIN, .revents = 0};
    for (std::size_t index = 0; index < callers.count(); ++index)
        watched[2 + index] = {.fd = callers[index], .events = POLLIN, .revents = 0};
    // The container is created by now: an error here, such as want of memory, does not undo that. It is waited out.
    if (::poll(watched, 2 + callers.count(), -1) < 0 && errno != EINTR && errno != EAGAIN) // poll(2), ERRORS and NOTES
        (void)::usleep(10000);
    if ((watched[1].revents & (POLLERR | POLLNVAL)) != 0) // not a listening socket: nobody can ever say start
        leave(1);
    signal_came = watched[0].revents != 0;
    caller_came = watched[1].revents != 0;
}

} // namespace

void wait_for_start(Process& process) {
    if (process.gate < 0)
        refuse("no gate");
    int const signals = open_signals();
    // The runtime that created the container may end now, or has ended; nothing is sent before somebody says start.
    (void)send_message(MessageKind::turn, 0, {});
    speak_to(-1);
    (void)::close(process.wire);
    process.wire = -1;

    Callers callers;
    while (process.connection < 0) {
        bool signal_came = false;
        bool caller_came = false;
        poll_all(signals, process.gate, callers, signal_came, caller_came);
        if (signal_came)
            leave_on_signal(signals);
        process.connection = started(callers); // before a new caller can push one out that has spoken
        if (process.connection < 0 && caller_came) {
            int const caller = ::accept4(process.gate, nullptr, nullptr, SOCK_CLOEXEC);
            if (caller >= 0)
                callers.add(caller);
        }
    }
    callers.drop_all();
    (void)::close(signals);
    speak_to(process.connection);
    // The gate stays open until execve(2): until then whoever asks finds a container that does not run yet.
}

} // namespace oci::finisher
