// SPDX-License-Identifier: Apache-2.0
#include "kernel/terminal.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include "kernel/file.h"

namespace oci::kernel {

Result<Pseudoterminal> open_pseudoterminal(int devpts) {
    auto master = TRY(openat2(devpts, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW, 0,
                              RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV));
    auto const status = TRY(fstat(master.get()));
    bool const is_ptmx = S_ISCHR(status.st_mode) && status.st_rdev == makedev(5, 2);
    if (!is_ptmx || TRY(filesystem_type(master.get())) != DEVPTS_SUPER_MAGIC)
        return fail("open ptmx: not a pseudoterminal multiplexer");
    int const locked = 0;
    if (::ioctl(master.get(), TIOCSPTLCK, &locked) != 0)
        return fail_errno(errno, "ioctl TIOCSPTLCK");
    unsigned number = 0;
    if (::ioctl(master.get(), TIOCGPTN, &number) != 0)
        return fail_errno(errno, "ioctl TIOCGPTN");
    Fd slave(::ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!slave)
        return fail_errno(errno, "ioctl TIOCGPTPEER");
    return Pseudoterminal{std::move(master), std::move(slave), concat("/dev/pts/", number)};
}

Result<void> set_window_size(int terminal, std::uint16_t rows, std::uint16_t columns) {
    winsize size{};
    size.ws_row = rows;
    size.ws_col = columns;
    if (::ioctl(terminal, TIOCSWINSZ, &size) != 0)
        return fail_errno(errno, "ioctl TIOCSWINSZ");
    return {};
}

std::optional<WindowSize> window_size(int terminal) {
    winsize size{};
    if (::ioctl(terminal, TIOCGWINSZ, &size) != 0 || size.ws_row == 0)
        return std::nullopt;
    return WindowSize{size.ws_row, size.ws_col};
}

Result<void> copy_window_size(int from, int to) {
    auto const size = window_size(from);
    return size ? set_window_size(to, size->rows, size->columns) : Result<void>();
}

Result<void> make_controlling_terminal(int terminal) {
    if (::ioctl(terminal, TIOCSCTTY, 0) != 0)
        return fail_errno(errno, "ioctl TIOCSCTTY");
    return {};
}

Result<void> make_standard_streams(int terminal) {
    for (int const stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (::dup2(terminal, stream) < 0)
            return fail_errno(errno, "dup2 to ", stream);
    return {};
}

RawMode::RawMode(int terminal) {
    termios settings{};
    if (::tcgetattr(terminal, &settings) != 0)
        return;
    std::string saved(sizeof settings, '\0');
    std::memcpy(saved.data(), &settings, sizeof settings);
    ::cfmakeraw(&settings);
    if (::tcsetattr(terminal, TCSANOW, &settings) != 0)
        return;
    terminal_ = terminal;
    saved_ = std::move(saved);
}

RawMode::~RawMode() {
    if (terminal_ < 0)
        return;
    termios settings{};
    std::memcpy(&settings, saved_.data(), sizeof settings);
    ::tcsetattr(terminal_, TCSANOW, &settings);
}

} // namespace oci::kernel
