// SPDX-License-Identifier: Apache-2.0
#include "node.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "document.h"

namespace oci::spec {

namespace {

using nlohmann::json;

std::string_view type_name(json const& value) {
    switch (value.type()) {
    case json::value_t::null:
        return "null";
    case json::value_t::object:
        return "an object";
    case json::value_t::array:
        return "an array";
    case json::value_t::string:
        return "a string";
    case json::value_t::boolean:
        return "a boolean";
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
    case json::value_t::number_float:
        return "a number";
    case json::value_t::binary:
    case json::value_t::discarded:
        break;
    }
    return "no JSON value";
}

} // namespace

Node::Node(json const* value, std::string pointer, std::string_view section, Findings& findings)
    : value_(value != nullptr && value->is_null() ? nullptr : value)
    , pointer_(std::move(pointer))
    , section_(section)
    , findings_(&findings) {}

Node Node::operator[](std::string_view name) const {
    json const* member = nullptr;
    if (value_ != nullptr && value_->is_object())
        if (auto const found = value_->find(name); found != value_->end())
            member = &*found;
    return Node(member, concat(pointer_, "/", pointer_token(name)), section_, *findings_);
}

Node Node::element(std::size_t index) const {
    return Node(&(*value_)[index], concat(pointer_, "/", index), section_, *findings_);
}

Node Node::in(std::string_view section) const {
    return Node(value_, pointer_, section, *findings_);
}

bool Node::present() const {
    return value_ != nullptr;
}

bool Node::empty() const {
    if (value_ == nullptr)
        return true;
    if (value_->is_string())
        return value_->get_ref<std::string const&>().empty();
    if (value_->is_boolean())
        return !value_->get<bool>();
    if (value_->is_number())
        return *value_ == 0;
    return value_->empty();
}

Node const& Node::required() const {
    if (value_ == nullptr)
        problem("is required");
    else if ((value_->is_string() || value_->is_array()) && empty())
        problem("must not be empty");
    return *this;
}

bool Node::is_object() const {
    if (value_ != nullptr && !value_->is_object())
        wrong_type("an object");
    return value_ != nullptr && value_->is_object();
}

bool Node::flag() const {
    if (value_ != nullptr && !value_->is_boolean())
        wrong_type("a boolean");
    return value_ != nullptr && value_->is_boolean() && value_->get<bool>();
}

std::string Node::text() const {
    return optional_text().value_or("");
}

std::optional<std::string> Node::optional_text() const {
    if (value_ == nullptr)
        return std::nullopt;
    auto const* const text = value_->get_ptr<std::string const*>();
    if (text == nullptr) {
        wrong_type("a string");
        return std::nullopt;
    }
    // The kernel would see only what is before it: the value checked would not be the value used.
    if (text->find('\0') != std::string::npos) {
        problem("must not contain a NUL character");
        return std::nullopt;
    }
    return *text;
}

std::string Node::absolute_path() const {
    std::string path = text();
    if (!path.empty() && path[0] != '/')
        problem("must be an absolute path, is ", in_quotes(path));
    return path;
}

std::string Node::one_of(std::span<std::string_view const> known, std::string_view kind) const {
    std::string name = text();
    if (name.empty() || std::find(known.begin(), known.end(), name) != known.end())
        return name;
    problem("must be a known ", kind, ", is ", in_quotes(name));
    return {};
}

std::optional<std::uint64_t> Node::constant(std::span<Constant const> known, std::string_view kind) const {
    std::string const name = text();
    if (name.empty())
        return std::nullopt;
    auto const value = constant_value(known, name);
    if (!value)
        problem("must be a known ", kind, ", is ", in_quotes(name));
    return value;
}

std::uint64_t Node::flags(std::span<Constant const> known, std::string_view kind) const {
    std::uint64_t set = 0;
    for (auto const& entry : elements())
        set |= entry.required().constant(known, kind).value_or(0);
    return set;
}

std::optional<std::uint64_t> Node::integer(std::int64_t minimum, std::uint64_t maximum) const {
    if (value_ == nullptr)
        return std::nullopt;
    if (value_->is_number_unsigned()) {
        auto const value = value_->get<std::uint64_t>();
        if (value <= maximum && (minimum <= 0 || value >= static_cast<std::uint64_t>(minimum)))
            return value;
    } else if (value_->is_number_integer()) { // negative: the others are unsigned
        auto const value = value_->get<std::int64_t>();
        if (value >= minimum)
            return static_cast<std::uint64_t>(value);
    }
    std::string const found = value_->is_number() ? value_->dump() : std::string(type_name(*value_));
    problem("must be an integer from ", minimum, " to ", maximum, ", is ", found);
    return std::nullopt;
}

std::vector<Node> Node::elements() const {
    std::vector<Node> nodes;
    if (value_ == nullptr)
        return nodes;
    if (!value_->is_array()) {
        wrong_type("an array");
        return nodes;
    }
    nodes.reserve(value_->size());
    for (std::size_t i = 0; i < value_->size(); ++i) {
        nodes.push_back(element(i));
        if (!nodes.back().present()) {
            nodes.back().problem("must not be null");
            nodes.pop_back();
        }
    }
    return nodes;
}

std::vector<Node> Node::objects() const {
    std::vector<Node> nodes = elements();
    std::erase_if(nodes, [](Node const& node) { return !node.is_object(); });
    return nodes;
}

std::vector<std::string> Node::texts() const {
    std::vector<std::string> texts;
    // Profiles of seccomp have hundreds, and an element as a node costs more than its text.
    auto const is_plain = [](json const& value) {
        auto const* const text = value.get_ptr<std::string const*>();
        return text != nullptr && text->find('\0') == std::string::npos;
    };
    if (value_ != nullptr && value_->is_array() && std::ranges::all_of(*value_, is_plain)) {
        for (auto const& value : *value_)
            texts.push_back(value.get_ref<std::string const&>());
        return texts;
    }
    for (auto const& node : elements())
        texts.push_back(node.text());
    return texts;
}

std::vector<std::string> Node::absolute_paths() const {
    std::vector<std::string> paths;
    for (auto const& node : elements())
        paths.push_back(node.required().absolute_path());
    return paths;
}

std::vector<std::pair<std::string, Node>> Node::members() const {
    std::vector<std::pair<std::string, Node>> nodes;
    if (!is_object())
        return nodes;
    for (auto const& [name, value] : value_->items()) {
        Node node(&value, concat(pointer_, "/", pointer_token(name)), section_, *findings_);
        if (name.find('\0') != std::string::npos)
            node.problem("must not have a NUL character in its name");
        else
            nodes.emplace_back(name, std::move(node));
    }
    return nodes;
}

void Node::refuse_unless_empty(std::string_view rule) const {
    if (!empty())
        problem(rule);
}

void Node::add(std::vector<Problem>& list, std::string rule) const {
    if (list.size() < maximum_problems)
        list.push_back({pointer_, std::move(rule), std::string(section_)});
}

void Node::wrong_type(std::string_view wanted) const {
    problem("must be ", wanted, ", is ", type_name(*value_));
}

std::string in_quotes(std::string_view text) {
    constexpr std::size_t longest = 80;
    return json_string(text.size() > longest ? concat(text.substr(0, longest), "...") : std::string(text));
}

} // namespace oci::spec
