// SPDX-License-Identifier: Apache-2.0
// Signals as data: signalfd(2), and children that ended.
#pragma once

#include <cstdint>
#include <optional>
#include <sys/types.h>

#include "base/result.h"
#include "kernel/fd.h"

namespace oci::kernel {

/// A descriptor from which every signal can be read; all must be blocked (block_all_signals).
Result<Fd> signal_descriptor();
/// The next signal that has come, or nullopt.
Result<std::optional<int>> next_signal(int descriptor);

/// rt_sigaction(2): the default action for the signals in the mask (bit 0: signal 1). Of those of a caller only the
/// ignored ones outlive execve(2).
Result<void> set_default_actions(std::uint64_t signals);

struct EndedChild {
    pid_t pid = 0;
    int status = 0; ///< exit code, or 128 + signal
};
/// Reaps any child that has ended, or nullopt.
Result<std::optional<EndedChild>> reap_any();

} // namespace oci::kernel
