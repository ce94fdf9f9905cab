// SPDX-License-Identifier: Apache-2.0
#include "commands/common.h"
#include "commands/lifecycle.h"

namespace oci::commands {

namespace {

/// runtime.md#start: what is not created must not be touched.
Result<void> check_startable(state::Container const& container) {
    switch (container.status) {
    case state::Status::created:
        break;
    case state::Status::creating:
        return fail("cannot start a container that is still being created");
    case state::Status::running:
        return fail("cannot start an already running container");
    case state::Status::paused:
        return fail("cannot start a paused container");
    case state::Status::stopped:
        return fail("cannot start a container that has stopped");
    }
    if (!container.state->has_process)
        return fail("/process: is not set in config.json, so there is nothing to start");
    return {};
}

} // namespace

Result<int> run_start(Invocation const& invocation) {
    auto const id = TRY(container_id(invocation.arguments[0]));
    auto const host = TRY(supported_host(NeedCgroup::no));
    auto directory = TRY(open_locked(invocation, host, id));
    auto const container = TRY(state::look_at(directory, host.cgroup2_mount));
    TRY(check_startable(container));
    auto notify = TRY(listen_for_ready(directory));
    auto const spec = TRY(recorded_spec_with(directory, {"startContainer", "poststart", "listenerPath"}));
    TRY(start_container(directory, container, spec.value_or(spec::Spec()), host));
    wait_until_ready(notify, container.state->pid, container.pidfd.get());
    return 0;
}

} // namespace oci::commands
