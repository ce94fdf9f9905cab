// SPDX-License-Identifier: Apache-2.0
#include "spec/positions.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/text.h"
#include "document.h"

namespace oci::spec {

namespace {

using nlohmann::json;

/// Tells how far the JSON library has read, which it does not (before 3.12).
class CountingIterator {
public:
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = char const*;
    using reference = char const&;

    CountingIterator(char const* at, std::size_t* count)
        : at_(at)
        , count_(count) {}
    char const& operator*() const { return *at_; }
    CountingIterator& operator++() {
        ++at_;
        ++*count_;
        return *this;
    }
    bool operator==(CountingIterator const& other) const { return at_ == other.at_; }
    bool operator!=(CountingIterator const& other) const { return at_ != other.at_; }

private:
    char const* at_;
    std::size_t* count_;
};

/// Gets each token when it has been read. Between the one before and its own beginning are only blanks and separators.
class Collector final : public nlohmann::json_sax<json> {
public:
    Collector(std::string_view text, std::map<std::string, std::size_t, std::less<>>& offsets)
        : text_(text)
        , offsets_(offsets) {}

    std::size_t* count() { return &read_; }

    bool null() override { return value(); }
    bool boolean(bool /*value*/) override { return value(); }
    bool number_integer(std::int64_t /*value*/) override { return value(); }
    bool number_unsigned(std::uint64_t /*value*/) override { return value(); }
    bool number_float(double /*value*/, std::string const& /*text*/) override { return value(); }
    bool string(std::string& /*value*/) override { return value(); }
    bool binary(json::binary_t& /*value*/) override { return false; }
    bool start_object(std::size_t /*elements*/) override { return open(false); }
    bool start_array(std::size_t /*elements*/) override { return open(true); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }
    bool key(std::string& name) override {
        open_.back().token = pointer_token(name);
        before_ = read_;
        return true;
    }
    bool parse_error(std::size_t /*position*/, std::string const& /*token*/,
                     json::exception const& /*error*/) override {
        return false;
    }

private:
    struct Container {
        bool is_array;
        std::string token;    ///< of an object: the member that is being read
        std::size_t next = 0; ///< of an array: the index of the next element
    };

    bool value() {
        if (!open_.empty() && open_.back().is_array)
            open_.back().token = std::to_string(open_.back().next++);
        std::string pointer;
        for (auto const& container : open_)
            pointer += concat("/", container.token);
        // The last one counts: a member that is given twice is wrong at its second place.
        offsets_[std::move(pointer)] = std::min(text_.find_first_not_of(" \t\r\n:,", before_), text_.size());
        before_ = read_;
        return true;
    }
    bool open(bool is_array) {
        if (open_.size() >= maximum_config_depth)
            return false;
        (void)value();
        open_.push_back({is_array, {}});
        return true;
    }
    bool close() {
        open_.pop_back();
        before_ = read_;
        return true;
    }

    std::string_view text_;
    std::map<std::string, std::size_t, std::less<>>& offsets_;
    std::vector<Container> open_;
    std::size_t read_ = 0;   ///< bytes, by the library
    std::size_t before_ = 0; ///< the same when the token before was complete
};

} // namespace

Positions::Positions(std::string_view json)
    : json_(json) {
    Collector collector(json, offsets_);
    try {
        (void)json::sax_parse(CountingIterator(json.data(), collector.count()),
                              CountingIterator(json.data() + json.size(), collector.count()), &collector);
    } catch (json::exception const&) {
        return; // what was found so far is as good as nothing more
    }
}

Position Positions::find(std::string_view pointer) const {
    auto found = offsets_.find(pointer);
    while (found == offsets_.end() && !pointer.empty()) {
        pointer = pointer.substr(0, pointer.rfind('/'));
        found = offsets_.find(pointer);
    }
    auto const before = json_.substr(0, found == offsets_.end() ? 0 : found->second);
    auto const lines = static_cast<std::size_t>(std::ranges::count(before, '\n'));
    auto const begin = before.rfind('\n');
    return {lines + 1, before.size() - (begin == std::string_view::npos ? 0 : begin + 1) + 1};
}

} // namespace oci::spec
