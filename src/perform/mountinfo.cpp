// SPDX-License-Identifier: Apache-2.0
#include "perform/mountinfo.h"

#include <algorithm>
#include <fcntl.h>
#include <optional>
#include <span>

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

namespace {

void add_options(std::string_view list, std::vector<std::string>& options) {
    for (auto const option : split(list, ',')) {
        auto text = unescaped(option);
        if (!text.empty() && std::ranges::find(options, text) == options.end())
            options.push_back(std::move(text));
    }
}

/// "shared:1", "master:2", "unbindable".
std::vector<std::string> propagation(std::span<std::string_view const> fields) {
    std::vector<std::string> words;
    for (auto const field : fields) {
        if (field.starts_with("shared:"))
            words.emplace_back("shared");
        if (field.starts_with("master:"))
            words.emplace_back("slave");
        if (field == "unbindable")
            words.emplace_back(field);
    }
    return words.empty() ? std::vector<std::string>{"private"} : words;
}

/// id, parent, device, root, path, options, propagation fields, "-", type, source, options of the file system.
std::optional<MountPoint> mount_point(std::vector<std::string_view> const& fields) {
    constexpr std::ptrdiff_t first_optional = 6;
    constexpr std::ptrdiff_t after_separator = 3;
    auto const id = parse_number<unsigned>(fields[0]);
    if (!id || fields.size() < first_optional)
        return std::nullopt;
    auto const separator = std::find(fields.begin() + first_optional, fields.end(), "-");
    if (fields.end() - separator <= after_separator)
        return std::nullopt;
    std::vector<std::string> options;
    add_options(fields[5], options);
    add_options(separator[3], options);
    return MountPoint{*id,
                      unescaped(fields[4]),
                      unescaped(separator[1]),
                      unescaped(separator[2]),
                      unescaped(fields[3]),
                      std::move(options),
                      propagation({fields.begin() + first_optional, separator})};
}

} // namespace

std::vector<MountPoint> parse_mountinfo(std::string_view text) {
    std::vector<MountPoint> mounts;
    for (auto const line : split(text, '\n'))
        if (auto mount = mount_point(split(line, ' ')))
            mounts.push_back(*std::move(mount));
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
