// SPDX-License-Identifier: Apache-2.0
// Compiles the finisher's part of a plan into the request of finisher/protocol.h.
#pragma once

#include <span>
#include <string>

#include "steps/step.h"

namespace oci::perform {

/// The steps of Actor::finisher in their order, one record each with describe(step) as its description, and a `turn`
/// wherever steps of others stand between them. `joined`: descriptors for JoinContainer, of its namespaces in the order
/// of its list, then of the root directory; they, the request, wire and gate have to lie above the preserved
/// descriptors.
std::string compile_finisher_request(steps::Plan const& plan, std::span<int const> joined = {});

} // namespace oci::perform
