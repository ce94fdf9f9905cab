// SPDX-License-Identifier: Apache-2.0
// NOTIFY_SOCKET (sd_notify(3)): the container's program says that it is ready, and the service manager is told so.
#pragma once

#include <optional>
#include <string>
#include <sys/types.h>

#include "base/result.h"
#include "kernel/fd.h"
#include "state/container_dir.h"

namespace oci::perform {

struct Notify {
    kernel::Fd from_container;
    kernel::Fd to_manager;
    bool ready = false;           ///< was said, and passed on
    std::optional<Error> failure; ///< nothing is passed on any more; the container runs all the same
};

/// Listens for the container and connects to the manager's socket `name`. nullopt: the container was made without.
Result<std::optional<Notify>> open_notify(state::ContainerDir const& directory, std::string const& name);

/// Reads what has come. The first READY=1 is passed on, with `main` as the service's main process, and nothing else:
/// whatever the container says besides is not believed.
void receive_notifications(Notify& notify, pid_t main);

/// Waits for READY=1, with which the process becomes the service's main one, and until the manager knows; or for the
/// end of the process.
void wait_until_ready(Notify& notify, pid_t process, int pidfd);

} // namespace oci::perform
