// SPDX-License-Identifier: Apache-2.0
// What the performing processes know besides the plan: what the command gave, and what earlier steps opened or made.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/host.h"
#include "kernel/fd.h"
#include "kernel/process.h"
#include "kernel/procfs.h"
#include "perform/criu.h"
#include "state/container_dir.h"
#include "steps/step.h"

namespace oci::perform {

struct Context {
    // ---- from the command
    HostFacts host;
    std::string root;   ///< of the state directories
    std::string config; ///< text of config.json
    state::Record record;
    state::State state; ///< oci_version, rootfs, annotations, owner; the rest is filled in on the way
    unsigned preserved_descriptors = 0;
    /// exec: namespaces of the container's init, in the order of JoinContainer, then its root directory where that is
    /// to be entered. mounts: those of JoinForMounts.
    std::vector<kernel::Fd> joined;
    kernel::Fd container_mounts;    ///< mounts: the container's mount namespace
    pid_t container_init = 0;       ///< exec: that init
    bool process_announced = false; ///< exec: the finisher has told who goes on inside

    // ---- made by the runtime's steps
    steps::Actor self = steps::Actor::runtime;
    std::optional<state::ContainerDir> directory;
    kernel::Fd cgroup;                         ///< the container's folder in cgroup2
    kernel::Fd placeholder;                    ///< pidfd: keeps a systemd scope alive until init is in it
    std::vector<kernel::Fd> staged_sources;    ///< detached trees, until init is born
    kernel::Fd staged_rootfs;                  ///< likewise
    std::optional<steps::StageMounts> staging; ///< what they are made from
    kernel::Fd gate;                           ///< start.sock; the child's after StartInit
    kernel::Fd console;                        ///< where SetUpConsole sends the master
    kernel::Fd terminal;                       ///< foreground `run`: the other end of `console`
    kernel::Fd wire;                           ///< to the other side
    kernel::Fd finisher;                       ///< the sealed program
    kernel::Fd request;                        ///< its sealed request
    std::string pid_file;                      ///< as it was written; "": not yet
    kernel::Fd init_pidfd;                     ///< of the process that was started (exec: of the executed one)
    /// The child's files below /proc belong to the caller: a user without privileges has to write some (id maps,
    /// oom_score_adj), and hooks look for its namespaces there. No stranger gains by it: that takes rights in the
    /// child's own user namespace, ptrace(2), and a new one gives them to nobody else.
    bool child_is_open = false;
    std::vector<std::string> warnings;   ///< for the command to log
    std::string handover;                ///< text that goes with the next turn
    std::vector<kernel::Fd> label_files; ///< go with the next turn
    std::string schemata_before;         ///< of the resctrl group, once `update` has changed them
    std::optional<Criu> criu;            ///< restore: from BeginRestore to ResumeRestored

    // ---- made by the container's steps
    kernel::Fd caller_mounts; ///< mount namespace to return to
    std::optional<kernel::ProcFd> procfs;
    std::vector<kernel::Fd> sources; ///< detached trees, by index of OpenMountSources
    kernel::Fd rootfs;               ///< root of the container's file system, attached (exec: as its init has it)
    kernel::Fd null_device;          ///< the host's /dev/null as a detached tree, for MaskPaths
    kernel::Fd device_folder;        ///< the container's /dev, opened once for all that is made in it

    /// A warning from any process: kept by the runtime, sent to it by the others.
    void warn(std::string message);
};

} // namespace oci::perform
