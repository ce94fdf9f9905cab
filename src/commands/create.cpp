// SPDX-License-Identifier: Apache-2.0
#include "commands/lifecycle.h"

namespace oci::commands {

/// The container's process waits at the start gate when this returns; it is re-parented to the caller's subreaper.
Result<int> run_create(Invocation const& invocation) {
    TRY(create_container(invocation, Purpose::create));
    return 0;
}

} // namespace oci::commands
