// SPDX-License-Identifier: Apache-2.0
// The status of a container, derived from facts each time and never stored (runtime.md#state).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "base/result.h"
#include "state/container_dir.h"

namespace oci::state {

enum class Status { creating, created, running, paused, stopped };
std::string_view status_name(Status status);

/// What `state`, `list` and the other commands know of a container.
struct Container {
    Status status = Status::stopped;
    Record record;
    std::optional<State> state; ///< unset before the commit
    std::string created;        ///< the state's, or without one the time of record.json
    std::uint32_t owner = 0;    ///< the state's, or without one the owner of record.json
    /// A descriptor of init when it is alive (checked by pid, start time and boot id after opening).
    kernel::Fd pidfd;
};

/// Facts: no state.json: creating while another process holds the lock, else stopped (also where `directory` holds the
/// lock itself). Init gone, a zombie, another start time or another boot: stopped. cgroup frozen: paused. The gate
/// accepts: created. Else running. Takes no lock. `cgroup2_mount` is where cgroup2 is mounted, "" for nowhere.
Result<Container> look_at(ContainerDir const& directory, std::string const& cgroup2_mount);

/// This moment, as rfc3339_nano() has it.
std::string rfc3339_now();

/// The state of the specification (runtime.md#state) plus rootfs, created, owner, as runc prints it: 2 spaces, no final
/// line end. owner is the user's name in the host's /etc/passwd, or "#" and the number: a static program has no other
/// name service.
std::string state_document(Container const& container);
/// The same on one line, for hooks: ociVersion, id, status, pid, bundle, annotations. pid 0 is left out.
std::string hook_state(Record const& record, std::string const& oci_version,
                       std::map<std::string, std::string> const& annotations, std::string_view status, pid_t pid);
/// What a seccomp agent gets (config-linux.md#containerprocessstate). `state`: as hook_state gives it; `process`: pid
/// of the process that is under the filter.
std::string container_process_state(std::string const& state, pid_t process, std::string const& metadata);
/// `list`: a JSON array on one line ("null" when empty) without line end, and the table with its header.
std::string list_json(std::vector<Container> const& containers);
std::string list_table(std::vector<Container> const& containers);

} // namespace oci::state
