// SPDX-License-Identifier: Apache-2.0
#include "perform/seccomp_agent.h"

#include <array>
#include <fcntl.h>
#include <sys/socket.h>

#include "base/text.h"
#include "kernel/file.h"
#include "kernel/socket.h"
#include "perform/turn.h"
#include "state/status.h"

namespace oci::perform {

namespace {

Result<void> check_listener(std::vector<kernel::Fd> const& descriptors) {
    if (descriptors.size() != 1)
        return fail(descriptors.size(), " descriptors came instead of the seccomp listener");
    auto const kind = TRY(kernel::readlinkat(AT_FDCWD, concat("/proc/self/fd/", descriptors.front().get())));
    if (kind != "anon_inode:seccomp notify")
        return fail("what came instead of the seccomp listener is ", kind);
    return {};
}

Result<void> introduce(SeccompAgent const& agent, pid_t process, int listener) {
    auto const connection = TRY(kernel::connect_at(AT_FDCWD, agent.path, SOCK_STREAM));
    auto const text = state::container_process_state(agent.container_state, process, agent.metadata);
    return kernel::send_descriptors(connection.get(), text, std::array{listener});
}

} // namespace

Result<void> pass_listener(int socket, std::vector<kernel::Fd> const& descriptors, SeccompAgent const& agent,
                           pid_t process) {
    if (agent.path.empty())
        return fail("unexpected seccomp listener");
    TRY(check_listener(descriptors));
    TRY(in_context(introduce(agent, process, descriptors.front().get()),
                   concat("/linux/seccomp/listenerPath ", agent.path)));
    return send_message(socket, {finisher::MessageKind::turn, 0, {}});
}

} // namespace oci::perform
