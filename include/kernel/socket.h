// SPDX-License-Identifier: Apache-2.0
// Unix sockets: pairs, paths of any length, descriptors sent along (unix(7)). No abstract names, ever.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "kernel/fd.h"
#include "kernel/process.h"

namespace oci::kernel {

/// socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC).
Result<std::pair<Fd, Fd>> sequenced_pair();
/// Listens (SOCK_SEQPACKET, mode 0600) at `name` in `directory`, through /proc/self/fd, so that no path limit applies.
Result<Fd> listen_at(int directory, std::string const& name);
/// Connects to `name` in `directory` (AT_FDCWD with a full path: its folder is opened first). type: SOCK_STREAM or
/// SOCK_SEQPACKET, also with SOCK_NONBLOCK. ETIMEDOUT: its queue is full.
Result<Fd> connect_at(int directory, std::string const& name, int type);
/// Receives messages (SOCK_DGRAM, never blocking) at `name` in `directory`, from everybody who can reach that; what is
/// there under that name goes.
Result<Fd> receive_at(int directory, std::string const& name);
/// A socket that others have made, for messages: a path, or "@NAME" in the abstract name space (sd_notify(3)).
Result<Fd> connect_datagram(std::string const& name);
/// The next message cut to `limit` bytes, or nullopt if there is none. Descriptors that come along are closed.
Result<std::optional<std::string>> receive_datagram(int socket, std::size_t limit);
/// The process at the other end as it was when it began to listen (SO_PEERCRED); 0: one that our pid namespace does not
/// show.
Result<pid_t> peer_pid(int socket);
/// One message; MSG_NOSIGNAL. EMSGSIZE is avoided by growing the send buffer.
Result<void> send_message(int socket, std::string_view data);
/// One message together with descriptors (SCM_RIGHTS).
Result<void> send_descriptors(int socket, std::string_view data, std::span<int const> descriptors);
/// One message of a sequenced socket; "" at end of file; ETIMEDOUT when the deadline passes first; ECONNRESET when the
/// peer ended without having read what was sent to it. Descriptors that come along are appended to `descriptors`, or
/// closed without such a list.
Result<std::string> receive_message(int socket, Deadline deadline, std::vector<Fd>* descriptors = nullptr);
/// One message of a sequenced or stream socket and exactly one descriptor with it.
Result<Fd> receive_descriptor(int socket, Deadline deadline);

} // namespace oci::kernel
