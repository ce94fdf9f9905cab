// SPDX-License-Identifier: Apache-2.0
#include "kernel/outer_filter.h"

#include <array>
#include <cerrno>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/host.h"
#include "kernel/host.h"

namespace oci::kernel {

namespace {

struct Needed {
    std::string_view name;
    long number;
    /// The kernel looks at the caller's rights before it looks at the arguments.
    bool privileged;
};
// openat2(2) and close_range(2) are not here: they have fallbacks.
constexpr auto needed = std::to_array<Needed>({
    {"clone3", SYS_clone3, false},
    {"pidfd_open", SYS_pidfd_open, false},
    {"pidfd_send_signal", SYS_pidfd_send_signal, false},
    {"open_tree", SYS_open_tree, false},
    {"mount_setattr", SYS_mount_setattr, false},
    {"fsconfig", SYS_fsconfig, false},
    {"fsopen", SYS_fsopen, true},
    {"fsmount", SYS_fsmount, true},
    {"move_mount", SYS_move_mount, true},
});

bool is_privileged() {
    auto const host = observe_host();
    return host && host->has_capability(cap_sys_admin);
}

} // namespace

std::vector<std::string_view> calls_forbidden_by_outer_filter() {
    if (::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != SECCOMP_MODE_FILTER)
        return {};
    std::vector<std::string_view> forbidden;
    bool const privileged = is_privileged();
    for (auto const& [name, number, needs_rights] : needed) {
        if (needs_rights && !privileged)
            continue;
        // All arguments are as wrong as they can be: no descriptor, no memory, unknown flags. Nothing happens.
        long const result = ::syscall(number, -1L, 0L, -1L, 0L, -1L, 0L);
        if (result < 0 && (errno == EPERM || errno == ENOSYS))
            forbidden.push_back(name);
    }
    return forbidden;
}

} // namespace oci::kernel
