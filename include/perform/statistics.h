// SPDX-License-Identifier: Apache-2.0
// Reads the figures of a cgroup from its files (cgroup-v2.rst). What is not understood is left out: kernels add lines.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "state/statistics.h"

namespace oci::perform {

/// All of them; files of controllers that are not enabled are missing, which leaves 0.
Result<state::Statistics> read_statistics(int cgroup);
/// How often memory ran out: the larger one of "oom" and "oom_kill" in the text of memory.events. (For one incident the
/// kernel counts the first, then the other.)
std::uint64_t count_oom(std::string_view memory_events);

// ---- the parts, for tests

using KeyedFigures = std::map<std::string, std::uint64_t>;
/// Lines of a key and a number.
KeyedFigures parse_flat_keyed(std::string_view text);
/// A number, or "max" as the largest one.
std::optional<std::uint64_t> parse_figure(std::string_view text);
/// "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" and the same with "full".
std::optional<state::Pressure> parse_pressure(std::string_view text);
/// "8:0 rbytes=1 wbytes=2 rios=3 wios=4 ...": adds to io_bytes and io_operations.
void parse_io(std::string_view text, state::Statistics& statistics);
/// "0-2,5" as {0, 1, 2, 5}.
std::vector<std::uint16_t> parse_number_list(std::string_view text);

} // namespace oci::perform
