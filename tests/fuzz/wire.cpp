// SPDX-License-Identifier: Apache-2.0
// What comes on the wire from a process that the container may already see: any message, with any number of
// descriptors.
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "kernel/socket.h"
#include "perform/turn.h"

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace oci;
    auto pair = kernel::sequenced_pair();
    if (!pair || size == 0)
        return 0;
    auto const& [sender, receiver] = *pair;
    // The first byte says how many descriptors come along.
    std::vector<int> const copies(data[0] % 12, STDERR_FILENO);
    auto const sent = kernel::send_descriptors(sender.get(), fuzz::as_text(data + 1, size - 1), copies);
    if (!sent)
        return 0;
    std::vector<kernel::Fd> descriptors;
    bool const wants = (data[0] & 0x80U) != 0;
    auto const soon = kernel::Deadline::after(std::chrono::seconds(5));
    auto const message = perform::receive_message(receiver.get(), soon, wants ? &descriptors : nullptr);
    if (!message || !*message)
        return 0;
    fuzz::expect(descriptors.size() <= copies.size(), "no descriptor comes from nowhere");
    fuzz::expect((*message)->text == fuzz::as_text(data + 1, size - 1).substr(sizeof(finisher::MessageHeader)),
                 "the text is whole");
    (void)perform::to_error(**message);
    return 0;
}
