// SPDX-License-Identifier: Apache-2.0
// D-Bus messages: any bytes, and messages of ours with some bytes changed.
#include "fuzz.h"
#include "kernel/bus_message.h"

namespace {

using namespace oci;

void read(std::string_view bytes) {
    auto const size = kernel::bus_message_size(bytes.substr(0, kernel::bus_header_size));
    auto const message = kernel::decode_message(bytes);
    if (!message)
        return;
    fuzz::expect(size && *size == bytes.size(), "its header says how long a message is");
    for (std::size_t count = 0; count < 6; ++count)
        (void)kernel::decode_texts(*message, count);
}

kernel::BusCall call_of(fuzz::Input& input) {
    kernel::BusCall call{.destination = input.text(),
                         .path = input.text(),
                         .interface = input.text(),
                         .member = input.text(),
                         .arguments = {}};
    for (unsigned count = input.byte() % 6; count > 0; --count)
        if (input.flag())
            call.arguments.add(input.text());
        else
            call.arguments.add(input.number<std::uint64_t>());
    std::vector<BusProperty> const properties = {
        {input.text(), input.number<std::uint64_t>()},
        {"DeviceAllow", std::vector<std::pair<std::string, std::string>>{{input.text(), input.text()}}}};
    call.arguments.add_properties(properties).add_auxiliary_units();
    return call;
}

} // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    read(fuzz::as_text(data, size));
    fuzz::Input input(data, size);
    auto const call = call_of(input);
    auto bytes = kernel::encode_call(call, 7, kernel::WantReply::yes);
    auto const message = kernel::decode_message(bytes);
    fuzz::expect(message && message->serial == 7 && message->member == call.member &&
                     message->interface == call.interface && message->signature == call.arguments.signature() &&
                     message->body == call.arguments.bytes(),
                 "a call is read as it was written");
    while (!input.empty()) {
        bytes[input.number<std::uint16_t>() % bytes.size()] = static_cast<char>(input.byte());
        read(bytes);
    }
    return 0;
}
