// SPDX-License-Identifier: Apache-2.0
#include "commands/common.h"
#include "plan/seccomp.h"
#include "spec/example.h"

namespace oci::commands {

Result<int> run_features(Invocation const&) {
    TRY(print(spec::features_json(plan::seccomp_version())));
    return 0;
}

} // namespace oci::commands
