// SPDX-License-Identifier: Apache-2.0
// Operations around the container: its record and state, hooks, the gate at which init waits for `start`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "steps/resctrl.h"

namespace oci::steps {

struct ReserveContainer {
    std::string id;
    bool operator==(ReserveContainer const&) const = default;
};

/// Writes record.json and the copy of config.json, before anything is made that would have to be undone.
struct RecordContainer {
    std::string bundle;
    std::string cgroup_path; ///< "" with --cgroup-manager disabled
    std::string unit = {};   ///< of systemd, "" with other cgroup managers
    std::optional<ResctrlGroup> resctrl_group = {};
    bool operator==(RecordContainer const&) const = default;
};

/// The folder in the state directory through which the container's program tells that it is ready (NOTIFY_SOCKET).
struct MakeNotifyFolder {
    bool operator==(MakeNotifyFolder const&) const = default;
};

/// With a path: connects to the socket of --console-socket. Without: the runtime itself gets the terminal.
struct ConnectConsole {
    std::string path;
    bool operator==(ConnectConsole const&) const = default;
};

/// The listening socket start.sock, inherited by init.
struct OpenStartGate {
    bool operator==(OpenStartGate const&) const = default;
};

struct HookProgram {
    std::string path;
    std::vector<std::string> arguments;                  ///< argv; never empty
    std::optional<std::vector<std::string>> environment; ///< unset: see RunHooks
    std::optional<int> timeout;                          ///< seconds
    bool operator==(HookProgram const&) const = default;
};

/// Runs hooks in order with the state on standard input. Without an environment of its own a hook gets the runtime's
/// (prestart, createRuntime, poststart, poststop), none (createContainer) or the process's (startContainer).
struct RunHooks {
    std::string kind;   ///< "createRuntime"
    std::string status; ///< of the state that they read: "creating", "created" ...
    std::vector<HookProgram> hooks;
    bool operator==(RunHooks const&) const = default;
};

/// The set-up child becomes the finisher (execveat of the sealed program). The finisher's steps follow.
struct BecomeFinisher {
    bool operator==(BecomeFinisher const&) const = default;
};

struct SaveState {
    bool operator==(SaveState const&) const = default;
};

struct WritePidFile {
    std::string path; ///< absolute
    bool operator==(WritePidFile const&) const = default;
};

/// Sends a descriptor of the process to --pidfd-socket.
struct SendPidfd {
    std::string path;
    std::string payload; ///< "standard" or "setns"
    bool operator==(SendPidfd const&) const = default;
};

/// exec: a process in the container's cgroup that becomes the finisher at once.
struct StartExec {
    bool into_cgroup = true;
    /// --cgroup: "a/b" below the container's, "." for that one; it must be there, and no other is taken instead.
    std::optional<std::string> sub_cgroup = {};
    bool operator==(StartExec const&) const = default;
};

/// The finisher accepts on start.sock until somebody says start.
struct WaitForStart {
    bool operator==(WaitForStart const&) const = default;
};

} // namespace oci::steps
