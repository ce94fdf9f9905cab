// SPDX-License-Identifier: Apache-2.0
// The features document (features.md): from the tables that the parser reads, so that it cannot promise more or less.
#include <nlohmann/json.hpp>

#include "base/constants.h"
#include "base/names.h"
#include "spec/example.h"
#include "spec/names.h"

namespace oci::spec {

namespace {

using nlohmann::ordered_json;

ordered_json names(std::span<std::string_view const> list) {
    auto out = ordered_json::array();
    for (auto const name : list)
        out.push_back(name);
    return out;
}

ordered_json names(std::span<Constant const> table) {
    auto out = ordered_json::array();
    for (auto const& constant : table)
        out.push_back(constant.name);
    return out;
}

ordered_json seccomp_features() {
    ordered_json seccomp;
    seccomp["enabled"] = true;
    seccomp["actions"] = names(seccomp_actions());
    seccomp["operators"] = names(seccomp_operators());
    seccomp["archs"] = names(seccomp_architectures());
    seccomp["knownFlags"] = names(seccomp_flags());
    seccomp["supportedFlags"] = names(seccomp_flags());
    return seccomp;
}

ordered_json linux_features() {
    ordered_json linux;
    linux["namespaces"] = names(namespace_names());
    linux["capabilities"] = names(capability_names());
    linux["cgroup"] = {{"v1", false}, {"v2", true}, {"systemd", true}, {"systemdUser", true}, {"rdma", true}};
    linux["seccomp"] = seccomp_features();
    linux["apparmor"]["enabled"] = true;
    linux["selinux"]["enabled"] = true;
    linux["intelRdt"] = {{"enabled", true}, {"schemata", true}, {"monitoring", true}};
    linux["memoryPolicy"] = {{"modes", names(memory_policy_modes())}, {"flags", names(memory_policy_flags())}};
    linux["mountExtensions"]["idmap"]["enabled"] = true;
    linux["netDevices"]["enabled"] = true;
    return linux;
}

} // namespace

std::string features_json(std::string_view seccomp_version) {
    ordered_json features;
    features["ociVersionMin"] = "1.0.0";
    features["ociVersionMax"] = "1.3.0";
    features["hooks"] = names(hook_names());
    auto& options = features["mountOptions"] = ordered_json::array();
    for (auto const& option : mount_options())
        options.push_back(option.name);
    features["linux"] = linux_features();
    features["annotations"]["io.github.seccomp.libseccomp.version"] = seccomp_version;
    features["annotations"]["org.opencontainers.runc.checkpoint.enabled"] = "true"; // CRI-O and podman look for it
    features["potentiallyUnsafeConfigAnnotations"] = names(honoured_annotations());
    return features.dump(4, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

} // namespace oci::spec
