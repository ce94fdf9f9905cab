// SPDX-License-Identifier: Apache-2.0
// Where the time goes: with --trace every step is written to a file as an event with its start and duration, in the
// Trace Event Format of Chrome ("JSON Array Format", whose closing bracket may be missing). ui.perfetto.dev and
// chrome://tracing show it.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace oci {

/// The rows of the picture.
enum class TraceTrack { runtime = 1, container = 2 };

/// From now on events go to this descriptor, opened with O_APPEND: those of several processes, and of several commands,
/// may be in one file. `name` is shown for the rows of this process. Failures to write are ignored.
void trace_to(int descriptor, std::string_view name);
/// Whether somebody looks; for names that are costly to make.
bool trace_enabled();
/// The events of this process (a child of the one that called trace_to()) are on that row.
void trace_on(TraceTrack track);

/// An event from here to the end of the scope. Costs nothing without --trace.
class TraceSpan {
public:
    explicit TraceSpan(std::string_view name);
    ~TraceSpan();
    TraceSpan(TraceSpan const&) = delete;
    TraceSpan& operator=(TraceSpan const&) = delete;

private:
    std::string name_;
    std::chrono::system_clock::time_point begin_;
};

} // namespace oci
