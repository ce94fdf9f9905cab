// SPDX-License-Identifier: Apache-2.0
// Compiles the seccomp profile of config.json into the program that the finisher loads.
#pragma once

#include <string>

#include "base/result.h"
#include "spec/linux.h"
#include "steps/process.h"

namespace oci::plan {

/// The profile as a classic BPF program, seccomp(2), made by libseccomp for its own architecture and those of the
/// profile.
///
/// Where the default is to fail with EPERM, system calls newer than every one that the profile names fail with ENOSYS
/// instead: C libraries try new calls first and go back to old ones on ENOSYS only.
Result<steps::LoadSeccomp> compile_seccomp(spec::Seccomp const& profile);

/// libseccomp's own version: "2.5.4".
std::string seccomp_version();

} // namespace oci::plan
