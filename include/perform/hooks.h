// SPDX-License-Identifier: Apache-2.0
// Runs hooks with the container's state on their standard input.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "steps/lifecycle.h"

namespace oci::perform {

struct ProgramRun {
    std::string_view noun; ///< before its path in errors: "hook "
    std::string folder;    ///< working directory
    std::string input;
    int peer = -1; ///< a pidfd or a wire: when that process ends, the program is killed
};
/// A program as `hook` describes it, to its end. The error tells exit status or signal and the end of what it printed.
Result<void> run_program(steps::HookProgram const& program, ProgramRun const& run);
/// One hook, in the working directory `folder` (the bundle). The error tells its exit status or signal and the end of
/// what it printed. `peer` is a pidfd, a wire, or -1: when that process ends the hook is killed, so that a hook without
/// timeout cannot hold up the clean-up of a container that is gone.
Result<void> run_hook(steps::HookProgram const& hook, std::string const& folder, std::string const& state,
                      int peer = -1);
/// All in order; stops at the first failure. Hooks without an environment of their own get the caller's.
Result<void> run_hooks(steps::RunHooks const& hooks, std::string const& folder, std::string const& state,
                       int peer = -1);

} // namespace oci::perform
