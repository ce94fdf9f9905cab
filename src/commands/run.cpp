// SPDX-License-Identifier: Apache-2.0
#include <csignal>
#include <sys/file.h>

#include "commands/common.h"
#include "commands/lifecycle.h"
#include "kernel/file.h"
#include "kernel/process.h"
#include "kernel/socket.h"
#include "perform/foreground.h"

namespace oci::commands {

namespace {

constexpr std::chrono::seconds lock_limit{30};

/// Waits for the process with its terminal, if it has one.
Result<int> wait_for(perform::Context& context) {
    kernel::Fd master;
    if (context.terminal) {
        // It was sent when the console was set up, so it is there.
        constexpr std::chrono::seconds limit{10};
        master = TRY(in_context(kernel::receive_descriptor(context.terminal.get(), kernel::Deadline::after(limit)),
                                "receive the terminal"));
    }
    return perform::wait_in_foreground({context.state.pid, context.init_pidfd.get(), master.get()});
}

/// The container may be gone by now: somebody else's delete is as good.
Result<void> delete_after_run(perform::Context& context) {
    auto const id = context.record.id;
    context.directory.reset();
    auto directory = state::ContainerDir::open_locked(context.root, id, kernel::Deadline::after(lock_limit));
    if (!directory)
        return state::is_missing_container(directory.error()) ? Result<void>{}
                                                              : Result<void>(Failure(directory.error()));
    return delete_container(*directory, context.record, -1, context.host);
}

} // namespace

/// create, start, and in the foreground: wait and delete.
Result<int> run_run(Invocation const& invocation) {
    bool const detach = invocation.options.flag("detach");
    if (!detach && !invocation.options.flag("no-subreaper"))
        TRY(kernel::set_child_subreaper());
    auto created = TRY(create_container(invocation, detach ? Detach::yes : Detach::no));
    auto& context = created.context;
    auto const run = [&]() -> Result<int> {
        auto const container = TRY(state::look_at(*context.directory, context.host.cgroup2_mount));
        TRY(start_container(*context.directory, container, created.spec, context.host));
        if (detach)
            return 0;
        // kill, exec and delete of others must get at the container while it runs.
        TRY(kernel::flock(context.directory->get(), LOCK_UN));
        return wait_for(context);
    };
    auto result = run();
    if (result && (detach || invocation.options.flag("keep")))
        return result;
    if (!result) {
        (void)kernel::pidfd_send_signal(context.init_pidfd.get(), SIGKILL);
        (void)kernel::reap(context.init_pidfd.get());
    }
    auto deleted = delete_after_run(context);
    if (!deleted && result)
        return Failure(deleted.error());
    return result;
}

} // namespace oci::commands
