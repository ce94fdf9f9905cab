// SPDX-License-Identifier: Apache-2.0
// The vocabulary of plans: one closed variant of plain structs, and who does each.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "steps/cgroup.h"
#include "steps/checkpoint.h"
#include "steps/lifecycle.h"
#include "steps/mount_changes.h"
#include "steps/namespaces.h"
#include "steps/process.h"
#include "steps/resctrl.h"
#include "steps/rootfs.h"
#include "steps/systemd.h"

namespace oci::steps {

/// Who performs a step. runtime: the command itself. container: its forked child inside the new namespaces. finisher:
/// the small program that child becomes.
enum class Actor { runtime, container, finisher };

using Operation = std::variant<
    ReserveContainer, RecordContainer, MakeNotifyFolder, CreateCgroup, EnableControllers, ApplyCgroupSettings,
    AttachDeviceFilter, DelegateCgroup, CreateScope, EndPlaceholder, SetUnitProperties, ConnectConsole, OpenStartGate,
    StartInit, StartExec, WriteIdMaps, MoveNetworkDevices, SetOomScore, RaiseResourceLimits, JoinMountNamespace,
    LeaveMountNamespace, ReturnToMountNamespace, StageMounts, IsolateMounts, OpenProcfs, OpenMountSources,
    BecomeMappedUser, UnshareCgroupNamespace, AttachRootfs, MountFilesystem, BindMount, MountCgroup, Remount,
    CreateDevices, LinkDevices, SetUpConsole, SetUpExecTerminal, RunHooks, CreateWorkingDirectory, PivotRoot,
    SetRootPropagation, FinishReadonlyMounts, MakeRootReadonly, BringLoopbackUp, SetHostname, SetDomainname, SetSysctls,
    MaskPaths, MakePathsReadonly, BecomeFinisher, JoinContainer, OpenLabelFiles, SetLabel, JoinSessionKeyring, SetUser,
    SetCapabilities, SetNoNewPrivileges, ChangeDirectory, FindProgram, SetUpResctrlGroup, JoinResctrlGroup,
    ChangeResctrlSchemata, SaveState, SendPidfd, WritePidFile, WaitForStart, SetResourceLimits, SetScheduler,
    SetIoPriority, SetCpuAffinity, SetPersonality, SetMemoryPolicy, CloseDescriptors, LoadSeccomp, Execute,
    DumpContainer, MakeMountPoints, BeginRestore, SetUpNetwork, RestoreProcesses, ProtectMounts, ResumeRestored,
    StartMountHelper, EndMountHelper, JoinForMounts, AddMounts, RemoveMounts>;

struct Step {
    Actor actor = Actor::runtime;
    Operation operation;
    bool operator==(Step const&) const = default;
};

using Plan = std::vector<Step>;

std::string_view actor_name(Actor actor);
/// The operation's name: "MountFilesystem".
std::string_view operation_name(Operation const& operation);
/// One line for people, the only place that words an operation: "mount proc at /proc (nosuid,noexec,nodev)".
/// Errors begin with it, `plan` prints it.
std::string describe(Operation const& operation);
/// The same without long lists, for an error's beginning.
std::string describe_briefly(Operation const& operation);

} // namespace oci::steps
