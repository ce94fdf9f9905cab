// SPDX-License-Identifier: Apache-2.0
#include "commands/criu_options.h"

#include <array>

#include "commands/common.h"
#include "kernel/file.h"

namespace oci::commands {

namespace {

template <typename Value>
struct Choice {
    std::string_view name;
    Value value;
};

constexpr std::array cgroups_modes{Choice<steps::CgroupsMode>{"", steps::CgroupsMode::standard},
                                   Choice<steps::CgroupsMode>{"soft", steps::CgroupsMode::soft},
                                   Choice<steps::CgroupsMode>{"full", steps::CgroupsMode::full},
                                   Choice<steps::CgroupsMode>{"strict", steps::CgroupsMode::strict},
                                   Choice<steps::CgroupsMode>{"ignore", steps::CgroupsMode::ignore}};
constexpr std::array network_locks{Choice<steps::NetworkLock>{"", steps::NetworkLock::standard},
                                   Choice<steps::NetworkLock>{"iptables", steps::NetworkLock::iptables},
                                   Choice<steps::NetworkLock>{"nftables", steps::NetworkLock::nftables},
                                   Choice<steps::NetworkLock>{"skip", steps::NetworkLock::skip}};

template <typename Choices>
auto choose(Choices const& choices, ParsedOptions const& options, std::string_view name)
    -> Result<decltype(choices[0].value)> {
    auto const word = options.text(name);
    for (auto const& choice : choices)
        if (choice.name == word)
            return choice.value;
    return fail("--", name, ": invalid value ", json_string(word));
}

} // namespace

Result<steps::CriuOptions> criu_options(Invocation const& invocation) {
    auto const& given = invocation.options;
    // Other namespaces make no sense empty, and the network's devices are never dumped.
    for (auto const& name : given.texts("empty-ns"))
        if (name != "network")
            return fail("--empty-ns: namespace ", json_string(name), " is not supported");
    auto const here = TRY(kernel::getcwd());
    steps::CriuOptions options;
    options.image_path = absolute_path(here, given.text("image-path", "checkpoint"));
    options.work_path =
        given.text("work-path").empty() ? options.image_path : absolute_path(here, given.text("work-path"));
    options.tcp_established = given.flag("tcp-established");
    options.tcp_skip_in_flight = given.flag("tcp-skip-in-flight");
    options.tcp_close = given.flag("tcp-close");
    options.external_sockets = given.flag("ext-unix-sk");
    options.shell_job = given.flag("shell-job");
    options.file_locks = given.flag("file-locks");
    options.link_remap = given.flag("link-remap");
    options.auto_dedup = given.flag("auto-dedup");
    options.lazy_pages = given.flag("lazy-pages");
    options.cgroups_mode = TRY(choose(cgroups_modes, given, "manage-cgroups-mode"));
    options.network_lock = TRY(choose(network_locks, given, "network-lock"));
    return options;
}

} // namespace oci::commands
