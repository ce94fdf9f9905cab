// SPDX-License-Identifier: Apache-2.0
// How each operation is done: one overload for each struct of steps/, in src/perform/<topic>.cpp.
// An error is the failed call and its object; the walk puts describe(operation) before it.
#pragma once

#include "base/result.h"
#include "perform/context.h"
#include "steps/step.h"

namespace oci::perform {

// lifecycle.cpp
Result<void> apply(steps::ReserveContainer const& operation, Context& context);
Result<void> apply(steps::RecordContainer const& operation, Context& context);
Result<void> apply(steps::MakeNotifyFolder const& operation, Context& context);
Result<void> apply(steps::ConnectConsole const& operation, Context& context);
Result<void> apply(steps::OpenStartGate const& operation, Context& context);
Result<void> apply(steps::SaveState const& operation, Context& context);
Result<void> apply(steps::WritePidFile const& operation, Context& context);
Result<void> apply(steps::SendPidfd const& operation, Context& context);
// init.cpp
Result<void> apply(steps::StartInit const& operation, Context& context);
Result<void> apply(steps::StartExec const& operation, Context& context);
Result<void> apply(steps::BecomeFinisher const& operation, Context& context);
Result<void> apply(steps::StartMountHelper const& operation, Context& context);
Result<void> apply(steps::EndMountHelper const& operation, Context& context);
// hooks.cpp
Result<void> apply(steps::RunHooks const& operation, Context& context);
// cgroup.cpp
Result<void> apply(steps::CreateCgroup const& operation, Context& context);
/// The cgroup in the record turned out to be somebody else's: nothing that undoes this create may touch it.
void disown_cgroup(Context& context);
Result<void> apply(steps::EnableControllers const& operation, Context& context);
Result<void> apply(steps::ApplyCgroupSettings const& operation, Context& context);
Result<void> apply(steps::DelegateCgroup const& operation, Context& context);
Result<void> apply(steps::AttachDeviceFilter const& operation, Context& context);
Result<void> apply(steps::UnshareCgroupNamespace const& operation, Context& context);
// systemd.cpp
Result<void> apply(steps::CreateScope const& operation, Context& context);
Result<void> apply(steps::EndPlaceholder const& operation, Context& context);
Result<void> apply(steps::SetUnitProperties const& operation, Context& context);
// namespaces.cpp
Result<void> apply(steps::BecomeMappedUser const& operation, Context& context);
Result<void> apply(steps::JoinMountNamespace const& operation, Context& context);
Result<void> apply(steps::LeaveMountNamespace const& operation, Context& context);
Result<void> apply(steps::ReturnToMountNamespace const& operation, Context& context);
Result<void> apply(steps::BringLoopbackUp const& operation, Context& context);
Result<void> apply(steps::SetHostname const& operation, Context& context);
Result<void> apply(steps::SetDomainname const& operation, Context& context);
Result<void> apply(steps::SetSysctls const& operation, Context& context);
Result<void> apply(steps::SetOomScore const& operation, Context& context);
Result<void> apply(steps::RaiseResourceLimits const& operation, Context& context);
Result<void> apply(steps::SetScheduler const& operation, Context& context);
Result<void> apply(steps::SetIoPriority const& operation, Context& context);
Result<void> apply(steps::SetCpuAffinity const& operation, Context& context);
// labels.cpp
Result<void> apply(steps::OpenLabelFiles const& operation, Context& context);
// network.cpp
Result<void> apply(steps::MoveNetworkDevices const& operation, Context& context);
// resctrl.cpp
Result<void> apply(steps::SetUpResctrlGroup const& operation, Context& context);
Result<void> apply(steps::JoinResctrlGroup const& operation, Context& context);
Result<void> apply(steps::ChangeResctrlSchemata const& operation, Context& context);
// checkpoint.cpp
Result<void> apply(steps::DumpContainer const& operation, Context& context);
// restore.cpp
Result<void> apply(steps::MakeMountPoints const& operation, Context& context);
Result<void> apply(steps::BeginRestore const& operation, Context& context);
Result<void> apply(steps::SetUpNetwork const& operation, Context& context);
Result<void> apply(steps::RestoreProcesses const& operation, Context& context);
Result<void> apply(steps::ProtectMounts const& operation, Context& context);
Result<void> apply(steps::ResumeRestored const& operation, Context& context);
// staging.cpp
Result<void> apply(steps::StageMounts const& operation, Context& context);
// id_maps.cpp
Result<void> apply(steps::WriteIdMaps const& operation, Context& context);
// rootfs.cpp
Result<void> apply(steps::IsolateMounts const& operation, Context& context);
Result<void> apply(steps::OpenProcfs const& operation, Context& context);
Result<void> apply(steps::OpenMountSources const& operation, Context& context);
Result<void> apply(steps::AttachRootfs const& operation, Context& context);
Result<void> apply(steps::CreateWorkingDirectory const& operation, Context& context);
Result<void> apply(steps::PivotRoot const& operation, Context& context);
Result<void> apply(steps::SetRootPropagation const& operation, Context& context);
Result<void> apply(steps::FinishReadonlyMounts const& operation, Context& context);
Result<void> apply(steps::MakeRootReadonly const& operation, Context& context);
// mounts.cpp
Result<void> apply(steps::MountFilesystem const& operation, Context& context);
Result<void> apply(steps::BindMount const& operation, Context& context);
Result<void> apply(steps::MountCgroup const& operation, Context& context);
Result<void> apply(steps::Remount const& operation, Context& context);
// mount_changes.cpp
Result<void> apply(steps::JoinForMounts const& operation, Context& context);
Result<void> apply(steps::AddMounts const& operation, Context& context);
Result<void> apply(steps::RemoveMounts const& operation, Context& context);
// devices.cpp
Result<void> apply(steps::CreateDevices const& operation, Context& context);
Result<void> apply(steps::LinkDevices const& operation, Context& context);
Result<void> apply(steps::SetUpConsole const& operation, Context& context);
Result<void> apply(steps::SetUpExecTerminal const& operation, Context& context);
// masks.cpp
Result<void> apply(steps::MaskPaths const& operation, Context& context);
Result<void> apply(steps::MakePathsReadonly const& operation, Context& context);

} // namespace oci::perform
