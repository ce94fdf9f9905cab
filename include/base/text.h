// SPDX-License-Identifier: Apache-2.0
// Small text tools: joining, splitting, numbers, quoting. No locale, no exceptions.
#pragma once

#include <charconv>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oci {

/// A text, character or integer (decimal) to be joined; it does not outlive what it is made of.
class Part {
public:
    template <std::convertible_to<std::string_view> Text>
    Part(Text const& text)
        : kind_(Kind::text)
        , text_(text) {}
    Part(char character)
        : kind_(Kind::character)
        , number_(static_cast<unsigned char>(character)) {}
    template <std::integral Number>
    requires(!std::same_as<Number, char> && !std::same_as<Number, bool>) Part(Number number)
        : kind_(number < 0 ? Kind::negative : Kind::natural)
        , number_(static_cast<std::uint64_t>(number)) {}

    void append_to(std::string& out) const;

private:
    enum class Kind { text, character, natural, negative } kind_;
    std::string_view text_;
    std::uint64_t number_ = 0;
};

/// What concat() does, with one piece of code for all kinds of parts.
std::string join_parts(std::initializer_list<Part> parts);

/// The parts, texts and integers (decimal), one after the other.
template <typename... Parts>
std::string concat(Parts const&... parts) {
    return join_parts({Part(parts)...});
}

/// The kernel's text for an errno value with a lower-case first letter, as engines match it ("permission denied").
std::string errno_text(int errno_value);

/// The whole of `text` as a decimal number; nothing else around it, no sign unless Number is signed, no overflow.
template <std::integral Number>
std::optional<Number> parse_number(std::string_view text, int base = 10) {
    Number value{};
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc{} || end != text.data() + text.size() || text.empty())
        return std::nullopt;
    return value;
}

/// "0-3,7" as the bytes of a bit mask, the lowest first (cpuset(7), List Format, without strides). nullopt for what is
/// no such list.
std::optional<std::vector<std::uint8_t>> parse_bit_list(std::string_view list);

/// A span of time as Go writes it: "1m30s", "1.5h", "-500ms"; units are ns, us, ms, s, m, h. No blanks; nullopt for
/// what is none or does not fit (292 years).
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);

/// "12", "1.5", ".5": digits with at most one point among them, nothing else.
std::optional<double> parse_decimal(std::string_view text);

/// A moment (seconds and nanoseconds since 1970) in RFC 3339, UTC, as Go prints it: trailing zeros are left out.
std::string rfc3339_nano(std::int64_t seconds, long nanoseconds);

/// "ab,,c" split at ',' is {"ab", "", "c"}; "" is {""}.
std::vector<std::string_view> split(std::string_view text, char separator);
std::string join(std::vector<std::string> const& parts, std::string_view separator);
/// Without blanks and line ends at both ends.
std::string_view trim(std::string_view text);
/// 0755 as "0755".
std::string octal(unsigned value);
/// A JSON string with its quotes; invalid UTF-8 is replaced, so the result is always valid JSON.
std::string json_string(std::string_view text);
/// For logs and terminals: control characters (also DEL, and in UTF-8 those from U+0080 to U+009F) as \xNN, so that a
/// container cannot drive the user's terminal.
std::string printable(std::string_view text);

/// The absolute, lexically cleaned form of a path: "." and empty parts dropped, ".." resolved, never above "/".
std::string clean_path(std::string_view path);
/// `path` if it is absolute, else below `base`; cleaned.
std::string absolute_path(std::string_view base, std::string_view path);
/// The part after the last '/' ("/a/b" and "/a/b/" give "b"); the part before it ("/a"), "/" for "/b".
std::string_view base_name(std::string_view path);
std::string_view parent_path(std::string_view path);
/// Whether an absolute path names something in `folder` or deeper, by its words alone. "": nothing is below it.
bool is_below(std::string_view path, std::string_view folder);

} // namespace oci
