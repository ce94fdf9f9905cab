// SPDX-License-Identifier: Apache-2.0
#include "kernel/fd.h"

#include <cerrno>
#include <unistd.h>

namespace oci::kernel {

void Fd::close() {
    if (descriptor_ < 0)
        return;
    // Linux frees the number even when close(2) reports EINTR or EIO, so it is never tried again. errno is kept: an Fd
    // that goes out of scope between a failed call and its report must not change what is reported.
    int const saved = errno;
    ::close(std::exchange(descriptor_, -1));
    errno = saved;
}

} // namespace oci::kernel
