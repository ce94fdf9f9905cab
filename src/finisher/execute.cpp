// SPDX-License-Identifier: Apache-2.0
// The end: a seccomp filter, which may forbid everything but execve(2) and exit, and the program.
#include "process.h"

#include <cerrno>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "memory.h"
#include "wire.h"

namespace oci::finisher {

namespace {

/// Everything that a filter could forbid. For exec also: if oci-run was killed, nothing shall start any more.
void get_ready(Process& process) {
    if (process.ready_to_execute)
        return;
    if (process.program == nullptr)
        refuse("no `find_program`");
    if (process.gate < 0 && peer_is_gone(process.wire))
        leave(1);
    // So that `start` can tell the end of this process from execve(2), which close the connection alike.
    if (process.gate >= 0)
        (void)send_message(MessageKind::turn, 0, {});
    reset_signals();
    process.ready_to_execute = true;
}

/// Under the new filter this thread may be allowed nothing, not even sendmsg(2). So a second one, from before the
/// filter and therefore without it, sends the listener; meanwhile this one waits without system calls.
class Courier {
public:
    void start() {
        constexpr std::size_t stack_size = 16384;
        auto* const stack = static_cast<char*>(allocate(stack_size));
        constexpr int thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
        if (::clone(deliver, stack + stack_size, thread, this) < 0)
            fail(errno, "clone");
    }
    void wait_for_delivery(int listener) {
        __atomic_store_n(&listener_, listener, __ATOMIC_RELEASE);
        while (!__atomic_load_n(&delivered_, __ATOMIC_ACQUIRE)) {
        }
    }

private:
    static int deliver(void* courier) {
        auto& self = *static_cast<Courier*>(courier);
        // A real-time thread that waits in a loop leaves a share of its CPU to others of the normal policy only,
        // sched(7).
        sched_param const normal{};
        ::syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &normal);
        int listener = -1;
        while ((listener = __atomic_load_n(&self.listener_, __ATOMIC_ACQUIRE)) < 0) {
            timespec const moment{.tv_sec = 0, .tv_nsec = 20000};
            ::syscall(SYS_nanosleep, &moment, nullptr);
        }
        if (!pass_listener(listener))
            leave(1);
        __atomic_store_n(&self.delivered_, true, __ATOMIC_RELEASE);
        return 0; // ends this thread only
    }

    int listener_ = -1;
    bool delivered_ = false;
};

} // namespace

void load_seccomp(Arguments arguments, Process& process) {
    auto const flags = arguments.number32();
    auto const words = arguments.words(arguments.count());
    static_assert(sizeof(sock_filter) == sizeof(std::uint64_t));
    if (words.size() > BPF_MAXINSNS)
        refuse("the seccomp program is too long");
    get_ready(process);
    sock_fprog program{};
    program.len = static_cast<unsigned short>(words.size());
    program.filter = reinterpret_cast<sock_filter*>(const_cast<std::uint64_t*>(words.data()));
    bool const with_listener = (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) != 0;
    Courier courier;
    if (with_listener)
        courier.start();
    long const result = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    if (result < 0 && with_listener && errno == EBUSY)
        fail(errno, "a filter around this one has a listener already, and the kernel allows one: seccomp");
    if (result < 0)
        fail(errno, "seccomp SECCOMP_SET_MODE_FILTER");
    if (with_listener)
        courier.wait_for_delivery(static_cast<int>(result));
}

void execute(Process& process) {
    get_ready(process);
    ::execve(process.program, const_cast<char**>(process.arguments), const_cast<char**>(process.environment));
    fail(errno, "execve ", process.program);
}

} // namespace oci::finisher
