// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>

#include "commands/common.h"
#include "kernel/file.h"
#include "perform/cgroup_folder.h"
#include "perform/statistics.h"
#include "state/status.h"

namespace oci::commands {

namespace {

using std::chrono::milliseconds;
constexpr std::size_t small = 4096;
/// Besides what the kernel tells: that a cgroup was removed it does not tell.
constexpr milliseconds longest_wait{500};

Result<milliseconds> interval_of(ParsedOptions const& options) {
    auto const text = options.text("interval", "5s");
    // As youki: a number without a unit is in seconds.
    auto const duration = parse_duration(parse_number<std::int64_t>(text) ? text + "s" : text);
    if (!duration)
        return fail("invalid value ", json_string(text),
                    " for flag -interval: not a duration such as 500ms, 5s or 1m30s");
    if (duration->count() <= 0)
        return fail("duration interval must be greater than 0");
    return std::max(milliseconds(1), std::chrono::duration_cast<milliseconds>(*duration));
}

Result<void> print_statistics(std::string const& id, int cgroup) {
    return print(state::statistics_event(id, TRY(perform::read_statistics(cgroup))) + "\n");
}

/// A file of the cgroup that is read again and again: poll(2) tells of changes since the last time.
class WatchedFile {
public:
    /// A missing one never changes.
    static Result<WatchedFile> open(int cgroup, std::string const& name) {
        auto file = kernel::openat(cgroup, name, O_RDONLY);
        if (!file && file.error().errno_value != ENOENT)
            return Failure(file.error());
        return WatchedFile(file ? std::move(*file) : kernel::Fd());
    }
    Result<std::string> read() const { return file_ ? kernel::read_from_start(file_.get(), small) : std::string(); }
    ::pollfd change() const { return {file_.get(), POLLPRI, 0}; }

private:
    explicit WatchedFile(kernel::Fd file)
        : file_(std::move(file)) {}
    kernel::Fd file_;
};

/// Until no process is left in the cgroup, or it is removed.
Result<void> follow(std::string const& id, int cgroup, milliseconds interval) {
    auto const memory = TRY(WatchedFile::open(cgroup, "memory.events"));
    auto const core = TRY(WatchedFile::open(cgroup, "cgroup.events"));
    auto known = perform::count_oom(TRY(memory.read()));
    auto next = kernel::Deadline::after(interval);
    while (true) {
        // First, since memory that ran out may be why nobody is left.
        auto const count = perform::count_oom(TRY(memory.read()));
        if (count > known)
            TRY(print(state::oom_event(id) + "\n"));
        known = count;
        if (perform::parse_flat_keyed(TRY(core.read()))["populated"] == 0)
            return {};
        if (next.passed()) {
            TRY(print_statistics(id, cgroup));
            next = kernel::Deadline::after(interval);
        }
        ::pollfd changes[] = {memory.change(), core.change()};
        ::poll(changes, std::size(changes), std::min(next.poll_timeout(), static_cast<int>(longest_wait.count())));
    }
}

} // namespace

Result<int> run_events(Invocation const& invocation) {
    auto const interval = TRY(interval_of(invocation.options));
    auto const host = TRY(supported_host(NeedCgroup::no));
    auto const id = TRY(container_id(invocation.arguments[0]));
    auto const directory = TRY(state::ContainerDir::open(state_root(invocation.global, host), id));
    auto const container = TRY(state::look_at(directory, host.cgroup2_mount));
    if (container.status == state::Status::stopped)
        return fail("container with id ", id, " is not running");
    auto const cgroup = TRY(perform::open_cgroup_of(container.record, host.cgroup2_mount));
    if (invocation.options.flag("stats")) {
        TRY(print_statistics(id, cgroup.get()));
        return 0;
    }
    auto const followed = follow(id, cgroup.get(), interval);
    if (!followed && !perform::is_gone(followed.error()))
        return Failure(followed.error());
    return 0;
}

} // namespace oci::commands
