// SPDX-License-Identifier: Apache-2.0
// record.json and state.json, as they are and with a checksum that fits; descriptors.json of a checkpoint.
#include <array>

#include "fuzz.h"
#include "state/container_dir.h"
#include "state/descriptors.h"

namespace {

using namespace oci;

/// The members of a JSON object with the end that the files have: without it nothing after the checksum would be
/// reached.
std::string sealed(std::string_view text) {
    auto const members = std::string(text.substr(0, text.rfind('}')));
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (char const c : members)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    std::array<char, 17> digits{};
    std::snprintf(digits.data(), digits.size(), "%llx", static_cast<unsigned long long>(hash));
    return members + ",\n  \"checksum\": \"" + digits.data() + "\"\n}\n";
}

void read(std::string_view text) {
    if (auto const record = state::record_from_json(text)) {
        fuzz::expect(state::record_from_json(state::to_json(*record)) == *record, "a record survives");
        fuzz::expect(record->cgroup_path.empty() || fuzz::is_clean_absolute(record->cgroup_path),
                     "what delete removes is below the mount");
    }
    if (auto const state = state::state_from_json(text))
        fuzz::expect(state::state_from_json(state::to_json(*state)) == *state, "a state survives");
    if (auto const links = state::descriptors_from_json(text))
        fuzz::expect(state::descriptors_from_json(state::descriptors_json(*links)) == *links, "links survive");
}

} // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    auto const text = fuzz::as_text(data, size);
    read(text);
    read(sealed(text));
    return 0;
}
