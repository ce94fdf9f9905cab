// SPDX-License-Identifier: Apache-2.0
#include "process.h"

#include <cerrno>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wire.h"

namespace oci::finisher {

namespace {

/// Bit masks by capability number, as capget(2) and capset(2) have them in two halves.
struct Sets {
    std::uint64_t effective = 0;
    std::uint64_t permitted = 0;
    std::uint64_t inheritable = 0;
};

constexpr std::uint64_t bit(unsigned number) {
    return std::uint64_t{1} << number;
}

Sets current_sets() {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
    if (::syscall(SYS_capget, &header, data) != 0)
        fail(errno, "capget");
    auto const joined = [](std::uint64_t low, std::uint64_t high) { return low | high << 32U; };
    return {.effective = joined(data[0].effective, data[1].effective),
            .permitted = joined(data[0].permitted, data[1].permitted),
            .inheritable = joined(data[0].inheritable, data[1].inheritable)};
}

void set_sets(Sets const& sets) {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
    for (unsigned half = 0; half < _LINUX_CAPABILITY_U32S_3; ++half) {
        data[half].effective = static_cast<std::uint32_t>(sets.effective >> 32U * half);
        data[half].permitted = static_cast<std::uint32_t>(sets.permitted >> 32U * half);
        data[half].inheritable = static_cast<std::uint32_t>(sets.inheritable >> 32U * half);
    }
    if (::syscall(SYS_capset, &header, data) != 0)
        fail(errno, "capset");
}

/// Drops what is not asked from the bounding set; what is left of it.
std::uint64_t limit_bounding_set(std::uint64_t asked) {
    std::uint64_t left = 0;
    for (unsigned number = 0; number < 64; ++number) {
        bool const drop = (asked & bit(number)) == 0;
        if (drop && ::prctl(PR_CAPBSET_DROP, number, 0, 0, 0) == 0)
            continue;
        int const refusal = errno;
        int const present = ::prctl(PR_CAPBSET_READ, number, 0, 0, 0);
        if (present < 0 && errno == EINVAL) // beyond the kernel's last capability
            break;
        if (present < 0)
            fail(errno, "prctl PR_CAPBSET_READ ", number);
        if (present == 0)
            continue;
        if (drop)
            fail(refusal, "prctl PR_CAPBSET_DROP ", number);
        left |= bit(number);
    }
    return left;
}

/// Raises `asked` as ambient capabilities; what could not be raised.
std::uint64_t set_ambient(std::uint64_t asked) {
    std::uint64_t refused = 0;
    if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
        fail(errno, "prctl PR_CAP_AMBIENT_CLEAR_ALL");
    for (unsigned number = 0; number < 64; ++number) {
        if ((asked & bit(number)) == 0 || ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0) == 0)
            continue;
        if (errno != EPERM && errno != EINVAL) // not permitted or not inheritable; not known to this kernel
            fail(errno, "prctl PR_CAP_AMBIENT_RAISE ", number);
        refused |= bit(number);
    }
    return refused;
}

/// One warning with the names out of the request: config.md wants no failure for what cannot be granted.
void warn_of(std::uint64_t refused, Arguments names) {
    if (refused == 0)
        return;
    Line text("capabilities that cannot be granted are left out:");
    std::size_t const count = names.count(2);
    for (std::size_t index = 0; index < count; ++index) {
        auto const number = names.number();
        auto const name = names.text();
        if (number < 64 && (refused & bit(static_cast<unsigned>(number))) != 0) {
            text.append(" ");
            text.append(name);
        }
    }
    warn(text.view());
}

} // namespace

void set_capabilities(Arguments arguments) {
    std::uint64_t const bounding = arguments.number();
    Sets asked;
    asked.effective = arguments.number();
    asked.inheritable = arguments.number();
    asked.permitted = arguments.number();
    std::uint64_t const ambient = arguments.number();
    std::uint64_t const kept = arguments.flag() ? bit(CAP_SYS_ADMIN) : 0;

    Sets own = current_sets();
    own.effective = own.permitted; // a change of the user id has emptied it
    set_sets(own);
    std::uint64_t const bounded = limit_bounding_set(bounding);

    Sets granted;
    granted.permitted = asked.permitted & own.permitted;
    granted.effective = asked.effective & granted.permitted;
    granted.inheritable = asked.inheritable & (own.inheritable | (own.permitted & bounded)); // what capset(2) allows
    set_sets({.effective = granted.effective | (kept & own.permitted),
              .permitted = granted.permitted | (kept & own.permitted),
              .inheritable = granted.inheritable});
    std::uint64_t const refused = set_ambient(ambient);
    warn_of((bounding & ~bounded) | (asked.permitted & ~granted.permitted) | (asked.effective & ~granted.effective) |
                (asked.inheritable & ~granted.inheritable) | refused,
            arguments);
}

} // namespace oci::finisher
