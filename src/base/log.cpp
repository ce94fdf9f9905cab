// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <ctime>
#include <unistd.h>

#include "base/text.h"

namespace oci {

namespace {

LogConfig current;

std::string now_rfc3339() {
    return rfc3339_nano(std::time(nullptr), 0);
}

std::string_view name(LogLevel level) {
    switch (level) {
    case LogLevel::debug:
        return "debug";
    case LogLevel::warning:
        return "warning";
    case LogLevel::error:
        return "error";
    }
    return "";
}

/// One write(2) for a whole line, so that lines of several processes do not mix (O_APPEND). Errors are ignored on
/// purpose.
void write_line(int descriptor, std::string line) {
    line += '\n';
    [[maybe_unused]] auto const ignored = ::write(descriptor, line.data(), line.size());
}

void log(LogLevel level, std::string_view message) {
    bool const to_file = current.file_descriptor >= 0;
    if (!log_enabled(level))
        return;
    auto const line = log_line(current.format, level, message, now_rfc3339());
    write_line(to_file ? current.file_descriptor : STDERR_FILENO, line);
    if (to_file && level == LogLevel::error)
        write_line(STDERR_FILENO, printable(message));
}

} // namespace

void log_configure(LogConfig const& config) {
    current = config;
}

bool log_enabled(LogLevel level) {
    return level >= current.level.value_or(current.file_descriptor >= 0 ? LogLevel::error : LogLevel::warning);
}

std::string log_line(LogFormat format, LogLevel level, std::string_view message, std::string_view rfc3339) {
    switch (format) {
    case LogFormat::json:
        return concat("{\"level\":\"", name(level), "\",\"msg\":", json_string(message), ",\"time\":\"", rfc3339,
                      "\"}");
    case LogFormat::text:
        return concat("time=\"", rfc3339, "\" level=", name(level), " msg=", json_string(message));
    }
    return {};
}

void log_debug(std::string_view message) {
    log(LogLevel::debug, message);
}
void log_warning(std::string_view message) {
    log(LogLevel::warning, message);
}
void log_error(std::string_view message) {
    log(LogLevel::error, message);
}

} // namespace oci
