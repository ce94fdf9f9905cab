// SPDX-License-Identifier: Apache-2.0
#include "commands/common.h"

namespace oci::commands {

Result<int> run_help(Invocation const& invocation) {
    if (invocation.arguments.empty()) {
        TRY(print(global_help()));
        return 0;
    }
    auto const* const command = find_command(invocation.arguments[0]);
    if (command == nullptr)
        return fail("unknown command ", json_string(invocation.arguments[0]));
    TRY(print(command_help(*command)));
    return 0;
}

} // namespace oci::commands
