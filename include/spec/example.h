// SPDX-License-Identifier: Apache-2.0
// What `oci-run spec` and `oci-run features` print.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace oci::spec {

/// A config.json to start from (tab indent, line end at the end). Rootless: a user namespace that maps root to
/// `uid`:`gid`, the host's network, no resources.
std::string example_config(bool rootless, std::uint32_t uid, std::uint32_t gid);
/// The features document (features.md), derived from the tables in spec/names.h; 4 spaces indent, line end at the end.
/// `seccomp_version` is libseccomp's.
std::string features_json(std::string_view seccomp_version);

} // namespace oci::spec
