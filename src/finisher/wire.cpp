// SPDX-License-Identifier: Apache-2.0
#include "wire.h"

#include <cerrno>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "memory.h"

namespace oci::finisher {

namespace {

// The only changeable data of the whole program's life: who listens, and what is being done.
int channel = -1;
std::string_view task;

/// Size of the next message (it stays in the queue); 0 at end of file or on an error.
std::size_t next_message_size(int socket) {
    ssize_t const size = ::recv(socket, nullptr, 0, MSG_PEEK | MSG_TRUNC);
    return size < 0 ? 0 : static_cast<std::size_t>(size);
}

iovec part(std::string_view text) {
    return {.iov_base = const_cast<char*>(text.data()), .iov_len = text.size()};
}

/// "<context>: <text>", or the text alone.
bool send_parts(MessageKind kind, int errno_value, std::string_view context, std::string_view text) {
    if (channel < 0)
        return false;
    MessageHeader header{.kind = static_cast<std::uint32_t>(kind), .errno_value = errno_value};
    std::string_view const separator = context.empty() ? "" : ": ";
    iovec parts[] = {{.iov_base = &header, .iov_len = sizeof header}, part(context), part(separator), part(text)};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = sizeof parts / sizeof *parts;
    return ::sendmsg(channel, &message, MSG_NOSIGNAL) >= 0;
}

} // namespace

void speak_to(int socket) {
    channel = socket;
}

void set_task(std::string_view description) {
    constexpr std::size_t longest = 16384; // a socket's buffer is limited, and what failed is more important
    task = {description.data(), description.size() < longest ? description.size() : longest};
}

bool send_message(MessageKind kind, int errno_value, std::string_view text) {
    return send_parts(kind, errno_value, {}, text);
}

void send_failure(int errno_value, std::string_view text) {
    // Nothing can be done about a message that nobody takes: who waits for it sees the end of file.
    (void)send_parts(MessageKind::failed, errno_value, task, text);
    leave(1);
}

bool pass_listener(int listener) {
    MessageHeader header{.kind = static_cast<std::uint32_t>(MessageKind::listener), .errno_value = 0};
    iovec content{.iov_base = &header, .iov_len = sizeof header};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof listener)]{};
    msghdr message{};
    message.msg_iov = &content;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* const rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof listener);
    std::memcpy(CMSG_DATA(rights), &listener, sizeof listener);
    if (::sendmsg(channel, &message, MSG_NOSIGNAL) < 0)
        return false;
    return ::recv(channel, &header, sizeof header, 0) == static_cast<ssize_t>(sizeof header) &&
           header.kind == static_cast<std::uint32_t>(MessageKind::turn);
}

namespace {

/// One whole message; the descriptors with it become close-on-exec.
bool receive(int socket, void* memory, std::size_t size, Descriptors& received) {
    iovec content{.iov_base = memory, .iov_len = size};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof received.list)]{};
    msghdr message{};
    message.msg_iov = &content;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    if (::recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != static_cast<ssize_t>(size))
        return false;
    cmsghdr const* const rights = CMSG_FIRSTHDR(&message);
    if (rights == nullptr)
        return true;
    if (rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS)
        return false;
    std::size_t const length = rights->cmsg_len - CMSG_LEN(0);
    std::memcpy(received.list, CMSG_DATA(rights), length);
    received.count = length / sizeof(int);
    return true;
}

} // namespace

std::string_view exchange_turns(int wire, Descriptors& received) {
    if (!send_message(MessageKind::turn, 0, {})) // or both sides would wait for each other
        leave(1);
    std::size_t const size = next_message_size(wire);
    if (size < sizeof(MessageHeader) || size > sizeof(MessageHeader) + maximum_message)
        leave(1);
    void* const memory = allocate(size);
    if (!receive(wire, memory, size, received))
        leave(1);
    MessageHeader header{};
    std::memcpy(&header, memory, sizeof header);
    if (header.kind != static_cast<std::uint32_t>(MessageKind::turn))
        leave(1);
    return {static_cast<char const*>(memory) + sizeof header, size - sizeof header};
}

bool peer_is_gone(int socket) {
    char byte = 0;
    ssize_t const size = ::recv(socket, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT);
    return size == 0 || (size < 0 && errno != EAGAIN);
}

void leave(int code) {
    ::syscall(SYS_exit_group, code);
    ::syscall(SYS_exit, code);
    __builtin_trap();
}

} // namespace oci::finisher
