// SPDX-License-Identifier: Apache-2.0
// What several commands need: the checked global options, names and paths from arguments, the bundle, the host.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "base/host.h"
#include "base/result.h"
#include "commands/commands.h"
#include "kernel/fd.h"
#include "plan/plan.h"
#include "spec/spec.h"
#include "state/container_dir.h"

namespace oci::commands {

/// Checks the values of the options before the command; --root becomes absolute.
Result<GlobalOptions> check_global_options(ParsedOptions const& options);
/// Opens the log file (at once, because engines read it after every failure) and configures base/log.
/// The descriptor must live as long as there is something to log.
Result<kernel::Fd> set_up_log(GlobalOptions const& global);
/// Opens the file for base/trace, where there is a path, likewise. `name`: what is done, for the picture.
Result<kernel::Fd> set_up_trace(std::string const& path, std::string_view name);

/// Standard output.
Result<void> print(std::string_view text);

/// The container that an argument names: itself; or, where it has a slash ("./bundle"), that bundle's last
/// component.
Result<std::string> container_id(std::string const& argument);
/// Calls `action` with the id that the first argument names; with --regex with each of `root` that matches it
/// (regex(7), extended, anywhere in the id). Then an error is logged and does not stop the others: the exit code is 1.
Result<int> for_each_named(std::string_view command, Invocation const& invocation, std::string const& root,
                           std::function<Result<void>(std::string const& id)> const& action);
/// The bundle, absolute: the first argument where it is a path, else --bundle, else the current folder.
Result<std::string> bundle_path(Invocation const& invocation);

/// The same for commands that look at a bundle only: their argument is always a path.
Result<std::string> bundle_argument(Invocation const& invocation);

enum class OutputFormat { text, table, json };
/// --format; `fallback` (text or table) without it.
Result<OutputFormat> output_format(ParsedOptions const& options, OutputFormat fallback);

/// `ps`: the header of its output and the rows of `pids` (sorted).
Result<std::string> rows_of_processes(std::string_view table, std::vector<pid_t> const& pids);

struct Bundle {
    std::string path;   ///< absolute
    std::string config; ///< text of config.json
    spec::Spec spec;
};
/// Reads config.json of a bundle, nothing more.
Result<std::string> read_config(std::string const& bundle);
/// Reads and parses; the parser's warnings are logged.
Result<Bundle> load_bundle(std::string const& path);

/// Where the state directories are: --root, or the default of this user.
std::string state_root(GlobalOptions const& global, HostFacts const& host);

/// How long a command waits for another one that holds the container's lock.
inline constexpr std::chrono::seconds lock_limit{30};
/// How long systemd may take to say what it is.
inline constexpr std::chrono::seconds systemd_limit{10};

/// The container's state directory, locked for this command.
Result<state::ContainerDir> open_locked(Invocation const& invocation, HostFacts const& host, std::string const& id);

/// As the plan knows it.
plan::CgroupDriver cgroup_driver(CgroupManager manager);

enum class NeedCgroup { no, yes };
/// Looks at the machine and refuses kernels before 5.14 and, where a cgroup is needed, hosts without cgroup v2.
Result<HostFacts> supported_host(NeedCgroup need);

} // namespace oci::commands
