// SPDX-License-Identifier: Apache-2.0
// Tables of config.json's own words: mount options, hook lists, seccomp. The parser and `features` both read them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace oci::spec {

/// What one mount option does (config.md, Linux mount options).
struct MountOption {
    enum class Kind {
        ignored, ///< changes nothing: defaults, loud ...
        bind,    ///< bind, rbind
        remount,
        attribute,           ///< MOUNT_ATTR_* of this mount
        recursive_attribute, ///< MOUNT_ATTR_* of the whole tree
        propagation,         ///< MS_*
        superblock,          ///< a flag of the file system's super block
        copy_up,
        id_map ///< idmap, ridmap
    };
    std::string_view name;
    Kind kind;
    std::uint64_t set = 0;                 ///< attributes, or MS_* flags
    std::uint64_t clear = 0;               ///< attributes that it takes away
    std::string_view superblock_flag = {}; ///< its name for fsconfig(2)
};
std::span<MountOption const> mount_options();
/// nullptr: a file system specific option.
MountOption const* find_mount_option(std::string_view name);

/// "prestart" ... in the order of HookKind.
std::span<std::string_view const> hook_names();

/// Annotations that change what is done; one that ends with a dot is the beginning of many names.
inline constexpr std::string_view criu_config_annotation = "org.criu.config";
inline constexpr std::string_view keep_groups_annotation = "run.oci.keep_original_groups";
inline constexpr std::string_view mount_context_annotation = "run.oci.mount_context_type";
inline constexpr std::string_view systemd_annotations = "org.systemd.property.";
std::span<std::string_view const> honoured_annotations();

std::span<std::string_view const> seccomp_actions();
std::span<std::string_view const> seccomp_operators();
std::span<std::string_view const> seccomp_architectures();
std::span<std::string_view const> seccomp_flags();

} // namespace oci::spec
