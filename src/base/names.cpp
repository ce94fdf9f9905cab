// SPDX-License-Identifier: Apache-2.0
#include "base/names.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <vector>

#include <csignal>
#include <linux/sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "base/text.h"

namespace oci {

namespace {

template <typename Value>
struct Named {
    std::string_view name;
    Value value;
};

constexpr std::array<std::string_view, 41> capabilities = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};

constexpr Named<int> signals[] = {
    {"HUP", SIGHUP},   {"INT", SIGINT},   {"QUIT", SIGQUIT}, {"ILL", SIGILL},       {"TRAP", SIGTRAP},
    {"ABRT", SIGABRT}, {"IOT", SIGIOT},   {"BUS", SIGBUS},   {"FPE", SIGFPE},       {"KILL", SIGKILL},
    {"USR1", SIGUSR1}, {"SEGV", SIGSEGV}, {"USR2", SIGUSR2}, {"PIPE", SIGPIPE},     {"ALRM", SIGALRM},
    {"TERM", SIGTERM}, {"CHLD", SIGCHLD}, {"CLD", SIGCHLD},  {"STKFLT", SIGSTKFLT}, {"CONT", SIGCONT},
    {"STOP", SIGSTOP}, {"TSTP", SIGTSTP}, {"TTIN", SIGTTIN}, {"TTOU", SIGTTOU},     {"URG", SIGURG},
    {"XCPU", SIGXCPU}, {"XFSZ", SIGXFSZ}, {"PROF", SIGPROF}, {"VTALRM", SIGVTALRM}, {"WINCH", SIGWINCH},
    {"IO", SIGIO},     {"POLL", SIGPOLL}, {"PWR", SIGPWR},   {"SYS", SIGSYS},
};

// As programs see them: the C library keeps the kernel's first real-time signals, 32 and 33, for itself (signal(7)).
constexpr int first_realtime_signal = 34;
constexpr int last_signal = 64;

constexpr Named<int> resources[] = {
    {"RLIMIT_CPU", RLIMIT_CPU},           {"RLIMIT_FSIZE", RLIMIT_FSIZE},
    {"RLIMIT_DATA", RLIMIT_DATA},         {"RLIMIT_STACK", RLIMIT_STACK},
    {"RLIMIT_CORE", RLIMIT_CORE},         {"RLIMIT_RSS", RLIMIT_RSS},
    {"RLIMIT_NPROC", RLIMIT_NPROC},       {"RLIMIT_NOFILE", RLIMIT_NOFILE},
    {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},   {"RLIMIT_AS", RLIMIT_AS},
    {"RLIMIT_LOCKS", RLIMIT_LOCKS},       {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE}, {"RLIMIT_NICE", RLIMIT_NICE},
    {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},     {"RLIMIT_RTTIME", RLIMIT_RTTIME},
};

constexpr Named<std::uint64_t> namespaces[] = {
    {"cgroup", CLONE_NEWCGROUP}, {"ipc", CLONE_NEWIPC},   {"mount", CLONE_NEWNS},  {"network", CLONE_NEWNET},
    {"pid", CLONE_NEWPID},       {"time", CLONE_NEWTIME}, {"user", CLONE_NEWUSER}, {"uts", CLONE_NEWUTS},
};

constexpr auto namespace_name_list = [] {
    std::array<std::string_view, std::size(namespaces)> names{};
    std::transform(std::begin(namespaces), std::end(namespaces), names.begin(),
                   [](auto const& entry) { return entry.name; });
    return names;
}();

constexpr Named<std::uint64_t> mount_attributes[] = {
    {"ro", MOUNT_ATTR_RDONLY},
    {"nosuid", MOUNT_ATTR_NOSUID},
    {"nodev", MOUNT_ATTR_NODEV},
    {"noexec", MOUNT_ATTR_NOEXEC},
    {"noatime", MOUNT_ATTR_NOATIME},
    {"strictatime", MOUNT_ATTR_STRICTATIME},
    {"nodiratime", MOUNT_ATTR_NODIRATIME},
    {"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW},
    {"idmap", MOUNT_ATTR_IDMAP},
};

constexpr Named<std::uint64_t> propagations[] = {
    {"private", MS_PRIVATE},
    {"shared", MS_SHARED},
    {"slave", MS_SLAVE},
    {"unbindable", MS_UNBINDABLE},
};

template <typename Value, std::size_t size>
constexpr std::optional<Value> value_of(Named<Value> const (&table)[size], std::string_view name) {
    for (auto const& entry : table)
        if (entry.name == name)
            return entry.value;
    return std::nullopt;
}

template <typename Value, std::size_t size>
constexpr std::string_view name_of(Named<Value> const (&table)[size], Value value) {
    for (auto const& entry : table)
        if (entry.value == value)
            return entry.name;
    return {};
}

std::string upper(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'a' && c <= 'z')
            c = static_cast<char>(c - 'a' + 'A');
    return out;
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix))
        return false;
    text.remove_prefix(prefix.size());
    return true;
}

