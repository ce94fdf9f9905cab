// SPDX-License-Identifier: Apache-2.0
// The finisher (src/finisher) as it is embedded in this program: an ELF file.
#pragma once

#include <span>

namespace oci::perform {

std::span<unsigned char const> finisher_image();

} // namespace oci::perform
