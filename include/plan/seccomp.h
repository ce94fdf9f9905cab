// SPDX-License-Identifier: Apache-2.0
// Compiles the seccomp profile of config.json into the program that the finisher loads.
#pragma once

#include <string>

#include "base/result.h"
#include "spec/linux.h"
#include "steps/process.h"

namespace oci::plan {

/// The profile as a classic BPF program, seccomp(2), for the native architecture and those of the profile; calls of
/// others end the thread.
///
/// Where the default is to fail with EPERM, system calls newer than every one that the profile names fail with ENOSYS
/// instead: C libraries try new calls first and go back to old ones on ENOSYS only.
///
/// Of several rules for a call one without arguments decides alone (the first), else the strictest one that matches.
Result<steps::LoadSeccomp> compile_seccomp(spec::Seccomp const& profile);

/// libseccomp's own version: "2.5.4".
std::string seccomp_version();

} // namespace oci::plan
