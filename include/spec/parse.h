// SPDX-License-Identifier: Apache-2.0
// Reads config.json: text in, typed Spec and every problem out. Pure: nothing but the text is looked at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "spec/spec.h"

namespace oci::spec {

/// Larger configurations are refused (bytes), as are deeper ones (nested arrays and objects) and longer lists.
inline constexpr std::size_t maximum_config_size = 8U << 20U;
inline constexpr std::size_t maximum_config_depth = 64;
inline constexpr std::size_t maximum_config_elements = 65536; ///< of one array or object
/// No more problems are collected than these.
inline constexpr std::size_t maximum_problems = 1000;

/// One violated rule.
struct Problem {
    std::string pointer; ///< JSON pointer (RFC 6901) of the value: "/mounts/2/destination"
    std::string rule;    ///< what is wrong, as a sentence part: "must be an absolute path"
    std::string section; ///< of the specification: "config.md#process"
    bool operator==(Problem const&) const = default;
};

struct Report {
    Spec spec; ///< as far as it could be read; whole when there are no problems
    std::vector<Problem> problems;
    std::vector<Problem> warnings; ///< to be logged; the container is made all the same (unknown capabilities)
};

/// Parses and validates. Unknown properties are ignored (config.md#extensibility); known ones that cannot be honoured
/// are problems.
Report read_config(std::string_view json);
/// read_config for commands: the first problem becomes the error ("config.json: /process/cwd: must be an absolute
/// path"). Warnings are appended to `warnings`.
Result<Spec> parse_spec(std::string_view json, std::vector<std::string>& warnings);

/// A process object by itself, as `exec --process` gets it. Errors and warnings start with the JSON pointer.
Result<Process> parse_process(std::string_view json, std::vector<std::string>& warnings);
/// A list of mounts by itself, or an object with the member "mounts", as `mounts add` gets it for a container with that
/// `linux`. Errors and warnings start with the JSON pointer, which is "/mounts/0/..." for both.
Result<std::vector<Mount>> parse_mounts(std::string_view json, Linux const& linux, std::vector<std::string>& warnings);
/// Their destinations, absolute and clean, as `mounts remove` gets them; nothing else is looked at.
Result<std::vector<std::string>> parse_mount_destinations(std::string_view json);

/// A value that comes from the command line.
struct Override {
    std::string pointer; ///< "/memory/limit"
    std::variant<std::string, std::int64_t, std::uint64_t> value;
};
/// A linux.resources object by itself, as `update --resources` gets it, with other values in some places. Errors start
/// with the JSON pointer.
Result<Resources> parse_resources(std::string_view json, std::vector<Override> const& overrides = {});

} // namespace oci::spec
