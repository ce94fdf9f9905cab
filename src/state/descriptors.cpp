// SPDX-License-Identifier: Apache-2.0
#include "state/descriptors.h"

#include <nlohmann/json.hpp>

namespace oci::state {

namespace {

constexpr std::size_t most_links = 1024;

} // namespace

std::string descriptors_json(std::vector<std::string> const& links) {
    std::vector<std::string> texts;
    for (auto const& link : links)
        texts.push_back(json_string(link));
    return concat("[", join(texts, ","), "]");
}

Result<std::vector<std::string>> descriptors_from_json(std::string_view text) {
    auto const document = nlohmann::json::parse(text, nullptr, false);
    if (!document.is_array() || document.size() > most_links)
        return fail("is not an array of texts");
    std::vector<std::string> links;
    for (auto const& element : document) {
        if (!element.is_string())
            return fail("is not an array of texts");
        links.push_back(element.get<std::string>());
    }
    return links;
}

} // namespace oci::state
