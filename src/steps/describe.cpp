// SPDX-License-Identifier: Apache-2.0
#include "steps/step.h"

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

#include <linux/seccomp.h>

#include "base/constants.h"
#include "base/names.h"
#include "base/text.h"
#include "phrases.h"

namespace oci::steps {

namespace {

// ---- one sentence for each operation, in the order of the headers

std::string sentence(CreateCgroup const& operation) {
    auto const controllers = controllers_text(operation.needs);
    return concat("create cgroup ", operation.path,
                  in_brackets({controllers.empty() ? "" : concat("with ", controllers)}));
}
std::string sentence(EnableControllers const& operation) {
    auto const controllers = controllers_text(operation.needs);
    return concat("enable ", controllers.empty() ? "controllers" : controllers, " for cgroup ", operation.path);
}
std::string sentence(ApplyCgroupSettings const& operation) {
    return concat("set ", list(operation.settings, [](auto const& setting) {
                      bool const has_fallback = !setting.fallback_file.empty();
                      return concat(
                          setting.file, " ", setting.value,
                          has_fallback ? concat(" (or ", setting.fallback_file, " ", setting.fallback_value, ")") : "");
                  }));
}
std::string sentence(DelegateCgroup const& operation) {
    return concat("give the cgroup to user ", operation.uid);
}
std::string sentence(AttachDeviceFilter const& operation) {
    return concat("attach device filter",
                  in_brackets({join(operation.rules, ", "), counted(operation.program.size(), "instruction")}));
}
std::string summary(CreateScope const& operation) {
    return concat("start unit ", operation.unit, " with a placeholder, as cgroup ", operation.path);
}
std::string sentence(CreateScope const& operation) {
    return concat(summary(operation), in_brackets({list(operation.properties, bus_text)}));
}
std::string sentence(EndPlaceholder const&) {
    return "end the placeholder";
}
std::string summary(SetUnitProperties const& operation) {
    return concat("set properties of unit ", operation.unit);
}
std::string sentence(SetUnitProperties const& operation) {
    auto const properties = concat(summary(operation), in_brackets({list(operation.properties, bus_text)}));
    return operation.settings.empty()
               ? properties
               : concat(sentence(ApplyCgroupSettings{operation.settings, true}), "; ", properties);
}
std::string sentence(UnshareCgroupNamespace const&) {
    return "make a cgroup namespace";
}

std::string sentence(ReserveContainer const& operation) {
    return concat("reserve container ", operation.id);
}
std::string sentence(RecordContainer const& operation) {
    return concat("record bundle ", operation.bundle,
                  operation.cgroup_path.empty() ? "" : concat(" and cgroup ", operation.cgroup_path),
                  operation.unit.empty() ? "" : concat(" of unit ", operation.unit),
                  operation.resctrl_group ? concat(" and ", groups_text(*operation.resctrl_group)) : "");
}
std::string sentence(MakeNotifyFolder const&) {
    return "make the folder of the notify socket";
}
std::string sentence(ConnectConsole const& operation) {
    return operation.path.empty() ? "make ready to pass on the terminal"
                                  : concat("connect to console socket ", operation.path);
}
std::string sentence(OpenStartGate const&) {
    return "open the start gate";
}
std::string sentence(RunHooks const& operation) {
    auto const hooks = list(operation.hooks, [](auto const& hook) {
        return concat(hook.path, hook.timeout ? concat(" (at most ", *hook.timeout, " s)") : "");
    });
    return concat("run ", operation.kind, operation.hooks.size() == 1 ? " hook " : " hooks ", hooks);
}
std::string sentence(BecomeFinisher const&) {
    return "become the finisher";
}
std::string sentence(SaveState const&) {
    return "save state";
}
std::string sentence(WritePidFile const& operation) {
    return concat("write pid file ", operation.path);
}
std::string sentence(SendPidfd const& operation) {
    return concat("send pidfd to ", operation.path, in_brackets({operation.payload}));
}
std::string sentence(StartExec const& operation) {
    if (!operation.into_cgroup)
        return "start a process";
    return operation.sub_cgroup ? concat("start a process in ", *operation.sub_cgroup, " of the cgroup")
                                : "start a process in the cgroup";
}
std::string sentence(WaitForStart const&) {
    return "wait for start";
}

std::string sentence(StartInit const& operation) {
    std::string out = operation.into_cgroup ? "start init in the cgroup" : "start init";
    std::vector<std::string> created;
    for (auto const name : namespace_names())
        if ((operation.new_namespaces & namespace_flag(name).value_or(0)) != 0)
            created.emplace_back(name);
    if (!created.empty())
        out += concat(operation.into_cgroup ? "," : "", created.size() == 1 ? " in a new " : " in new ",
                      namespaces_text(created));
    if (!operation.joined.empty())
        out += concat("; join ", list(operation.joined, [](auto const& joined) {
                          return concat(namespace_name(joined.type), " namespace ", joined.path);
                      }));
    if (!operation.time_offsets.empty())
        out += concat("; time offsets ", list(operation.time_offsets, [](auto const& line) { return trim(line); }));
    return out;
}
std::string sentence(WriteIdMaps const& operation) {
    auto const by = [](MapWriter writer, std::string_view helper) {
        return writer == MapWriter::helper ? concat(" by ", helper) : std::string();
    };
    return concat("write id maps uid ", id_maps_text(operation.uids), by(operation.uid_writer, "newuidmap"), "; gid ",
                  id_maps_text(operation.gids), by(operation.gid_writer, "newgidmap"),
                  operation.deny_setgroups ? ", setgroups denied" : "");
}
std::string sentence(BecomeMappedUser const& operation) {
    return concat("become mapped user ", operation.uid, ":", operation.gid,
                  in_brackets({operation.keep_groups ? "supplementary groups stay" : ""}));
}
std::string sentence(JoinMountNamespace const& operation) {
    return concat("join mount namespace ", operation.path);
}
std::string sentence(LeaveMountNamespace const&) {
    return "leave the mount namespace to build the root file system";
}
std::string sentence(ReturnToMountNamespace const&) {
    return "return to the mount namespace with the root file system";
}
std::string sentence(BringLoopbackUp const&) {
    return "bring loopback up";
}
std::string sentence(MoveNetworkDevices const& operation) {
    return concat("move network devices ", list(operation.devices, [](NetworkDevice const& device) {
                      bool const renamed = device.container_name != device.host_name;
                      return renamed ? concat(device.host_name, " as ", device.container_name) : device.host_name;
                  }));
}
std::string sentence(SetHostname const& operation) {
    return concat("set hostname ", operation.name);
}
std::string sentence(SetDomainname const& operation) {
    return concat("set domainname ", operation.name);
}
std::string sentence(SetSysctls const& operation) {
    return concat("set ", operation.values.size() == 1 ? "sysctl " : "sysctls ",
                  list(operation.values, [](auto const& entry) { return concat(entry.first, "=", entry.second); }));
}

std::string sentence(SetOomScore const& operation) {
    return concat("set oom_score_adj ", operation.value);
}
std::string sentence(RaiseResourceLimits const& operation) {
    return concat("raise hard limits ", limits_text(operation.limits));
}
std::vector<std::string> names_of(std::vector<std::uint64_t> const& namespaces) {
    std::vector<std::string> names;
    for (auto const type : namespaces)
        names.emplace_back(namespace_name(type));
    return names;
}
std::string sentence(JoinContainer const& operation) {
    auto const names = names_of(operation.namespaces);
    return concat(names.empty() ? "go on in a child" : concat("join the container's ", namespaces_text(names)),
                  operation.enter_root ? ", enter its root directory" : "",
                  operation.terminal ? ", with the terminal" : "");
}
std::string sentence(JoinSessionKeyring const& operation) {
    return concat("join session keyring ", operation.name);
}
std::string sentence(SetUser const& operation) {
    auto const groups = list(operation.groups, [](auto group) { return std::to_string(group); });
    return concat("become ", operation.uid, ":", operation.gid,
                  in_brackets({groups.empty() ? "" : concat("groups ", groups),
                               operation.keep_groups ? "supplementary groups stay" : "",
                               operation.umask == 022 ? "" : concat("umask ", octal(operation.umask)),
                               operation.own_streams ? "" : "streams keep their owner"}));
}
/// Equal sets are named once: "CAP_KILL (bounding, effective, permitted); CAP_CHOWN (ambient)". What is not named is
/// empty.
std::string sentence(SetCapabilities const& operation) {
    std::array<std::pair<std::string_view, std::uint64_t>, 5> const sets = {{{"bounding", operation.bounding},
                                                                             {"effective", operation.effective},
                                                                             {"inheritable", operation.inheritable},
                                                                             {"permitted", operation.permitted},
                                                                             {"ambient", operation.ambient}}};
    std::vector<std::pair<std::uint64_t, std::vector<std::string>>> groups;
    for (auto const& [name, capabilities] : sets) {
        auto group = groups.begin();
        while (group != groups.end() && group->first != capabilities)
            ++group;
        if (group == groups.end())
            group = groups.insert(group, {capabilities, {}});
        group->second.emplace_back(name);
    }
    std::vector<std::string> pieces;
    for (auto const& [capabilities, names] : groups)
        if (capabilities != 0)
            pieces.push_back(concat(capabilities_text(capabilities), " (", join(names, ", "), ")"));
    if (pieces.empty())
        pieces.emplace_back("none");
    if (operation.keep_for_seccomp)
        pieces.emplace_back("keep CAP_SYS_ADMIN until seccomp is loaded");
    return concat("set capabilities ", join(pieces, "; "));
}
std::string sentence(SetNoNewPrivileges const&) {
    return "set no_new_privs";
}
std::string sentence(ChangeDirectory const& operation) {
    return concat("change directory to ", operation.path);
}
std::string sentence(FindProgram const& operation) {
    return concat("find program ", argument_text(operation.name));
}
std::string sentence(SetResourceLimits const& operation) {
    return concat("set limits ", limits_text(operation.limits));
}
std::string sentence(SetScheduler const& operation) {
    return concat("set scheduler ", constant_name(scheduler_policies(), operation.policy),
                  in_brackets({operation.nice == 0 ? "" : concat("nice ", operation.nice),
                               operation.priority == 0 ? "" : concat("priority ", operation.priority),
                               operation.runtime == 0 ? "" : concat("runtime ", operation.runtime, " ns"),
                               operation.deadline == 0 ? "" : concat("deadline ", operation.deadline, " ns"),
                               operation.period == 0 ? "" : concat("period ", operation.period, " ns"),
                               flag_names(scheduler_flags(), operation.flags)}));
}
std::string sentence(OpenLabelFiles const&) {
    return "open the files for the process's labels";
}
std::string sentence(SetLabel const& operation) {
    switch (operation.label) {
    case Label::keyring:
        return concat("set SELinux label of the keyring ", operation.value);
    case Label::selinux_process:
        return concat("set SELinux label ", operation.value);
    case Label::apparmor_process:
        break;
    }
    return concat("set AppArmor profile ", operation.value);
}
std::string sentence(SetIoPriority const& operation) {
    return concat("set I/O priority ", constant_name(io_priority_classes(), operation.io_class), " ",
                  operation.priority);
}
std::string sentence(SetCpuAffinity const& operation) {
    return concat(operation.of_runtime ? "start on CPUs " : "run on CPUs ", operation.cpus);
}
std::string sentence(SetPersonality const& operation) {
    return concat("set personality ", constant_name(personality_domains(), operation.domain));
}
std::string sentence(SetMemoryPolicy const& operation) {
    return concat("set memory policy ", constant_name(memory_policy_modes(), operation.mode),
                  in_brackets({operation.nodes.empty() ? "" : concat("nodes ", operation.nodes),
                               flag_names(memory_policy_flags(), operation.flags)}));
}
std::string sentence(CloseDescriptors const& operation) {
    return concat("close descriptors",
                  in_brackets({operation.preserved == 0 ? "" : concat("but ", operation.preserved, " preserved")}));
}
std::string sentence(LoadSeccomp const& operation) {
    std::string out = concat("load seccomp filter (", counted(operation.program.size(), "instruction"), ", default ",
                             operation.default_action);
    if ((operation.flags & SECCOMP_FILTER_FLAG_LOG) != 0)
        out += ", log";
    if ((operation.flags & SECCOMP_FILTER_FLAG_SPEC_ALLOW) != 0)
        out += ", no speculation barriers";
    if (!operation.listener.empty())
        out += concat(", notify ", operation.listener);
    return out += ')';
}
/// Arguments, too, are not for the logs of engines.
std::string summary(Execute const& operation) {
    return concat("execute ", operation.arguments.empty() ? "" : argument_text(operation.arguments.front()));
}
/// Without the environment: `plan` and errors end up in logs, and passwords come in the environment.
std::string sentence(Execute const& operation) {
    std::string out = "execute";
    for (auto const& argument : operation.arguments)
        (out += ' ') += argument_text(argument);
    return out;
}

std::string sentence(SetUpResctrlGroup const& operation) {
    return concat(operation.group.must_exist ? "find and join " : "set up and join ", groups_text(operation.group),
                  in_brackets({list(operation.schemata, [](auto const& schema) { return schema.text; })}));
}
std::string sentence(JoinResctrlGroup const& operation) {
    return concat("join ", groups_text(operation.group));
}
std::string sentence(ChangeResctrlSchemata const& operation) {
    return concat("change resctrl group ", operation.path, " to ",
                  list(split(operation.schema.text, '\n'), [](auto line) { return std::string(line); }));
}

std::string sentence(IsolateMounts const& operation) {
    return concat("make all mounts ", propagation_name(operation.propagation));
}
std::string sentence(StageMounts const& operation) {
    std::vector<std::string> staged;
    if (!operation.rootfs.empty())
        staged.push_back(operation.rootfs);
    if (!operation.sources.empty())
        staged.push_back(concat("mount sources ", sources_text(operation.sources)));
    return concat("stage ", join(staged, " and "));
}
std::string sentence(OpenProcfs const&) {
    return "open a private procfs";
}
std::string sentence(OpenMountSources const& operation) {
    return operation.staged ? concat("take ", counted(operation.sources.size(), "staged mount source"))
                            : concat("open mount sources ", sources_text(operation.sources));
}
std::string sentence(AttachRootfs const& operation) {
    return concat("attach rootfs ", operation.path);
}
std::string id_map_text(std::optional<MountIdMap> const& map) {
    if (!map)
        return {};
    auto const name = map->recursive ? "ridmap" : "idmap";
    if (!map->user_namespace.empty())
        return concat(name, " of ", map->user_namespace);
    return concat(name, " uid ", id_maps_text(map->uids), "; gid ", id_maps_text(map->gids));
}
std::string sentence(MountFilesystem const& operation) {
    bool const named = !operation.source.empty() && operation.source != operation.type;
    return concat(
        "mount ", operation.type, named ? concat(" ", operation.source) : "", " at ", operation.target.destination,
        in_brackets({options_text(operation.target), id_map_text(operation.target.id_map),
                     join(operation.parameters, ","), operation.copy_up ? "with a copy of what is there" : ""}));
}
std::string sentence(BindMount const& operation) {
    return concat("bind ", operation.source_path, " at ", operation.target.destination,
                  in_brackets({options_text(operation.target), id_map_text(operation.target.id_map)}));
}
std::string sentence(MountCgroup const& operation) {
    return concat(operation.new_namespace ? "mount cgroup2" : concat("bind cgroup ", operation.cgroup_path), " at ",
                  operation.target.destination, in_brackets({options_text(operation.target)}));
}
std::string sentence(Remount const& operation) {
    return concat("remount ", operation.target.destination, in_brackets({options_text(operation.target)}));
}
std::string sentence(CreateDevices const& operation) {
    if (operation.from_host)
        return concat("bind the host's devices ", list(operation.nodes, [](auto const& node) { return node.path; }));
    return concat("create devices ", list(operation.nodes, [](auto const& node) {
                      bool const numbered = node.type != 'p';
                      bool const owned = node.uid != 0 || node.gid != 0;
                      return concat(node.path, " (", node.type,
                                    numbered ? concat(" ", node.major, ":", node.minor) : "", " ", octal(node.mode),
                                    owned ? concat(" ", node.uid, ":", node.gid) : "", ")");
                  }));
}
std::string sentence(LinkDevices const& operation) {
    return concat("link ",
                  list(operation.links, [](auto const& link) { return concat(link.path, " -> ", link.target); }));
}
std::string size_text(std::optional<TerminalSize> const& size) {
    return size ? concat(size->columns, "x", size->rows, " characters") : "";
}
std::string sentence(SetUpConsole const& operation) {
    return concat("set up the console", in_brackets({size_text(operation.size),
                                                     operation.owner == 0 ? "" : concat("owner ", operation.owner)}));
}
std::string sentence(SetUpExecTerminal const& operation) {
    return concat("set up a terminal of the container",
                  in_brackets({size_text(operation.size), operation.owner ? concat("owner ", *operation.owner) : ""}));
}
std::string sentence(CreateWorkingDirectory const& operation) {
    return concat("create working directory ", operation.path);
}
std::string sentence(PivotRoot const& operation) {
    return operation.by_moving ? "move root and chroot" : "pivot root";
}
std::string sentence(SetRootPropagation const& operation) {
    return concat("make the rootfs ", propagation_name(operation.propagation));
}
std::string sentence(FinishReadonlyMounts const& operation) {
    return concat("make mounts ", join(operation.destinations, ", "), " read-only");
}
std::string sentence(MakeRootReadonly const&) {
    return "make the rootfs read-only";
}
std::string sentence(MaskPaths const& operation) {
    return concat("mask ", join(operation.paths, ", "));
}
std::string sentence(MakePathsReadonly const& operation) {
    return concat("make ", join(operation.paths, ", "), " read-only");
}

std::string sentence(DumpContainer const& operation) {
    auto const& options = operation.options;
    bool const stays = operation.leave_running || operation.pre_dump;
    return concat(operation.pre_dump ? "dump memory to " : "dump to ", options.image_path, " with criu",
                  in_brackets({stays ? "processes run on" : "",
                               operation.parent_path.empty() ? "" : concat("after ", operation.parent_path)}));
}
std::string sentence(MakeMountPoints const& operation) {
    return concat("make mount points in ", operation.rootfs);
}
std::string sentence(BeginRestore const& operation) {
    return concat("begin to restore from ", operation.options.image_path, " with criu");
}
std::string sentence(SetUpNetwork const& operation) {
    return concat("bring loopback up", operation.sysctls.empty() ? "" : ", ",
                  operation.sysctls.empty() ? "" : sentence(SetSysctls{operation.sysctls}));
}
std::string sentence(RestoreProcesses const&) {
    return "restore the processes";
}
std::string sentence(ProtectMounts const& operation) {
    return concat("set attributes of ", list(operation.mounts, [](auto const& mount) { return mount.path; }));
}
std::string sentence(ResumeRestored const&) {
    return "let the restored processes run";
}
std::string sentence(StartMountHelper const&) {
    return "start a process for the container's mounts";
}
std::string sentence(EndMountHelper const&) {
    return "end the process for the container's mounts";
}
std::string sentence(JoinForMounts const& operation) {
    return concat("join the container's ", namespaces_text(names_of(operation.namespaces)));
}
std::string summary(AddMounts const&) {
    return "add mounts";
}
std::string sentence(AddMounts const& operation) {
    return concat(summary(operation), ": ", list(operation.mounts, [](auto const& mount) {
                      return std::visit([](auto const& alternative) { return sentence(alternative); }, mount);
                  }));
}
std::string summary(RemoveMounts const&) {
    return "remove mounts";
}
std::string sentence(RemoveMounts const& operation) {
    return concat(summary(operation), " at ",
                  list(operation.places, [](auto const& place) { return place.destination; }));
}

/// The struct's own name, taken from the compiler so that no table can disagree with it.
template <typename Type>
constexpr std::string_view type_name() {
    // g++: "... [with Type = oci::steps::Execute; ...]", clang: "... [Type = oci::steps::Execute]"
    std::string_view name = __PRETTY_FUNCTION__;
    name.remove_prefix(name.find("Type = ") + 7);
    name = name.substr(0, name.find_first_of(";]"));
    return name.substr(name.rfind(':') + 1);
}
static_assert(type_name<MountFilesystem>() == "MountFilesystem");

} // namespace

std::string_view actor_name(Actor actor) {
    switch (actor) {
    case Actor::runtime:
        return "runtime";
    case Actor::container:
        return "container";
    case Actor::finisher:
        return "finisher";
    }
    return {};
}

std::string_view operation_name(Operation const& operation) {
    return std::visit([](auto const& alternative) { return type_name<std::decay_t<decltype(alternative)>>(); },
                      operation);
}

std::string describe_briefly(Operation const& operation) {
    return printable(std::visit(
        [](auto const& alternative) {
            if constexpr (requires { summary(alternative); })
                return summary(alternative);
            else
                return sentence(alternative);
        },
        operation));
}

std::string describe(Operation const& operation) {
    // Names and paths come from config.json: they must not break the line or drive the terminal.
    return printable(std::visit([](auto const& alternative) { return sentence(alternative); }, operation));
}

} // namespace oci::steps
