// SPDX-License-Identifier: Apache-2.0
#include "base/bus_value.h"

#include <array>
#include <limits>

#include "base/text.h"
#include "base/variant.h"

namespace oci {

namespace {

std::string hexadecimal(std::vector<std::uint8_t> const& bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out = "0x";
    for (auto const byte : bytes) {
        out += digits[byte >> 4U];
        out += digits[byte & 0xfU];
    }
    return out;
}

std::string value_text(BusValue const& value) {
    return std::visit(Overloaded{
                          [](bool it) -> std::string { return it ? "yes" : "no"; },
                          [](std::uint64_t it) -> std::string {
                              return it == std::numeric_limits<std::uint64_t>::max() ? "infinity" : std::to_string(it);
                          },
                          [](std::string const& it) { return it; },
                          [](std::vector<std::string> const& it) { return join(it, " "); },
                          [](std::vector<std::uint8_t> const& it) { return hexadecimal(it); },
                          [](std::vector<std::uint32_t> const& it) {
                              std::vector<std::string> numbers;
                              for (auto const number : it)
                                  numbers.push_back(std::to_string(number));
                              return join(numbers, " ");
                          },
                          [](std::vector<std::pair<std::string, std::string>> const& it) {
                              std::vector<std::string> pairs;
                              for (auto const& [first, second] : it)
                                  pairs.push_back(concat(first, " ", second));
                              return pairs.empty() ? std::string("none") : join(pairs, "; ");
                          },
                          [](auto number) { return std::to_string(number); },
                      },
                      value);
}

} // namespace

std::string_view bus_signature(BusValue const& value) {
    static constexpr std::array<std::string_view, std::variant_size_v<BusValue>> signatures = {
        "b", "i", "u", "x", "t", "d", "s", "as", "ay", "au", "a(ss)"};
    return signatures[value.index()];
}

std::string bus_text(BusProperty const& property) {
    return concat(property.name, " ", value_text(property.value));
}

} // namespace oci
