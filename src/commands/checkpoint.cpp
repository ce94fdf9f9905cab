// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include "commands/common.h"
#include "commands/criu_options.h"
#include "commands/lifecycle.h"
#include "kernel/process.h"
#include "perform/cgroup_folder.h"
#include "perform/perform.h"

namespace oci::commands {

namespace {

Result<void> check_dumpable(state::Container const& container) {
    switch (container.status) {
    case state::Status::running:
    case state::Status::paused:
        return {};
    case state::Status::creating:
    case state::Status::created:
    case state::Status::stopped:
        break;
    }
    return fail("container cannot be checkpointed in ", state::status_name(container.status), " state");
}

/// "HOST:PORT", "[::1]:PORT".
Result<void> set_page_server(std::string const& text, plan::CheckpointRequest& request) {
    if (text.empty())
        return {};
    auto const colon = text.rfind(':');
    auto host = text.substr(0, colon);
    auto const digits = colon == std::string::npos ? std::string() : text.substr(colon + 1);
    auto const port = parse_number<std::uint16_t>(digits).value_or(0);
    if (host.starts_with('[') && host.ends_with(']'))
        host = host.substr(1, host.size() - 2);
    if (port == 0 || host.empty())
        return fail("--page-server: ", json_string(text), " is not HOST:PORT");
    request.page_server = host;
    request.page_server_port = port;
    return {};
}

/// It was open before we opened anything, and can be written to.
Result<int> status_descriptor(Invocation const& invocation) {
    if (!invocation.options.given("status-fd"))
        return -1;
    auto const number = invocation.options.number("status-fd");
    int const flags = ::fcntl(static_cast<int>(number), F_GETFL);
    if (number > STDERR_FILENO + invocation.inherited_descriptors || flags < 0)
        return fail_errno(EBADF, "--status-fd: ", number);
    if ((flags & O_ACCMODE) == O_RDONLY)
        return fail("--status-fd: ", number, " is not writable");
    return static_cast<int>(number);
}

Result<plan::CheckpointRequest> checkpoint_request(Invocation const& invocation) {
    auto const& options = invocation.options;
    plan::CheckpointRequest request;
    request.options = TRY(criu_options(invocation));
    request.parent_path = options.text("parent-path");
    if (request.parent_path.starts_with('/'))
        return fail("--parent-path: must be relative to --image-path");
    request.leave_running = options.flag("leave-running");
    request.pre_dump = options.flag("pre-dump");
    request.status_fd = TRY(status_descriptor(invocation));
    TRY(set_page_server(options.text("page-server"), request));
    return request;
}

Result<perform::Context> make_context(state::Container const& container, HostFacts const& host) {
    perform::Context context;
    context.host = host;
    context.record = container.record;
    context.state = *container.state;
    context.init_pidfd = TRY(kernel::pidfd_open(container.state->pid));
    if (!context.record.cgroup_path.empty())
        context.cgroup = TRY(perform::open_cgroup_of(context.record, host.cgroup2_mount));
    return context;
}

} // namespace

/// The container is deleted afterwards, unless its processes live on.
Result<int> run_checkpoint(Invocation const& invocation) {
    auto request = TRY(checkpoint_request(invocation));
    auto const id = TRY(container_id(invocation.arguments[0]));
    auto const host = TRY(supported_host(NeedCgroup::no));
    auto directory = TRY(open_locked(invocation, host, id));
    auto const container = TRY(state::look_at(directory, host.cgroup2_mount));
    TRY(check_dumpable(container));
    auto const spec = TRY(recorded_spec(directory));
    request.options.config_file = plan::criu_config_file(spec);
    auto const plan = TRY(plan::make_checkpoint_plan(spec, container.record.bundle, request));
    auto context = TRY(make_context(container, host));

    TRY(kernel::mark_close_on_exec(STDERR_FILENO + 1, ~0U));
    TRY(kernel::block_all_signals());
    TRY(perform::perform(plan, context));
    if (!request.leave_running && !request.pre_dump)
        TRY(delete_container(directory, container.record, container.pidfd.get(), host));
    return 0;
}

} // namespace oci::commands
