// SPDX-License-Identifier: Apache-2.0
#include "kernel/credentials.h"

#include <cerrno>
#include <grp.h>
#include <linux/securebits.h>
#include <memory>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <type_traits>
#include <unistd.h>

namespace oci::kernel {

namespace {

struct FreeCapabilities {
    void operator()(cap_t capabilities) const { ::cap_free(capabilities); }
};
using Capabilities = std::unique_ptr<std::remove_pointer_t<cap_t>, FreeCapabilities>;

/// Makes one set of the calling process equal to its permitted set.
Result<Capabilities> raise_to_permitted(cap_flag_t set) {
    Capabilities own(::cap_get_proc());
    if (!own)
        return fail_errno(errno, "capget");
    if (::cap_fill(own.get(), set, CAP_PERMITTED) != 0)
        return fail_errno(errno, "cap_fill");
    if (::cap_set_proc(own.get()) != 0)
        return fail_errno(errno, "capset");
    return own;
}

} // namespace

Result<void> become(uid_t uid, gid_t gid, Groups groups) {
    // EPERM: the user namespace has "deny" in its setgroups file (user_namespaces(7)), and there is nothing to drop
    // then that this process could drop.
    if (groups == Groups::none && ::setgroups(0, nullptr) != 0 && errno != EPERM)
        return fail_errno(errno, "setgroups");
    if (::setresgid(gid, gid, gid) != 0)
        return fail_errno(errno, "setresgid ", gid);
    if (::prctl(PR_SET_KEEPCAPS, 1UL, 0UL, 0UL, 0UL) != 0)
        return fail_errno(errno, "prctl PR_SET_KEEPCAPS");
    if (::setresuid(uid, uid, uid) != 0)
        return fail_errno(errno, "setresuid ", uid);
    // The permitted set stayed, the effective one was emptied (capabilities(7)).
    TRY(raise_to_permitted(CAP_EFFECTIVE));
    return {};
}

Result<void> keep_capabilities_over_exec() {
    auto const own = TRY(raise_to_permitted(CAP_INHERITABLE));
    // Root gets what is inheritable by itself (capabilities(7), "Capabilities and execution of programs by root"), and
    // so does that of a user namespace, in it.
    if (::geteuid() == 0 && (::prctl(PR_GET_SECUREBITS, 0UL, 0UL, 0UL, 0UL) & SECBIT_NOROOT) == 0)
        return {};
    for (cap_value_t capability = 0; capability < cap_max_bits(); ++capability) {
        cap_flag_value_t permitted = CAP_CLEAR;
        if (::cap_get_flag(own.get(), capability, CAP_PERMITTED, &permitted) != 0 || permitted == CAP_CLEAR)
            continue;
        if (::cap_set_ambient(capability, CAP_SET) != 0)
            return fail_errno(errno, "prctl PR_CAP_AMBIENT_RAISE ", capability);
    }
    return {};
}

std::uint64_t bounding_capabilities() {
    std::uint64_t set = 0;
    for (unsigned capability = 0; capability < 64; ++capability) {
        int const held = ::prctl(PR_CAPBSET_READ, static_cast<unsigned long>(capability), 0UL, 0UL, 0UL);
        if (held < 0) // EINVAL: above the last one the kernel knows
            break;
        if (held > 0)
            set |= std::uint64_t{1} << capability;
    }
    return set;
}

} // namespace oci::kernel
