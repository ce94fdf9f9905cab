// SPDX-License-Identifier: Apache-2.0
#include "mountinfo.h"

#include <algorithm>
#include <fcntl.h>

#include "kernel/file.h"

namespace oci::perform {

namespace {

constexpr std::size_t mountinfo_limit = 64U << 20U;
constexpr std::size_t fdinfo_limit = 64U << 10U;

/// Blanks, tabs, line ends and backslashes are "\040" and the like there.
std::string unescaped(std::string_view text) {
    constexpr std::size_t digits = 3;
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        auto const code = text[i] == '\\' ? parse_number<unsigned char>(text.substr(i + 1, digits), 8) : std::nullopt;
        out += code ? static_cast<char>(*code) : text[i];
        i += code ? digits : 0;
    }
    return out;
}

} // namespace

std::vector<MountPoint> parse_mountinfo(std::string_view text) {
    constexpr std::size_t path_field = 4;
    std::vector<MountPoint> mounts;
    for (auto const line : split(text, '\n')) {
        auto const fields = split(line, ' ');
        auto const id = parse_number<unsigned>(fields[0]);
        if (id && fields.size() > path_field)
            mounts.push_back({*id, unescaped(fields[path_field])});
    }
    return mounts;
}

Result<std::vector<MountPoint>> mount_points_of(std::string_view process) {
    return parse_mountinfo(TRY(kernel::read_file(AT_FDCWD, concat("/proc/", process, "/mountinfo"), mountinfo_limit)));
}

Result<unsigned> mount_id(std::string_view process, int descriptor) {
    constexpr std::string_view key = "mnt_id:";
    auto const path = concat("/proc/", process, "/fdinfo/", descriptor);
    auto const text = TRY(kernel::read_file(AT_FDCWD, path, fdinfo_limit));
    for (auto const line : split(text, '\n'))
        if (line.starts_with(key))
            if (auto const id = parse_number<unsigned>(trim(line.substr(key.size()))))
                return *id;
    return fail(path, " has no mnt_id");
}

MountPoint const* find_mount(std::vector<MountPoint> const& mounts, unsigned id) {
    auto const found = std::ranges::find(mounts, id, &MountPoint::id);
    return found == mounts.end() ? nullptr : &*found;
}

} // namespace oci::perform
