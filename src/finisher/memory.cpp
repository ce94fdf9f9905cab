// SPDX-License-Identifier: Apache-2.0
#include "memory.h"

#include <cerrno>
#include <sys/mman.h>

#include "wire.h"

namespace oci::finisher {

void* allocate(std::size_t size) {
    // One page for what is small; a waiting container shall cost little.
    alignas(16) static char page[4096];
    static std::size_t used = 0;
    std::size_t const rounded = (size + 15) & ~std::size_t{15};
    if (rounded <= sizeof page - used) {
        used += rounded;
        return page + used - rounded;
    }
    void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        fail(errno, "mmap");
    return memory;
}

StringArray string_array(Arguments& arguments) {
    StringArray array;
    array.count = arguments.count();
    array.texts = static_cast<char const**>(allocate((array.count + 3) * sizeof(char*)));
    for (std::size_t index = 0; index < array.count; ++index)
        array.texts[index] = arguments.c_string();
    return array;
}

} // namespace oci::finisher
