// SPDX-License-Identifier: Apache-2.0
#include "spec/names.h"

#include <algorithm>

#include <sys/mount.h>

namespace oci::spec {

namespace {

using Kind = MountOption::Kind;

// The atime attributes are one field, not bits: whoever sets one value has to clear the field (mount_setattr(2)). Its
// value 0 is relatime, the kernel's default.
constexpr std::uint64_t atime = MOUNT_ATTR__ATIME;

// In alphabetical order, for find_mount_option.
constexpr MountOption options[] = {
    {"async", Kind::superblock, 0, MS_SYNCHRONOUS, "sync"},
    {"atime", Kind::attribute, 0, atime},
    {"bind", Kind::bind, MS_BIND},
    {"defaults", Kind::ignored},
    {"dev", Kind::attribute, 0, MOUNT_ATTR_NODEV},
    {"diratime", Kind::attribute, 0, MOUNT_ATTR_NODIRATIME},
    {"dirsync", Kind::superblock, MS_DIRSYNC, 0, "dirsync"},
    {"exec", Kind::attribute, 0, MOUNT_ATTR_NOEXEC},
    {"idmap", Kind::id_map},
    {"iversion", Kind::superblock, MS_I_VERSION, 0, "iversion"},
    {"lazytime", Kind::superblock, MS_LAZYTIME, 0, "lazytime"},
    {"loud", Kind::superblock, 0, MS_SILENT, "silent"},
    {"mand", Kind::superblock, MS_MANDLOCK, 0, "mand"},
    {"noatime", Kind::attribute, MOUNT_ATTR_NOATIME, atime},
    {"nodev", Kind::attribute, MOUNT_ATTR_NODEV},
    {"nodiratime", Kind::attribute, MOUNT_ATTR_NODIRATIME},
    {"noexec", Kind::attribute, MOUNT_ATTR_NOEXEC},
    {"noiversion", Kind::superblock, 0, MS_I_VERSION, "iversion"},
    {"nolazytime", Kind::superblock, 0, MS_LAZYTIME, "lazytime"},
    {"nomand", Kind::superblock, 0, MS_MANDLOCK, "mand"},
    {"norelatime", Kind::attribute, 0, atime},
    {"nostrictatime", Kind::attribute, 0, atime},
    {"nosuid", Kind::attribute, MOUNT_ATTR_NOSUID},
    {"nosymfollow", Kind::attribute, MOUNT_ATTR_NOSYMFOLLOW},
    {"private", Kind::propagation, MS_PRIVATE},
    {"ratime", Kind::recursive_attribute, 0, atime},
    {"rbind", Kind::bind, MS_BIND | MS_REC},
    {"rdev", Kind::recursive_attribute, 0, MOUNT_ATTR_NODEV},
    {"rdiratime", Kind::recursive_attribute, 0, MOUNT_ATTR_NODIRATIME},
    {"relatime", Kind::attribute, MOUNT_ATTR_RELATIME, atime},
    {"remount", Kind::remount, MS_REMOUNT},
    {"rexec", Kind::recursive_attribute, 0, MOUNT_ATTR_NOEXEC},
    {"ridmap", Kind::id_map, MS_REC},
    {"rnoatime", Kind::recursive_attribute, MOUNT_ATTR_NOATIME, atime},
    {"rnodev", Kind::recursive_attribute, MOUNT_ATTR_NODEV},
    {"rnodiratime", Kind::recursive_attribute, MOUNT_ATTR_NODIRATIME},
    {"rnoexec", Kind::recursive_attribute, MOUNT_ATTR_NOEXEC},
    {"rnorelatime", Kind::recursive_attribute, 0, atime},
    {"rnostrictatime", Kind::recursive_attribute, 0, atime},
    {"rnosuid", Kind::recursive_attribute, MOUNT_ATTR_NOSUID},
    {"rnosymfollow", Kind::recursive_attribute, MOUNT_ATTR_NOSYMFOLLOW},
    {"ro", Kind::attribute, MOUNT_ATTR_RDONLY},
    {"rprivate", Kind::propagation, MS_PRIVATE | MS_REC},
    {"rrelatime", Kind::recursive_attribute, MOUNT_ATTR_RELATIME, atime},
    {"rro", Kind::recursive_attribute, MOUNT_ATTR_RDONLY},
    {"rrw", Kind::recursive_attribute, 0, MOUNT_ATTR_RDONLY},
    {"rshared", Kind::propagation, MS_SHARED | MS_REC},
    {"rslave", Kind::propagation, MS_SLAVE | MS_REC},
    {"rstrictatime", Kind::recursive_attribute, MOUNT_ATTR_STRICTATIME, atime},
    {"rsuid", Kind::recursive_attribute, 0, MOUNT_ATTR_NOSUID},
    {"rsymfollow", Kind::recursive_attribute, 0, MOUNT_ATTR_NOSYMFOLLOW},
    {"runbindable", Kind::propagation, MS_UNBINDABLE | MS_REC},
    {"rw", Kind::attribute, 0, MOUNT_ATTR_RDONLY},
    {"shared", Kind::propagation, MS_SHARED},
    {"silent", Kind::superblock, MS_SILENT, 0, "silent"},
    {"slave", Kind::propagation, MS_SLAVE},
    {"strictatime", Kind::attribute, MOUNT_ATTR_STRICTATIME, atime},
    {"suid", Kind::attribute, 0, MOUNT_ATTR_NOSUID},
    {"symfollow", Kind::attribute, 0, MOUNT_ATTR_NOSYMFOLLOW},
    {"sync", Kind::superblock, MS_SYNCHRONOUS, 0, "sync"},
    {"tmpcopyup", Kind::copy_up},
    {"unbindable", Kind::propagation, MS_UNBINDABLE},
};
static_assert(std::ranges::is_sorted(options, {}, &MountOption::name));

constexpr std::string_view hooks[] = {"prestart",       "createRuntime", "createContainer",
                                      "startContainer", "poststart",     "poststop"};

constexpr std::string_view annotations[] = {systemd_annotations, criu_config_annotation, keep_groups_annotation,
                                            mount_context_annotation};

constexpr std::string_view actions[] = {
    "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO",  "SCMP_ACT_KILL",  "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_LOG",   "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP",
};

constexpr std::string_view operators[] = {
    "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE",
};

// Without LOONGARCH64, M68K, SH and SHEB: libseccomp 2.5 has no system call tables for them.
constexpr std::string_view architectures[] = {
    "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM",      "SCMP_ARCH_MIPS",        "SCMP_ARCH_MIPS64",  "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",  "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PARISC",  "SCMP_ARCH_PARISC64",
    "SCMP_ARCH_PPC",     "SCMP_ARCH_PPC64",    "SCMP_ARCH_PPC64LE",     "SCMP_ARCH_RISCV64", "SCMP_ARCH_S390",
    "SCMP_ARCH_S390X",   "SCMP_ARCH_X32",      "SCMP_ARCH_X86",         "SCMP_ARCH_X86_64",
};

constexpr std::string_view flags[] = {
    "SECCOMP_FILTER_FLAG_LOG",
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
    "SECCOMP_FILTER_FLAG_TSYNC",
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
};

} // namespace

std::span<MountOption const> mount_options() {
    return options;
}

MountOption const* find_mount_option(std::string_view name) {
    auto const* const found = std::ranges::lower_bound(options, name, {}, &MountOption::name);
    return found != std::end(options) && found->name == name ? found : nullptr;
}

std::span<std::string_view const> hook_names() {
    return hooks;
}

std::span<std::string_view const> honoured_annotations() {
    return annotations;
}

std::span<std::string_view const> seccomp_actions() {
    return actions;
}

std::span<std::string_view const> seccomp_operators() {
    return operators;
}

std::span<std::string_view const> seccomp_architectures() {
    return architectures;
}

std::span<std::string_view const> seccomp_flags() {
    return flags;
}

} // namespace oci::spec
