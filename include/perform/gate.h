// SPDX-License-Identifier: Apache-2.0
// The start gate seen from outside: telling a waiting init to go.
#pragma once

#include "base/result.h"
#include "perform/seccomp_agent.h"
#include "state/container_dir.h"

namespace oci::perform {

struct StartAnswer {
    enum class Kind {
        runs,        ///< the program was executed
        not_waiting, ///< nobody waits at the gate (any more): it was started already, or it is dead
        failed       ///< init could not execute the program, or did not get to it in time; it is of no use any more
    };
    Kind kind = Kind::runs;
    Error error; ///< with failed: what was being done and why not
};

/// Connects, says start, and waits for the answer: init says that it is about to execute, then end of file by
/// close-on-exec; or it reports what failed. `deadline` ends the wait for startContainer hooks. An error of this
/// function itself (descriptors ran out, say) has no effect on the container. `agent` gets the listener of a seccomp
/// filter, `init` is the pid that it is told.
Result<StartAnswer> open_gate(state::ContainerDir const& directory, kernel::Deadline deadline,
                              SeccompAgent const& agent, pid_t init);

} // namespace oci::perform
