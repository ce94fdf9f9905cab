// SPDX-License-Identifier: Apache-2.0
#include <sched.h>

#include "plan/topics.h"

namespace oci::plan {

namespace {

std::vector<steps::IdMap> id_maps(std::vector<spec::IdMapping> const& mappings) {
    std::vector<steps::IdMap> maps;
    for (auto const& mapping : mappings)
        maps.push_back({mapping.container_id, mapping.host_id, mapping.size});
    return maps;
}

std::uint32_t first_usable_id(std::vector<spec::IdMapping> const& mappings) {
    for (auto const& mapping : mappings)
        if (mapping.container_id == 0)
            return 0;
    return mappings.empty() ? 0 : mappings.front().container_id;
}

} // namespace

steps::StartInit start_init(spec::Spec const& spec, bool into_cgroup) {
    steps::StartInit start;
    start.into_cgroup = into_cgroup;
    for (auto const& entry : spec.linux.namespaces) {
        // A new cgroup namespace is unshared by the child, a mount namespace is joined by it: see create.cpp.
        if (entry.path.empty() && entry.type != CLONE_NEWCGROUP)
            start.new_namespaces |= entry.type;
        if (!entry.path.empty() && entry.type != CLONE_NEWNS)
            start.joined.push_back({entry.type, entry.path});
    }
    for (auto const& [clock, offset] : spec.linux.time_offsets)
        start.time_offsets.push_back(concat(clock, " ", offset.seconds, " ", offset.nanoseconds));
    return start;
}

bool uses_user_namespace(spec::Spec const& spec) {
    return spec.linux.find(CLONE_NEWUSER) != nullptr;
}

std::optional<steps::WriteIdMaps> write_id_maps(spec::Spec const& spec) {
    if (!spec.linux.creates(CLONE_NEWUSER))
        return std::nullopt;
    return steps::WriteIdMaps{id_maps(spec.linux.uid_mappings), id_maps(spec.linux.gid_mappings)};
}

std::optional<steps::BecomeMappedUser> become_mapped_user(spec::Spec const& spec) {
    if (!uses_user_namespace(spec))
        return std::nullopt;
    return steps::BecomeMappedUser{first_usable_id(spec.linux.uid_mappings), first_usable_id(spec.linux.gid_mappings)};
}

} // namespace oci::plan
