// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include "commands/common.h"
#include "kernel/file.h"
#include "kernel/host.h"
#include "state/status.h"

namespace oci::commands {

namespace {

Result<state::Container> look_at(std::string const& root, std::string const& id, HostFacts const& host) {
    auto const directory = TRY(state::ContainerDir::open(root, id));
    return state::look_at(directory, host.cgroup2_mount);
}

/// One that cannot be read does not hide the others; one that went or came meanwhile is not worth a word.
std::vector<state::Container> all_containers(std::vector<std::string> const& ids, std::string const& root,
                                             HostFacts const& host) {
    std::vector<state::Container> containers;
    for (auto const& id : ids) {
        auto container = look_at(root, id, host);
        if (container)
            containers.push_back(std::move(*container));
        else if (!state::is_missing_container(container.error()))
            log_warning(concat("list: ", id, ": ", container.error().message));
    }
    return containers;
}

std::string ids_of(std::vector<state::Container> const& containers) {
    std::string out;
    for (auto const& container : containers)
        out += concat(container.record.id, "\n");
    return out;
}

} // namespace

Result<int> run_list(Invocation const& invocation) {
    auto const format = TRY(output_format(invocation.options, OutputFormat::table));
    auto const host = TRY(kernel::observe_host());
    auto const root = state_root(invocation.global, host);
    // A default root that is not there has no containers; one that was named is a mistake.
    if (!invocation.global.root.empty())
        TRY(kernel::fstatat(AT_FDCWD, root, 0));
    auto const containers = all_containers(TRY(state::container_ids(root)), root, host);
    if (invocation.options.flag("quiet"))
        TRY(print(ids_of(containers)));
    else if (format == OutputFormat::json)
        TRY(print(state::list_json(containers) + "\n"));
    else
        TRY(print(state::list_table(containers)));
    return 0;
}

} // namespace oci::commands
