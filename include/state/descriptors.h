// SPDX-License-Identifier: Apache-2.0
// descriptors.json beside the images of a checkpoint: what the standard streams were, in the form of runc.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace oci::state {

/// Their links in /proc/PID/fd: ["pipe:[1234]","/dev/null"].
std::string descriptors_json(std::vector<std::string> const& links);
/// Anything but an array of a few texts is an error.
Result<std::vector<std::string>> descriptors_from_json(std::string_view text);

} // namespace oci::state
