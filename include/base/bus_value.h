// SPDX-License-Identifier: Apache-2.0
// Values as D-Bus carries them (D-Bus specification, "Type System"): those that systemd's unit properties need.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace oci {

/// In the order of the alternatives: b i u x t d s as ay au a(ss).
using BusValue = std::variant<bool, std::int32_t, std::uint32_t, std::int64_t, std::uint64_t, double, std::string,
                              std::vector<std::string>, std::vector<std::uint8_t>, std::vector<std::uint32_t>,
                              std::vector<std::pair<std::string, std::string>>>;

/// A named value: one element of a(sv).
struct BusProperty {
    std::string name;
    BusValue value;
    bool operator==(BusProperty const&) const = default;
};

/// The type as D-Bus writes it: "as".
std::string_view bus_signature(BusValue const& value);
/// For people: "MemoryMax 1048576", "AllowedCPUs 0x03", "DeviceAllow /dev/char/1:3 rwm; char-* m".
std::string bus_text(BusProperty const& property);

} // namespace oci
