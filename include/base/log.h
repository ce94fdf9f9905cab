// SPDX-License-Identifier: Apache-2.0
// Where messages go: standard error and, with --log, a file, as text or one JSON object a line.
//
// Only the command layer logs above debug level, and an error is logged once, by main. Engines read the file: podman
// wants exactly one JSON object in it after a failure, so with a file the default level is error (see
// LogConfig::level).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace oci {

enum class LogLevel { debug, warning, error };
enum class LogFormat { text, json };

struct LogConfig {
    int file_descriptor = -1; ///< opened with O_APPEND, or -1: standard error only
    LogFormat format = LogFormat::text;
    std::optional<LogLevel> level; ///< unset: warning without a file, error with one
};

/// Replaces the configuration; before the first call messages go to standard error as text.
void log_configure(LogConfig const& config);
/// Without a file: one line `time="..." level=... msg="..."` (or JSON) on standard error.
/// With a file: the line goes to the file, and of an error also the bare message to standard error.
/// Failures to write are ignored: a full disk must not hide the real error.
void log_debug(std::string_view message);
/// Whether messages of that level go anywhere; for messages that are costly to make.
bool log_enabled(LogLevel level);
void log_warning(std::string_view message);
void log_error(std::string_view message);
/// The line as it would be written, without line end. `rfc3339` is the time stamp.
std::string log_line(LogFormat format, LogLevel level, std::string_view message, std::string_view rfc3339);

} // namespace oci
