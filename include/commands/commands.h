// SPDX-License-Identifier: Apache-2.0
// What every command gets, and the commands: one function and one source file a verb.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "commands/options.h"

namespace oci::commands {

enum class CgroupManager { cgroupfs, systemd, disabled };

/// The options before the command, checked.
struct GlobalOptions {
    std::string root; ///< absolute; "" without --root
    std::string log;  ///< path; "" without --log
    LogFormat log_format = LogFormat::text;
    std::optional<LogLevel> log_level;
    std::string trace; ///< path; "" without --trace
    CgroupManager cgroup_manager = CgroupManager::cgroupfs;
    std::optional<bool> rootless; ///< unset: auto
};

struct Invocation {
    std::string program; ///< how we were called: "oci-run", or "runc" where we stand in for it
    GlobalOptions global;
    ParsedOptions options;
    std::vector<std::string> arguments; ///< their number is checked
    /// How many descriptors, from 3 on without a gap, were open before we opened any: what --preserve-fds may count on.
    unsigned inherited_descriptors = 0;
};

/// Each gives the exit code, or the error for main to log.
Result<int> run_create(Invocation const& invocation);
Result<int> run_start(Invocation const& invocation);
Result<int> run_run(Invocation const& invocation);
Result<int> run_exec(Invocation const& invocation);
Result<int> run_delete(Invocation const& invocation);
Result<int> run_kill(Invocation const& invocation);
Result<int> run_pause(Invocation const& invocation);
Result<int> run_resume(Invocation const& invocation);
Result<int> run_ps(Invocation const& invocation);
Result<int> run_events(Invocation const& invocation);
Result<int> run_update(Invocation const& invocation);
Result<int> run_mounts(Invocation const& invocation);
Result<int> run_checkpoint(Invocation const& invocation);
Result<int> run_restore(Invocation const& invocation);
Result<int> run_state(Invocation const& invocation);
Result<int> run_list(Invocation const& invocation);
Result<int> run_spec(Invocation const& invocation);
Result<int> run_features(Invocation const& invocation);
Result<int> run_plan(Invocation const& invocation);
Result<int> run_validate(Invocation const& invocation);
Result<int> run_completion(Invocation const& invocation);
Result<int> run_help(Invocation const& invocation);
/// `oci-run --version`.
Result<int> run_version(Invocation const& invocation);

} // namespace oci::commands
