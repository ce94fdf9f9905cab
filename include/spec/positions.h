// SPDX-License-Identifier: Apache-2.0
// Where in the text of config.json a value stands: for people who have to correct it. Pure.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace oci::spec {

/// Both from 1; a column is a byte.
struct Position {
    std::size_t line = 1;
    std::size_t column = 1;
    bool operator==(Position const&) const = default;
};

/// The beginnings of all values of a JSON text, as far as it can be read.
class Positions {
public:
    explicit Positions(std::string_view json); ///< must outlive this

    /// Of the value at a JSON pointer; of a missing one the object that it belongs into.
    Position find(std::string_view pointer) const;

private:
    std::string_view json_;
    std::map<std::string, std::size_t, std::less<>> offsets_; ///< by JSON pointer
};

} // namespace oci::spec
