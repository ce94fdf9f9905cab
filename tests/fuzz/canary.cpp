// SPDX-License-Identifier: Apache-2.0
// Shows that the fuzzers find something: each of these words is a fault of another kind, and run.sh expects all of them
// to be reported.
#include <limits>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace oci;
    auto const word = trim(fuzz::as_text(data, size));
    int volatile largest = std::numeric_limits<int>::max();
    if (word == "overflow") {
        std::vector<char> const copy(data, data + size);
        char const volatile beyond = copy.data()[size + 1];
        (void)beyond;
    }
    if (word == "undefined")
        largest = largest + 1;
    if (word == "leak")
        new std::string(1000, 'x');
    fuzz::expect(word != "expectation", "this word never comes");
    return 0;
}
