// SPDX-License-Identifier: Apache-2.0
// From what is asked (Spec) to everything that will be done, in order (Plan). Pure: no system calls.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/host.h"
#include "base/result.h"
#include "spec/spec.h"
#include "steps/step.h"

namespace oci::plan {

enum class CgroupDriver { cgroupfs, systemd, disabled };

/// What the command line adds to config.json.
struct CreateRequest {
    std::string id;
    std::string bundle;         ///< absolute
    std::string console_socket; ///< "" without
    std::string pid_file;       ///< absolute, "" without
    std::string pidfd_socket;   ///< "" without
    bool detach = true;         ///< false: `run` in the foreground, the runtime keeps the terminal itself
    bool no_pivot = false;
    bool no_new_keyring = false;
    std::string notify_folder;          ///< in the state directory, with NOTIFY_SOCKET; "" without
    unsigned preserved_descriptors = 0; ///< after the standard streams, LISTEN_FDS included
    unsigned listen_fds = 0;            ///< socket activation: sets LISTEN_FDS and LISTEN_PID
    CgroupDriver cgroup_driver = CgroupDriver::cgroupfs;
    SystemdFacts systemd; ///< with the driver of that name
    /// A user without a delegated cgroup: the container does without, as long as nothing asks for one.
    bool cgroup_may_be_missing = false;
};

/// The plan of `create` and of the first half of `run`: THE order of everything (config.md, runtime.md#lifecycle).
Result<steps::Plan> make_create_plan(spec::Spec const& spec, HostFacts const& host, CreateRequest const& request);

struct CheckpointRequest {
    steps::CriuOptions options;
    std::string parent_path;
    bool leave_running = false;
    bool pre_dump = false;
    std::string page_server;
    unsigned page_server_port = 0;
    int status_fd = -1;
};
/// The plan of `checkpoint`; that the container is deleted afterwards is the command's affair.
Result<steps::Plan> make_checkpoint_plan(spec::Spec const& spec, std::string const& bundle,
                                         CheckpointRequest const& request);

struct RestoreRequest {
    steps::CriuOptions options;
    std::string lsm_profile;
    std::string lsm_mount_context;
};
/// The plan of `restore`: what `create` makes around the container's processes, and criu instead of the rest.
Result<steps::Plan> make_restore_plan(spec::Spec const& spec, HostFacts const& host, CreateRequest const& create,
                                      RestoreRequest const& restore);
/// The file with settings for criu that `config.json` (org.criu.config) or the machine names; "": none. As in runc.
std::string criu_config_file(spec::Spec const& spec);

struct ExecRequest {
    std::string id;
    spec::Process process;
    std::vector<std::uint64_t> namespaces; ///< CLONE_NEW* in which the container's init differs from the runtime
    bool enter_root = false;               ///< the container has no mount namespace of its own
    std::string console_socket;            ///< as for CreateRequest, the next ones too
    std::string pid_file;
    std::string pidfd_socket;
    bool detach = false;
    unsigned preserved_descriptors = 0;
    unsigned listen_fds = 0;
    bool in_cgroup = true;
    std::optional<steps::ResctrlGroup> resctrl_group = {}; ///< the container's
    std::optional<std::string> sub_cgroup;                 ///< see steps::StartExec
    std::optional<std::uint32_t> terminal_owner; ///< the process's user outside, where the runtime may name one
    bool with_keyring = true;                    ///< a session keyring instead of the caller's
};
/// The plan of `exec`.
Result<steps::Plan> make_exec_plan(spec::Spec const& spec, HostFacts const& host, ExecRequest const& request);

/// What `mounts` knows of the container.
struct MountsRequest {
    std::string bundle;                    ///< sources of bind mounts may be relative to it
    std::vector<std::uint64_t> namespaces; ///< as in ExecRequest
};
/// The plan of `mounts add`. Errors name the JSON pointer of what cannot be mounted in a running container.
Result<steps::Plan> make_add_mounts_plan(spec::Spec const& spec, HostFacts const& host, MountsRequest const& request,
                                         std::vector<spec::Mount> mounts);
/// The plan of `mounts remove`. Errors name the JSON pointer of a destination that the container cannot be without.
Result<steps::Plan> make_remove_mounts_plan(spec::Spec const& spec, HostFacts const& host, MountsRequest const& request,
                                            std::vector<std::string> const& destinations);

/// What the container's cgroup allows now, as far as other values depend on it. A new one has no limits.
struct CurrentLimits {
    std::optional<std::int64_t> cpu_quota;       ///< microseconds a period
    std::optional<std::int64_t> memory_limit;    ///< bytes
    std::optional<std::int64_t> cpu_period = {}; ///< microseconds
    bool cpu_idle = false;
    bool operator==(CurrentLimits const&) const = default;
};

struct UpdateRequest {
    spec::Resources resources;
    std::string cgroup_path; ///< below the cgroup2 mount
    CurrentLimits current;
    /// What the container was created with: the same rules again leave its device filter alone, so that what others
    /// (GPU tools) have attached there stays. Engines send all that they know with every update.
    std::vector<spec::DeviceRule> created_with;
    std::string systemd_unit = {}; ///< "" with other cgroup managers
    SystemdFacts systemd = {};
    std::optional<steps::ChangeResctrlSchemata> schemata = {}; ///< unset: they stay
};
/// The plan of `update`: what is unset stays as it is. Pointers in it are relative to the resources object.
Result<steps::Plan> make_update_plan(UpdateRequest const& request);

/// The hooks of one kind as an operation, or nullopt when there are none.
std::optional<steps::RunHooks> make_hooks(spec::Spec const& spec, spec::HookKind kind);

/// Where the container's cgroup is, below the cgroup2 mount: an absolute cgroupsPath as it is, a relative one (or,
/// unset, the id) below the parent of the runtime's own cgroup, as runc does.
Result<std::string> cgroup_path(spec::Spec const& spec, HostFacts const& host, std::string const& id);

/// The plan as text (one numbered line a step, with its actor) and as JSON.
std::string plan_text(steps::Plan const& plan);
std::string plan_json(steps::Plan const& plan);

} // namespace oci::plan
