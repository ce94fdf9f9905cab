// SPDX-License-Identifier: Apache-2.0
// The staging mount namespace (private to perform): how a container in a user namespace gets at mount sources and a
// rootfs that only the caller can reach.
//
// A detached tree must not cross into the user namespace: it would come without the locks that keep the container from
// making a read-only mount writable (mount_namespaces(7)). So the runtime attaches the trees in a mount namespace that
// belongs to its own user namespace. The child's is a copy of that, in which everything is locked, and the current
// folder leads it to the trees, whatever it may enter otherwise.
#pragma once

#include "base/result.h"
#include "perform/context.h"

namespace oci::perform {

/// In the current folder of the staging namespace.
inline constexpr char const* staged_rootfs = "rootfs";
std::string staged_source(std::size_t index);

/// Enters a new mount namespace with the trees of StageMounts attached in a tmpfs over the rootfs, and makes that tmpfs
/// the current folder. The way back is the caller's affair.
Result<void> enter_staging(Context const& context);

/// Clones what is to be staged again: an attempt to start init has used the first clones up. Nothing where nothing is
/// staged.
Result<void> open_staged(Context& context);

} // namespace oci::perform
