// SPDX-License-Identifier: Apache-2.0
// The seccomp filter that a sandbox around us may have put us under.
#pragma once

#include <string_view>
#include <vector>

namespace oci::kernel {

/// Names of the system calls that it fails with EPERM or ENOSYS, out of those that nothing can replace: "clone3". Empty
/// without a filter. What a caller without CAP_SYS_ADMIN may not do anyway is left out.
std::vector<std::string_view> calls_forbidden_by_outer_filter();

} // namespace oci::kernel
