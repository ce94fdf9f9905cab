// SPDX-License-Identifier: Apache-2.0
// What exec and mounts share: the namespaces of a container's init.
#pragma once

#include <cstdint>
#include <sys/types.h>
#include <vector>

#include "base/result.h"
#include "kernel/fd.h"

namespace oci::commands {

struct OpenNamespace {
    std::uint64_t type = 0; ///< CLONE_NEW*
    kernel::Fd descriptor;
};

/// The namespaces in which init differs from us. ENOENT: it is ending.
Result<std::vector<OpenNamespace>> namespaces_of(pid_t init);
std::vector<std::uint64_t> types_of(std::vector<OpenNamespace> const& namespaces);
/// The descriptor out of the list, which has one of that type.
kernel::Fd take_namespace(std::vector<OpenNamespace>& namespaces, std::uint64_t type);

} // namespace oci::commands
