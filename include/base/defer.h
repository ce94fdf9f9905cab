// SPDX-License-Identifier: Apache-2.0
// Runs a piece of code when the scope ends.
#pragma once

#include <utility>

namespace oci {

template <typename Callable>
class [[nodiscard]] Defer {
public:
    explicit Defer(Callable callable)
        : callable_(std::move(callable)) {}
    ~Defer() { callable_(); }
    Defer(Defer const&) = delete;
    Defer& operator=(Defer const&) = delete;

private:
    Callable callable_;
};

} // namespace oci
