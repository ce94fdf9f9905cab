// SPDX-License-Identifier: Apache-2.0
// Compiles the device rules of config.json into a BPF_PROG_TYPE_CGROUP_DEVICE program.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "spec/linux.h"

namespace oci::plan {

/// What every container may use whatever config.json says, as runc has it: making any node (without using it), the
/// default devices of config-linux.md, pseudoterminals, /dev/net/tun.
std::span<spec::DeviceRule const> default_device_rules();

/// The rules in the order of config.json, then default_device_rules(); nothing is allowed at first. For each of read,
/// write and mknod the last rule that is about the device and mentions it decides; an access is allowed if all it asks
/// for is. Instructions are struct bpf_insn.
std::vector<std::uint64_t> compile_device_filter(std::vector<spec::DeviceRule> const& rules);

/// "allow c 1:3 rwm"
std::string describe_rule(spec::DeviceRule const& rule);

} // namespace oci::plan
