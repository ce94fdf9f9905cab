// SPDX-License-Identifier: Apache-2.0
#include "perform/criu.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <fcntl.h>
#include <unistd.h>

#include "kernel/file.h"
#include "kernel/signals.h"
#include "kernel/socket.h"
#include "kernel/spawn.h"

namespace oci::perform {

namespace {

constexpr std::size_t log_limit = 64U << 20U;
constexpr std::chrono::seconds end_limit{20};

constexpr std::array ending_signals{SIGTERM, SIGINT, SIGHUP, SIGQUIT};

/// Waits for a message (or its end); false when a signal asks us to end first.
Result<bool> wait_for_message(int socket, kernel::Deadline deadline) {
    auto const signals = TRY(kernel::signal_descriptor());
    while (true) {
        std::array const sources{socket, signals.get()};
        auto const ready = TRY(kernel::wait_for_any(sources, deadline));
        if (!ready)
            return fail("criu does not answer");
        if (*ready == 0)
            return true;
        auto const signal = TRY(kernel::next_signal(signals.get()));
        if (signal && std::ranges::find(ending_signals, *signal) != ending_signals.end())
            return false;
    }
}

} // namespace

std::string error_text(std::string_view text) {
    // "(00.123456)   1234: Error (criu/mount.c:1089): mnt: No such file or directory"
    constexpr std::string_view mark = "Error (";
    constexpr std::string_view place_end = "): ";
    std::string_view found;
    for (auto const line : split(text, '\n')) {
        auto const place = line.find(mark);
        auto const end = place == std::string_view::npos ? place : line.find(place_end, place);
        if (end == std::string_view::npos)
            continue;
        auto const words = trim(line.substr(end + place_end.size()));
        // Of the last words the ones before say why.
        if (found.empty() || !words.ends_with("FAILED."))
            found = words;
    }
    return printable(found);
}

Result<Criu> Criu::start(CriuStart const& start) {
    auto [ours, theirs] = TRY(kernel::sequenced_pair());
    auto const null = TRY(kernel::openat(AT_FDCWD, "/dev/null", O_RDWR));
    kernel::SpawnRequest spawn;
    spawn.path = "criu";
    spawn.arguments = {"criu", "swrk", std::to_string(theirs.get())};
    spawn.working_directory = "/";
    spawn.standard_input = start.streams ? STDIN_FILENO : null.get();
    spawn.standard_output = start.streams ? STDOUT_FILENO : null.get();
    spawn.standard_error = start.streams ? STDERR_FILENO : null.get();
    spawn.kept = start.kept;
    spawn.kept.push_back(theirs.get());
    spawn.cgroup = start.cgroup;
    spawn.new_session = start.session;
    auto child = TRY(kernel::spawn_from_path(std::move(spawn)));
    return Criu(std::move(ours), std::move(child.pidfd), start.log);
}

Error Criu::explain(std::string_view what, std::string_view complaint) const {
    auto const log = kernel::read_file(AT_FDCWD, log_, log_limit);
    // criu tells its first error, which is the cause of the others.
    auto line = error_text(split(complaint, '\n').front());
    if (line.empty() && log)
        line = error_text(*log);
    return {concat("criu: ", what, line.empty() ? "" : concat(": ", line), log ? concat(" (see ", log_, ")") : ""), 0};
}

Result<void> Criu::request(std::string_view message) const {
    return in_context(kernel::send_message(socket_.get(), message), "criu");
}

Result<CriuAnswer> Criu::next(kernel::Deadline deadline, std::vector<kernel::Fd>* descriptors) const {
    if (!TRY(wait_for_message(socket_.get(), deadline)))
        return fail("interrupted by a signal to oci-run");
    auto const message = kernel::receive_message(socket_.get(), deadline, descriptors);
    if (!message || message->empty())
        return Failure(explain("ended unexpectedly"));
    auto answer = TRY(read_answer(*message));
    if (answer.is_notification || answer.success)
        return answer;
    return Failure(explain("failed", answer.complaint));
}

Result<void> Criu::go_on() const {
    return request(notification_reply(true));
}

Result<void> Criu::finish() {
    socket_.close();
    if (!TRY(kernel::wait_for_exit(process_.get(), kernel::Deadline::after(end_limit)))) {
        (void)kernel::kill_and_reap(process_.get());
        return Failure(explain("does not end"));
    }
    (void)kernel::reap(process_.get());
    process_.close();
    return {};
}

void Criu::abandon() {
    if (!process_)
        return;
    (void)request(notification_reply(false));
    socket_.close();
    (void)kernel::wait_for_exit(process_.get(), kernel::Deadline::after(end_limit));
    (void)kernel::kill_and_reap(process_.get());
    process_.close();
}

} // namespace oci::perform
