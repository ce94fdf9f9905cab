// SPDX-License-Identifier: Apache-2.0
#include "document.h"

#include <cstddef>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/text.h"

namespace oci::spec {

namespace {

using nlohmann::json;

Problem document_problem(std::string pointer, std::string rule) {
    return Problem{std::move(pointer), std::move(rule), "config.md#configuration"};
}

/// nlohmann's message without its own error number and without the text it stumbled over, which can be megabytes long.
std::string syntax_error(std::string_view message) {
    constexpr std::size_t longest = 200;
    if (message.starts_with('['))
        message.remove_prefix(std::min(message.find(']'), message.size() - 1) + 1);
    message = trim(message.substr(0, message.find("; last read")));
    return concat("is not valid JSON: ", message.substr(0, longest));
}

/// Builds the tree while the text is read. Returning false ends the reading, `problem` then says why.
class Builder final : public nlohmann::json_sax<json> {
public:
    explicit Builder(std::string_view list)
        : list_(list) {}

    json root = json::object();
    Problem problem;

    bool null() override { return add(nullptr); }
    bool boolean(bool value) override { return add(value); }
    bool number_integer(std::int64_t value) override { return add(value); }
    bool number_unsigned(std::uint64_t value) override { return add(value); }
    bool number_float(double value, std::string const& /*text*/) override { return add(value); }
    bool string(std::string& value) override { return add(std::move(value)); }
    bool binary(json::binary_t& /*value*/) override { return false; }
    bool start_object(std::size_t /*elements*/) override { return open(json::object()); }
    bool start_array(std::size_t /*elements*/) override { return open(json::array()); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }

    bool key(std::string& name) override {
        Container& container = open_.back();
        container.key = name;
        auto const [member, is_new] = container.value->emplace(std::move(name), nullptr);
        container.member = &*member;
        return is_new ? check_size() : stop(pointer(), "is given twice");
    }

    bool parse_error(std::size_t /*position*/, std::string const& /*token*/, json::exception const& error) override {
        return stop("", syntax_error(error.what()));
    }

private:
    /// An array or object whose end was not seen yet.
    struct Container {
        json* value;
        json* member = nullptr; ///< of an object: where the next value goes
        std::string key;        ///< of an object: the member's name
    };

    bool add(json value) { return place(std::move(value)) != nullptr; }

    bool open(json value) {
        if (open_.size() >= maximum_config_depth)
            return stop("", concat("must not be nested deeper than ", maximum_config_depth, " levels"));
        if (open_.empty() && value.is_array() && !list_.empty())
            open_.push_back(Container{&root, &root[list_], list_});
        json* const placed = place(std::move(value));
        if (placed != nullptr)
            open_.push_back(Container{placed, nullptr, {}});
        return placed != nullptr;
    }

    bool close() {
        open_.pop_back();
        return true;
    }

    /// Puts a value where it belongs; pointers into arrays stay good because an array grows only after its last element
    /// is closed. nullptr: a limit was reached.
    json* place(json value) {
        if (open_.empty())
            return &(root = std::move(value));
        Container& container = open_.back();
        if (container.value->is_object())
            return &(*container.member = std::move(value));
        container.value->push_back(std::move(value));
        return check_size() ? &container.value->back() : nullptr;
    }

    bool check_size() {
        if (open_.back().value->size() <= maximum_config_elements)
            return true;
        return stop(pointer(), concat("is one too many: the limit is ", maximum_config_elements));
    }

    bool stop(std::string pointer, std::string rule) {
        problem = document_problem(std::move(pointer), std::move(rule));
        return false;
    }

    /// Of the value that is being read.
    std::string pointer() const {
        std::string out;
        for (auto const& container : open_)
            out += concat("/", container.value->is_object() ? pointer_token(container.key)
                                                            : std::to_string(container.value->size() - 1));
        return out;
    }

    std::string list_;
    std::vector<Container> open_;
};

} // namespace

std::string pointer_token(std::string_view token) {
    std::string out;
    for (char const c : token) {
        if (c == '~')
            out += "~0";
        else if (c == '/')
            out += "~1";
        else
            out += c;
    }
    return out;
}

tl::expected<json, Problem> read_document(std::string_view text, std::string_view list) {
    auto const refuse = [](std::string rule) { return tl::unexpected(document_problem("", std::move(rule))); };
    if (text.size() > maximum_config_size)
        return refuse(concat("must not be larger than ", maximum_config_size, " bytes, is ", text.size()));
    // The JSON library takes a NUL byte for the end of the text and would accept whatever follows.
    if (text.find('\0') != std::string_view::npos)
        return refuse("must not contain NUL bytes");
    Builder builder(list);
    if (!json::sax_parse(text.begin(), text.end(), &builder))
        return tl::unexpected(std::move(builder.problem));
    if (!builder.root.is_object())
        return refuse("must be a JSON object");
    return std::move(builder.root);
}

} // namespace oci::spec
