// SPDX-License-Identifier: Apache-2.0
// linux.sysctl: only parameters that a namespace of the container keeps apart from the host's.
#include "readers.h"

#include <algorithm>

#include <sched.h>

namespace oci::spec {

namespace {

constexpr std::string_view ipc_parameters[] = {
    "kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem",
    "kernel/shmall", "kernel/shmmax", "kernel/shmmni", "kernel/shm_rmid_forced",
};

/// sysctl.d(5): the separator that comes first is the one that separates, the other one stands for itself, so that the
/// interface eth0.1 can be written "net.ipv4.conf.eth0/1.forwarding" or "net/ipv4/conf/eth0.1/forwarding".
std::string slash_path(std::string_view key) {
    std::string path(key);
    auto const separator = key.find_first_of("./");
    if (separator == std::string_view::npos || key[separator] == '/')
        return path;
    for (char& c : path) {
        if (c == '.')
            c = '/';
        else if (c == '/')
            c = '.';
    }
    return path;
}

bool is_plain_path(std::string_view path) {
    auto const parts = split(path, '/');
    return std::none_of(parts.begin(), parts.end(),
                        [](std::string_view part) { return part.empty() || part == "." || part == ".."; });
}

/// The kind of namespace that has a value of its own for the parameter; 0: none has.
std::uint64_t namespace_of(std::string_view path) {
    if (path.starts_with("net/"))
        return CLONE_NEWNET;
    if (path.starts_with("fs/mqueue/") || std::ranges::find(ipc_parameters, path) != std::end(ipc_parameters))
        return CLONE_NEWIPC;
    if (path == "kernel/hostname" || path == "kernel/domainname")
        return CLONE_NEWUTS;
    return 0;
}

void check_parameter(Node const& node, std::string_view path, Spec const& spec) {
    auto const type = namespace_of(path);
    if (!is_plain_path(path))
        node.problem("is no name of a kernel parameter");
    else if (type == 0 || spec.linux.find(type) == nullptr)
        node.problem("is not in a separate kernel namespace");
    else if (path == "kernel/hostname" && spec.hostname)
        node.problem("conflicts with the field hostname");
    else if (path == "kernel/domainname" && spec.domainname)
        node.problem("conflicts with the field domainname");
}

} // namespace

std::map<std::string, std::string> read_sysctl(Node const& node, Spec const& spec) {
    std::map<std::string, std::string> sysctl;
    for (auto const& [key, entry] : node.members()) {
        std::string path = slash_path(key);
        check_parameter(entry, path, spec);
        if (!entry.present())
            entry.problem("is required");
        auto value = entry.optional_text();
        if (!value)
            continue;
        if (value->find('\n') != std::string::npos)
            entry.problem("must not contain a line end");
        if (!sysctl.emplace(std::move(path), std::move(*value)).second)
            entry.problem("is given twice, written in two ways");
    }
    return sysctl;
}

} // namespace oci::spec
