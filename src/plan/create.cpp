// SPDX-License-Identifier: Apache-2.0
// THE order in which a container is made. Read it top to bottom: it is the order done.
#include <sched.h>
#include <sys/mount.h>

#include "base/trace.h"
#include "plan/cgroup.h"
#include "plan/systemd.h"
#include "plan/topics.h"

namespace oci::plan {

namespace {

using steps::Actor;

class Builder {
public:
    void add(Actor actor, steps::Operation operation) { plan_.push_back({actor, std::move(operation)}); }
    template <typename Operation>
    void add(Actor actor, std::optional<Operation> operation) {
        if (operation)
            add(actor, steps::Operation(*std::move(operation)));
    }
    void add_all(Actor actor, std::vector<steps::Operation> operations) {
        for (auto& operation : operations)
            add(actor, std::move(operation));
    }
    steps::Plan& plan() { return plan_; }

private:
    steps::Plan plan_;
};

struct Cgroup {
    std::string path; ///< "" without cgroup
    std::vector<steps::CgroupSetting> early;
    std::vector<steps::CgroupSetting> late;
    std::optional<Scope> scope; ///< with the systemd driver

    std::vector<steps::CgroupSetting> settings() const {
        auto all = early;
        all.insert(all.end(), late.begin(), late.end());
        return all;
    }
};

Result<Cgroup> plan_cgroup(spec::Spec const& spec, HostFacts const& host, CreateRequest const& request) {
    Cgroup cgroup;
    cgroup.early = early_settings(spec.linux.resources);
    cgroup.late = TRY(late_settings(spec.linux.resources));
    auto const all = cgroup.settings();
    switch (request.cgroup_driver) {
    case CgroupDriver::cgroupfs:
        cgroup.path = TRY(delegated_cgroup_path(spec, host, request, all));
        break;
    case CgroupDriver::systemd:
        cgroup.scope = TRY(plan_scope(spec, request.systemd, request.id, all));
        cgroup.path = cgroup.scope->create.path;
        break;
    case CgroupDriver::disabled:
        if (!all.empty())
            return fail(all.front().pointer, ": needs a cgroup, but the cgroup manager is disabled");
    }
    return cgroup;
}

void append_cgroup(Builder& builder, spec::Spec const& spec, Cgroup const& cgroup) {
    if (cgroup.path.empty())
        return;
    if (cgroup.scope) {
        builder.add(Actor::runtime, cgroup.scope->create);
        // Those that systemd does not know (hugetlb, rdma, misc).
        if (auto needs = cgroup.settings(); !needs.empty())
            builder.add(Actor::runtime, steps::EnableControllers{cgroup.path, std::move(needs)});
    } else
        builder.add(Actor::runtime, steps::CreateCgroup{cgroup.path, cgroup.settings()});
    if (!cgroup.early.empty())
        builder.add(Actor::runtime, steps::ApplyCgroupSettings{cgroup.early});
    builder.add(Actor::runtime, device_filter(spec.linux.resources.devices));
    builder.add(Actor::runtime, delegate_cgroup(spec));
}

/// The runtime's part before the container's processes do anything.
void append_start(Builder& builder, spec::Spec const& spec, HostFacts const& host, CreateRequest const& request,
                  Rootfs& rootfs, bool into_cgroup) {
    if (spec.process && spec.process->terminal)
        builder.add(Actor::runtime, steps::ConnectConsole{request.console_socket});
    builder.add(Actor::runtime, steps::OpenStartGate{});
    builder.add(Actor::runtime, stage_mounts(spec, host, rootfs, absolute_path(request.bundle, spec.root.path)));
    builder.add(Actor::runtime, start_init(spec, into_cgroup));
    if (request.cgroup_driver == CgroupDriver::systemd)
        builder.add(Actor::runtime, steps::EndPlaceholder{});
    builder.add(Actor::runtime, write_id_maps(spec, host));
    builder.add(Actor::runtime, move_network_devices(spec));
    if (!spec.process)
        return;
    if (spec.process->oom_score_adj)
        builder.add(Actor::runtime, steps::SetOomScore{*spec.process->oom_score_adj});
    auto raised = limits_to_raise(resource_limits(*spec.process), host);
    if (!raised.empty())
        builder.add(Actor::runtime, steps::RaiseResourceLimits{std::move(raised)});
}

void append_rootfs(Builder& builder, spec::Spec const& spec, CreateRequest const& request, Rootfs rootfs) {
    auto const* const mount_namespace = spec.linux.find(CLONE_NEWNS);
    if (mount_namespace == nullptr)
        builder.add(Actor::container, steps::LeaveMountNamespace{});
    else if (!mount_namespace->path.empty())
        builder.add(Actor::container, steps::JoinMountNamespace{mount_namespace->path});
    builder.add(Actor::container, steps::IsolateMounts{build_propagation(spec)});
    builder.add(Actor::container, steps::OpenProcfs{});
    rootfs.sources.staged = rootfs.staged;
    if (!rootfs.sources.sources.empty())
        builder.add(Actor::container, std::move(rootfs.sources));
    builder.add(Actor::container, steps::AttachRootfs{absolute_path(request.bundle, spec.root.path),
                                                      (spec.linux.rootfs_propagation & MS_SLAVE) != 0,
                                                      (build_propagation(spec) & MS_SHARED) != 0, rootfs.staged});
    builder.add(Actor::container, become_mapped_user(spec));
    if (spec.linux.creates(CLONE_NEWCGROUP))
        builder.add(Actor::container, steps::UnshareCgroupNamespace{});
    builder.add_all(Actor::container, std::move(rootfs.mounts));
    builder.add_all(Actor::container, std::move(rootfs.devices));
    if (spec.linux.creates(CLONE_NEWNET))
        builder.add(Actor::container, steps::BringLoopbackUp{});
    if (spec.hostname && !spec.hostname->empty())
        builder.add(Actor::container, steps::SetHostname{*spec.hostname});
    if (spec.domainname && !spec.domainname->empty())
        builder.add(Actor::container, steps::SetDomainname{*spec.domainname});
}

/// config.md#posix-platform-hooks: all three after the environment was made, before pivot_root.
void append_create_hooks(Builder& builder, spec::Spec const& spec) {
    builder.add(Actor::runtime, make_hooks(spec, spec::HookKind::prestart));
    builder.add(Actor::runtime, make_hooks(spec, spec::HookKind::create_runtime));
    builder.add(Actor::container, make_hooks(spec, spec::HookKind::create_container));
}

void append_enter_root(Builder& builder, spec::Spec const& spec, CreateRequest const& request,
                       std::vector<std::string> finish_readonly) {
    if (spec.process) {
        builder.add(Actor::container, steps::CreateWorkingDirectory{spec.process->cwd});
        if (spec.process->terminal) {
            steps::SetUpConsole console{.size = std::nullopt, .owner = spec.process->user.uid};
            if (auto const& size = spec.process->console_size)
                console.size = steps::TerminalSize{size->height, size->width};
            builder.add(Actor::container, console);
        }
    }
    builder.add(Actor::container, steps::PivotRoot{request.no_pivot});
    // After the hooks: they make the network interfaces that net.* sysctls name.
    if (!spec.linux.sysctl.empty())
        builder.add(Actor::container, steps::SetSysctls{{spec.linux.sysctl.begin(), spec.linux.sysctl.end()}});
    if (!finish_readonly.empty())
        builder.add(Actor::container, steps::FinishReadonlyMounts{std::move(finish_readonly)});
    if (spec.root.readonly)
        builder.add(Actor::container, steps::MakeRootReadonly{});
    if (!spec.linux.readonly_paths.empty())
        builder.add(Actor::container, steps::MakePathsReadonly{spec.linux.readonly_paths});
    if (!spec.linux.masked_paths.empty())
        builder.add(Actor::container, steps::MaskPaths{spec.linux.masked_paths});
    // The root is private since it was attached, and the volumes' own propagation should stay.
    // After the last mount: an unbindable root could not be cloned for read-only paths.
    if (spec.linux.rootfs_propagation != 0 && (spec.linux.rootfs_propagation & MS_PRIVATE) == 0)
        builder.add(Actor::container, steps::SetRootPropagation{spec.linux.rootfs_propagation});
    if (spec.linux.find(CLONE_NEWNS) == nullptr)
        builder.add(Actor::container, steps::ReturnToMountNamespace{});
    builder.add(Actor::container, steps::BecomeFinisher{});
}

void append_commit(Builder& builder, Cgroup cgroup, CreateRequest const& request) {
    // With a property systemd writes the files of all others again, and rounds: so all are written once more.
    bool const again = cgroup.scope && cgroup.scope->late;
    if (again)
        builder.add(Actor::runtime, std::move(cgroup.scope->late));
    auto settings = again ? cgroup.settings() : std::move(cgroup.late);
    if (!settings.empty())
        builder.add(Actor::runtime, steps::ApplyCgroupSettings{std::move(settings)});
    builder.add(Actor::runtime, steps::SaveState{});
    if (!request.pidfd_socket.empty())
        builder.add(Actor::runtime, steps::SendPidfd{request.pidfd_socket, "standard"});
    if (!request.pid_file.empty())
        builder.add(Actor::runtime, steps::WritePidFile{request.pid_file});
}

/// The same for both ways to a container, create and restore.
void append_beginning(Builder& builder, spec::Spec const& spec, CreateRequest const& request, Cgroup const& cgroup,
                      std::optional<steps::SetUpResctrlGroup> const& resctrl) {
    builder.add(Actor::runtime, steps::ReserveContainer{request.id});
    builder.add(Actor::runtime,
                steps::RecordContainer{request.bundle, cgroup.path, cgroup.scope ? cgroup.scope->create.unit : "",
                                       resctrl ? std::optional(resctrl->group) : std::nullopt});
    append_cgroup(builder, spec, cgroup);
}

/// As runc has it: engines and programs know the place.
spec::Spec with_notify_socket(spec::Spec spec, std::string const& folder) {
    spec::Mount mount;
    mount.destination = "/run/notify";
    mount.source = folder;
    mount.bind = true;
    mount.set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    spec.mounts.push_back(std::move(mount));
    spec.process->env.emplace_back("NOTIFY_SOCKET=/run/notify/notify.sock");
    return spec;
}

Result<steps::Plan> make_plan(spec::Spec const& spec, HostFacts const& host, CreateRequest const& request) {
    TraceSpan const span("plan");
    TRY(check_rights(spec, host));
    if (spec.process)
        TRY(check_groups(spec, *spec.process, host));
    TRY(check_labels(spec, spec.process ? &*spec.process : nullptr, host));
    auto resctrl = TRY(set_up_resctrl_group(spec, host, request.id));
    auto cgroup = TRY(plan_cgroup(spec, host, request));
    auto rootfs = plan_rootfs(spec, host, request.bundle, cgroup.path);
    auto finish_readonly = std::move(rootfs.finish_readonly);

    Builder builder;
    append_beginning(builder, spec, request, cgroup, resctrl);
    if (!request.notify_folder.empty() && spec.process)
        builder.add(Actor::runtime, steps::MakeNotifyFolder{});
    append_start(builder, spec, host, request, rootfs, !cgroup.path.empty());
    builder.add(Actor::runtime, std::move(resctrl));
    append_rootfs(builder, spec, request, std::move(rootfs));
    append_create_hooks(builder, spec);
    append_enter_root(builder, spec, request, std::move(finish_readonly));
    bool const with_keyring = !request.no_new_keyring;
    if (spec.process)
        append_label_files(*spec.process, with_keyring, builder.plan());
    if (with_keyring)
        builder.add(Actor::finisher, join_session_keyring(request.id));
    if (spec.process)
        append_identity(spec, *spec.process, host, builder.plan());
    append_commit(builder, std::move(cgroup), request);
    builder.add(Actor::finisher, steps::WaitForStart{});
    // Without a process `start` is refused (runtime.md#start); init then waits to be deleted.
    if (spec.process) {
        builder.add(Actor::finisher, make_hooks(spec, spec::HookKind::start_container));
        TRY(append_execution(spec, *spec.process, {request.preserved_descriptors, request.listen_fds, with_keyring},
                             builder.plan()));
    }
    return std::move(builder.plan());
}

} // namespace

Result<steps::Plan> make_create_plan(spec::Spec const& spec, HostFacts const& host, CreateRequest const& request) {
    if (request.notify_folder.empty() || !spec.process)
        return make_plan(spec, host, request);
    return make_plan(with_notify_socket(spec, request.notify_folder), host, request);
}

Result<steps::Plan> make_restore_plan(spec::Spec const& spec, HostFacts const& host, CreateRequest const& create,
                                      RestoreRequest const& restore) {
    auto resctrl = TRY(set_up_resctrl_group(spec, host, create.id));
    auto cgroup = TRY(plan_cgroup(spec, host, create));
    Builder builder;
    append_beginning(builder, spec, create, cgroup, resctrl);
    TRY(append_restore(spec, create, restore, std::move(resctrl), builder.plan()));
    if (create.cgroup_driver == CgroupDriver::systemd)
        builder.add(Actor::runtime, steps::EndPlaceholder{});
    append_commit(builder, std::move(cgroup), create);
    builder.add(Actor::runtime, steps::ResumeRestored{});
    return std::move(builder.plan());
}

} // namespace oci::plan
