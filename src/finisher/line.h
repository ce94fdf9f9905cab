// SPDX-License-Identifier: Apache-2.0
// A line of text of limited length on the stack: messages and paths are built without memory allocation.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstring>
#include <string_view>

namespace oci::finisher {

class Line {
public:
    template <typename... Parts>
    explicit Line(Parts const&... parts) { // NOLINT(cppcoreguidelines-pro-type-member-init): bytes_
        (append(parts), ...);
    }

    void append(std::string_view part) {
        std::size_t const space = capacity - length_;
        whole_ = whole_ && part.size() <= space;
        std::size_t const taken = part.size() < space ? part.size() : space;
        std::memcpy(bytes_ + length_, part.data(), taken);
        length_ += taken;
        bytes_[length_] = '\0';
    }
    void append(char const* part) { append(std::string_view(part)); }
    template <std::integral Number>
    void append(Number number) {
        if constexpr (std::signed_integral<Number>) {
            if (number < 0)
                append("-");
            append_digits(number < 0 ? 0 - static_cast<unsigned long long>(number)
                                     : static_cast<unsigned long long>(number));
        } else {
            append_digits(number);
        }
    }

    std::string_view view() const { return {bytes_, length_}; }
    char const* c_str() const { return bytes_; }
    /// Whether everything fitted.
    bool whole() const { return whole_; }

private:
    /// As long as the longest path that the kernel takes, without the NUL.
    static constexpr std::size_t capacity = 4095;

    void append_digits(unsigned long long number) {
        char digits[20];
        std::size_t first = sizeof digits;
        do {
            digits[--first] = static_cast<char>('0' + number % 10);
            number /= 10;
        } while (number != 0);
        append(std::string_view(digits + first, sizeof digits - first));
    }

    char bytes_[capacity + 1]; // not initialised as a whole: it is large, and `length_` tells what counts
    std::size_t length_ = 0;
    bool whole_ = true;
};

} // namespace oci::finisher
