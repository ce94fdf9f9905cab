// SPDX-License-Identifier: Apache-2.0
// Programs and data in sealed memory: what runs where a container can see it must not be a file of the host
// (CVE-2019-5736).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kernel/fd.h"

namespace oci::kernel {

/// An executable memfd with `image` in it, mode 0111 (opaque in /proc), sealed against every change. Falls back to a
/// file on a detached read-only tmpfs where vm.memfd_noexec forbids executable memfds.
Result<Fd> sealed_program(std::string_view name, std::span<unsigned char const> image);
/// A read-only memfd with `data`, sealed.
Result<Fd> sealed_data(std::string_view name, std::string_view data);
/// An empty memfd to write to.
Result<Fd> memory_file(std::string_view name);
/// Whether the calling program itself runs from sealed memory.
bool running_sealed();
/// Starts this program again from a sealed copy of itself, with the same arguments, environment and descriptors (the
/// pid stays). Returns only on failure.
Error restart_sealed(std::vector<std::string> const& arguments);

} // namespace oci::kernel
