// SPDX-License-Identifier: Apache-2.0
// Memory that is never given back: everything ends at execve(2).
#pragma once

#include <cstddef>

#include "request.h"

namespace oci::finisher {

/// `size` bytes of zeros, aligned for pointers and 64-bit numbers.
void* allocate(std::size_t size);

/// A list of texts as execve(2) takes it, with a null pointer at its end and room for two more texts.
struct StringArray {
    char const** texts = nullptr;
    std::size_t count = 0;
};
StringArray string_array(Arguments& arguments);

} // namespace oci::finisher
