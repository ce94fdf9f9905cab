// SPDX-License-Identifier: Apache-2.0
// The finisher's request: any bytes behind a header that fits, read in every way in which the finisher reads one. What
// is wrong with it ends the finisher; here that is an exception.
#include <memory>

#include "finisher/request.h"
#include "finisher/wire.h"
#include "fuzz.h"

namespace oci::finisher {

namespace {

struct Refused {};

} // namespace

void send_failure(int /*errno_value*/, std::string_view /*text*/) {
    throw Refused();
}

} // namespace oci::finisher

namespace {

using namespace oci;
using namespace oci::finisher;

void use(std::string_view text) {
    fuzz::expect(text.data()[text.size()] == '\0' && text.find('\0') == std::string_view::npos, "a text ends with NUL");
}

/// `ways`: two bits for each reading.
void read_arguments(Arguments arguments, std::uint64_t ways) {
    for (; ways != 0; ways >>= 2U)
        switch (ways & 3U) {
        case 0:
            (void)arguments.number32();
            break;
        case 1:
            use(arguments.text());
            break;
        case 2:
            for (auto const word : arguments.words(arguments.count(1 + ways / 4 % 3)))
                (void)word;
            break;
        default:
            for (std::size_t i = arguments.count(); i > 0; --i)
                use(arguments.text());
        }
}

void read(std::string_view bytes, std::uint64_t ways) {
    Request const request(bytes);
    std::size_t position = request.begin();
    for (std::uint32_t index = 0; index < request.records(); ++index) {
        auto const task = request.next(position);
        use(task.description);
        try {
            read_arguments(task.arguments, ways);
        } catch (Refused const&) {
            continue;
        }
    }
    Arguments found;
    (void)request.find(RecordKind::run_hooks, found);
}

} // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    fuzz::Input input(data, size);
    auto const ways = input.number<std::uint64_t>();
    bool const right = (ways & 1U) == 0;
    std::string bytes(sizeof(RequestHeader), '\0');
    bytes += input.rest();
    // Half of the inputs have a header that fits, so that what comes after it is reached.
    if (right) {
        RequestHeader const header{.magic = request_magic,
                                   .size = static_cast<std::uint32_t>(bytes.size()),
                                   .records = static_cast<std::uint32_t>(1 + ways / 2 % 4),
                                   .reserved = 0};
        std::memcpy(bytes.data(), &header, sizeof header);
    } else {
        bytes.erase(0, sizeof(RequestHeader));
    }
    // A block of its own, so that the first byte beyond it is noticed, and aligned as a mapping is.
    auto const block = std::make_unique<char[]>(bytes.size());
    std::memcpy(block.get(), bytes.data(), bytes.size());
    try {
        read({block.get(), bytes.size()}, ways);
    } catch (Refused const&) {
    }
    return 0;
}
