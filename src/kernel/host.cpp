// SPDX-License-Identifier: Apache-2.0
#include "kernel/host.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "kernel/file.h"
#include "kernel/process.h"

namespace oci::kernel {

namespace {

constexpr std::size_t small = 4096;
constexpr std::size_t large = 1U << 20U;

/// The initial user namespace is the only one whose map is the whole range, unchanged (user_namespaces(7)).
bool is_full_identity(std::string_view uid_map) {
    std::vector<std::string_view> numbers;
    for (auto const word : split(trim(uid_map), ' '))
        if (!word.empty())
            numbers.push_back(word);
    return numbers == std::vector<std::string_view>{"0", "0", "4294967295"};
}

/// The rest of the line that begins with `key`, trimmed; empty if there is none.
std::string_view line_after(std::string_view text, std::string_view key) {
    for (auto const line : split(text, '\n'))
        if (line.starts_with(key))
            return trim(line.substr(key.size()));
    return {};
}

std::string find_cgroup2() {
    for (auto const* const path : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
        auto const folder = openat(AT_FDCWD, path, O_PATH | O_DIRECTORY);
        if (folder && filesystem_type(folder->get()) == CGROUP2_SUPER_MAGIC)
            return path;
    }
    return {};
}

/// "\\040" for a blank, proc(5).
std::string without_escapes(std::string_view path) {
    std::string out;
    for (std::size_t i = 0; i < path.size(); ++i) {
        auto const code = path[i] == '\\' ? parse_number<unsigned char>(path.substr(i + 1, 3), 8) : std::nullopt;
        out += code ? static_cast<char>(*code) : path[i];
        i += code ? 3 : 0;
    }
    return out;
}

std::string find_resctrl() {
    constexpr auto usual = "/sys/fs/resctrl";
    auto const folder = openat(AT_FDCWD, usual, O_PATH | O_DIRECTORY);
    if (folder && filesystem_type(folder->get()) == RDTGROUP_SUPER_MAGIC)
        return usual;
    // The list of mounts can be long: only where the kernel has the file system, which takes such a processor.
    auto const known = read_file(AT_FDCWD, "/proc/filesystems", large);
    if (!known || known->find("\tresctrl\n") == std::string::npos)
        return {};
    auto const mounts = read_file(AT_FDCWD, "/proc/self/mountinfo", 64 * large);
    return mounts ? mount_point_of(*mounts, "resctrl") : std::string();
}

/// What cgroups(7) asks of somebody who makes a cgroup below `folder` and clones a process of a cgroup below it into
/// that: both checked with the effective ids, as mkdir(2) and clone3(2) will.
bool may_manage(std::string const& folder) {
    auto const writable = [](std::string const& path, int mode) {
        return ::faccessat(AT_FDCWD, path.c_str(), mode, AT_EACCESS) == 0;
    };
    return writable(folder, W_OK | X_OK) && writable(concat(folder, "/cgroup.procs"), W_OK);
}

std::string find_delegated_cgroup(std::string const& mount, std::string const& own_cgroup) {
    // "/../x": a process outside the root of its cgroup namespace; no path of the mount leads there.
    if (mount.empty() || own_cgroup.starts_with("/.."))
        return {};
    std::string found;
    for (std::string path = own_cgroup;; path = parent_path(path)) {
        if (may_manage(concat(mount, path)))
            found = path;
        else if (!found.empty())
            break;
        if (path == "/")
            break;
    }
    return found;
}

/// As the engines find out, who pass labels only where this is true.
void observe_security_modules(HostFacts& facts) {
    auto const apparmor = read_file(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", small);
    facts.apparmor = apparmor && apparmor->starts_with('Y');
    auto const selinux = openat(AT_FDCWD, "/sys/fs/selinux", O_PATH | O_DIRECTORY);
    facts.selinux = selinux && filesystem_type(selinux->get()) == SELINUX_MAGIC;
}

void observe_kernel(HostFacts& facts) {
    struct ::utsname names {};
    ::uname(&names);
    facts.kernel_release = names.release;
    auto const parts = split(facts.kernel_release, '.');
    auto const number = [&](std::size_t index) {
        auto const part = index < parts.size() ? parts[index] : std::string_view();
        auto const digits = part.substr(0, part.find_first_not_of("0123456789"));
        return parse_number<unsigned>(digits).value_or(0);
    };
    facts.kernel_major = number(0);
    facts.kernel_minor = number(1);
}

} // namespace

Result<HostFacts> observe_host() {
    HostFacts facts;
    facts.euid = ::geteuid();
    facts.egid = ::getegid();
    facts.in_user_namespace = !is_full_identity(TRY(read_file(AT_FDCWD, "/proc/self/uid_map", large)));
    facts.owns_mount_namespace = is_namespace_within_reach(TRY(openat(AT_FDCWD, "/proc/self/ns/mnt", O_RDONLY)).get());
    facts.cgroup2_mount = find_cgroup2();
    if (auto const own = cgroup_of(0))
        facts.own_cgroup = *own;
    facts.delegated_cgroup = find_delegated_cgroup(facts.cgroup2_mount, facts.own_cgroup);
    facts.resctrl_mount = find_resctrl();
    auto const last = TRY(read_file(AT_FDCWD, "/proc/sys/kernel/cap_last_cap", small));
    facts.last_capability = parse_number<unsigned>(trim(last)).value_or(facts.last_capability);
    // From the status file, because umask(2) cannot be read without changing it.
    auto const status = TRY(read_file(AT_FDCWD, "/proc/self/status", large));
    facts.capabilities = parse_number<std::uint64_t>(line_after(status, "CapEff:"), 16).value_or(0);
    facts.ignored_signals = parse_number<std::uint64_t>(line_after(status, "SigIgn:"), 16).value_or(0);
    facts.umask = parse_number<unsigned>(line_after(status, "Umask:"), 8).value_or(facts.umask);
    for (std::size_t resource = 0; resource < facts.resource_limits.size(); ++resource)
        facts.resource_limits[resource] = TRY(resource_limit(static_cast<int>(resource)));
    observe_security_modules(facts);
    observe_kernel(facts);
    return facts;
}

std::string mount_point_of(std::string_view mountinfo, std::string_view type) {
    for (auto const line : split(mountinfo, '\n')) {
        auto const separator = line.find(" - ");
        auto const fields = split(line.substr(0, separator), ' ');
        constexpr std::size_t root = 3;
        constexpr std::size_t mount_point = 4;
        if (separator != std::string_view::npos && fields.size() > mount_point && fields[root] == "/" &&
            line.substr(separator + 3).starts_with(concat(type, " ")))
            return without_escapes(fields[mount_point]);
    }
    return {};
}

Result<std::string> cgroup_of(pid_t pid) {
    auto const path = concat("/proc/", pid == 0 ? "self" : std::to_string(pid), "/cgroup");
    auto const text = TRY(read_file(AT_FDCWD, path, large));
    constexpr std::string_view key = "0::"; // a name has no line end, the kernel sees to that, but may end in a blank
    for (auto const line : split(text, '\n'))
        if (line.starts_with(key))
            return std::string(line.substr(key.size()));
    return fail(path, " has no cgroup2 line");
}

Result<std::string> boot_id() {
    static std::string known; // a process does not outlive its boot
    if (known.empty())
        known = trim(TRY(read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", small)));
    return known;
}

} // namespace oci::kernel
