// SPDX-License-Identifier: Apache-2.0
// What criu answers, as protocol buffers; and fields that are written must be read as they were.
#include "base/protobuf.h"
#include "fuzz.h"
#include "perform/criu_messages.h"

namespace {

using namespace oci;

void write_and_read(fuzz::Input input) {
    ProtobufWriter writer;
    std::vector<std::string> texts;
    std::vector<ProtobufField> fields;
    texts.reserve(64);
    while (!input.empty() && fields.size() < 64) {
        unsigned const number = 1 + input.number<std::uint16_t>();
        if (input.flag()) {
            auto const value = input.number<std::uint64_t>();
            writer.number(number, value);
            fields.push_back({.number = number, .value = value, .bytes = {}});
        } else {
            writer.text(number, texts.emplace_back(input.text()));
            fields.push_back({.number = number, .value = 0, .bytes = texts.back()});
        }
    }
    fuzz::expect(read_protobuf(writer.bytes()) == fields, "fields are read as they were written");
}

} // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    if (auto const answer = perform::read_answer(fuzz::as_text(data, size)))
        (void)printable(answer->complaint);
    write_and_read({data, size});
    return 0;
}
