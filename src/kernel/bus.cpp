// SPDX-License-Identifier: Apache-2.0
#include "kernel/bus.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "kernel/file.h"
#include "kernel/socket.h"

namespace oci::kernel {

namespace {

constexpr std::size_t most_signals = 1000;

Result<void> wait_until_ready(int socket, short events, Deadline deadline) {
    pollfd waited{socket, events, 0};
    while (true) {
        int const ready = ::poll(&waited, 1, deadline.poll_timeout());
        if (ready > 0)
            return {};
        if (ready == 0)
            return fail_errno(ETIMEDOUT, "D-Bus");
        if (errno != EINTR)
            return fail_errno(errno, "poll");
    }
}

Result<void> send_all(int socket, std::string_view data, Deadline deadline) {
    while (!data.empty()) {
        ssize_t const sent = ::send(socket, data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0)
            data.remove_prefix(static_cast<std::size_t>(sent));
        else if (errno == EAGAIN)
            TRY(wait_until_ready(socket, POLLOUT, deadline));
        else if (errno != EINTR)
            return fail_errno(errno, "send");
    }
    return {};
}

Result<std::string> receive_exactly(int socket, std::size_t size, Deadline deadline) {
    std::string data(size, '\0');
    std::size_t have = 0;
    while (have < size) {
        ssize_t const length = ::recv(socket, data.data() + have, size - have, MSG_DONTWAIT);
        if (length > 0)
            have += static_cast<std::size_t>(length);
        else if (length == 0)
            return fail_errno(ECONNRESET, "D-Bus: the other side closed the connection");
        else if (errno == EAGAIN)
            TRY(wait_until_ready(socket, POLLIN, deadline));
        else if (errno != EINTR)
            return fail_errno(errno, "recv");
    }
    return data;
}

/// A line of the authentication protocol, byte by byte: what follows it is binary.
Result<std::string> receive_line(int socket, Deadline deadline) {
    constexpr std::size_t longest = 4096;
    std::string line;
    while (!line.ends_with("\r\n")) {
        if (line.size() == longest)
            return fail("D-Bus: what came is not the authentication protocol");
        line += TRY(receive_exactly(socket, 1, deadline));
    }
    line.resize(line.size() - 2);
    return line;
}

/// All at once, as sd-bus does: the answers come in order.
Result<void> authenticate(int socket, Deadline deadline) {
    using namespace std::literals;
    TRY(send_all(socket, "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n"sv, deadline));
    for (std::string_view const expected : {"DATA", "OK"}) {
        auto const line = TRY(receive_line(socket, deadline));
        if (!line.starts_with(expected))
            return fail_errno(EACCES, "D-Bus: authentication refused (", printable(line), ")");
    }
    return {};
}

BusCall bus_own(std::string member, BusArguments arguments = {}) {
    return {"org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", std::move(member),
            std::move(arguments)};
}

/// "%2f" to "/", the escape of address values.
std::string unescaped(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        auto const byte = text.starts_with('%') ? parse_number<unsigned>(text.substr(1, 2), 16) : std::nullopt;
        out += byte ? static_cast<char>(*byte) : text.front();
        text.remove_prefix(byte ? 3 : 1);
    }
    return out;
}

} // namespace

std::string bus_socket_path(std::string_view addresses) {
    constexpr std::string_view transport = "unix:";
    constexpr std::string_view key = "path=";
    for (auto const address : split(addresses, ';')) {
        if (!address.starts_with(transport))
            continue;
        for (auto const part : split(address.substr(transport.size()), ','))
            if (part.starts_with(key))
                return unescaped(part.substr(key.size()));
    }
    return {};
}

Result<Bus> Bus::connect(BusAddress const& address, Deadline deadline) {
    Bus bus(TRY(connect_at(AT_FDCWD, address.path, SOCK_STREAM)), address.direct);
    if (TRY(peer_pid(bus.socket_.get())) == 0)
        return fail(address.path, ": its owner is in another pid namespace, where our process ids mean others");
    TRY(in_context(authenticate(bus.socket_.get(), deadline), address.path));
    if (!bus.direct_) {
        auto const greeted = TRY(bus.call(bus_own("Hello"), deadline));
        if (greeted.type == BusMessage::Type::error)
            return fail(address.path, ": D-Bus: Hello: ", greeted.error_name);
        // The bus passes on only what is asked for; systemd itself sends everything.
        BusArguments rule;
        rule.add("type='signal',sender='org.freedesktop.systemd1',"
                 "interface='org.freedesktop.systemd1.Manager',member='JobRemoved'");
        TRY(bus.tell(bus_own("AddMatch", std::move(rule)), deadline));
    }
    return bus;
}

Result<std::uint32_t> Bus::send(BusCall call, WantReply reply, Deadline deadline) {
    if (direct_)
        call.destination.clear();
    TRY(send_all(socket_.get(), encode_call(call, ++last_serial_, reply), deadline));
    return last_serial_;
}

Result<BusMessage> Bus::receive(Deadline deadline) {
    if (deadline.passed()) // however much comes
        return fail_errno(ETIMEDOUT, "D-Bus");
    auto bytes = TRY(receive_exactly(socket_.get(), bus_header_size, deadline));
    auto const size = TRY(bus_message_size(bytes));
    bytes += TRY(receive_exactly(socket_.get(), size - bus_header_size, deadline));
    return decode_message(bytes);
}

Result<BusMessage> Bus::call(BusCall call, Deadline deadline) {
    auto const serial = TRY(send(std::move(call), WantReply::yes, deadline));
    while (true) {
        auto message = TRY(receive(deadline));
        bool const answers = message.type == BusMessage::Type::reply || message.type == BusMessage::Type::error;
        if (answers && message.reply_to == serial)
            return message;
        if (message.type == BusMessage::Type::signal)
            signals_.push_back(std::move(message));
        if (signals_.size() > most_signals)
            signals_.pop_front();
    }
}

Result<void> Bus::tell(BusCall call, Deadline deadline) {
    TRY(send(std::move(call), WantReply::no, deadline));
    return {};
}

Result<BusMessage> Bus::wait_for_signal(std::string_view member, Deadline deadline) {
    auto const found = std::ranges::find(signals_, member, &BusMessage::member);
    if (found != signals_.end()) {
        auto signal = std::move(*found);
        signals_.erase(found);
        return signal;
    }
    while (true) {
        auto message = TRY(receive(deadline));
        if (message.type == BusMessage::Type::signal && message.member == member)
            return message;
    }
}

} // namespace oci::kernel
