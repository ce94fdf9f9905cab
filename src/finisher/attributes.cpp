// SPDX-License-Identifier: Apache-2.0
#include "process.h"

#include <cerrno>
#include <linux/keyctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wire.h"

namespace oci::finisher {

void join_keyring(Arguments arguments) {
    char const* const name = arguments.c_string();
    if (::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name) >= 0)
        return;
    if (errno == EDQUOT)
        warn("no session keyring: the user's quota is used up (kernel.keys.maxkeys, kernel.keys.maxbytes)");
    else if (errno == ENOSYS || errno == EPERM || errno == EACCES)
        warn("no session keyring: keyctl is not available or not permitted");
    else
        fail(errno, "keyctl KEYCTL_JOIN_SESSION_KEYRING ", name);
}

void set_no_new_privileges() {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        fail(errno, "prctl PR_SET_NO_NEW_PRIVS");
}

void hide_from_others() {
    if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        fail(errno, "prctl PR_SET_DUMPABLE");
}

namespace {

void check_directory(char const* path) {
    // A path through /proc/self/fd may lead out of the container: then the kernel's answer is "(unreachable)/..."
    // (CVE-2024-21626). Asked by system call, the library would turn that into ENOENT.
    char current[4096];
    if (::syscall(SYS_getcwd, current, sizeof current) < 0)
        fail(errno, "getcwd ", path);
    if (current[0] != '/')
        fail(0, "current working directory ", path, " is outside of the container");
}

} // namespace

void change_directory(Arguments arguments, Process& process) {
    char const* const path = arguments.c_string();
    if (::chdir(path) == 0)
        return check_directory(path);
    if (errno != EACCES)
        fail(errno, "chdir ", path);
    process.postponed_directory = path; // a home folder on NFS or FUSE is closed to root, but not to its user
}

void enter_postponed_directory(Process& process) {
    char const* const path = process.postponed_directory;
    if (path == nullptr)
        return;
    if (::chdir(path) != 0)
        fail(errno, "chdir ", path);
    check_directory(path);
    process.postponed_directory = nullptr;
}

void set_resource_limits(Arguments arguments) {
    std::size_t const count = arguments.count(4);
    for (std::size_t index = 0; index < count; ++index) {
        auto const resource = static_cast<int>(arguments.number32());
        rlimit limit{};
        limit.rlim_cur = arguments.number();
        limit.rlim_max = arguments.number();
        auto const name = arguments.text();
        if (::syscall(SYS_prlimit64, 0, resource, &limit, nullptr) != 0)
            fail(errno, "prlimit ", name);
    }
}

void set_personality(Arguments arguments) {
    if (::syscall(SYS_personality, arguments.number32()) < 0)
        fail(errno, "/linux/personality: personality");
}

void set_memory_policy(Arguments arguments) {
    constexpr unsigned long bits_of_word = 64;
    auto const mode = static_cast<int>(arguments.number32());
    std::size_t const count = arguments.count();
    auto const mask = arguments.words(count);
    // The kernel takes one bit less than it is told.
    unsigned long const bits = count == 0 ? 0 : count * bits_of_word + 1;
    if (::syscall(SYS_set_mempolicy, mode, count == 0 ? nullptr : mask.data(), bits) != 0)
        fail(errno, "/linux/memoryPolicy: set_mempolicy");
}

void set_label(Arguments arguments, Process const& process) {
    auto const index = arguments.number32();
    auto const value = arguments.text();
    if (index >= process.label_files.count)
        refuse("no file for the label");
    int const file = process.label_files.list[index];
    if (::write(file, value.data(), value.size()) < 0)
        fail(errno, "write");
    (void)::close(file);
}

} // namespace oci::finisher
