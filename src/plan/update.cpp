// SPDX-License-Identifier: Apache-2.0
// `update`: new limits for a container that exists.
#include <algorithm>
#include <limits>

#include "plan/cgroup.h"
#include "plan/systemd.h"

namespace oci::plan {

namespace {

/// There is no config.json around the resources of an update.
void make_relative(std::string& text) {
    if (text.starts_with(resources_pointer))
        text.erase(0, resources_pointer.size());
}

/// What systemd must know. `settings` get what they leave open and systemd wants to be told.
Result<std::vector<BusProperty>> changed_properties(UpdateRequest const& request,
                                                    std::vector<steps::CgroupSetting>& settings, bool new_rules) {
    for (auto& setting : settings)
        // A quota alone leaves the period as it is.
        if (request.current.cpu_period && setting.file == "cpu.max" && setting.value.find(' ') == std::string::npos)
            setting.value += concat(" ", *request.current.cpu_period);
    auto properties = TRY(unit_properties(settings, request.systemd));
    // Only a unit that starts takes it; the file is written in any case.
    std::erase_if(properties, [](BusProperty const& property) { return property.name == "OOMPolicy"; });
    // Idle is a weight to systemd; without a new one there is none any more.
    auto const is_weight = [](BusProperty const& property) { return property.name == "CPUWeight"; };
    auto const ends_idle = [](steps::CgroupSetting const& one) { return one.file == "cpu.idle" && one.value == "0"; };
    if (request.current.cpu_idle && std::ranges::any_of(settings, ends_idle) &&
        std::ranges::none_of(properties, is_weight))
        properties.push_back({"CPUWeight", std::numeric_limits<std::uint64_t>::max()});
    if (new_rules && !request.systemd.user)
        for (auto& property : device_properties(request.resources.devices))
            properties.push_back(std::move(property));
    return properties;
}

} // namespace

Result<steps::Plan> make_update_plan(UpdateRequest const& request) {
    using steps::Actor;
    auto settings = early_settings(request.resources, request.current);
    auto late = late_settings(request.resources, request.current);
    if (!late) {
        make_relative(late.error().message);
        return Failure(std::move(late).error());
    }
    settings.insert(settings.end(), late->begin(), late->end());
    for (auto& setting : settings)
        make_relative(setting.pointer);

    auto const& rules = request.resources.devices;
    bool const new_rules = !rules.empty() && rules != request.created_with;
    steps::Plan plan;
    if (request.schemata)
        plan.push_back({Actor::runtime, *request.schemata});
    if (!settings.empty())
        plan.push_back({Actor::runtime, steps::EnableControllers{request.cgroup_path, settings}});
    auto properties = request.systemd_unit.empty() ? std::vector<BusProperty>{}
                                                   : TRY(changed_properties(request, settings, new_rules));
    if (!properties.empty())
        plan.push_back({Actor::runtime, steps::SetUnitProperties{request.systemd_unit, std::move(properties),
                                                                 std::move(settings), unit_files()}});
    else if (!settings.empty())
        plan.push_back({Actor::runtime, steps::ApplyCgroupSettings{std::move(settings), true}});
    if (new_rules)
        plan.push_back({Actor::runtime, device_filter(rules)});
    return plan;
}

} // namespace oci::plan
