// SPDX-License-Identifier: Apache-2.0
// Starts another program (a hook, criu) with given standard streams and nothing else.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernel/process.h"

namespace oci::kernel {

struct SpawnRequest {
    std::string path;                                    ///< absolute
    std::vector<std::string> arguments;                  ///< argv
    std::optional<std::vector<std::string>> environment; ///< unset: the caller's
    std::string working_directory;                       ///< "/" where it does not exist (any more)
    int standard_input = -1;                             ///< descriptor
    int standard_output = -1;                            ///< descriptor for both output streams
    int standard_error = -1;                             ///< where that is another one
    std::vector<int> kept = {};                          ///< stay open under the same numbers, all above 2
    int cgroup = -1;                                     ///< with >= 0: born in this folder of cgroup2
    bool new_session = true;
};
/// fork and execve(2), in a session (so also a process group) of its own, killed when the caller dies, with signals
/// unblocked and at their defaults; every other descriptor is closed. A failed execve is this call's failure.
Result<ClonedProcess> spawn(SpawnRequest const& request);
/// The same for a name without slash: looked for in the absolute folders of PATH, or, engines do not always set it, in
/// the usual ones. ENOENT: "NAME: executable file not found in $PATH".
Result<ClonedProcess> spawn_from_path(SpawnRequest request);

} // namespace oci::kernel
