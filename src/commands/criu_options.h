// SPDX-License-Identifier: Apache-2.0
// The options that checkpoint and restore share.
#pragma once

#include "base/result.h"
#include "commands/commands.h"
#include "spec/spec.h"
#include "steps/checkpoint.h"

namespace oci::commands {

/// Everything of them that does not depend on the container.
Result<steps::CriuOptions> criu_options(Invocation const& invocation);

} // namespace oci::commands
