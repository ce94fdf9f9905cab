// SPDX-License-Identifier: Apache-2.0
// The id maps of a new user namespace: written by the runtime, or by the setuid programs of the package uidmap.
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include "attach.h"
#include "kernel/file.h"
#include "kernel/process.h"
#include "perform/hooks.h"
#include "perform/operations.h"

namespace oci::perform {

namespace {

struct MapKind {
    std::string_view file;    ///< below /proc/PID
    std::string_view pointer; ///< of config.json
    std::string_view helper;
    std::string_view table; ///< what the helper reads
};
constexpr MapKind uid_kind{"uid_map", "/linux/uidMappings", "newuidmap", "/etc/subuid"};
constexpr MapKind gid_kind{"gid_map", "/linux/gidMappings", "newgidmap", "/etc/subgid"};

/// Never by PATH: the caller's environment must not choose what runs with the rights of root. The last one is NixOS's.
Result<std::string> find_helper(MapKind const& kind) {
    static constexpr std::array folders{"/usr/bin",        "/bin",  "/usr/local/bin",   "/usr/sbin",
                                        "/usr/local/sbin", "/sbin", "/run/wrappers/bin"};
    for (std::string_view const folder : folders) {
        auto path = concat(folder, "/", kind.helper);
        if (kernel::fstatat(AT_FDCWD, path, 0))
            return path;
    }
    return fail(kind.helper,
                " is not installed (package uidmap or shadow-utils): a user without privileges needs it to map more "
                "than the own id");
}

Result<void> write_by_helper(MapKind const& kind, std::vector<steps::IdMap> const& maps, Context& context) {
    constexpr int seconds = 30;
    steps::HookProgram program{TRY(find_helper(kind)), {}, std::vector<std::string>{}, seconds};
    program.arguments = {std::string(kind.helper), std::to_string(context.state.pid)};
    for (auto const& map : maps)
        for (auto const number : {map.container_id, map.host_id, map.size})
            program.arguments.push_back(std::to_string(number));
    auto done = run_program(program, {"", "/", {}, context.init_pidfd.get()});
    if (!done)
        done.error().message += kernel::has_no_new_privileges()
                                    ? " (no_new_privs is set, so that setuid programs have no effect)"
                                    : concat(" (", kind.table, " says what user ", context.host.euid, " may map)");
    return done;
}

Result<void> write_map(MapKind const& kind, steps::MapWriter writer, std::vector<steps::IdMap> const& maps,
                       Context& context) {
    auto const write = [&]() -> Result<void> {
        if (writer == steps::MapWriter::helper)
            return write_by_helper(kind, maps, context);
        return kernel::write_control_file(AT_FDCWD, concat("/proc/", context.state.pid, "/", kind.file),
                                          id_map_lines(maps));
    };
    return in_context(write(), kind.pointer);
}

} // namespace

std::string id_map_lines(std::vector<steps::IdMap> const& maps) {
    std::string text;
    for (auto const& map : maps)
        text += concat(map.container_id, " ", map.host_id, " ", map.size, "\n");
    return text;
}

Result<void> apply(steps::WriteIdMaps const& operation, Context& context) {
    TRY(write_map(uid_kind, operation.uid_writer, operation.uids, context));
    if (operation.deny_setgroups)
        TRY(kernel::write_control_file(AT_FDCWD, concat("/proc/", context.state.pid, "/setgroups"), "deny"));
    return write_map(gid_kind, operation.gid_writer, operation.gids, context);
}

} // namespace oci::perform
