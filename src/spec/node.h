// SPDX-License-Identifier: Apache-2.0
// A value of the configuration together with its place in it, so that its reader can also say what is wrong there.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/constants.h"
#include "base/text.h"
#include "spec/parse.h"

namespace oci::spec {

/// Where problems and warnings are collected while a document is read.
struct Findings {
    std::vector<Problem>& problems;
    std::vector<Problem>& warnings;
};

/// Null counts as absent: that is how some engines write an unset field. The readers return "nothing" of their type for
/// an absent value without a word, and for a wrong one after adding the problem; so a reader's result needs no further
/// check.
class Node {
public:
    Node(nlohmann::json const* value, std::string pointer, std::string_view section, Findings& findings);

    Node operator[](std::string_view name) const; ///< a member, absent if there is none
    Node element(std::size_t index) const;        ///< of an array that has it
    /// The same value; its problems and those below it cite this section of the specification (a literal).
    Node in(std::string_view section) const;
    bool present() const;
    bool empty() const; ///< it says nothing: absent, false, 0, "", [] or {}
    /// The same value; absent, "" and [] are a problem.
    Node const& required() const;

    bool is_object() const; ///< anything else but absent is a problem
    bool flag() const;
    std::string text() const;
    std::optional<std::string> optional_text() const;
    std::string absolute_path() const; ///< "" passes
    std::string one_of(std::span<std::string_view const> known, std::string_view kind) const;
    std::optional<std::uint64_t> constant(std::span<Constant const> known, std::string_view kind) const;
    std::uint64_t flags(std::span<Constant const> known, std::string_view kind) const; ///< of an array of names
    template <std::integral Number>
    std::optional<Number> number(Number minimum = std::numeric_limits<Number>::min(),
                                 Number maximum = std::numeric_limits<Number>::max()) const;

    std::vector<Node> elements() const; ///< of an array, without null
    std::vector<Node> objects() const;  ///< of an array of objects
    std::vector<std::string> texts() const;
    std::vector<std::string> absolute_paths() const;
    std::vector<std::pair<std::string, Node>> members() const;

    /// A known field that cannot be honoured: a problem if it says something.
    void refuse_unless_empty(std::string_view rule) const;

    template <typename... Parts>
    void problem(Parts const&... rule) const {
        add(findings_->problems, concat(rule...));
    }
    template <typename... Parts>
    void warning(Parts const&... rule) const {
        add(findings_->warnings, concat(rule...));
    }

private:
    void add(std::vector<Problem>& list, std::string rule) const;
    void wrong_type(std::string_view wanted) const;
    /// The bits of an integer between the two, of which the minimum may be negative.
    std::optional<std::uint64_t> integer(std::int64_t minimum, std::uint64_t maximum) const;

    nlohmann::json const* value_; ///< nullptr: absent
    std::string pointer_;
    std::string_view section_;
    Findings* findings_;
};

template <std::integral Number>
std::optional<Number> Node::number(Number minimum, Number maximum) const {
    auto const bits = integer(static_cast<std::int64_t>(minimum), static_cast<std::uint64_t>(maximum));
    return bits ? std::optional(static_cast<Number>(*bits)) : std::nullopt;
}

/// For messages: in quotes, cut if it is long.
std::string in_quotes(std::string_view text);

} // namespace oci::spec
