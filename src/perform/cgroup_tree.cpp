// SPDX-License-Identifier: Apache-2.0
#include "perform/cgroup_tree.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>

#include "kernel/file.h"
#include "perform/cgroup_folder.h"

namespace oci::perform {

namespace {

constexpr std::size_t maximum_list_size = 16U << 20U;
constexpr std::chrono::seconds walk_limit{30};

struct Level {
    std::string name;
    std::vector<std::string> unvisited; ///< children
};

Result<std::vector<std::string>> children_of(int cgroup) {
    auto names = kernel::list_folders(cgroup);
    if (!names && is_gone(names.error()))
        return std::vector<std::string>{};
    return names;
}

/// The process that a thread belongs to; 0 when it is gone.
Result<pid_t> process_of_thread(std::string_view thread) {
    auto const status = kernel::read_file(AT_FDCWD, concat("/proc/", thread, "/status"), 64U << 10U);
    if (!status && is_gone(status.error()))
        return 0;
    if (!status)
        return Failure(status.error());
    constexpr std::string_view key = "Tgid:";
    for (auto const line : split(*status, '\n'))
        if (line.starts_with(key))
            return parse_number<pid_t>(trim(line.substr(key.size()))).value_or(0);
    return 0;
}

void sort_and_unite(std::vector<pid_t>& pids) {
    std::ranges::sort(pids);
    pids.erase(std::unique(pids.begin(), pids.end()), pids.end());
}

Result<std::vector<pid_t>> processes_by_threads(int folder, std::string const& name) {
    std::vector<pid_t> pids;
    auto const threads = kernel::read_file(folder, name + "/cgroup.threads", maximum_list_size);
    if (!threads)
        return is_gone(threads.error()) ? pids : Result<std::vector<pid_t>>(Failure(threads.error()));
    for (auto const thread : split(*threads, '\n'))
        if (parse_number<pid_t>(thread).value_or(0) > 0)
            if (auto const pid = TRY(process_of_thread(thread)); pid > 0)
                pids.push_back(pid);
    return pids;
}

} // namespace

Result<void> visit_below(int top, kernel::Deadline deadline, CgroupVisit const& visit) {
    auto current = TRY(kernel::openat(top, ".", O_RDONLY | O_DIRECTORY));
    std::vector<Level> levels;
    levels.push_back({"", TRY(children_of(top))});
    while (true) {
        if (deadline.passed())
            return fail_errno(ETIMEDOUT, "walk through the cgroups below");
        if (auto& unvisited = levels.back().unvisited; !unvisited.empty()) {
            auto name = std::move(unvisited.back());
            unvisited.pop_back();
            auto child = open_below(current.get(), name);
            if (!child && is_gone(child.error()))
                continue;
            current = TRY(std::move(child));
            levels.push_back({std::move(name), TRY(children_of(current.get()))});
            continue;
        }
        if (levels.size() == 1)
            return {};
        // cgroup2 has no rename, so the parent is the one that we came from, also when either was removed meanwhile.
        current = TRY(kernel::openat(current.get(), "..", O_RDONLY | O_DIRECTORY));
        auto const name = std::move(levels.back().name);
        levels.pop_back();
        TRY(visit(current.get(), name));
    }
}

Result<std::vector<pid_t>> processes_in(int folder, std::string const& name) {
    auto const list = kernel::read_file(folder, name + "/cgroup.procs", maximum_list_size);
    std::vector<pid_t> pids;
    if (!list && list.error().errno_value == EOPNOTSUPP)
        pids = TRY(processes_by_threads(folder, name));
    else if (!list && !is_gone(list.error()))
        return Failure(list.error());
    for (auto const line : list ? split(*list, '\n') : std::vector<std::string_view>{})
        if (auto const pid = parse_number<pid_t>(line); pid && *pid > 0)
            pids.push_back(*pid);
    sort_and_unite(pids);
    return pids;
}

Result<std::vector<pid_t>> processes_of_tree(int top) {
    auto pids = TRY(processes_in(top, "."));
    TRY(visit_below(top, kernel::Deadline::after(walk_limit), [&](int parent, std::string const& name) -> Result<void> {
        auto const more = TRY(processes_in(parent, name));
        pids.insert(pids.end(), more.begin(), more.end());
        return {};
    }));
    sort_and_unite(pids);
    return pids;
}

} // namespace oci::perform
