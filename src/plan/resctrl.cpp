// SPDX-License-Identifier: Apache-2.0
// linux.intelRdt: which group of the resctrl file system, and what is written to it (config-linux.md#intelrdt).
#include "plan/topics.h"

namespace oci::plan {

namespace {

/// In the specification's order: a later one may take back what an earlier one says.
std::vector<steps::ResctrlSchema> schemata_of(spec::IntelRdt const& rdt) {
    std::vector<steps::ResctrlSchema> schemata;
    if (!rdt.l3_cache_schema.empty())
        schemata.push_back({rdt.l3_cache_schema, "/linux/intelRdt/l3CacheSchema"});
    if (!rdt.memory_bandwidth_schema.empty())
        schemata.push_back({rdt.memory_bandwidth_schema, "/linux/intelRdt/memBwSchema"});
    for (std::size_t i = 0; i < rdt.schemata.size(); ++i)
        schemata.push_back({rdt.schemata[i], concat("/linux/intelRdt/schemata/", i)});
    return schemata;
}

} // namespace

Result<std::optional<steps::SetUpResctrlGroup>> set_up_resctrl_group(spec::Spec const& spec, HostFacts const& host,
                                                                     std::string const& id) {
    if (!spec.linux.intel_rdt)
        return std::nullopt;
    if (host.resctrl_mount.empty())
        return fail("/linux/intelRdt: no resctrl file system is mounted on this machine");
    auto const& rdt = *spec.linux.intel_rdt;
    steps::SetUpResctrlGroup operation;
    operation.schemata = schemata_of(rdt);
    auto& group = operation.group;
    group.named_by_clos_id = !rdt.clos_id.empty();
    group.must_exist = group.named_by_clos_id && operation.schemata.empty();
    group.path = absolute_path("/", group.named_by_clos_id ? rdt.clos_id : id);
    if (rdt.enable_monitoring)
        group.monitoring_path = concat(group.path == "/" ? "" : group.path, "/mon_groups/", id);
    return operation;
}

} // namespace oci::plan
