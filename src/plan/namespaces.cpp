// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <sched.h>

#include "plan/topics.h"
#include "spec/names.h"

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

/// One entry for one id, `host_id`.
bool is_only(std::vector<spec::IdMapping> const& mappings, std::uint32_t host_id) {
    return mappings.size() == 1 && mappings[0].size == 1 && mappings[0].host_id == host_id;
}

bool is_mapped(std::uint32_t id, std::vector<spec::IdMapping> const& mappings) {
    return std::ranges::any_of(mappings, [&](spec::IdMapping const& mapping) {
        return id >= mapping.container_id && id - mapping.container_id < mapping.size;
    });
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

std::optional<steps::WriteIdMaps> write_id_maps(spec::Spec const& spec, HostFacts const& host) {
    if (!spec.linux.creates(CLONE_NEWUSER))
        return std::nullopt;
    auto const& uids = spec.linux.uid_mappings;
    auto const& gids = spec.linux.gid_mappings;
    steps::WriteIdMaps maps{id_maps(uids), id_maps(gids)};
    // user_namespaces(7), "Defining user and group ID mappings": with the capability anything, without it one's own id.
    auto const writer = [&](unsigned capability, std::vector<spec::IdMapping> const& mappings, std::uint32_t own_id) {
        bool const may_write = host.has_capability(capability) || is_only(mappings, own_id);
        return may_write ? steps::MapWriter::runtime : steps::MapWriter::helper;
    };
    maps.uid_writer = writer(cap_setuid, uids, host.euid);
    maps.gid_writer = writer(cap_setgid, gids, host.egid);
    maps.deny_setgroups = !host.has_capability(cap_setgid) && maps.gid_writer == steps::MapWriter::runtime;
    return maps;
}

bool denies_setgroups(spec::Spec const& spec, HostFacts const& host) {
    auto const maps = write_id_maps(spec, host);
    return maps && maps->deny_setgroups;
}

bool wants_original_groups(spec::Spec const& spec) {
    auto const found = spec.annotations.find(std::string(spec::keep_groups_annotation));
    return found != spec.annotations.end() && found->second != "0";
}

std::optional<steps::MoveNetworkDevices> move_network_devices(spec::Spec const& spec) {
    steps::MoveNetworkDevices operation;
    for (auto const& [host_name, container_name] : spec.linux.net_devices)
        operation.devices.push_back({host_name, container_name});
    return operation.devices.empty() ? std::nullopt : std::optional(std::move(operation));
}

Result<void> check_rights(spec::Spec const& spec, HostFacts const& host) {
    if (!host.has_capability(cap_sys_admin) && !uses_user_namespace(spec))
        return fail("/linux/namespaces: a user without privileges needs a user namespace for the container "
                    "(see 'oci-run spec --rootless')");
    return {};
}

Result<void> check_user(spec::Spec const& spec, spec::User const& user) {
    if (!spec.linux.creates(CLONE_NEWUSER))
        return {};
    if (!is_mapped(user.uid, spec.linux.uid_mappings))
        return fail("user ", user.uid, " is not mapped by /linux/uidMappings of the container");
    if (!is_mapped(user.gid, spec.linux.gid_mappings))
        return fail("group ", user.gid, " is not mapped by /linux/gidMappings of the container");
    return {};
}

Result<void> check_groups(spec::Spec const& spec, spec::Process const& process, HostFacts const& host) {
    auto const& groups = process.user.additional_gids;
    if (groups.empty() || !spec.linux.creates(CLONE_NEWUSER) || wants_original_groups(spec))
        return {};
    if (denies_setgroups(spec, host))
        return fail(
            "/process/user/additionalGids: a user without privileges cannot set groups where "
            "/linux/gidMappings has only the own group (user_namespaces(7)); more can be mapped with newgidmap");
    for (std::size_t i = 0; i < groups.size(); ++i)
        if (!is_mapped(groups[i], spec.linux.gid_mappings))
            return fail("/process/user/additionalGids/", i, ": group ", groups[i],
                        " is not mapped by /linux/gidMappings");
    return {};
}

std::optional<steps::BecomeMappedUser> become_mapped_user(spec::Spec const& spec) {
    if (!uses_user_namespace(spec))
        return std::nullopt;
    return steps::BecomeMappedUser{first_usable_id(spec.linux.uid_mappings), first_usable_id(spec.linux.gid_mappings),
                                   wants_original_groups(spec)};
}

} // namespace oci::plan
