// SPDX-License-Identifier: Apache-2.0
#include "kernel/process.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/file.h"

namespace oci::kernel {

Deadline Deadline::after(std::chrono::milliseconds duration) {
    Deadline deadline;
    deadline.end_ = std::chrono::steady_clock::now() + duration;
    return deadline;
}

int Deadline::poll_timeout() const {
    if (!end_)
        return -1;
    // Rounded up: with 0.4 ms left poll(2) must not spin with 0.
    auto const left = std::chrono::ceil<std::chrono::milliseconds>(*end_ - std::chrono::steady_clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, INT_MAX));
}

namespace {

/// clone(2), ERRORS: what these mean for a process that is born in a cgroup.
std::string_view why_cgroup_refused(int error) {
    switch (error) {
    case EBUSY:
        return " (the cgroup has controllers enabled for its children)";
    case EOPNOTSUPP:
        return " (the cgroup is \"domain invalid\": it is below a threaded one)";
    case ENOENT:
    case ENODEV:
        return " (the cgroup was removed)";
    case EAGAIN:
        return " (the pids limit of the cgroup or one of its ancestors is reached)";
    default:
        return "";
    }
}

} // namespace

Result<ClonedProcess> clone3(CloneRequest const& request) {
    int pidfd = -1;
    struct ::clone_args arguments {};
    arguments.flags = request.flags | CLONE_PIDFD;
    arguments.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
    // With CLONE_PARENT the signal is that of the caller's own parent, and naming one is EINVAL.
    arguments.exit_signal = (request.flags & CLONE_PARENT) != 0 ? 0 : SIGCHLD;
    if (request.cgroup >= 0) {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = static_cast<std::uint64_t>(request.cgroup);
    }
    auto const pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid < 0) {
        auto failure = fail_errno(errno, "clone3");
        if (request.cgroup >= 0)
            failure.value().message += why_cgroup_refused(failure.value().errno_value);
        return failure;
    }
    ClonedProcess cloned;
    cloned.pid = static_cast<pid_t>(pid);
    if (pid > 0)
        cloned.pidfd = Fd(pidfd); // close-on-exec by itself
    return cloned;
}

Result<Fd> pidfd_open(pid_t pid) {
    Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
    if (!pidfd)
        // Some kernels (6.1) say EINVAL while the number of an ended process still names a session or process group.
        return fail_errno(errno == EINVAL && pid > 0 ? ESRCH : errno, "pidfd_open ", pid);
    return pidfd;
}

Result<void> pidfd_send_signal(int pidfd, int signal) {
    if (::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0U) != 0)
        return fail_errno(errno, "pidfd_send_signal");
    return {};
}

Result<std::uint64_t> start_time(pid_t pid) {
    auto const path = concat("/proc/", pid, "/stat");
    auto const content = read_file(AT_FDCWD, path, 4096);
    if (!content && content.error().errno_value != ENOENT && content.error().errno_value != ESRCH)
        return Failure(content.error());
    if (!content)
        return fail_errno(ESRCH, "process ", pid);
    // "pid (name) state ppid ...": the name may hold blanks and parentheses, so the fields begin after the last ')'.
    std::string_view text = *content;
    text.remove_prefix(std::min(text.size(), text.rfind(')') + 1));
    auto const fields = split(trim(text), ' '); // [0] is field 3 of proc(5), the state; [19] is field 22
    if (fields.size() < 20)
        return fail(path, ": not understood");
    if (fields[0] == "Z" || fields[0] == "X")
        return fail_errno(ESRCH, "process ", pid);
    auto const ticks = parse_number<std::uint64_t>(fields[19]);
    if (!ticks)
        return fail(path, ": not understood");
    return *ticks;
}

Result<bool> wait_for_exit(int pidfd, Deadline deadline) {
    pollfd waited{pidfd, POLLIN, 0};
    while (true) {
        int const ready = ::poll(&waited, 1, deadline.poll_timeout());
        if (ready >= 0)
            return ready > 0;
        if (errno != EINTR)
            return fail_errno(errno, "poll pidfd");
    }
}

Result<std::optional<std::size_t>> wait_for_any(std::span<int const> descriptors, Deadline deadline) {
    std::vector<pollfd> waited;
    for (int const descriptor : descriptors)
        waited.push_back({descriptor, POLLIN, 0});
    while (true) {
        int const ready = ::poll(waited.data(), waited.size(), deadline.poll_timeout());
        if (ready == 0)
            return std::nullopt;
        for (std::size_t i = 0; ready > 0 && i < waited.size(); ++i)
            if (waited[i].revents != 0)
                return i;
        if (ready < 0 && errno != EINTR)
            return fail_errno(errno, "poll");
    }
}

Result<int> kill_and_reap(int pidfd) {
    (void)pidfd_send_signal(pidfd, SIGKILL);
    if (!TRY(wait_for_exit(pidfd, Deadline::after(std::chrono::seconds(20)))))
        return fail_errno(ETIMEDOUT, "wait for the end of a killed process");
    return reap(pidfd);
}

void kill_process_group(pid_t group) {
    ::kill(-group, SIGKILL);
}

bool is_child(int pidfd) {
    siginfo_t information{};
    return ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &information, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0;
}

Result<int> reap(int pidfd) {
    siginfo_t information{};
    // __WALL: a child made with CLONE_PARENT may have another exit signal than SIGCHLD.
    while (::waitid(P_PIDFD, static_cast<id_t>(pidfd), &information, WEXITED | __WALL) != 0)
        if (errno != EINTR)
            return fail_errno(errno, "waitid");
    return information.si_code == CLD_EXITED ? information.si_status : 128 + information.si_status;
}

