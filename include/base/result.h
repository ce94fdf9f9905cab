// SPDX-License-Identifier: Apache-2.0
// How functions report failure: Result<T>, Error and the TRY macro.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <type_traits>
#include <utility>

#include "base/text.h"

namespace oci {

/// What went wrong, in words for the user, and the kernel's errno where the kernel said so (0: not from the kernel).
/// Its members are made in one place: every function with a TRY has code that moves and destroys one.
struct Error {
    std::string message;
    int errno_value = 0;

    Error(std::string message = {}, int errno_value = 0);
    Error(Error const& other);
    Error(Error&& other) noexcept;
    Error& operator=(Error const& other);
    Error& operator=(Error&& other) noexcept;
    ~Error();
    bool operator==(Error const&) const = default;
};

template <typename T>
using Result = tl::expected<T, Error>;
using Failure = tl::unexpected<Error>;

/// What fail(), fail_errno() and in_context() do, with one piece of code for all kinds of parts.
Failure make_failure(std::initializer_list<Part> parts);
Failure make_failure(int errno_value, std::initializer_list<Part> parts);
void put_before(Error& error, std::initializer_list<Part> parts);

/// A failure that did not come from the kernel.
template <typename... Parts>
Failure fail(Parts const&... parts) {
    return make_failure({Part(parts)...});
}

/// A failed system call: "<parts>: <kernel text, lower case>".
template <typename... Parts>
Failure fail_errno(int errno_value, Parts const&... parts) {
    return make_failure(errno_value, {Part(parts)...});
}

/// Puts "<parts>: " before the message of a failed result; a good result passes unchanged.
template <typename T, typename... Parts>
Result<T> in_context(Result<T> result, Parts const&... parts) {
    if (!result)
        put_before(result.error(), {Part(parts)...});
    return result;
}

/// What TRY evaluates to (tl::expected 1.0 has no value() for void).
template <typename T>
T take_value(Result<T>&& result) {
    if constexpr (!std::is_void_v<T>)
        return *std::move(result);
}
template <typename T>
T take_value(Result<T> const& result) {
    if constexpr (!std::is_void_v<T>)
        return *result;
}

} // namespace oci

#define OCI_CONCAT_(a, b) a##b
#define OCI_CONCAT(a, b) OCI_CONCAT_(a, b)
#define OCI_TRY(expression, name)                                                                                      \
    __extension__({                                                                                                    \
        auto&& name = (expression); /* NOLINT(bugprone-macro-parentheses) */                                           \
        if (!(name)) [[unlikely]]                                                                                      \
            return ::oci::Failure(std::move((name)).error());                                                          \
        ::oci::take_value(std::move((name)));                                                                          \
    })

/// The value of a Result, or return its error from the enclosing function. The one control-flow macro. Not between the
/// braces of an aggregate behind members that own something: when it returns, compilers forget to destroy those.
#define TRY(expression) OCI_TRY(expression, OCI_CONCAT(try_result_, __COUNTER__))
