// SPDX-License-Identifier: Apache-2.0
#include <csignal>

#include "base/names.h"
#include "commands/common.h"
#include "perform/cgroup_folder.h"
#include "perform/freezer.h"
#include "perform/signal.h"
#include "state/status.h"

namespace oci::commands {

namespace {

Result<int> parse_signal(std::string const& text) {
    if (auto const signal = signal_number(text))
        return *signal;
    // A number that no signal has is left to the kernel to refuse.
    if (auto const number = parse_number<int>(text); number && *number >= 0)
        return *number;
    return fail("unknown signal ", json_string(text));
}

/// SIGKILL where no pid namespace ends with init: also when init itself is gone, its children may live on.
Result<void> kill_all(state::Container const& container, HostFacts const& host) {
    bool const any = TRY(perform::signal_cgroup(container.record, host.cgroup2_mount, SIGKILL));
    auto signalled = perform::signal_init(container, SIGKILL); // it may have been moved out of the cgroup
    return any ? Result<void>{} : signalled;
}

/// A container that has stopped is no error here.
Result<void> signal_all(state::Container const& container, HostFacts const& host, int signal) {
    bool const any = TRY(perform::signal_cgroup(container.record, host.cgroup2_mount, signal));
    // Without a cgroup, or with an init that left it.
    if (!any && container.pidfd)
        TRY(perform::signal_init(container, signal));
    return {};
}

Result<void> kill_one(std::string const& root, std::string const& id, HostFacts const& host, int signal, bool all) {
    auto const directory = TRY(state::ContainerDir::open(root, id));
    auto const container = TRY(state::look_at(directory, host.cgroup2_mount));
    if (all)
        TRY(signal_all(container, host, signal));
    else if (signal == SIGKILL && container.state && !container.state->own_pid_namespace)
        TRY(kill_all(container, host));
    else
        TRY(perform::signal_init(container, signal));
    // As runc: whoever is in the cgroup besides the container's processes shall not stay frozen.
    if (signal == SIGKILL && container.status == state::Status::paused)
        if (auto const cgroup = perform::open_cgroup_of(container.record, host.cgroup2_mount))
            (void)perform::request_thaw(cgroup->get());
    return {};
}

} // namespace

Result<int> run_kill(Invocation const& invocation) {
    auto const& arguments = invocation.arguments;
    bool const named = arguments.size() > 1 && !arguments[1].empty();
    int const signal = named ? TRY(parse_signal(arguments[1])) : SIGTERM;
    bool const all = invocation.options.flag("all");
    auto const host = TRY(supported_host(NeedCgroup::no));
    auto const root = state_root(invocation.global, host);
    return for_each_named("kill", invocation, root,
                          [&](std::string const& id) { return kill_one(root, id, host, signal, all); });
}

} // namespace oci::commands
