// SPDX-License-Identifier: Apache-2.0
#include "process.h"

#include <cerrno>
#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "wire.h"

namespace oci::finisher {

namespace {

char const* namespace_name(std::uint64_t type) {
    struct Name {
        std::uint64_t type;
        char const* name;
    };
    static constexpr Name names[] = {
        {CLONE_NEWUSER, "user"},     {CLONE_NEWNS, "mount"}, {CLONE_NEWPID, "pid"},
        {CLONE_NEWNET, "network"},   {CLONE_NEWIPC, "ipc"},  {CLONE_NEWUTS, "uts"},
        {CLONE_NEWCGROUP, "cgroup"}, {0x00000080, "time"}}; // CLONE_NEWTIME is not in sched.h
    for (auto const& entry : names)
        if (entry.type == type)
            return entry.name;
    return "unknown";
}

void enter_root(int folder) {
    if (::fchdir(folder) != 0)
        fail(errno, "fchdir to the root directory");
    if (::chroot(".") != 0)
        fail(errno, "chroot");
}

/// The outer half: tells who goes on, and ends. The end of the pipe lets the other half go: as soon as the runtime
/// knows of that one, it kills this one.
[[noreturn]] void announce(int pid, int pipe_end) {
    if (send_message(MessageKind::process, 0, Line(pid).view()))
        leave(0);
    (void)!::write(pipe_end, "", 1);
    leave(1);
}

/// The inner half speaks only after the outer half has: the pid has to be known first. Whom nobody knows of ends.
void wait_for_announcement(int pipe_end) {
    char byte = 0;
    if (::read(pipe_end, &byte, sizeof byte) != 0)
        leave(1);
    (void)::close(pipe_end);
}

} // namespace

void join_namespaces(Arguments arguments, Process& process) {
    std::size_t const count = arguments.count(2);
    for (std::size_t index = 0; index < count; ++index) {
        auto const type = arguments.number();
        auto const descriptor = static_cast<int>(arguments.number32());
        if (type == 0)
            enter_root(descriptor);
        else if (::setns(descriptor, static_cast<int>(type)) != 0)
            fail(errno, "setns to the ", namespace_name(type), " namespace");
        (void)::close(descriptor);
    }
    process.new_terminal = arguments.flag();
    hide_from_others(); // entering a user namespace sets it anew

    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        fail(errno, "pipe");
    int const pid = clone_process(CLONE_PARENT);
    if (pid < 0)
        fail(errno, "clone");
    if (pid > 0)
        announce(pid, ends[1]);
    (void)::close(ends[1]);
    wait_for_announcement(ends[0]);
    if (::setsid() < 0) // the outer half's session is none that the container could know
        fail(errno, "setsid");
    if (process.new_terminal && ::ioctl(STDIN_FILENO, TIOCSCTTY, 0) != 0)
        fail(errno, "ioctl TIOCSCTTY");
    if (peer_is_gone(process.wire))
        leave(1);
}

} // namespace oci::finisher
