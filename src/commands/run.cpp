// SPDX-License-Identifier: Apache-2.0
#include "commands/common.h"
#include "commands/lifecycle.h"
#include "kernel/process.h"

namespace oci::commands {

namespace {

/// As state::look_at() would find it: it has just been made, and its init is our child, whose number nobody else gets.
Result<state::Container> just_created(perform::Context const& context) {
    return state::Container{.status = state::Status::created,
                            .record = context.record,
                            .state = context.state,
                            .created = context.state.created,
                            .owner = context.state.owner,
                            .pidfd = TRY(kernel::pidfd_open(context.state.pid))};
}

} // namespace

/// create, start, and in the foreground: wait and delete.
Result<int> run_run(Invocation const& invocation) {
    bool const detach = invocation.options.flag("detach");
    if (!detach && !invocation.options.flag("no-subreaper"))
        TRY(kernel::set_child_subreaper());
    auto created = TRY(create_container(invocation, detach ? Purpose::run_detached : Purpose::run_in_foreground));
    auto& context = created.context;
    auto const run = [&]() -> Result<int> {
        auto const container = TRY(just_created(context));
        auto notify = TRY(listen_for_ready(*context.directory));
        TRY(start_container(*context.directory, container, created.spec, context.host));
        if (!detach)
            return wait_in_foreground(context, std::move(notify));
        if (notify) // it runs, and this may take long
            TRY(kernel::unblock_all_signals_and_reset_handlers());
        wait_until_ready(notify, context.state.pid, context.init_pidfd.get());
        return 0;
    };
    auto result = run();
    return result && (detach || invocation.options.flag("keep")) ? result
                                                                 : delete_after_run(context, std::move(result));
}

} // namespace oci::commands
