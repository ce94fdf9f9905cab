// SPDX-License-Identifier: Apache-2.0
// /etc/passwd of an image, which the finisher reads for HOME: against a reader without limits and buffers. There is no
// reader of /etc/group: names of users and groups are refused.
#include <sys/mman.h>
#include <unistd.h>

#include "finisher/home.cpp" // its reader is private to it
#include "fuzz.h"

namespace oci::finisher {

void send_failure(int /*errno_value*/, std::string_view /*text*/) {
    std::abort();
}

} // namespace oci::finisher

namespace {

using namespace oci;

std::string expected_home(std::string_view file, unsigned uid) {
    for (auto const line : split(file, '\n')) {
        auto const fields = split(line, ':');
        if (line.size() >= finisher::longest_line || fields.size() < 6)
            continue;
        bool const usable = fields[5].starts_with('/') && fields[5].find('\0') == std::string_view::npos;
        auto const digits = fields[2].substr(std::min(fields[2].find_first_not_of('0'), fields[2].size()));
        if (usable && !fields[2].empty() && (digits.empty() ? "0" : digits) == std::to_string(uid))
            return std::string(fields[5]);
    }
    return "";
}

} // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    static int const file = ::memfd_create("passwd", MFD_CLOEXEC);
    auto const text = fuzz::as_text(data, size);
    if (text.size() >= finisher::largest_file)
        return 0;
    for (unsigned const uid : {0U, 1000U, 4294967294U}) {
        fuzz::expect(::ftruncate(file, 0) == 0 && ::pwrite(file, data, size, 0) == static_cast<ssize_t>(size) &&
                         ::lseek(file, 0, SEEK_SET) == 0,
                     "a file in memory can be written");
        char buffer[finisher::longest_line];
        std::string_view home;
        bool const found = finisher::find_home(file, uid, buffer, home);
        fuzz::expect((found ? std::string(home) : "") == expected_home(text, uid), "both find the same home");
    }
    return 0;
}
