// SPDX-License-Identifier: Apache-2.0
// User, groups and capabilities of the calling process.
#pragma once

#include <cstdint>
#include <sys/types.h>

#include "base/result.h"

namespace oci::kernel {

enum class Groups { none, as_they_are };
/// Becomes `uid`:`gid` (real, effective, saved, filesystem), with no supplementary groups where setgroups(2) is
/// allowed. Capabilities stay (the caller is still privileged in its user namespace: SECBIT_KEEP_CAPS is used and
/// effective = permitted).
Result<void> become(uid_t uid, gid_t gid, Groups groups = Groups::none);
/// Makes the permitted capabilities inheritable and ambient, so that the next execve keeps them for any uid.
Result<void> keep_capabilities_over_exec();
/// The bounding set of the calling process as a bit mask (what can be granted at all).
std::uint64_t bounding_capabilities();

} // namespace oci::kernel
