// SPDX-License-Identifier: Apache-2.0
// `run` and `exec` in the foreground: the caller's signals and terminal are the container's until its process ends.
#pragma once

#include <sys/types.h>

#include "base/result.h"
#include "perform/notify.h"

namespace oci::perform {

struct ForegroundProcess {
    pid_t pid = 0; ///< a child of the caller
    int pidfd = -1;
    int terminal = -1; ///< master of its pseudoterminal, or -1: it has the caller's standard streams
    Notify* notify = nullptr;
};

/// Forwards signals (all but SIGCHLD, SIGURG and SIGWINCH, which resizes), copies between terminal and standard
/// streams, reaps what is re-parented to the caller. Returns the exit status: 128 + N after signal N. All signals must
/// be blocked.
Result<int> wait_in_foreground(ForegroundProcess const& process);

} // namespace oci::perform
