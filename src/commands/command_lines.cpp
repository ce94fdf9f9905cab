// SPDX-License-Identifier: Apache-2.0
// The tables: every command with its options. The man page is compared with them by a test.
#include <algorithm>
#include <array>

#include "commands/options.h"

namespace oci::commands {

namespace {

using Kind = Option::Kind;

constexpr Option bundle = {"bundle", "b", Kind::text, "DIR",
                           "the bundle: a folder with config.json (default: the current one)"};

constexpr Option help = {"help", "h", Kind::flag, "", "print this help"};

constexpr std::array global = std::to_array<Option>({
    {"root", "", Kind::text, "DIR",
     "where the state of containers is kept (default: /run/oci-run, or below XDG_RUNTIME_DIR)"},
    {"log", "", Kind::text, "FILE", "append messages to this file; errors also go to standard error"},
    {"log-format", "", Kind::text, "FORMAT", "text (default) or json"},
    {"log-level", "", Kind::text, "LEVEL", "debug, info, warning or error (default: warning, with --log error)"},
    {"debug", "", Kind::flag, "", "the same as --log-level debug"},
    {"trace", "", Kind::text, "FILE", "append when each step began and how long it took (opens in ui.perfetto.dev)"},
    {"cgroup-manager", "", Kind::text, "NAME", "cgroupfs (default), systemd, or disabled"},
    {"systemd-cgroup", "", Kind::flag, "", "the same as --cgroup-manager systemd"},
    {"rootless", "", Kind::text, "VALUE",
     "true, false or auto (default); accepted, what can be done is found out anyway"},
    {"criu", "", Kind::text, "PATH", "accepted and ignored"},
    {"version", "v", Kind::flag, "", "print the version"},
});

constexpr std::array create_options = std::to_array<Option>({
    bundle,
    {"console-socket", "", Kind::text, "PATH", "Unix socket that gets the terminal's master"},
    {"pidfd-socket", "", Kind::text, "PATH", "Unix socket that gets a pidfd of the container's process"},
    {"pid-file", "", Kind::text, "FILE", "write the process id here"},
    {"no-pivot", "", Kind::flag, "", "change the root without pivot_root(2), for hosts that run from a ramdisk"},
    {"no-new-keyring", "", Kind::flag, "", "keep the session keyring of the caller"},
    {"no-subreaper", "", Kind::flag, "", "do not adopt orphans of the container"},
    {"preserve-fds", "", Kind::number, "N", "give the program N more descriptors, from 3 on"},
});

constexpr std::array run_only_options = std::to_array<Option>({
    {"detach", "d", Kind::flag, "", "do not wait for the program to end"},
    {"keep", "", Kind::flag, "", "do not delete the container when it ends"},
});

template <std::size_t one, std::size_t other>
constexpr auto joined(std::array<Option, one> const& first, std::array<Option, other> const& second) {
    std::array<Option, one + other> all{};
    std::copy(second.begin(), second.end(), std::copy(first.begin(), first.end(), all.begin()));
    return all;
}

constexpr auto run_options = joined(create_options, run_only_options);

constexpr std::array exec_options = std::to_array<Option>({
    {"process", "p", Kind::text, "FILE", "the process to run, as JSON like process of config.json"},
    {"detach", "d", Kind::flag, "", "do not wait for the program to end"},
    {"tty", "t", Kind::flag, "", "give the program a terminal"},
    {"console-socket", "", Kind::text, "PATH", "Unix socket that gets the terminal's master"},
    {"pidfd-socket", "", Kind::text, "PATH", "Unix socket that gets a pidfd of the process"},
    {"pid-file", "", Kind::text, "FILE", "write the process id here"},
    {"user", "u", Kind::text, "UID[:GID]", "user and group, as numbers"},
    {"additional-gids", "g", Kind::text, "GID", "one more group; may be given again"},
    {"cwd", "", Kind::text, "DIR", "working directory"},
    {"env", "e", Kind::text, "NAME=VALUE", "set a variable of the environment; may be given again"},
    {"cap", "c", Kind::text, "NAME", "one more capability; may be given again"},
    {"no-new-privs", "", Kind::flag, "", "the program cannot gain privileges; =false: it can"},
    {"apparmor", "", Kind::text, "PROFILE", "AppArmor profile"},
    {"process-label", "", Kind::text, "LABEL", "SELinux label"},
    {"preserve-fds", "", Kind::number, "N", "give the program N more descriptors, from 3 on"},
    {"cgroup", "", Kind::text, "PATH", "a cgroup below the container's"},
    {"ignore-paused", "", Kind::flag, "", "in a paused container wait until it is resumed"},
});

constexpr std::array kill_options = std::to_array<Option>({
    {"all", "a", Kind::flag, "", "signal every process of the container; one that is stopped is no error"},
    {"regex", "r", Kind::flag, "", "ID is a regular expression: every container whose id matches"},
});

constexpr std::array delete_options = std::to_array<Option>({
    {"force", "f", Kind::flag, "", "kill the container first; one that does not exist is no error"},
    {"regex", "r", Kind::flag, "", "ID is a regular expression: every container whose id matches"},
});

constexpr std::array ps_options = std::to_array<Option>({
    {"format", "f", Kind::text, "FORMAT", "table (default) or json: the numbers of the processes"},
});

constexpr std::array events_options = std::to_array<Option>({
    {"interval", "", Kind::text, "DURATION", "time between statistics: 500ms, 1m30s, or seconds (default: 5s)"},
    {"stats", "", Kind::flag, "", "print the statistics once and end"},
});

constexpr std::array update_options = std::to_array<Option>({
    {"resources", "r", Kind::text, "FILE", "JSON like linux.resources of config.json; - reads standard input"},
    {"blkio-weight", "", Kind::text, "N", "weight of block I/O, 10 to 1000"},
    {"cpu-period", "", Kind::text, "US", "period of the CPU quota, microseconds"},
    {"cpu-quota", "", Kind::text, "US", "CPU time in a period, microseconds; -1: no limit"},
    {"cpu-burst", "", Kind::text, "US", "CPU time that may be saved up, microseconds"},
    {"cpu-share", "", Kind::text, "N", "CPU shares, 2 to 262144"},
    {"cpu-idle", "", Kind::text, "N", "1: only CPU time that nobody else wants; 0: the default"},
    {"cpu-rt-period", "", Kind::text, "US", "has no equivalent on cgroup v2"},
    {"cpu-rt-runtime", "", Kind::text, "US", "has no equivalent on cgroup v2"},
    {"cpuset-cpus", "", Kind::text, "LIST", "CPUs to run on: 0-3,7"},
    {"cpuset-mems", "", Kind::text, "LIST", "memory nodes to use"},
    {"kernel-memory", "", Kind::text, "SIZE", "has no equivalent on cgroup v2"},
    {"kernel-memory-tcp", "", Kind::text, "SIZE", "has no equivalent on cgroup v2"},
    {"memory", "", Kind::text, "SIZE", "memory limit, in bytes or as 512m; -1: no limit"},
    {"memory-reservation", "", Kind::text, "SIZE", "memory that is protected from others' needs"},
    {"memory-swap", "", Kind::text, "SIZE", "limit of memory and swap together; -1: no limit"},
    {"pids-limit", "", Kind::text, "N", "number of tasks; -1: no limit"},
    {"l3-cache-schema", "", Kind::text, "SCHEMA", "share of the L3 cache: L3:0=f;1=ff; needs linux.intelRdt"},
    {"mem-bw-schema", "", Kind::text, "SCHEMA", "share of memory bandwidth: MB:0=20;1=70; needs linux.intelRdt"},
});

constexpr std::array mounts_options = std::to_array<Option>({
    {"format", "f", Kind::text, "FORMAT", "list: table (default) or json"},
});

constexpr std::array criu_options = std::to_array<Option>({
    {"image-path", "", Kind::text, "DIR", "where the images are (default: checkpoint in the current folder)"},
    {"work-path", "", Kind::text, "DIR", "where criu writes its log (default: where the images are)"},
    {"parent-path", "", Kind::text, "DIR", "images of a pre-dump to build on, relative to the images"},
    {"tcp-established", "", Kind::flag, "", "allow open TCP connections"},
    {"tcp-skip-in-flight", "", Kind::flag, "", "leave out TCP connections that are being opened"},
    {"ext-unix-sk", "", Kind::flag, "", "allow Unix sockets connected to outside"},
    {"shell-job", "", Kind::flag, "", "allow a process that uses the terminal of the caller"},
    {"file-locks", "", Kind::flag, "", "allow file locks"},
    {"link-remap", "", Kind::flag, "", "allow open files that have been removed but for other links"},
    {"lazy-pages", "", Kind::flag, "", "bring memory only when it is asked for"},
    {"auto-dedup", "", Kind::flag, "", "drop from older images what a newer one has"},
    {"manage-cgroups-mode", "", Kind::text, "MODE", "soft, full, strict or ignore (default: soft)"},
    {"network-lock", "", Kind::text, "METHOD", "iptables, nftables or skip (default: that of criu)"},
    {"empty-ns", "", Kind::text, "NAME", "network: the only one, and always so"},
});

constexpr std::array checkpoint_only_options = std::to_array<Option>({
    {"leave-running", "", Kind::flag, "", "do not end the container"},
    {"pre-dump", "", Kind::flag, "", "dump the memory only, and let the container run"},
    {"page-server", "", Kind::text, "HOST:PORT", "send the memory to a page server of criu"},
    {"status-fd", "", Kind::number, "N", "write a byte to this descriptor when lazy pages can be asked for"},
});

constexpr std::array restore_only_options = std::to_array<Option>({
    bundle,
    {"detach", "d", Kind::flag, "", "do not wait for the program to end"},
    {"keep", "", Kind::flag, "", "do not delete the container when it ends"},
    {"pid-file", "", Kind::text, "FILE", "write the process id here"},
    {"console-socket", "", Kind::text, "PATH", "Unix socket that gets the terminal's master"},
    {"pidfd-socket", "", Kind::text, "PATH", "Unix socket that gets a pidfd of the container's process"},
    {"no-subreaper", "", Kind::flag, "", "do not adopt orphans of the container"},
    {"no-pivot", "", Kind::flag, "", "accepted and ignored: criu changes the root"},
    {"preserve-fds", "", Kind::number, "N", "accepted and ignored: a process has the descriptors that it had"},
    {"tcp-close", "", Kind::flag, "", "close TCP connections that were open"},
    {"lsm-profile", "", Kind::text, "TYPE:NAME", "selinux:LABEL or apparmor:PROFILE in place of what it was"},
    {"lsm-mount-context", "", Kind::text, "LABEL", "SELinux label of mounts in place of what it was"},
});

constexpr auto checkpoint_options = joined(criu_options, checkpoint_only_options);
constexpr auto restore_options = joined(criu_options, restore_only_options);

constexpr std::array list_options = std::to_array<Option>({
    {"format", "f", Kind::text, "FORMAT", "table (default) or json"},
    {"quiet", "q", Kind::flag, "", "print ids only"},
});

constexpr std::array spec_options = std::to_array<Option>({
    {"bundle", "b", Kind::text, "DIR", "the folder to write it to (default: the current one)"},
    {"rootless", "", Kind::flag, "", "for a user without privileges"},
});

constexpr std::array look_options = std::to_array<Option>({
    bundle,
    {"format", "f", Kind::text, "FORMAT", "text (default) or json"},
});

constexpr std::span<Option const> none;
constexpr auto anywhere = OptionPlace::anywhere;
constexpr auto before_arguments = OptionPlace::before_arguments;

constexpr std::array commands = std::to_array<CommandLine>({
    {"create", "ID", "Makes a container; its program waits for start", create_options, 1, 1, anywhere, true},
    {"start", "ID", "Starts the program of a container that was created", none, 1, 1, anywhere, true},
    {"run", "ID", "Makes a container, starts it and waits for its end", run_options, 1, 1, anywhere, true},
    {"exec", "ID [COMMAND [ARGUMENT...]]", "Runs another program in a container", exec_options, 1, any_number,
     before_arguments, true, 255},
    {"kill", "ID [SIGNAL]", "Sends a signal to a container (default: TERM)", kill_options, 1, 2, before_arguments,
     true},
    {"delete", "ID", "Removes a container that has stopped, and all that was made for it", delete_options, 1, 1,
     anywhere, true},
    {"pause", "ID", "Stops all processes of a container until resume", none, 1, 1, anywhere, true},
    {"resume", "ID", "Lets the processes of a paused container run on", none, 1, 1, anywhere, true},
    {"ps", "ID [PS-OPTION...]", "Lists the processes of a container", ps_options, 1, any_number, before_arguments,
     true},
    {"events", "ID", "Prints statistics and out-of-memory events of a container", events_options, 1, 1, anywhere, true},
    {"update", "ID", "Changes limits of a container; what is not given stays", update_options, 1, 1, anywhere, true},
    {"mounts", "add|remove|list ID [FILE]", "Adds mounts to a container, removes or lists them", mounts_options, 2, 3,
     anywhere, true, 1, "add remove list"},
    {"checkpoint", "ID", "Saves the processes of a container to files, and ends it", checkpoint_options, 1, 1, anywhere,
     true},
    {"restore", "ID", "Makes a container from the files of a checkpoint", restore_options, 1, 1, anywhere, true},
    {"state", "ID", "Prints the state of a container as JSON", none, 1, 1, anywhere, true},
    {"list", "", "Lists the containers", list_options, 0, 0, anywhere, false},
    {"spec", "", "Writes a config.json to start from", spec_options, 0, 0, anywhere, false},
    {"features", "", "Prints what this runtime can do as JSON", none, 0, 0, anywhere, false},
    {"plan", "[ID]", "Prints what create would do, step by step; needs no rights and changes nothing", look_options, 0,
     1, anywhere, false},
    {"validate", "[BUNDLE]", "Prints everything that is wrong with a bundle", look_options, 0, 1, anywhere, false},
    {"completion", "SHELL", "Prints completions for bash, zsh or fish", none, 1, 1, anywhere, false},
    {"help", "[COMMAND]", "Prints help", none, 0, 1, anywhere, false},
});

} // namespace

std::span<CommandLine const> all_commands() {
    return commands;
}

CommandLine const* find_command(std::string_view name) {
    auto const found = std::find_if(commands.begin(), commands.end(),
                                    [&](CommandLine const& command) { return command.name == name; });
    return found == commands.end() ? nullptr : &*found;
}

std::span<Option const> global_options() {
    return global;
}

Option const& help_option() {
    return help;
}

} // namespace oci::commands
