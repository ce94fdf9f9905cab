// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

namespace oci {

Error::Error(std::string text, int value)
    : message(std::move(text))
    , errno_value(value) {}
Error::Error(Error const& other) = default;
Error::Error(Error&& other) noexcept = default;
Error& Error::operator=(Error const& other) = default;
Error& Error::operator=(Error&& other) noexcept = default;
Error::~Error() = default;

Failure make_failure(std::initializer_list<Part> parts) {
    return Failure(Error(join_parts(parts)));
}

Failure make_failure(int errno_value, std::initializer_list<Part> parts) {
    return Failure(Error(concat(join_parts(parts), ": ", errno_text(errno_value)), errno_value));
}

void put_before(Error& error, std::initializer_list<Part> parts) {
    error.message = concat(join_parts(parts), ": ", error.message);
}

} // namespace oci
