// SPDX-License-Identifier: Apache-2.0
// Reads /etc/passwd of the container itself: the library's getpwuid(3) would load what the container says. The file is
// the container's, so its size and its lines are limited (CVE-2026-47262) and it must be a plain file (a FIFO would
// block).
#include "process.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"

namespace oci::finisher {

namespace {

constexpr std::size_t largest_file = 1U << 20U;
constexpr std::size_t longest_line = 4096;

/// Field number `wanted` of a line "name:password:uid:gid:comment:home:shell"; false if there is none.
bool field(std::string_view line, unsigned wanted, std::string_view& found) {
    for (unsigned index = 0;; ++index) {
        std::size_t const end = line.find(':');
        if (index == wanted) {
            found = {line.data(), end == std::string_view::npos ? line.size() : end};
            return true;
        }
        if (end == std::string_view::npos)
            return false;
        line.remove_prefix(end + 1);
    }
}

/// Whether `text` is exactly the decimal number `value`.
bool is_number(std::string_view text, unsigned value) {
    std::uint64_t number = 0;
    for (char const digit : text) {
        if (digit < '0' || digit > '9' || number > UINT32_MAX)
            return false;
        number = number * 10 + static_cast<unsigned>(digit - '0');
    }
    return !text.empty() && number == value;
}

bool home_in_line(std::string_view line, unsigned uid, std::string_view& home) {
    std::string_view id;
    return field(line, 2, id) && is_number(id, uid) && field(line, 5, home) && home.starts_with('/') &&
           home.find('\0') == std::string_view::npos;
}

/// Reads `file` line by line; longer lines are skipped. `buffer` holds the line that `home` then is a part of.
bool find_home(int file, unsigned uid, char (&buffer)[longest_line], std::string_view& home) {
    std::size_t filled = 0;
    bool skipping = false; // inside a line that is too long
    for (std::size_t total = 0; total < largest_file;) {
        ssize_t const size = ::read(file, buffer + filled, sizeof buffer - filled);
        if (size <= 0)
            return !skipping && home_in_line({buffer, filled}, uid, home);
        total += static_cast<std::size_t>(size);
        filled += static_cast<std::size_t>(size);
        std::string_view rest(buffer, filled);
        for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
            if (!skipping && home_in_line({rest.data(), end}, uid, home))
                return true;
            skipping = false;
            rest.remove_prefix(end + 1);
        }
        if (rest.size() == sizeof buffer) {
            skipping = true;
            rest.remove_prefix(rest.size());
        }
        std::memmove(buffer, rest.data(), rest.size());
        filled = rest.size();
    }
    return false;
}

} // namespace

char const* home_variable(unsigned uid) {
    constexpr auto* unknown = "HOME=/";
    int const file = ::open("/etc/passwd", O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0)
        return unknown;
    char buffer[longest_line];
    std::string_view home;
    struct stat status {};
    bool const found = ::fstat(file, &status) == 0 && S_ISREG(status.st_mode) && find_home(file, uid, buffer, home);
    (void)::close(file);
    if (!found)
        return unknown;
    constexpr std::string_view name = "HOME=";
    auto* const variable = static_cast<char*>(allocate(name.size() + home.size() + 1)); // zeros: the NUL is there
    std::memcpy(variable, name.data(), name.size());
    std::memcpy(variable + name.size(), home.data(), home.size());
    return variable;
}

} // namespace oci::finisher
