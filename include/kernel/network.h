// SPDX-License-Identifier: Apache-2.0
// Network interfaces of the namespace that the caller is in (netdevice(7)).
#pragma once

#include <string>

#include "base/result.h"

namespace oci::kernel {

/// Sets IFF_UP. ENODEV: no interface of that name. EPERM: needs CAP_NET_ADMIN over the network namespace.
Result<void> bring_interface_up(std::string const& name);

} // namespace oci::kernel