namespace {

std::vector<char*> pointers(std::vector<std::string> const& texts) {
    std::vector<char*> result;
    result.reserve(texts.size() + 1);
    for (auto const& text : texts)
        result.push_back(const_cast<char*>(text.c_str()));
    result.push_back(nullptr);
    return result;
}

} // namespace

Error execveat(int descriptor, std::vector<std::string> const& arguments, std::vector<std::string> const& environment) {
    ::execveat(descriptor, "", pointers(arguments).data(), pointers(environment).data(), AT_EMPTY_PATH);
    return fail_errno(errno, "execveat").value();
}

Result<void> setns(int descriptor, int type) {
    if (::setns(descriptor, type) != 0)
        return fail_errno(errno, "setns");
    return {};
}

Result<void> unshare(int flags) {
    if (::unshare(flags) != 0)
        return fail_errno(errno, "unshare");
    return {};
}

Result<void> sethostname(std::string const& name) {
    if (::sethostname(name.data(), name.size()) != 0)
        return fail_errno(errno, "sethostname ", name);
    return {};
}

Result<void> setdomainname(std::string const& name) {
    if (::setdomainname(name.data(), name.size()) != 0)
        return fail_errno(errno, "setdomainname ", name);
    return {};
}

Result<void> setsid() {
    if (::setsid() < 0)
        return fail_errno(errno, "setsid");
    return {};
}

Result<void> set_resource_limit(pid_t pid, int resource, ResourceLimit limit) {
    struct ::rlimit const wanted{limit.soft, limit.hard};
    if (::prlimit(pid, static_cast<__rlimit_resource>(resource), &wanted, nullptr) != 0)
        return fail_errno(errno, "prlimit ", resource, " ", limit.soft, ":", limit.hard);
    return {};
}

Result<ResourceLimit> resource_limit(int resource) {
    struct ::rlimit limit {};
    if (::prlimit(0, static_cast<__rlimit_resource>(resource), nullptr, &limit) != 0)
        return fail_errno(errno, "prlimit ", resource);
    return ResourceLimit{limit.rlim_cur, limit.rlim_max};
}

Result<void> set_dumpable() {
    if (::prctl(PR_SET_DUMPABLE, 1UL, 0UL, 0UL, 0UL) != 0)
        return fail_errno(errno, "prctl PR_SET_DUMPABLE");
    return {};
}

Result<void> set_not_dumpable() {
    if (::prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL) != 0)
        return fail_errno(errno, "prctl PR_SET_DUMPABLE");
    return {};
}

bool has_no_new_privileges() {
    return ::prctl(PR_GET_NO_NEW_PRIVS, 0UL, 0UL, 0UL, 0UL) == 1;
}

Result<void> set_child_subreaper() {
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0UL, 0UL, 0UL) != 0)
        return fail_errno(errno, "prctl PR_SET_CHILD_SUBREAPER");
    return {};
}

Result<void> set_parent_death_signal(int signal) {
    if (::prctl(PR_SET_PDEATHSIG, static_cast<unsigned long>(signal), 0UL, 0UL, 0UL) != 0)
        return fail_errno(errno, "prctl PR_SET_PDEATHSIG");
    return {};
}

namespace {

/// What close_range(2) does, for an outer seccomp filter that does not know it.
template <typename Action>
Result<void> for_each_open_descriptor(unsigned first, unsigned last, Action action) {
    auto const folder = TRY(openat(AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY));
    for (auto const& name : TRY(list_directory(folder.get()))) {
        auto const number = parse_number<unsigned>(name);
        if (number && *number >= first && *number <= last && *number != static_cast<unsigned>(folder.get()))
            action(static_cast<int>(*number));
    }
    return {};
}

bool forbidden(int error) {
    return error == ENOSYS || error == EPERM;
}

} // namespace

Result<void> mark_close_on_exec(unsigned first, unsigned last) {
    if (::close_range(first, last, CLOSE_RANGE_CLOEXEC) == 0)
        return {};
    if (!forbidden(errno))
        return fail_errno(errno, "close_range");
    return for_each_open_descriptor(first, last, [](int number) { ::fcntl(number, F_SETFD, FD_CLOEXEC); });
}

Result<void> close_descriptors(unsigned first, unsigned last) {
    if (::close_range(first, last, 0) == 0)
        return {};
    if (!forbidden(errno))
        return fail_errno(errno, "close_range");
    return for_each_open_descriptor(first, last, [](int number) { ::close(number); });
}

Result<void> block_all_signals() {
    sigset_t all;
    ::sigfillset(&all);
    if (::sigprocmask(SIG_SETMASK, &all, nullptr) != 0)
        return fail_errno(errno, "sigprocmask");
    return {};
}

Result<void> unblock_all_signals_and_reset_handlers() {
    // execve(2) resets handlers but keeps what is ignored. The two or three numbers libc keeps for itself, SIGKILL and
    // SIGSTOP answer EINVAL and are at their default anyway.
    for (int signal = 1; signal < NSIG; ++signal)
        (void)::signal(signal, SIG_DFL);
    sigset_t none;
    ::sigemptyset(&none);
    if (::sigprocmask(SIG_SETMASK, &none, nullptr) != 0)
        return fail_errno(errno, "sigprocmask");
    return {};
}

Result<int> namespace_type(int descriptor) {
    int const type = ::ioctl(descriptor, NS_GET_NSTYPE);
    if (type < 0)
        return fail_errno(errno, "ioctl NS_GET_NSTYPE");
    return type;
}

bool is_namespace_within_reach(int descriptor) {
    Fd const owner(::ioctl(descriptor, NS_GET_USERNS));
    return static_cast<bool>(owner);
}

Result<bool> same_namespace(int one, int other) {
    auto const first = TRY(fstat(one));
    auto const second = TRY(fstat(other));
    return first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

} // namespace oci::kernel
