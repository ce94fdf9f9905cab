// SPDX-License-Identifier: Apache-2.0
#include "perform/notify.h"

#include <algorithm>
#include <array>

#include "kernel/file.h"
#include "kernel/process.h"
#include "kernel/socket.h"

namespace oci::perform {

namespace {

/// sd_notify_barrier(3): the manager closes the descriptor when it has read everything before. Until then we must not
/// end, because it finds out by our cgroup which service is meant.
Result<void> wait_for_manager(int manager) {
    constexpr std::chrono::seconds patience{30};
    auto [ours, theirs] = TRY(kernel::sequenced_pair());
    TRY(kernel::send_descriptors(manager, "BARRIER=1", std::array{theirs.get()}));
    theirs.close();
    // An older manager does not know it, and keeps or closes the descriptor as it likes.
    TRY(kernel::wait_for_any(std::array{ours.get()}, kernel::Deadline::after(patience)));
    return {};
}

bool says_ready(std::string_view message) {
    auto const lines = split(message, '\n');
    return std::ranges::find(lines, "READY=1") != lines.end();
}

void note_failure(Result<void> const& result, Notify& notify) {
    if (!result)
        notify.failure = result.error();
}

} // namespace

Result<std::optional<Notify>> open_notify(state::ContainerDir const& directory, std::string const& name) {
    auto const folder = TRY(directory.open_notify_folder());
    if (!folder)
        return std::nullopt;
    Notify notify;
    notify.to_manager = TRY(in_context(kernel::connect_datagram(name), "NOTIFY_SOCKET"));
    notify.from_container = TRY(in_context(kernel::receive_at(folder->get(), "notify.sock"), directory.path()));
    return notify;
}

void receive_notifications(Notify& notify, pid_t main) {
    constexpr std::size_t longest = 4096;
    constexpr int at_once = 64; // others want to be looked after, too
    auto const receive = [&]() -> Result<void> {
        for (int i = 0; i < at_once; ++i) {
            auto const message = TRY(kernel::receive_datagram(notify.from_container.get(), longest));
            if (!message)
                break;
            if (notify.ready || !says_ready(*message))
                continue;
            TRY(kernel::send_message(notify.to_manager.get(), "READY=1\n"));
            TRY(kernel::send_message(notify.to_manager.get(), concat("MAINPID=", main, "\n")));
            notify.ready = true;
        }
        return {};
    };
    note_failure(receive(), notify);
}

void wait_until_ready(Notify& notify, pid_t process, int pidfd) {
    auto const wait = [&]() -> Result<void> {
        // The process first: its end must not be hidden by messages that others in the container send for ever.
        std::array const sources{pidfd, notify.from_container.get()};
        for (bool over = false; !over && !notify.ready && !notify.failure;) {
            over = TRY(kernel::wait_for_any(sources, kernel::Deadline::never())) == std::size_t{0};
            receive_notifications(notify, process);
        }
        return notify.ready ? wait_for_manager(notify.to_manager.get()) : Result<void>();
    };
    note_failure(wait(), notify);
}

} // namespace oci::perform
