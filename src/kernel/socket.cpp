// SPDX-License-Identifier: Apache-2.0
#include "kernel/socket.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <iterator>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <vector>

#include "kernel/file.h"

namespace oci::kernel {

namespace {

constexpr std::size_t most_descriptors = 253; // SCM_MAX_FD

Result<sockaddr_un> address_of(std::string const& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return fail_errno(ENAMETOOLONG, "socket name ", base_name(path));
    std::copy(path.begin(), path.end(), address.sun_path);
    return address;
}

sockaddr const* generic(sockaddr_un const& address) {
    return reinterpret_cast<sockaddr const*>(&address);
}

Result<Fd> new_socket(int type) {
    Fd made(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    if (!made)
        return fail_errno(errno, "socket");
    return made;
}

Result<void> wait_readable(int socket, Deadline deadline) {
    pollfd waited{socket, POLLIN, 0};
    while (true) {
        int const ready = ::poll(&waited, 1, deadline.poll_timeout());
        if (ready > 0)
            return {};
        if (ready == 0)
            return fail_errno(ETIMEDOUT, "poll");
        if (errno != EINTR)
            return fail_errno(errno, "poll");
    }
}

ssize_t send_once(int socket, msghdr const& message) {
    while (true) {
        ssize_t const sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
        if (sent >= 0 || errno != EINTR)
            return sent;
    }
}

/// Beyond the system's limit (net.core.wmem_max) this takes CAP_NET_ADMIN.
void grow_send_buffer(int socket, std::size_t size) {
    int const wanted = static_cast<int>(std::min<std::size_t>(size + 4096, 1U << 30U));
    if (::setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof wanted) != 0)
        ::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &wanted, sizeof wanted);
}

Result<void> send_with_control(int socket, std::string_view data, std::span<std::byte> control) {
    do {
        iovec part{const_cast<char*>(data.data()), data.size()};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.empty() ? nullptr : control.data();
        message.msg_controllen = control.size();
        ssize_t sent = send_once(socket, message);
        if (sent < 0 && errno == EMSGSIZE) {
            grow_send_buffer(socket, data.size());
            sent = send_once(socket, message);
        }
        if (sent < 0)
            return fail_errno(errno, "sendmsg");
        data.remove_prefix(static_cast<std::size_t>(sent));
        control = {}; // a stream may take a part; the descriptors went with the first one
    } while (!data.empty());
    return {};
}

/// The descriptors that came with a message, each owned.
std::vector<Fd> received_descriptors(msghdr& message) {
    std::vector<Fd> descriptors;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        std::size_t const count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int number = -1;
            std::memcpy(&number, CMSG_DATA(header) + i * sizeof(int), sizeof number);
            descriptors.emplace_back(number);
        }
    }
    return descriptors;
}

} // namespace

Result<std::pair<Fd, Fd>> sequenced_pair() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return fail_errno(errno, "socketpair");
    return std::pair(Fd(ends[0]), Fd(ends[1]));
}

Result<Fd> listen_at(int directory, std::string const& name) {
    auto const folder = TRY(openat(directory, std::string(parent_path(name)), O_PATH | O_DIRECTORY));
    auto const address = TRY(address_of(concat("/proc/self/fd/", folder.get(), "/", base_name(name))));
    auto listener = TRY(new_socket(SOCK_SEQPACKET));
    // Before bind(2) the mode of the socket itself is the one its file gets: there is no moment with a wider one.
    TRY(fchmod(listener.get(), 0600));
    if (::bind(listener.get(), generic(address), sizeof address) != 0)
        return fail_errno(errno, "bind ", name);
    if (::listen(listener.get(), SOMAXCONN) != 0)
        return fail_errno(errno, "listen ", name);
    return listener;
}

