// SPDX-License-Identifier: Apache-2.0
#include "spec/linux.h"

#include <algorithm>

namespace oci::spec {

Namespace const* Linux::find(std::uint64_t type) const {
    auto const found = std::find_if(namespaces.begin(), namespaces.end(),
                                    [type](Namespace const& entry) { return entry.type == type; });
    return found == namespaces.end() ? nullptr : &*found;
}

bool Linux::creates(std::uint64_t type) const {
    auto const* const found = find(type);
    return found != nullptr && found->path.empty();
}

} // namespace oci::spec
