// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace oci {

void Part::append_to(std::string& out) const {
    switch (kind_) {
    case Kind::text:
        out += text_;
        return;
    case Kind::character:
        out += static_cast<char>(number_);
        return;
    case Kind::natural:
        out += std::to_string(number_);
        return;
    case Kind::negative:
        out += std::to_string(static_cast<std::int64_t>(number_));
        return;
    }
}

std::string join_parts(std::initializer_list<Part> parts) {
    std::string out;
    for (auto const& part : parts)
        part.append_to(out);
    return out;
}

std::string errno_text(int errno_value) {
    char const* text = strerrordesc_np(errno_value);
    if (text == nullptr)
        return concat("error ", errno_value);
    std::string result(text);
    if (result[0] >= 'A' && result[0] <= 'Z')
        result[0] = static_cast<char>(result[0] - 'A' + 'a');
    return result;
}

namespace {

/// In decimal, with leading zeros.
std::string digits(std::int64_t number, std::size_t width) {
    auto text = std::to_string(number);
    return text.size() < width ? text.insert(0, width - text.size(), '0') : text;
}

} // namespace

// Not by gmtime(3), which reads the time zone's file.
std::string rfc3339_nano(std::int64_t seconds, long nanoseconds) {
    std::chrono::sys_seconds const time{std::chrono::seconds(seconds)};
    auto const day = std::chrono::floor<std::chrono::days>(time);
    std::chrono::year_month_day const date(day);
    std::chrono::hh_mm_ss const clock(time - day);
    auto out = concat(digits(static_cast<int>(date.year()), 4), "-", digits(static_cast<unsigned>(date.month()), 2),
                      "-", digits(static_cast<unsigned>(date.day()), 2), "T", digits(clock.hours().count(), 2), ":",
                      digits(clock.minutes().count(), 2), ":", digits(clock.seconds().count(), 2));
    if (nanoseconds != 0) {
        out += concat(".", digits(nanoseconds, 9));
        out.resize(out.find_last_not_of('0') + 1);
    }
    return out + "Z";
}

namespace {

struct Unit {
    std::string_view name;
    double nanoseconds;
};

/// The unit at the beginning of `text`, which ends before the next number.
std::optional<Unit> duration_unit(std::string_view text) {
    constexpr Unit units[] = {{"ns", 1},   {"us", 1e3}, {"\u00b5s", 1e3}, {"\u03bcs", 1e3},
                              {"ms", 1e6}, {"s", 1e9},  {"m", 60e9},      {"h", 3600e9}};
    auto const name = text.substr(0, text.find_first_of("0123456789."));
    for (auto const& unit : units)
        if (unit.name == name)
            return unit;
    return std::nullopt;
}

} // namespace

std::optional<std::vector<std::uint8_t>> parse_bit_list(std::string_view list) {
    constexpr unsigned highest = 65535; // far above what any kernel is built for (NR_CPUS, MAX_NUMNODES)
    constexpr unsigned bits = 8;
    std::vector<std::uint8_t> mask;
    for (auto const part : split(list, ',')) {
        auto const dash = part.find('-');
        auto const first = parse_number<unsigned>(trim(part.substr(0, dash)));
        auto const last = dash == std::string_view::npos ? first : parse_number<unsigned>(trim(part.substr(dash + 1)));
        if (!first || !last || *last < *first || *last > highest)
            return std::nullopt;
        mask.resize(std::max<std::size_t>(mask.size(), *last / bits + 1));
        for (auto number = *first; number <= *last; ++number)
            mask[number / bits] = static_cast<std::uint8_t>(mask[number / bits] | 1U << number % bits);
    }
    return mask;
}

// Not by from_chars(), which brings what locales need: this program stays in the one that it starts in, "C".
std::optional<double> parse_decimal(std::string_view text) {
    if (text.find_first_not_of("0123456789.") != std::string_view::npos ||
        text.find_first_not_of('.') == std::string_view::npos || std::ranges::count(text, '.') > 1)
        return std::nullopt;
    return std::strtod(std::string(text).c_str(), nullptr);
}

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
    constexpr double most = 9.2e18; // below the largest std::int64_t
    bool const negative = text.starts_with('-');
    if (negative || text.starts_with('+'))
        text.remove_prefix(1);
    if (text == "0")
        return std::chrono::nanoseconds(0);
    double sum = 0;
    do {
        auto const digits = std::min(text.find_first_not_of("0123456789."), text.size());
        auto const value = parse_decimal(text.substr(0, digits));
        if (!value)
            return std::nullopt;
        text.remove_prefix(digits);
        auto const unit = duration_unit(text);
        if (!unit)
            return std::nullopt;
        text.remove_prefix(unit->name.size());
        sum += *value * unit->nanoseconds;
    } while (!text.empty());
    if (sum > most)
        return std::nullopt;
    return std::chrono::nanoseconds(static_cast<std::int64_t>(negative ? -sum : sum));
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    while (true) {
        auto const end = text.find(separator);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos)
            return parts;
        text.remove_prefix(end + 1);
    }
}

