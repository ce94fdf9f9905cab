// SPDX-License-Identifier: Apache-2.0
#include "phrases.h"

#include <algorithm>
#include <limits>

#include <linux/mount.h>

#include "base/names.h"
#include "base/text.h"

namespace oci::steps {

namespace {

/// Attributes as the mount options that ask for them; `prefix` "r": those of the whole tree ("rro").
void add_attribute_options(std::vector<std::string>& options, std::uint64_t set, std::uint64_t clear,
                           std::string_view prefix) {
    // The settings of access time are one field, cleared before it is set; 0 is relatime (mount_setattr(2)).
    constexpr std::uint64_t access_time = MOUNT_ATTR__ATIME;
    auto const set_names = mount_attribute_names(set);
    auto const cleared_names = mount_attribute_names(clear & ~access_time);
    if (!set_names.empty())
        for (auto const name : split(set_names, ','))
            options.push_back(concat(prefix, name));
    if ((clear & access_time) != 0 && (set & access_time) == 0)
        options.push_back(concat(prefix, "relatime"));
    if (!cleared_names.empty())
        for (auto const name : split(cleared_names, ',')) // "ro" is undone by "rw", "nodev" by "dev"
            options.push_back(concat(prefix, name == "ro" ? "rw" : name.starts_with("no") ? name.substr(2) : name));
}

} // namespace

std::string in_brackets(std::vector<std::string> pieces) {
    std::erase(pieces, std::string());
    return pieces.empty() ? std::string() : concat(" (", join(pieces, "; "), ")");
}

std::string counted(std::size_t count, std::string_view noun) {
    return concat(count, " ", noun, count == 1 ? "" : "s");
}

std::string limits_text(std::vector<ResourceLimitSetting> const& limits) {
    auto const amount = [](std::uint64_t value) { // RLIM_INFINITY of getrlimit(2)
        return value == std::numeric_limits<std::uint64_t>::max() ? std::string("unlimited") : std::to_string(value);
    };
    return list(limits, [&](auto const& limit) {
        return concat(rlimit_name(limit.resource), " ", amount(limit.soft), ":", amount(limit.hard));
    });
}

std::string namespaces_text(std::vector<std::string> const& names) {
    return concat(join(names, ", "), names.size() == 1 ? " namespace" : " namespaces");
}

std::string id_maps_text(std::vector<IdMap> const& maps) {
    return list(maps, [](auto const& map) { return concat(map.container_id, " ", map.host_id, " ", map.size); });
}

std::string options_text(MountTarget const& target) {
    std::vector<std::string> options;
    add_attribute_options(options, target.set, target.clear, "");
    add_attribute_options(options, target.recursive_set, target.recursive_clear, "r");
    for (auto const propagation : target.propagation)
        options.push_back(propagation_name(propagation));
    return join(options, ",");
}

std::string sources_text(std::vector<MountSource> const& sources) {
    return list(sources,
                [](auto const& source) { return concat(source.path, source.recursive ? " (recursive)" : ""); });
}

std::string capabilities_text(std::uint64_t set) {
    auto const names = capability_names();
    std::string out;
    for (unsigned number = 0; number < 64; ++number)
        if ((set >> number & 1U) != 0)
            out += number < names.size() ? concat(names[number], " ") : concat("capability ", number, " ");
    if (!out.empty())
        out.pop_back();
    return out;
}

std::string argument_text(std::string const& argument) {
    bool const plain = !argument.empty() && argument.find_first_of(" \t\n\"'\\") == std::string::npos;
    return plain ? argument : json_string(argument);
}

std::string controllers_text(std::vector<CgroupSetting> const& needs) {
    std::vector<std::string> controllers;
    for (auto const& setting : needs) {
        bool const known = std::find(controllers.begin(), controllers.end(), setting.controller) != controllers.end();
        if (!known && !setting.controller.empty())
            controllers.push_back(setting.controller);
    }
    return join(controllers, ", ");
}

std::string groups_text(ResctrlGroup const& group) {
    return group.monitoring_path.empty() ? concat("resctrl group ", group.path)
                                         : concat("resctrl groups ", group.path, " and ", group.monitoring_path);
}

} // namespace oci::steps
