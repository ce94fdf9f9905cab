// SPDX-License-Identifier: Apache-2.0
// Annotations org.systemd.property.NAME: one name and value a line, "NAME=VALUE".
#include "fuzz.h"
#include "plan/systemd.h"

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace oci;
    std::map<std::string, std::string> annotations;
    for (auto const line : split(fuzz::as_text(data, size), '\n')) {
        auto const sign = line.find('=');
        if (sign == std::string_view::npos)
            continue;
        annotations["org.systemd.property." + std::string(line.substr(0, sign))] = line.substr(sign + 1);
        (void)plan::parse_property_value(line.substr(sign + 1));
    }
    auto const properties = plan::annotated_properties(annotations);
    if (!properties)
        return 0;
    // CVE-2024-3154: what names other units or commands is for the machine's owner only.
    for (auto const& property : *properties) {
        for (auto const* const forbidden : {"Exec", "Wants", "Requires", "Slice", "Delegate", "Device"})
            fuzz::expect(!property.name.starts_with(forbidden), "annotations reach nothing but the unit itself");
        (void)bus_text(property);
    }
    return 0;
}
