// SPDX-License-Identifier: Apache-2.0
#include "commands/common.h"
#include "plan/seccomp.h"

namespace oci::commands {

Result<int> run_version(Invocation const& invocation) {
    // Engines take the version from a first line that begins with the name they called.
    bool const stands_in = invocation.program == "runc" || invocation.program == "crun";
    TRY(print(concat(stands_in ? invocation.program : "oci-run", " version ", OCI_RUN_VERSION,
                     "\ncommit: ", OCI_RUN_COMMIT, "\nspec: 1.3.0\nlibseccomp: ", plan::seccomp_version(), "\n")));
    return 0;
}

} // namespace oci::commands
