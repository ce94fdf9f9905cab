// SPDX-License-Identifier: Apache-2.0
// Walks a plan: runtime and set-up child walk the same list and do their own actor's steps.
#pragma once

#include "base/result.h"
#include "perform/context.h"
#include "perform/seccomp_agent.h"
#include "steps/step.h"

namespace oci::perform {

/// Returns in the runtime only, when the last step that it takes part in is done; the container's side never returns.
/// An error's message begins with what was being done (steps::describe). What was made until then is left for
/// destroy().
Result<void> perform(steps::Plan const& plan, Context& context);

/// After perform() of a create plan: waits until init is at the gate. What it has to allocate and receive for that may
/// fail, and then create has failed.
Result<void> await_gate(Context& context);

/// After perform() of an exec plan: waits until the program runs (the wire closes by execve) or its start failed.
Result<void> await_execution(Context& context, SeccompAgent const& agent);

} // namespace oci::perform
