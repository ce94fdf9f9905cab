// SPDX-License-Identifier: Apache-2.0
#include "perform/turn.h"

#include <cstring>
#include <optional>

#include "kernel/socket.h"

namespace oci::perform {

Result<void> send_message(int socket, Message const& message, std::vector<kernel::Fd> const& descriptors) {
    finisher::MessageHeader const header{static_cast<std::uint32_t>(message.kind), message.errno_value};
    std::string bytes(sizeof header, '\0');
    std::memcpy(bytes.data(), &header, sizeof header);
    bytes += message.text;
    std::vector<int> numbers;
    for (auto const& descriptor : descriptors)
        numbers.push_back(descriptor.get());
    return kernel::send_descriptors(socket, bytes, numbers);
}

Result<std::optional<Message>> receive_message(int socket, kernel::Deadline deadline,
                                               std::vector<kernel::Fd>* descriptors) {
    auto const bytes = TRY(kernel::receive_message(socket, deadline, descriptors));
    if (bytes.empty())
        return std::nullopt;
    finisher::MessageHeader header{};
    if (bytes.size() < sizeof header)
        return fail("malformed message");
    std::memcpy(&header, bytes.data(), sizeof header);
    return Message{static_cast<finisher::MessageKind>(header.kind), header.errno_value, bytes.substr(sizeof header)};
}

Error to_error(Message const& message) {
    if (message.errno_value == 0)
        return {message.text, 0};
    return {concat(message.text, ": ", errno_text(message.errno_value)), message.errno_value};
}

} // namespace oci::perform
