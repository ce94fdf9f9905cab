// SPDX-License-Identifier: Apache-2.0
#include "base/trace.h"

#include <unistd.h>

#include "base/text.h"

namespace oci {

namespace {

// Not the monotonic clock: a time namespace has another one.
using Clock = std::chrono::system_clock;

int file = -1;
pid_t process = 0; // the runtime's: inside, the container's first process is 1
auto track = TraceTrack::runtime;

/// In microseconds, as the format has it.
std::string microseconds(Clock::duration time) {
    auto const nanoseconds = std::chrono::nanoseconds(time).count();
    auto const fraction = std::to_string(nanoseconds % 1000 + 1000).substr(1);
    return concat(nanoseconds / 1000, ".", fraction);
}

/// One write(2) for a whole line, so that the lines of several processes do not mix.
void write_event(std::string_view phase, std::string_view name, std::string_view more) {
    auto const line = concat(R"({"ph":")", phase, R"(","name":)", json_string(name), R"(,"pid":)", process,
                             R"(,"tid":)", static_cast<int>(track), more, "},\n");
    [[maybe_unused]] auto const ignored = ::write(file, line.data(), line.size());
}

void name_row(std::string_view kind, std::string_view name) {
    write_event("M", kind, concat(R"(,"args":{"name":)", json_string(name), "}"));
}

} // namespace

void trace_to(int descriptor, std::string_view name) {
    file = descriptor;
    process = ::getpid();
    name_row("process_name", name);
    name_row("thread_name", "runtime");
}

bool trace_enabled() {
    return file >= 0;
}

void trace_on(TraceTrack row) {
    track = row;
    if (trace_enabled())
        name_row("thread_name", row == TraceTrack::runtime ? "runtime" : "container");
}

TraceSpan::TraceSpan(std::string_view name) {
    if (!trace_enabled())
        return;
    name_ = name;
    begin_ = Clock::now();
}

TraceSpan::~TraceSpan() {
    if (!name_.empty())
        write_event("X", name_,
                    concat(R"(,"ts":)", microseconds(begin_.time_since_epoch()), R"(,"dur":)",
                           microseconds(Clock::now() - begin_)));
}

} // namespace oci
