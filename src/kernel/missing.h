// SPDX-License-Identifier: Apache-2.0
// Constants of newer kernels that the oldest headers we build with (glibc 2.36, Linux 6.1) do not have.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>

#ifndef MFD_NOEXEC_SEAL // Linux 6.3
#    define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef MFD_EXEC // Linux 6.3
#    define MFD_EXEC 0x0010U
#endif
#ifndef F_SEAL_EXEC // Linux 6.3
#    define F_SEAL_EXEC 0x0020
#endif
