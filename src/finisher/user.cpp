// SPDX-License-Identifier: Apache-2.0
#include "process.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "memory.h"
#include "wire.h"

// Calls go to the kernel directly: the library's wrappers change all threads (there is one), and fchown(3) of musl may
// fall back to a path in /proc, which is the container's.

namespace oci::finisher {

namespace {

/// The process has to be able to open /dev/stdout. Devices are shared with others: /dev/null, or the terminal of the
/// caller, which must not come into the hands of somebody who has the same number on the host.
void own_stream(int stream, unsigned uid, bool new_terminal) {
    struct stat status {};
    if (::fstat(stream, &status) != 0 || status.st_uid == uid)
        return;
    if (S_ISCHR(status.st_mode) && !new_terminal)
        return;
    constexpr auto unchanged = static_cast<unsigned>(-1);
    if (::syscall(SYS_fchown, stream, uid, unchanged) == 0)
        return;
    // EINVAL, EPERM: an owner that is not mapped here; EROFS: a read-only file system; EBADF: opened by O_PATH.
    if (errno != EINVAL && errno != EPERM && errno != EROFS && errno != EBADF)
        fail(errno, "fchown standard stream ", stream);
}

/// By this user namespace: user_namespaces(7), "The /proc/pid/setgroups file".
bool setgroups_is_denied() {
    char text[4]{};
    int const file = ::open("/proc/self/setgroups", O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    bool const denied = file >= 0 && ::read(file, text, sizeof text) == 4 && std::memcmp(text, "deny", 4) == 0;
    if (file >= 0)
        (void)::close(file);
    return denied;
}

/// The kernel wants 32-bit ids, the record has them as words.
void set_groups(std::span<std::uint64_t const> words) {
    auto* const groups = static_cast<unsigned*>(allocate(words.size() * sizeof(unsigned)));
    for (std::size_t index = 0; index < words.size(); ++index)
        groups[index] = static_cast<unsigned>(words[index]);
    if (::syscall(SYS_setgroups, words.size(), groups) == 0)
        return;
    // Nobody may then, and the groups stay what they are.
    if (int const problem = errno; problem != EPERM || !setgroups_is_denied())
        fail(problem, "setgroups");
    if (!words.empty())
        warn("no additional groups: this user namespace denies setgroups");
}

} // namespace

void set_user(Arguments arguments, Process const& process) {
    auto const uid = arguments.number32();
    auto const gid = arguments.number32();
    auto const umask = arguments.number32();
    bool const own_streams = arguments.flag();
    bool const keep_groups = arguments.flag();
    auto const groups = arguments.words(arguments.count());

    for (int stream = 0; own_streams && stream <= 2; ++stream)
        own_stream(stream, uid, process.new_terminal);
    if (!keep_groups)
        set_groups(groups);
    // Until execve(2) the permitted capabilities stay: the bounding set and seccomp still need some.
    if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
        fail(errno, "prctl PR_SET_KEEPCAPS");
    if (::syscall(SYS_setresgid, gid, gid, gid) != 0)
        fail(errno, "setresgid ", gid);
    if (::syscall(SYS_setresuid, uid, uid, uid) != 0)
        fail(errno, "setresuid ", uid);
    (void)::umask(static_cast<mode_t>(umask & 0777U));
    hide_from_others(); // a change of ids sets it to fs.suid_dumpable
}

} // namespace oci::finisher
