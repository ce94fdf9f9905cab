// SPDX-License-Identifier: Apache-2.0
// What the finisher knows besides the current record, and what each record does.
#pragma once

#include <string_view>

#include "request.h"
#include "wire.h"

namespace oci::finisher {

struct Process {
    // ---- from the command line and the request
    int wire = -1;
    int gate = -1;          ///< listening socket, or -1 (exec)
    unsigned preserved = 0; ///< descriptors 3..2+preserved belong to the container's process

    // ---- made on the way
    int connection = -1;                       ///< at the gate, after `start`
    std::string_view state = {};               ///< JSON for hooks
    Descriptors label_files = {};              ///< came with a turn
    bool new_terminal = false;                 ///< exec: the standard streams are a terminal made for this process
    char const* postponed_directory = nullptr; ///< could not be entered yet; the user may be able to
    char const** arguments = nullptr;
    char const** environment = nullptr;
    char const* program = nullptr; ///< path that was found
    bool ready_to_execute = false; ///< signals are reset: nothing is left that a seccomp filter could forbid
};

// join.cpp
void join_namespaces(Arguments arguments, Process& process);
// user.cpp
void set_user(Arguments arguments, Process const& process);
// capabilities.cpp
void set_capabilities(Arguments arguments);
// attributes.cpp
void join_keyring(Arguments arguments);
void set_no_new_privileges();
/// PR_SET_DUMPABLE 0: who shares our user or pid namespace cannot look into this process.
void hide_from_others();
void change_directory(Arguments arguments, Process& process);
void enter_postponed_directory(Process& process);
void set_resource_limits(Arguments arguments);
void set_personality(Arguments arguments);
void set_memory_policy(Arguments arguments);
void set_label(Arguments arguments, Process const& process);
// program.cpp
void find_program(Arguments execute, Process& process);
// home.cpp
/// Home folder of `uid` by the container's /etc/passwd as "HOME=..."; "HOME=/" if it is not told there.
char const* home_variable(unsigned uid);
// gate.cpp
void wait_for_start(Process& process);
// hooks.cpp
void run_hooks(Arguments arguments, Process const& process);
// descriptors.cpp
/// The first act: closes everything but the standard streams, the preserved ones and `kept` (ascending), which become
/// close-on-exec.
void close_strangers(unsigned preserved, std::span<int const> kept);
void close_descriptors(Process const& process);
/// Everything from `first` on becomes close-on-exec.
void mark_close_on_exec(unsigned first);
// execute.cpp
void load_seccomp(Arguments arguments, Process& process);
[[noreturn]] void execute(Process& process);

// signals.cpp
/// Every signal blocked, broken pipes only an errno. Handlers went with execve(2), and what was ignored was reset
/// before.
void block_signals();
/// Every signal and handler as at the start of a program (execve(2) would keep the mask and what is ignored).
void reset_signals();

/// fork(2) by its system call: the library's does things for threads. `flags`: CLONE_PARENT or 0.
int clone_process(unsigned long flags);

} // namespace oci::finisher
