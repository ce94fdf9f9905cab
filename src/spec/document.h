// SPDX-License-Identifier: Apache-2.0
// JSON text to a tree, within limits: what is hostile or ambiguous is refused before a tree of it exists.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>
#include <tl/expected.hpp>

#include "spec/parse.h"

namespace oci::spec {

/// Refuses what is no JSON object, too big, too deep, has NUL bytes, or gives a member twice (parsers differ in which
/// of the two they take, so what was checked might not be what is run). An array stands for an object with nothing but
/// that array as its member `list`, where one is named.
tl::expected<nlohmann::json, Problem> read_document(std::string_view text, std::string_view list = {});

/// `token` as a part of a JSON pointer (RFC 6901).
std::string pointer_token(std::string_view token);

} // namespace oci::spec