std::string join(std::vector<std::string> const& parts, std::string_view separator) {
    std::string out;
    for (auto const& part : parts) {
        if (&part != &parts.front())
            out += separator;
        out += part;
    }
    return out;
}

std::string_view trim(std::string_view text) {
    constexpr std::string_view blanks = " \t\r\n";
    auto const first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::string octal(unsigned value) {
    std::string digits;
    do {
        digits.insert(digits.begin(), static_cast<char>('0' + value % 8));
        value /= 8;
    } while (value != 0);
    return digits.starts_with('0') ? digits : "0" + digits;
}

namespace {

char hex_digit(unsigned value) {
    return "0123456789abcdef"[value & 15U];
}

/// The length of the valid UTF-8 sequence at the start of `text`, or 0 (RFC 3629: no overlong forms, no surrogates).
std::size_t utf8_length(std::string_view text) {
    auto const byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    unsigned const first = byte(0);
    if (first < 0x80)
        return 1;
    std::size_t const length = first >= 0xf0 && first <= 0xf4  ? 4
                               : first >= 0xe0 && first < 0xf0 ? 3
                               : first >= 0xc2 && first < 0xe0 ? 2
                                                               : 0;
    if (length == 0 || text.size() < length)
        return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xc0U) != 0x80)
            return 0;
    unsigned const second = byte(1);
    bool const overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    bool const outside = (first == 0xed && second > 0x9f) || (first == 0xf4 && second > 0x8f);
    return overlong || outside ? 0 : length;
}

} // namespace

std::string json_string(std::string_view text) {
    std::string out = "\"";
    while (!text.empty()) {
        auto const byte = static_cast<unsigned char>(text[0]);
        auto const length = utf8_length(text);
        if (length == 0)
            out += "\xef\xbf\xbd";
        else if (byte == '"' || byte == '\\')
            (out += '\\') += static_cast<char>(byte);
        else if (byte == '\n')
            out += "\\n";
        else if (byte == '\t')
            out += "\\t";
        else if (byte < 0x20 || byte == 0x7f)
            (out += concat("\\u00", hex_digit(byte >> 4U))) += hex_digit(byte);
        else
            out += text.substr(0, length);
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return out += '"';
}

std::string printable(std::string_view text) {
    constexpr unsigned char c1_lead = 0xc2; // of U+0080 to U+009F in UTF-8; U+009B begins the terminals' sequences
    std::string out;
    unsigned char last = 0;
    for (char const c : text) {
        auto const byte = static_cast<unsigned char>(c);
        bool const ends_c1 = last == c1_lead && byte >= 0x80 && byte < 0xa0;
        if (byte < 0x20 || byte == 0x7f || ends_c1)
            (out += concat("\\x", hex_digit(byte >> 4U))) += hex_digit(byte);
        else
            out += c;
        last = byte;
    }
    return out;
}

std::string clean_path(std::string_view path) {
    std::vector<std::string_view> kept;
    for (auto const part : split(path, '/')) {
        if (part.empty() || part == ".")
            continue;
        if (part != "..")
            kept.push_back(part);
        else if (!kept.empty())
            kept.pop_back();
    }
    std::string out;
    for (auto const part : kept)
        (out += '/') += part;
    return out.empty() ? "/" : out;
}

std::string absolute_path(std::string_view base, std::string_view path) {
    return path.starts_with('/') ? clean_path(path) : clean_path(concat(base, "/", path));
}

std::string_view base_name(std::string_view path) {
    while (path.ends_with('/'))
        path.remove_suffix(1);
    return path.substr(path.rfind('/') + 1);
}

bool is_below(std::string_view path, std::string_view folder) {
    if (folder.empty() || path.size() <= folder.size() || !path.starts_with(folder))
        return false;
    return folder == "/" || path[folder.size()] == '/';
}

std::string_view parent_path(std::string_view path) {
    while (path.ends_with('/'))
        path.remove_suffix(1);
    auto const slash = path.rfind('/');
    if (slash == std::string_view::npos)
        return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

} // namespace oci
