// SPDX-License-Identifier: Apache-2.0
// What checkpoint and restore agree on (private to perform).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "kernel/fd.h"

namespace oci::perform {

/// How long criu may take for anything: memory is written out at the speed of a disk. A signal ends the wait, too.
inline constexpr std::chrono::hours criu_limit{1};

inline constexpr char const* descriptors_file = "descriptors.json";
/// "extRootNetNS": the name in the image of a namespace that was joined by path, the same as runc's.
std::string namespace_key(std::uint64_t type);
/// A file of the host among the standard streams: "file[1a:2b]", mount id and inode, criu(8) --external.
inline constexpr std::string_view external_file_prefix = "file[";
inline constexpr std::string_view pipe_prefix = "pipe:[";

/// O_DIRECTORY; the folders that are missing are made, for nobody else to look into: memory holds secrets.
Result<kernel::Fd> make_folder(std::string const& path);

} // namespace oci::perform
