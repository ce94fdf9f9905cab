// SPDX-License-Identifier: Apache-2.0
#include "kernel/network.h"

#include <cerrno>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "kernel/fd.h"

namespace oci::kernel {

Result<void> bring_interface_up(std::string const& name) {
    ::ifreq request{};
    if (name.size() >= sizeof request.ifr_name)
        return fail_errno(ENAMETOOLONG, "interface ", name);
    name.copy(request.ifr_name, name.size());
    // Any kind of socket will do (netdevice(7)), and this one exists in every kernel.
    Fd const socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket)
        return fail_errno(errno, "socket");
    if (::ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0)
        return fail_errno(errno, "ioctl SIOCGIFFLAGS ", name);
    request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
    if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0)
        return fail_errno(errno, "ioctl SIOCSIFFLAGS ", name);
    return {};
}

} // namespace oci::kernel
