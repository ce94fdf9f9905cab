// SPDX-License-Identifier: Apache-2.0
// Pieces of the sentences in describe.cpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "steps/step.h"

namespace oci::steps {

/// What `to_text` makes of each element, with commas.
template <typename Elements, typename ToText>
std::string list(Elements const& elements, ToText to_text) {
    std::string out;
    for (auto const& element : elements) {
        if (!out.empty())
            out += ", ";
        out += to_text(element);
    }
    return out;
}

/// " (a; b)" of the pieces that are not empty, or nothing.
std::string in_brackets(std::vector<std::string> pieces);
/// "3 instructions", "1 instruction".
std::string counted(std::size_t count, std::string_view noun);
/// "RLIMIT_NOFILE 1024:unlimited", soft and hard.
std::string limits_text(std::vector<ResourceLimitSetting> const& limits);
/// "pid, mount namespaces", "pid namespace".
std::string namespaces_text(std::vector<std::string> const& names);
/// "0 100000 65536", as in uid_map.
std::string id_maps_text(std::vector<IdMap> const& maps);
/// "ro,nosuid,rslave".
std::string options_text(MountTarget const& target);
std::string sources_text(std::vector<MountSource> const& sources);
/// Their names, with blanks.
std::string capabilities_text(std::uint64_t set);
/// An argument as it has to be typed to a shell where that matters for reading it.
std::string argument_text(std::string const& argument);
/// Of the settings, each once.
std::string controllers_text(std::vector<CgroupSetting> const& needs);
/// "resctrl group /gold", "resctrl groups /gold and /gold/mon_groups/c1".
std::string groups_text(ResctrlGroup const& group);

} // namespace oci::steps
