// SPDX-License-Identifier: Apache-2.0
// What create, start, run, exec and delete share.
#pragma once

#include <functional>
#include <initializer_list>
#include <optional>
#include <string>

#include "base/result.h"
#include "commands/commands.h"
#include "perform/context.h"
#include "perform/notify.h"
#include "perform/resctrl.h"
#include "perform/seccomp_agent.h"
#include "plan/plan.h"
#include "spec/spec.h"
#include "state/status.h"

namespace oci::commands {

enum class Purpose { create, run_detached, run_in_foreground };

struct Created {
    perform::Context context; ///< holds the container's lock
    spec::Spec spec;
};

/// A path that an option gives, absolute; "" without.
Result<std::string> path_option(ParsedOptions const& options, std::string_view name);
/// Socket activation (sd_listen_fds(3)): how many descriptors are meant for this very process.
unsigned listen_descriptors();
/// Those and the ones of --preserve-fds after them; more than there can be where the sum is too large.
unsigned passed_descriptors(unsigned listen_fds, ParsedOptions const& options);
/// `inherited`: counted before we opened any, because one of ours must not end up in the container.
Result<void> check_passed_descriptors(unsigned count, unsigned inherited);
/// A terminal in the foreground is as large as the caller's from the beginning.
void take_window_size(spec::Process& process);
/// `terminal`: the process wants one.
Result<void> check_terminal(bool terminal, bool detach, std::string const& console_socket);
/// Where the container tells that it is ready, if our caller (NOTIFY_SOCKET) and that of create want to know.
Result<std::optional<perform::Notify>> listen_for_ready(state::ContainerDir const& directory);
/// Waits until it has, or has ended. Failures are warned of: the container runs.
void wait_until_ready(std::optional<perform::Notify>& notify, pid_t process, int pidfd);
/// Waits for the process with its terminal, if it has one: its exit code.
Result<int> wait_in_foreground(perform::Context& context, std::optional<perform::Notify> notify = std::nullopt);
/// Undoes WritePidFile.
void remove_pid_file(perform::Context const& context);
using Planner =
    std::function<Result<steps::Plan>(spec::Spec const&, HostFacts const&, plan::CreateRequest const& request)>;

/// Makes the container that the invocation names. After a failure nothing is left of it.
Result<Created> create_container(Invocation const& invocation, Purpose purpose,
                                 Planner const& planner = plan::make_create_plan);

/// Opens the gate of a created container, gives up the lock, runs poststart hooks. After a failure of the program or a
/// hook the container is stopped.
Result<void> start_container(state::ContainerDir& directory, state::Container const& container, spec::Spec const& spec,
                             HostFacts const& host);

/// After `run` or `restore` in the foreground, or when it failed: `result`, or why the container could not be deleted.
/// It may be gone by now: somebody else's delete is as good.
Result<int> delete_after_run(perform::Context& context, Result<int> result);

/// Undoes a container of which we hold the lock: processes, cgroup, resctrl groups, poststop hooks, state directory.
Result<void> delete_container(state::ContainerDir& directory, state::Record const& record, int init,
                              HostFacts const& host, perform::Ending ending = perform::Ending::deleted);

/// config.json as it was at create.
Result<spec::Spec> recorded_spec(state::ContainerDir const& directory);
/// The same where one of these members may be in it, at any place; else nullopt. To look for them costs a hundredth of
/// parsing, and most containers have no hooks.
Result<std::optional<spec::Spec>> recorded_spec_with(state::ContainerDir const& directory,
                                                     std::initializer_list<std::string_view> members);

/// Who gets the listener of the container's seccomp filter. `state`: the container's, as hooks get it.
perform::SeccompAgent seccomp_agent(spec::Spec const& spec, std::string state);

} // namespace oci::commands
