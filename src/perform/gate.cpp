// SPDX-License-Identifier: Apache-2.0
#include "perform/gate.h"

#include "perform/turn.h"

namespace oci::perform {

Result<void> open_gate(state::ContainerDir const& directory, kernel::Deadline deadline) {
    auto const gate = TRY(directory.connect_gate());
    TRY(send_message(gate.get(), {finisher::MessageKind::start, 0, {}}));
    while (auto const message = TRY(receive_message(gate.get(), deadline)))
        if (message->kind == finisher::MessageKind::failed)
            return Failure(to_error(*message));
    return {};
}

} // namespace oci::perform