Result<Fd> connect_at(int directory, std::string const& name, int type) {
    // The socket file itself is opened, so neither folder nor name has a length limit.
    auto const file = TRY(openat(directory, name, O_PATH));
    auto const address = TRY(address_of(concat("/proc/self/fd/", file.get())));
    auto connected = TRY(new_socket(type));
    // A listener that does not accept any more must not hold us for ever (it answers EAGAIN then).
    timeval patience{10, 0};
    ::setsockopt(connected.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    while (::connect(connected.get(), generic(address), sizeof address) != 0)
        if (errno != EINTR)
            return fail_errno(errno == EAGAIN ? ETIMEDOUT : errno, "connect ", name);
    patience = {};
    ::setsockopt(connected.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return connected;
}

Result<Fd> receive_at(int directory, std::string const& name) {
    auto const folder = TRY(openat(directory, ".", O_PATH | O_DIRECTORY));
    auto const address = TRY(address_of(concat("/proc/self/fd/", folder.get(), "/", name)));
    auto removed = unlinkat(directory, name, 0);
    if (!removed && removed.error().errno_value != ENOENT)
        return Failure(removed.error());
    auto receiver = TRY(new_socket(SOCK_DGRAM | SOCK_NONBLOCK));
    if (::bind(receiver.get(), generic(address), sizeof address) != 0)
        return fail_errno(errno, "bind ", name);
    TRY(fchmodat(directory, name, 0777)); // whatever the umask took away
    return receiver;
}

Result<Fd> connect_datagram(std::string const& name) {
    if (!name.starts_with('@'))
        return connect_at(AT_FDCWD, name, SOCK_DGRAM);
    auto address = TRY(address_of(name));
    address.sun_path[0] = '\0';
    auto connected = TRY(new_socket(SOCK_DGRAM));
    auto const size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    if (::connect(connected.get(), generic(address), size) != 0)
        return fail_errno(errno, "connect ", name);
    return connected;
}

Result<std::optional<std::string>> receive_datagram(int socket, std::size_t limit) {
    std::string data(limit, '\0');
    ssize_t const length = ::recv(socket, data.data(), data.size(), MSG_DONTWAIT);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return std::nullopt;
    if (length < 0)
        return fail_errno(errno, "recv");
    data.resize(static_cast<std::size_t>(length));
    return data;
}

Result<pid_t> peer_pid(int socket) {
    ::ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return fail_errno(errno, "getsockopt SO_PEERCRED");
    return peer.pid;
}

Result<void> send_message(int socket, std::string_view data) {
    return send_with_control(socket, data, {});
}

Result<void> send_descriptors(int socket, std::string_view data, std::span<int const> descriptors) {
    if (descriptors.empty())
        return send_message(socket, data);
    if (descriptors.size() > most_descriptors)
        return fail_errno(EINVAL, "sendmsg: ", descriptors.size(), " descriptors");
    std::vector<std::byte> control(CMSG_SPACE(descriptors.size_bytes()));
    auto* const header = reinterpret_cast<cmsghdr*>(control.data());
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
    return send_with_control(socket, data, control);
}

Result<std::string> receive_message(int socket, Deadline deadline, std::vector<Fd>* descriptors) {
    TRY(wait_readable(socket, deadline));
    // The size first. Without room for control data the kernel closes what comes along (MSG_CTRUNC).
    ssize_t length = ::recv(socket, nullptr, 0, MSG_PEEK | MSG_TRUNC);
    if (length < 0)
        return fail_errno(errno, "recv");
    std::string data(static_cast<std::size_t>(length), '\0');
    std::vector<std::byte> control(descriptors == nullptr ? 0 : CMSG_SPACE(most_descriptors * sizeof(int)));
    iovec part{data.data(), data.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    length = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (length < 0)
        return fail_errno(errno, "recvmsg");
    if (descriptors != nullptr)
        std::ranges::move(received_descriptors(message), std::back_inserter(*descriptors));
    data.resize(static_cast<std::size_t>(length));
    return data;
}

Result<Fd> receive_descriptor(int socket, Deadline deadline) {
    TRY(wait_readable(socket, deadline));
    std::vector<char> data(4096);
    std::vector<std::byte> control(CMSG_SPACE(most_descriptors * sizeof(int)));
    iovec part{data.data(), data.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ssize_t const length = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (length < 0)
        return fail_errno(errno, "recvmsg");
    auto descriptors = received_descriptors(message);
    if (descriptors.size() == 1)
        return std::move(descriptors.front());
    if (length == 0 && descriptors.empty())
        return fail("recvmsg: the other side closed the connection");
    return fail("recvmsg: one descriptor was expected, ", descriptors.size(), " came");
}

} // namespace oci::kernel
