// SPDX-License-Identifier: Apache-2.0
// The kernel's names and numbers that more than one layer needs: capabilities, signals, resource limits, namespaces,
// mount attributes. `features` reads the same tables as the parser, so that what is announced is what is understood.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace oci {

/// "CAP_NET_RAW" (any case, CAP_ may be missing) to its number, capabilities(7).
std::optional<unsigned> capability_number(std::string_view name);
/// By number, "CAP_CHOWN" first.
std::span<std::string_view const> capability_names();

/// "9", "KILL", "SIGKILL", "sigkill", "RTMIN+3", "SIGRTMAX-1" to the number, signal(7); "0" is the probe.
std::optional<int> signal_number(std::string_view name);

/// "RLIMIT_NOFILE" to its number, getrlimit(2).
std::optional<int> rlimit_number(std::string_view name);
std::string_view rlimit_name(int resource);

/// "pid" to CLONE_NEWPID, as config-linux.md#namespaces names them.
std::optional<std::uint64_t> namespace_flag(std::string_view name);
std::string_view namespace_name(std::uint64_t flag);
std::span<std::string_view const> namespace_names();
/// Its file below /proc/PID/ns/, namespaces(7): "net" and "mnt" have short names there.
std::string_view namespace_file(std::uint64_t flag);

/// MOUNT_ATTR_* as option names: "ro,nosuid,noexec"; "" for none.
std::string mount_attribute_names(std::uint64_t attributes);
/// MS_PRIVATE | MS_REC as "rprivate".
std::string propagation_name(std::uint64_t flags);

} // namespace oci
