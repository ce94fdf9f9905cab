// SPDX-License-Identifier: Apache-2.0
#include "process.h"

#include <cerrno>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wire.h"

namespace oci::finisher {

namespace {

/// Largest descriptor that may be open: at first what a process can have unless fs.nr_open was raised.
unsigned last_open = (1U << 20U) - 1;

/// More than this program ever opens at a time.
constexpr unsigned most_own = 64;

/// Where a seccomp filter of an outer container forbids close_range(2). /proc is not asked: it is the container's.
void close_one_by_one(unsigned first, unsigned last, unsigned flags) {
    for (unsigned descriptor = first; descriptor <= last && descriptor <= last_open; ++descriptor) {
        if (flags == CLOSE_RANGE_CLOEXEC)
            (void)::fcntl(static_cast<int>(descriptor), F_SETFD, FD_CLOEXEC);
        else
            (void)::close(static_cast<int>(descriptor));
    }
}

void close_range(unsigned first, unsigned last, unsigned flags) {
    if (first > last || ::syscall(SYS_close_range, first, last, flags) == 0)
        return;
    if (errno != ENOSYS && errno != EPERM)
        fail(errno, "close_range");
    close_one_by_one(first, last, flags);
}

} // namespace

void close_strangers(unsigned preserved, std::span<int const> kept) {
    unsigned first = 3 + preserved;
    for (int const descriptor : kept) {
        close_range(first, static_cast<unsigned>(descriptor) - 1, 0);
        first = static_cast<unsigned>(descriptor) + 1;
    }
    close_range(first, ~0U, 0);
    last_open = first + most_own; // new ones take the lowest number that is free
    mark_close_on_exec(3 + preserved);
}

void mark_close_on_exec(unsigned first) {
    close_range(first, ~0U, CLOSE_RANGE_CLOEXEC);
}

void close_descriptors(Process const& process) {
    unsigned const end = 3 + process.preserved;
    for (unsigned descriptor = 3; descriptor < end; ++descriptor)
        if (::fcntl(static_cast<int>(descriptor), F_SETFD, 0) != 0 && errno != EBADF)
            fail(errno, "fcntl F_SETFD ", descriptor);
    mark_close_on_exec(end);
}

} // namespace oci::finisher
