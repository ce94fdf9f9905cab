// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets share. Each is one file with the function that libFuzzer calls.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "base/host.h"
#include "base/text.h"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);

namespace oci::fuzz {

/// What must be true of every input; otherwise the fuzzer reports it.
inline void expect(bool holds, char const* what) {
    if (holds)
        return;
    std::fprintf(stderr, "ERROR: does not hold: %s\n", what);
    std::abort();
}

inline std::string_view as_text(std::uint8_t const* data, std::size_t size) {
    return {reinterpret_cast<char const*>(data), size};
}

/// Takes the input apart from its front: numbers and texts for targets that want values instead of a text. At its end
/// there are zeros and empty texts.
class Input {
public:
    Input(std::uint8_t const* data, std::size_t size)
        : rest_(as_text(data, size)) {}

    bool empty() const { return rest_.empty(); }
    template <std::unsigned_integral Number>
    Number number() {
        Number value = 0;
        auto const bytes = take(sizeof value);
        std::memcpy(&value, bytes.data(), bytes.size());
        return value;
    }
    std::uint8_t byte() { return number<std::uint8_t>(); }
    bool flag() { return (byte() & 1U) != 0; }
    template <typename List>
    auto const& pick(List const& list) {
        return std::data(list)[byte() % std::size(list)];
    }
    /// A text, of up to 255 bytes: its length comes first.
    std::string text() { return std::string(take(byte())); }
    std::string_view rest() { return take(rest_.size()); }

private:
    std::string_view take(std::size_t size) {
        auto const taken = rest_.substr(0, size);
        rest_.remove_prefix(taken.size());
        return taken;
    }

    std::string_view rest_;
};

/// Root of the machine, a user with a delegated cgroup, and a user with nothing at all.
inline std::vector<HostFacts> hosts() {
    HostFacts root;
    root.cgroup2_mount = "/sys/fs/cgroup";
    root.resctrl_mount = "/sys/fs/resctrl";
    root.apparmor = root.selinux = true;
    HostFacts user = root;
    user.euid = user.egid = 1000;
    user.own_cgroup = user.delegated_cgroup = "/user.slice/user-1000.slice/user@1000.service";
    user.capabilities = 0;
    HostFacts nobody = user;
    nobody.cgroup2_mount = nobody.delegated_cgroup = nobody.resctrl_mount = "";
    nobody.owns_mount_namespace = false;
    nobody.in_user_namespace = true;
    return {root, user, nobody};
}

/// Whether a path can lead nowhere but below where it is put.
inline bool is_clean_absolute(std::string_view path) {
    return path.starts_with('/') && path == clean_path(path) && path.find('\0') == std::string_view::npos;
}

} // namespace oci::fuzz
