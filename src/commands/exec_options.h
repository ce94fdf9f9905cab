// SPDX-License-Identifier: Apache-2.0
// What the command line of `exec` says about the process: a file, or changes of the container's own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "commands/commands.h"
#include "spec/spec.h"

namespace oci::commands {

struct UserOption {
    std::uint32_t uid = 0;
    std::optional<std::uint32_t> gid;
    bool operator==(UserOption const&) const = default;
};
/// "UID" or "UID:GID", decimal. Names are refused, as runc and crun do: what a name means is the container's to say,
/// and nothing here reads its files.
Result<UserOption> parse_user_option(std::string_view text);

/// --cgroup as a path below the container's cgroup, "." for that one itself.
Result<std::string> parse_cgroup_option(std::string_view path);

/// The process to run: that of the container as the options change it, or the one of --process. What the file leaves
/// out of labels, limits, capabilities, scheduling and umask is the container's.
Result<spec::Process> exec_process(Invocation const& invocation, spec::Spec const& spec);

/// The id that a process of the outside sees for `id`, by the lines of /proc/PID/uid_map (user_namespaces(7)).
std::optional<std::uint32_t> outside_id(std::string_view id_map, std::uint32_t id);

} // namespace oci::commands
