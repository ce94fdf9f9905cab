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
    facts.cgroup2_mount = find_cgroup2();
    auto const cgroups = TRY(read_file(AT_FDCWD, "/proc/self/cgroup", large));
    if (auto const own = line_after(cgroups, "0::"); !own.empty())
        facts.own_cgroup = own;
    auto const last = TRY(read_file(AT_FDCWD, "/proc/sys/kernel/cap_last_cap", small));
    facts.last_capability = parse_number<unsigned>(trim(last)).value_or(facts.last_capability);
    // From the status file, because umask(2) cannot be read without changing it.
    auto const status = TRY(read_file(AT_FDCWD, "/proc/self/status", large));
    facts.umask = parse_number<unsigned>(line_after(status, "Umask:"), 8).value_or(facts.umask);
    for (std::size_t resource = 0; resource < facts.resource_limits.size(); ++resource)
        facts.resource_limits[resource] = TRY(resource_limit(static_cast<int>(resource)));
    observe_kernel(facts);
    return facts;
}

Result<std::string> boot_id() {
    auto const content = TRY(read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", small));
    return std::string(trim(content));
}

} // namespace oci::kernel
