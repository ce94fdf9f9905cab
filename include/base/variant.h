// SPDX-License-Identifier: Apache-2.0
// std::visit with lambdas.
#pragma once

#include <variant>

namespace oci {

template <typename... Callables>
struct Overloaded : Callables... {
    using Callables::operator()...;
};
template <typename... Callables>
Overloaded(Callables...) -> Overloaded<Callables...>;

} // namespace oci
