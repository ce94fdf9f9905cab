// SPDX-License-Identifier: Apache-2.0
// The program that decides on system calls with the action SCMP_ACT_NOTIFY: it gets the filter's listener
// (config-linux.md#seccomp, seccomp_unotify(2)).
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

#include "base/result.h"
#include "kernel/fd.h"

namespace oci::perform {

struct SeccompAgent {
    std::string path; ///< of its socket (AF_UNIX, SOCK_STREAM), absolute; "": there is none
    std::string metadata;
    std::string container_state; ///< the state that it is told (runtime.md#state), JSON
};

/// After a message `listener` with `descriptors` came on `socket`: gives the agent a connection with the container
/// process state and the listener, and tells the finisher that it may go on. Errors name /linux/seccomp/listenerPath.
/// What came is not trusted: nothing but one seccomp listener is passed on. `process`: pid, ours.
Result<void> pass_listener(int socket, std::vector<kernel::Fd> const& descriptors, SeccompAgent const& agent,
                           pid_t process);

} // namespace oci::perform
