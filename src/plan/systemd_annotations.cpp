// SPDX-License-Identifier: Apache-2.0
// Annotations org.systemd.property.NAME: which ones, and their values (GVariant text format, a small part of it).
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <type_traits>

#include "plan/systemd.h"
#include "spec/names.h"

namespace oci::plan {

namespace {

/// Names, and with '*' beginnings of names, of properties that concern the unit alone. Annotations often come from
/// people who may choose less than the whole config.json.
constexpr auto harmless = std::to_array<std::string_view>({
    "After",
    "Before",
    "CollectMode",
    "DefaultDependencies",
    "Description",
    "Documentation",
    "KillMode",
    "KillSignal",
    "FinalKillSignal",
    "RestartKillSignal",
    "SendSIGHUP",
    "SendSIGKILL",
    "OOMPolicy",
    "TimeoutStopUSec",
    "RuntimeMaxUSec",
    "RuntimeRandomizedExtraUSec",
    "JobTimeoutUSec",
    "JobRunningTimeoutUSec",
    "AllowedCPUs",
    "AllowedMemoryNodes",
    "CPU*",
    "IO*",
    "IP*",
    "ManagedOOM*",
    "Memory*",
    "Startup*",
    "Tasks*",
});

bool is_harmless(std::string_view name) {
    return std::ranges::any_of(harmless, [&](std::string_view known) {
        return known.ends_with('*') ? name.starts_with(known.substr(0, known.size() - 1)) : name == known;
    });
}

class ValueParser {
public:
    explicit ValueParser(std::string_view text)
        : text_(text) {}

    Result<BusValue> parse() {
        auto value = TRY(parse_any());
        skip_blanks();
        if (!text_.empty())
            return fail("has more after the value: ", json_string(text_));
        return value;
    }

private:
    void skip_blanks() { text_ = trim(text_); }
    bool accept(std::string_view token) {
        skip_blanks();
        if (!text_.starts_with(token))
            return false;
        text_.remove_prefix(token.size());
        return true;
    }
    std::string_view word() {
        skip_blanks();
        auto const end = std::min(text_.find_first_of(" \t\n,]'\"["), text_.size());
        auto const taken = text_.substr(0, end);
        text_.remove_prefix(end);
        return taken;
    }

    Result<BusValue> parse_any() {
        skip_blanks();
        if (text_.starts_with('\'') || text_.starts_with('"'))
            return BusValue(TRY(parse_text()));
        if (accept("["))
            return BusValue(TRY(parse_texts()));
        auto const first = word();
        if (first == "true" || first == "false")
            return BusValue(first == "true");
        for (auto const& [names, number] : typed_numbers)
            if (first == names.first || first == names.second)
                return number(word());
        if (first == "@as" && accept("["))
            return BusValue(TRY(parse_texts()));
        if (first.find('.') != std::string_view::npos)
            return floating(first);
        return number_of<std::int32_t>(first); // GVariant's type for a number without one
    }

    Result<std::string> parse_text() {
        char const quote = text_.front();
        std::string out;
        for (std::size_t i = 1; i < text_.size() && text_[i] != '\0'; ++i) {
            if (text_[i] == quote) {
                text_.remove_prefix(i + 1);
                return out;
            }
            if (text_[i] == '\\' &&
                (++i == text_.size() || std::string_view("\\'\"").find(text_[i]) == std::string::npos))
                return fail("has an unknown escape in a text");
            out += text_[i];
        }
        return fail("has a text without end");
    }

    Result<std::vector<std::string>> parse_texts() {
        std::vector<std::string> texts;
        if (accept("]"))
            return texts;
        do {
            skip_blanks();
            if (!text_.starts_with('\'') && !text_.starts_with('"'))
                return fail("has a list of something else than texts");
            texts.push_back(TRY(parse_text()));
        } while (accept(","));
        if (!accept("]"))
            return fail("has a list without end");
        return texts;
    }

    template <typename Number>
    static Result<BusValue> number_of(std::string_view text) {
        bool const hexadecimal = text.starts_with("0x");
        auto const number = parse_number<Number>(text.substr(hexadecimal ? 2 : 0), hexadecimal ? 16 : 10);
        if (!number)
            return fail("has a value of no known form: ", json_string(text));
        return BusValue(*number);
    }
    static Result<BusValue> floating(std::string_view text) {
        std::string const copy(text); // as GVariant's texts, by strtod(3)
        char* end = nullptr;
        double const number = std::strtod(copy.c_str(), &end);
        if (copy.find_first_not_of("0123456789.+-eE") != std::string::npos || copy.empty() ||
            end != copy.c_str() + copy.size() || !std::isfinite(number))
            return fail("has a value of no known form: ", json_string(text));
        return BusValue(number);
    }

    struct TypedNumber {
        std::pair<std::string_view, std::string_view> names;
        Result<BusValue> (*parse)(std::string_view);
    };
    static constexpr auto typed_numbers = std::to_array<TypedNumber>({
        {{"int32", "@i"}, number_of<std::int32_t>},
        {{"uint32", "@u"}, number_of<std::uint32_t>},
        {{"int64", "@x"}, number_of<std::int64_t>},
        {{"uint64", "@t"}, number_of<std::uint64_t>},
        {{"double", "@d"}, floating},
    });

    std::string_view text_;
};

/// Names are documented in seconds ("TimeoutStopSec"), on the bus they are in microseconds.
Result<BusValue> microseconds(BusValue const& value) {
    constexpr double most = 0x1p44; // beyond any calendar, and its microseconds still fit
    return std::visit(
        []<typename Value>(Value const& number) -> Result<BusValue> {
            if constexpr (std::is_arithmetic_v<Value> && !std::is_same_v<Value, bool>)
                if (number >= 0 && static_cast<double>(number) < most)
                    return BusValue(static_cast<std::uint64_t>(static_cast<double>(number) * 1e6));
            return fail("must be a number of seconds");
        },
        value);
}

} // namespace

Result<BusValue> parse_property_value(std::string_view text) {
    return ValueParser(text).parse();
}

Result<std::vector<BusProperty>> annotated_properties(std::map<std::string, std::string> const& annotations) {
    std::vector<BusProperty> properties;
    for (auto const& [key, text] : annotations) {
        if (!key.starts_with(spec::systemd_annotations))
            continue;
        auto const context = concat("/annotations/", key);
        auto name = key.substr(spec::systemd_annotations.size());
        auto value = TRY(in_context(parse_property_value(text), context));
        if (name.ends_with("Sec") && !name.ends_with("USec")) {
            name.insert(name.size() - 3, "U");
            value = TRY(in_context(microseconds(value), context));
        }
        if (!is_harmless(name))
            return fail(context, ": is not among the properties that an annotation may set");
        properties.push_back({std::move(name), std::move(value)});
    }
    return properties;
}

} // namespace oci::plan
