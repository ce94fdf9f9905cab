// SPDX-License-Identifier: Apache-2.0
#include "refusal.h"

#include <cerrno>
#include <fcntl.h>
#include <sched.h>

#include "base/names.h"
#include "kernel/file.h"

namespace oci::perform {

namespace {

/// A sysctl's value; "" where this kernel does not have it.
std::string sysctl(std::string const& name) {
    auto const content = kernel::read_file(AT_FDCWD, concat("/proc/sys/", name), 64);
    return content ? std::string(trim(*content)) : std::string();
}

/// namespaces(7), "The /proc/sys/user directory".
std::string limit_text(std::uint64_t namespaces) {
    for (auto const name : namespace_names()) {
        auto const flag = namespace_flag(name).value_or(0);
        if ((namespaces & flag) != 0 && sysctl(concat("user/max_", namespace_file(flag), "_namespaces")) == "0")
            return concat(" (sysctl user.max_", namespace_file(flag), "_namespaces is 0)");
    }
    return " (a limit of /proc/sys/user/max_*_namespaces is reached)";
}

} // namespace

std::string why_refused(int error, std::uint64_t namespaces) {
    if (error == ENOSPC || error == EUSERS)
        return limit_text(namespaces);
    if ((namespaces & CLONE_NEWUSER) == 0 || (error != EPERM && error != EACCES))
        return {};
    if (sysctl("kernel/unprivileged_userns_clone") == "0") // Debian's
        return " (user namespaces are reserved for root: sysctl kernel.unprivileged_userns_clone is 0)";
    if (sysctl("kernel/apparmor_restrict_unprivileged_userns") == "1") // Ubuntu's
        return " (AppArmor gives no rights in user namespaces: sysctl kernel.apparmor_restrict_unprivileged_userns "
               "is 1, and no profile allows this program more)";
    return " (new user namespaces may be forbidden here: by a chroot, a seccomp filter or a security module)";
}

} // namespace oci::perform
