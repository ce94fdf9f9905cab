// SPDX-License-Identifier: Apache-2.0
// The parts of a plan, one function a topic; create.cpp and exec.cpp put them in order.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/host.h"
#include "base/result.h"
#include "plan/plan.h"
#include "spec/spec.h"
#include "steps/step.h"

namespace oci::plan {

// ---- namespaces.cpp
steps::StartInit start_init(spec::Spec const& spec, bool into_cgroup);
std::optional<steps::WriteIdMaps> write_id_maps(spec::Spec const& spec, HostFacts const& host);
std::optional<steps::MoveNetworkDevices> move_network_devices(spec::Spec const& spec);
/// Whether a normal user can make such a container at all; the errors name the field.
Result<void> check_rights(spec::Spec const& spec, HostFacts const& host);
/// Whether the container's own user namespace maps user and group.
Result<void> check_user(spec::Spec const& spec, spec::User const& user);
/// Whether `process` can become its user: additional groups must be mapped, and setgroups not denied.
Result<void> check_groups(spec::Spec const& spec, spec::Process const& process, HostFacts const& host);
/// Whether the container's processes can set no supplementary groups, user_namespaces(7).
bool denies_setgroups(spec::Spec const& spec, HostFacts const& host);
/// The annotation by which engines let a container reach what only supplementary groups of the user may (crun(1)):
/// additionalGids are then not looked at.
bool wants_original_groups(spec::Spec const& spec);
/// Where a user namespace is new or joined: root if it is mapped, else the first mapped id.
std::optional<steps::BecomeMappedUser> become_mapped_user(spec::Spec const& spec);
bool uses_user_namespace(spec::Spec const& spec);

// ---- rootfs.cpp
struct Rootfs {
    steps::OpenMountSources sources;
    std::vector<steps::Operation> mounts;  ///< in config.json's order
    std::vector<steps::Operation> devices; ///< nodes and links; empty when /dev is a bind mount
    std::vector<std::string> finish_readonly;
    bool staged = false; ///< sources and rootfs
};
/// Where it helps and the caller may (a new mount namespace before the user namespace takes CAP_SYS_ADMIN).
std::optional<steps::StageMounts> stage_mounts(spec::Spec const& spec, HostFacts const& host, Rootfs& rootfs,
                                               std::string const& path);
/// The sources of bind mounts with the attributes that are to be locked; `path`: the rootfs, "" without.
steps::StageMounts stage_sources(Rootfs const& rootfs, std::string path);
/// The default devices and those of config.json.
std::vector<steps::DeviceNode> all_devices(spec::Spec const& spec);
/// The mounts of config.json alone.
Rootfs plan_mounts(spec::Spec const& spec, HostFacts const& host, std::string const& bundle, std::string const& cgroup);
/// Those and the devices.
Rootfs plan_rootfs(spec::Spec const& spec, HostFacts const& host, std::string const& bundle, std::string const& cgroup);
/// Of all mounts while the container is built: slave, so that nothing reaches the host, or what rootfsPropagation
/// needs.
std::uint64_t build_propagation(spec::Spec const& spec);

// ---- resctrl.cpp
/// The container's group where config.json asks for one; the error says that the machine has none.
Result<std::optional<steps::SetUpResctrlGroup>> set_up_resctrl_group(spec::Spec const& spec, HostFacts const& host,
                                                                     std::string const& id);

// ---- labels.cpp
/// Whether the machine knows the labels that are asked for; the errors name the field.
Result<void> check_labels(spec::Spec const& spec, spec::Process const* process, HostFacts const& host);
/// The runtime's part for all labels of `process`, and that of its session keyring where it gets one.
void append_label_files(spec::Process const& process, bool with_keyring, steps::Plan& plan);
/// Labels of the program to come. After hooks, which would get them too.
void append_labels(spec::Process const& process, bool with_keyring, steps::Plan& plan);
/// context="LABEL" as fsconfig(2) wants it; only in mount(2) SELinux takes the quotes away, which keep a label's
/// commas.
std::string without_context_quotes(std::string parameter);
/// Adds mountLabel as the option that run.oci.mount_context_type names ("context"), unless the mount has one itself.
void add_mount_label(spec::Spec const& spec, steps::MountFilesystem& mount);

// ---- checkpoint.cpp
/// criu's part of a restore, up to the moment when all processes are there and held.
Result<void> append_restore(spec::Spec const& spec, CreateRequest const& create, RestoreRequest const& restore,
                            std::optional<steps::SetUpResctrlGroup> resctrl, steps::Plan& plan);

// ---- process.cpp
steps::JoinSessionKeyring join_session_keyring(std::string const& id);
/// Environment with the last of equal names only, plus LISTEN_FDS, and without LISTEN_PID, for socket
/// activation.
std::vector<std::string> environment(spec::Process const& process, unsigned listen_fds);
steps::SetUser set_user(spec::Spec const& spec, spec::Process const& process, HostFacts const& host);
steps::SetCapabilities set_capabilities(spec::Process const& process, bool keep_for_seccomp);
std::vector<steps::ResourceLimitSetting> resource_limits(spec::Process const& process);
/// Those of `limits` whose hard limit is above the runtime's own.
std::vector<steps::ResourceLimitSetting> limits_to_raise(std::vector<steps::ResourceLimitSetting> const& limits,
                                                         HostFacts const& host);
/// What init and exec do between taking the user's identity and being ready.
void append_identity(spec::Spec const& spec, spec::Process const& process, HostFacts const& host, steps::Plan& plan);
struct ExecutionRequest {
    unsigned preserved_descriptors = 0;
    unsigned listen_fds = 0;
    bool with_keyring = false; ///< as for append_label_files
};
/// What init and exec do last: limits, labels, descriptors, seccomp, execve.
Result<void> append_execution(spec::Spec const& spec, spec::Process const& process, ExecutionRequest const& request,
                              steps::Plan& plan);

} // namespace oci::plan
