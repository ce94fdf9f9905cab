// SPDX-License-Identifier: Apache-2.0
// One function for each part of config.json: node in, typed values out, problems on the way.
#pragma once

#include <optional>
#include <vector>

#include "node.h"
#include "spec/spec.h"

namespace oci::spec {

void read_process(Node const& node, Process& process);
std::optional<Scheduler> read_scheduler(Node const& node);
std::optional<IoPriority> read_io_priority(Node const& node);
ExecCpuAffinity read_exec_cpu_affinity(Node const& node);
std::optional<MemoryPolicy> read_memory_policy(Node const& node);
std::optional<unsigned> read_personality(Node const& node);
std::vector<Mount> read_mounts(Node const& list);
/// Only where they are.
std::vector<std::string> read_mount_destinations(Node const& list);
/// What mounts ask of the rest of the configuration: `list` was read to `mounts`.
void check_mounts(Node const& list, std::vector<Mount> const& mounts, Linux const& linux);
std::vector<IdMapping> read_id_mappings(Node const& list);
Hooks read_hooks(Node const& node);
/// All of the linux object but sysctl; an absent one is read like an empty one.
void read_linux(Node const& node, Linux& linux);
/// After the rest of `spec`: what is allowed depends on the namespaces and on hostname and domainname.
std::map<std::string, std::string> read_sysctl(Node const& node, Spec const& spec);
Resources read_resources(Node const& node);
/// What must be right besides where a cgroup is made, and nothing is there yet to build on.
void check_new_resources(Node const& node, Resources const& resources);
std::optional<IntelRdt> read_intel_rdt(Node const& node);
std::optional<Seccomp> read_seccomp(Node const& node);

} // namespace oci::spec
