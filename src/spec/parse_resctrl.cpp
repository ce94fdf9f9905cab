// SPDX-License-Identifier: Apache-2.0
// linux.intelRdt: a group of the resctrl file system (config-linux.md#intelrdt).
#include "readers.h"

namespace oci::spec {

namespace {

std::string read_clos_id(Node const& node) {
    constexpr std::size_t longest = 255; // NAME_MAX
    std::string id = node.text();
    bool const plain = id != "." && id != ".." && id.size() <= longest && id.find_first_of("/\n") == std::string::npos;
    if (id != "/" && !plain)
        node.problem("must be a plain name, or / for the default group, is ", in_quotes(id));
    return id;
}

std::string read_l3_cache_schema(Node const& node) {
    std::string schema = node.text();
    // Only a "should": several lines are how both L3CODE and L3DATA could be given before there was `schemata`.
    if (!schema.empty() && (!schema.starts_with("L3:") || schema.find('\n') != std::string::npos))
        node.warning("should be one line that begins with L3:, is ", in_quotes(schema));
    return schema;
}

std::string read_memory_bandwidth_schema(Node const& node) {
    std::string schema = node.text();
    if (!schema.empty() && !is_memory_bandwidth_schema(schema))
        node.problem("must be one line that begins with MB:, is ", in_quotes(schema));
    return schema;
}

std::vector<std::string> read_schemata(Node const& list) {
    std::vector<std::string> schemata;
    for (auto const& entry : list.elements()) {
        schemata.push_back(entry.required().text());
        if (schemata.back().find('\n') != std::string::npos)
            entry.problem("must be one line");
    }
    return schemata;
}

} // namespace

bool is_memory_bandwidth_schema(std::string_view text) {
    return text.starts_with("MB:") && text.find('\n') == std::string_view::npos;
}

std::optional<IntelRdt> read_intel_rdt(Node const& node) {
    if (!node.is_object())
        return std::nullopt;
    IntelRdt rdt;
    rdt.clos_id = read_clos_id(node["closID"]);
    rdt.l3_cache_schema = read_l3_cache_schema(node["l3CacheSchema"]);
    rdt.memory_bandwidth_schema = read_memory_bandwidth_schema(node["memBwSchema"]);
    rdt.schemata = read_schemata(node["schemata"]);
    rdt.enable_monitoring = node["enableMonitoring"].flag();
    for (auto const* const name : {"enableCMT", "enableMBM"})
        if (node[name].flag())
            node[name].warning("has no effect: since version 1.3.0 of the specification it is enableMonitoring");
    return rdt;
}

} // namespace oci::spec
