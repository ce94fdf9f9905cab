// SPDX-License-Identifier: Apache-2.0
// The wire between runtime, set-up child and finisher: who may act next (finisher/protocol.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "finisher/protocol.h"
#include "kernel/fd.h"
#include "kernel/process.h"

namespace oci::perform {

struct Message {
    finisher::MessageKind kind = finisher::MessageKind::turn;
    int errno_value = 0;
    std::string text;
};

Result<void> send_message(int socket, Message const& message, std::vector<kernel::Fd> const& descriptors = {});
/// nullopt: the other side is gone. ETIMEDOUT when the deadline passes. Descriptors that come along: as
/// kernel::receive_message.
Result<std::optional<Message>> receive_message(int socket, kernel::Deadline deadline,
                                               std::vector<kernel::Fd>* descriptors = nullptr);
/// A `failed` message as an error; the kernel's text is added where it carries an errno.
Error to_error(Message const& message);

} // namespace oci::perform
