// SPDX-License-Identifier: Apache-2.0
// /proc/PID/mountinfo: any text, and any path as the kernel writes it.
#include "perform/mountinfo.h"
#include "fuzz.h"

namespace {

/// As the kernel does: proc(5), mangle_path().
std::string escaped(std::string_view path) {
    std::string out;
    for (char const c : path) {
        if (std::string_view(" \t\n\\").find(c) == std::string_view::npos) {
            out += c;
            continue;
        }
        char digits[5];
        std::snprintf(digits, sizeof digits, "\\%03o", static_cast<unsigned>(static_cast<unsigned char>(c)));
        out += digits;
    }
    return out;
}

} // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace oci;
    auto const text = fuzz::as_text(data, size);
    for (auto const& mount : perform::parse_mountinfo(text))
        fuzz::expect(perform::find_mount(perform::parse_mountinfo(text), mount.id) != nullptr,
                     "what is there is found");
    auto const line = concat("36 35 98:0 / ", escaped(text), " rw,noatime master:1 - ext3 /dev/root rw\n");
    auto const mounts = perform::parse_mountinfo(line);
    fuzz::expect(mounts.size() == 1 && mounts[0].id == 36 && mounts[0].path == text, "a path comes back as it was");
    return 0;
}
