// SPDX-License-Identifier: Apache-2.0
#include "process.h"

#include <cerrno>
#include <csignal>
#include <sys/syscall.h>
#include <unistd.h>

#include "wire.h"

namespace oci::finisher {

namespace {

constexpr int last_signal = 64; // _NSIG of the kernel, all architectures but MIPS
constexpr std::size_t signal_set_size = last_signal / 8;

void set_mask(std::uint64_t mask) {
    if (::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, nullptr, signal_set_size) != 0)
        fail(errno, "rt_sigprocmask");
}

} // namespace

void block_signals() {
    set_mask(~std::uint64_t{0});
    (void)::signal(SIGPIPE, SIG_IGN);
    // A signal that is blocked is kept even where it is ignored, and would end the program once it is not any more: a
    // hook need not read the state.
    constexpr std::uint64_t broken_pipe = std::uint64_t{1} << (SIGPIPE - 1);
    set_mask(~broken_pipe);
}

void reset_signals() {
    if (::signal(SIGPIPE, SIG_DFL) == SIG_ERR) // the only one that is not as block_signals has made it
        fail(errno, "rt_sigaction ", SIGPIPE);
    set_mask(0);
}

int clone_process(unsigned long flags) {
    // Without CLONE_PARENT the exit signal is SIGCHLD; with it the kernel takes that of this process.
    return static_cast<int>(::syscall(SYS_clone, flags == 0 ? SIGCHLD : flags, nullptr, nullptr, nullptr, nullptr));
}

} // namespace oci::finisher