/// "RTMIN", "RTMIN+3", "RTMAX-1"; 0 to 30 away from its end.
std::optional<int> realtime_signal(std::string_view name) {
    bool const from_first = take_prefix(name, "RTMIN");
    if (!from_first && !take_prefix(name, "RTMAX"))
        return std::nullopt;
    int const base = from_first ? first_realtime_signal : last_signal;
    if (name.empty())
        return base;
    auto const distance = name[0] == (from_first ? '+' : '-') ? parse_number<unsigned>(name.substr(1)) : std::nullopt;
    if (!distance || *distance > static_cast<unsigned>(last_signal - first_realtime_signal))
        return std::nullopt;
    return from_first ? base + static_cast<int>(*distance) : base - static_cast<int>(*distance);
}

} // namespace

std::optional<unsigned> capability_number(std::string_view name) {
    std::string full = upper(name);
    if (!full.starts_with("CAP_"))
        full.insert(0, "CAP_");
    auto const found = std::find(capabilities.begin(), capabilities.end(), full);
    if (found == capabilities.end())
        return std::nullopt;
    return static_cast<unsigned>(found - capabilities.begin());
}

std::span<std::string_view const> capability_names() {
    return capabilities;
}

std::optional<int> signal_number(std::string_view name) {
    if (auto const number = parse_number<int>(name))
        return *number >= 0 && *number <= last_signal ? number : std::nullopt;
    std::string const full = upper(name);
    std::string_view rest = full;
    take_prefix(rest, "SIG");
    if (auto const number = value_of(signals, rest))
        return number;
    return realtime_signal(rest);
}

std::optional<int> rlimit_number(std::string_view name) {
    return value_of(resources, name);
}

std::string_view rlimit_name(int resource) {
    return name_of(resources, resource);
}

std::optional<std::uint64_t> namespace_flag(std::string_view name) {
    return value_of(namespaces, name);
}

std::string_view namespace_name(std::uint64_t flag) {
    return name_of(namespaces, flag);
}

std::string_view namespace_file(std::uint64_t flag) {
    if (flag == CLONE_NEWNET)
        return "net";
    if (flag == CLONE_NEWNS)
        return "mnt";
    return namespace_name(flag);
}

std::span<std::string_view const> namespace_names() {
    return namespace_name_list;
}

std::string mount_attribute_names(std::uint64_t attributes) {
    std::vector<std::string> names;
    for (auto const& [name, value] : mount_attributes)
        if ((attributes & value) != 0)
            names.emplace_back(name);
    return join(names, ",");
}

std::string propagation_name(std::uint64_t flags) {
    bool const recursive = (flags & MS_REC) != 0;
    return concat(recursive ? "r" : "", name_of(propagations, flags & ~std::uint64_t{MS_REC}));
}

} // namespace oci
