// SPDX-License-Identifier: Apache-2.0
// Why a kernel refuses namespaces to a user, as far as its settings tell (private to perform).
#pragma once

#include <cstdint>
#include <string>

namespace oci::perform {

/// For an errno of clone3(2) with these CLONE_NEW* flags, or of what a new user namespace should have allowed: words in
/// brackets to put behind the message, or "".
std::string why_refused(int error, std::uint64_t namespaces);

} // namespace oci::perform
