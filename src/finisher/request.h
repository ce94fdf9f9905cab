// SPDX-License-Identifier: Apache-2.0
// Reads the request of finisher/protocol.h: every number that says where or how many is checked, whoever wrote it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "finisher/protocol.h"

namespace oci::finisher {

/// The arguments of one record, read one after the other. What is not there ends the program (refuse).
class Arguments {
public:
    Arguments() = default;
    Arguments(std::string_view request, std::span<std::uint64_t const> words)
        : request_(request)
        , words_(words) {}

    std::uint64_t number();
    std::uint32_t number32();
    bool flag() { return number() != 0; }
    /// A string without NUL inside; a NUL follows it.
    std::string_view text();
    char const* c_string() { return text().data(); }
    /// Length of the list that follows, of elements of at least `words_each` words.
    std::size_t count(std::size_t words_each = 1);
    /// The next `count` words as they are.
    std::span<std::uint64_t const> words(std::size_t count);

private:
    std::string_view request_;
    std::span<std::uint64_t const> words_;
};

struct Task {
    RecordKind kind;
    std::string_view description;
    Arguments arguments;
};

/// Maps the sealed memory `descriptor`, for ever.
std::string_view map_request(int descriptor);

/// The whole request, checked as far as it can be without knowing the kinds.
class Request {
public:
    /// `bytes`: aligned for 64-bit words, and whole as long as the request is used.
    explicit Request(std::string_view bytes);

    /// The first record's position; `next` reads the record there and moves on.
    std::size_t begin() const { return sizeof(RequestHeader); }
    Task next(std::size_t& position) const;
    std::uint32_t records() const { return header_.records; }
    /// The arguments of the only record of `kind`, if there is one (of several, the first).
    bool find(RecordKind kind, Arguments& arguments) const;

private:
    void check_order() const;

    std::string_view bytes_;
    RequestHeader header_{};
};

} // namespace oci::finisher
