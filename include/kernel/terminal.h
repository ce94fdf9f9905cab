// SPDX-License-Identifier: Apache-2.0
// Pseudoterminals: made in a given devpts, sized, put into raw mode (pty(7), ioctl_tty(2)).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "kernel/fd.h"

namespace oci::kernel {

struct Pseudoterminal {
    Fd master;
    Fd slave;         ///< by TIOCGPTPEER, never by name (CVE-2025-52565)
    std::string name; ///< "/dev/pts/N", for the console socket's message
};
/// Opens "ptmx" in the devpts mounted at `devpts` (magic and 5:2 are checked on the descriptor), unlocks it.
Result<Pseudoterminal> open_pseudoterminal(int devpts);
Result<void> set_window_size(int terminal, std::uint16_t rows, std::uint16_t columns);
struct WindowSize {
    std::uint16_t rows = 0;
    std::uint16_t columns = 0;
};
/// nullopt: no terminal, or nobody knows the size (over a serial line, or made by script(1)).
std::optional<WindowSize> window_size(int terminal);
/// Copies the size of one terminal to another, if it is known.
Result<void> copy_window_size(int from, int to);
/// TIOCSCTTY for a session leader without terminal.
Result<void> make_controlling_terminal(int terminal);
/// dup2(2) to descriptors 0, 1 and 2, which stay open over execve(2).
Result<void> make_standard_streams(int terminal);

/// Raw mode for a scope: the former settings come back when it ends. Not a terminal: nothing is done.
class [[nodiscard]] RawMode {
public:
    explicit RawMode(int terminal);
    ~RawMode();
    RawMode(RawMode const&) = delete;
    RawMode& operator=(RawMode const&) = delete;

private:
    int terminal_ = -1;
    std::string saved_; ///< struct termios, as bytes, so that this header needs none of it
};

} // namespace oci::kernel
