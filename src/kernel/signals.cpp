// SPDX-License-Identifier: Apache-2.0
#include "kernel/signals.h"

#include <cerrno>
#include <csignal>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace oci::kernel {

Result<Fd> signal_descriptor() {
    sigset_t all;
    ::sigfillset(&all);
    int const descriptor = ::signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    if (descriptor < 0)
        return fail_errno(errno, "signalfd");
    return Fd(descriptor);
}

Result<std::optional<int>> next_signal(int descriptor) {
    signalfd_siginfo information{};
    while (::read(descriptor, &information, sizeof information) == static_cast<ssize_t>(sizeof information)) {
        // Of writes of our own.
        bool const own = information.ssi_signo == SIGPIPE && information.ssi_pid == static_cast<unsigned>(::getpid());
        if (!own)
            return static_cast<int>(information.ssi_signo);
    }
    if (errno == EAGAIN || errno == EINTR)
        return std::nullopt;
    return fail_errno(errno, "read signalfd");
}

Result<void> set_default_actions(std::uint64_t signals) {
    // By system calls: the library keeps some real-time signals for itself. All of the kernel's struct is 0: SIG_DFL.
    constexpr unsigned long default_action[4]{};
    constexpr int last_signal = 64; // _NSIG of the kernel, all architectures but MIPS
    for (int signal = 1; signal <= last_signal; ++signal)
        if ((signals >> (signal - 1) & 1U) != 0 &&
            ::syscall(SYS_rt_sigaction, signal, &default_action, nullptr, last_signal / 8) != 0)
            return fail_errno(errno, "rt_sigaction ", signal);
    return {};
}

Result<std::optional<EndedChild>> reap_any() {
    int status = 0;
    pid_t const pid = ::waitpid(-1, &status, WNOHANG);
    if (pid < 0 && errno != ECHILD)
        return fail_errno(errno, "waitpid");
    if (pid <= 0)
        return std::nullopt;
    return EndedChild{pid, WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status)};
}

} // namespace oci::kernel
