// SPDX-License-Identifier: Apache-2.0
// The messages against bytes written by hand from the specification, the connection against a server made here.
#include "kernel/bus.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

namespace oci::kernel {
namespace {

using namespace std::literals;

TEST(BusArguments, AreAlignedAsTheSpecificationSays) {
    EXPECT_EQ(BusArguments().add("ab").bytes(), "\2\0\0\0ab\0"s);
    EXPECT_EQ(BusArguments().add(true).add(std::uint64_t{1}).bytes(), "\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0"s);
    EXPECT_EQ(BusArguments().add(std::vector<std::uint8_t>{3, 4}).bytes(), "\2\0\0\0\3\4"s);
    EXPECT_EQ(BusArguments().add(std::vector<std::string>{"a", "b"}).bytes(), "\016\0\0\0\1\0\0\0a\0\0\0\1\0\0\0b\0"s);
    // The length of an array leaves out the padding before its first element.
    std::vector<BusProperty> const properties{{"A", std::uint64_t{5}}};
    BusArguments arguments;
    arguments.add_properties(properties);
    EXPECT_EQ(arguments.bytes(), "\030\0\0\0\0\0\0\0\1\0\0\0A\0\1t\0\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0"s.substr(0, 8) +
                                     "\1\0\0\0A\0\1t\0"s + std::string(7, '\0') + "\5\0\0\0\0\0\0\0"s);
    EXPECT_EQ(arguments.signature(), "a(sv)");
    EXPECT_EQ(BusArguments().add_auxiliary_units().bytes(), std::string(8, '\0'));
}

TEST(BusMessage, IsReadAsItWasWritten) {
    BusCall call{"org.example", "/a", "org.example.I", "M", {}};
    call.arguments.add("text").add("other");
    auto const bytes = encode_call(call, 7, WantReply::yes);
    EXPECT_EQ(bus_message_size(bytes), bytes.size());
    auto const message = decode_message(bytes);
    ASSERT_TRUE(message) << message.error().message;
    EXPECT_EQ(message->type, BusMessage::Type::call);
    EXPECT_EQ(message->serial, 7U);
    EXPECT_EQ(message->interface, "org.example.I");
    EXPECT_EQ(message->member, "M");
    EXPECT_EQ(message->signature, "ss");
    EXPECT_EQ(decode_texts(*message, 2), (std::vector<std::string>{"text", "other"}));
    EXPECT_FALSE(decode_texts(*message, 3));
}

TEST(BusMessage, CutOffOrChangedIsAnErrorAndNoMore) {
    BusCall call{"", "/a", "i.i", "M", {}};
    call.arguments.add("text");
    auto const bytes = encode_call(call, 1, WantReply::no);
    for (std::size_t size = 0; size < bytes.size(); ++size)
        EXPECT_FALSE(decode_message(bytes.substr(0, size))) << size;
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        auto changed = bytes;
        changed[at] = static_cast<char>(0xff);
        if (auto const message = decode_message(changed)) // whatever it says, it is within what is there
            (void)decode_texts(*message, 1);
    }
    EXPECT_FALSE(bus_message_size("HTTP/1.1 200 OK\r\n"));
}

TEST(BusAddress, OnlyPathsOfUnixSockets) {
    EXPECT_EQ(bus_socket_path("unix:path=/run/user/1000/bus"), "/run/user/1000/bus");
    EXPECT_EQ(bus_socket_path("tcp:host=x;unix:guid=1,path=/a%20b;unix:path=/c"), "/a b");
    EXPECT_EQ(bus_socket_path("unix:abstract=/tmp/x,guid=1"), "");
    EXPECT_EQ(bus_socket_path("autolaunch:;unixexec:path=/bin/sh"), "");
    EXPECT_EQ(bus_socket_path(""), "");
    EXPECT_EQ(bus_socket_path("unix:path=/a%"), "/a%");
}

/// Serves one connection: authenticates, then sends `answer` once something more was received.
class Server {
public:
    explicit Server(std::string answer)
        : folder_(std::filesystem::temp_directory_path() / ("oci-run-bus." + std::to_string(::getpid()))) {
        std::filesystem::create_directory(folder_);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strcpy(address.sun_path, path().c_str());
        listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(::listen(listener_, 1), 0);
        thread_ = std::thread([this, answer] {
            int const peer = ::accept(listener_, nullptr, nullptr);
            std::string received;
            char buffer[4096];
            auto const receive = [&] {
                auto const length = ::read(peer, buffer, sizeof buffer);
                received.append(buffer, static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
                return length > 0;
            };
            while (received.find("BEGIN\r\n") == std::string::npos && receive()) {
            }
            authentication_ = received.substr(0, received.find("BEGIN\r\n"));
            (void)!::write(peer, "DATA\r\nOK 1234\r\n", 15);
            while (received.ends_with("BEGIN\r\n") && receive()) {
            }
            (void)!::write(peer, answer.data(), answer.size());
            while (receive()) {
            }
            ::close(peer);
        });
    }
    ~Server() {
        thread_.join();
        ::close(listener_);
        std::filesystem::remove_all(folder_);
    }
    std::string path() const { return folder_ / "socket"; }
    std::string authentication_;

private:
    std::filesystem::path folder_;
    int listener_ = -1;
    std::thread thread_;
};

/// As a server writes it: header fields `fields`, body `body`.
std::string message(BusMessage::Type type, std::string fields, std::string body) {
    std::string out = "l"s + static_cast<char>(type) + "\0\1"s;
    for (auto const number : {body.size(), std::size_t{1}, fields.size()})
        out += {static_cast<char>(number), '\0', '\0', '\0'};
    out += fields;
    out.resize((out.size() + 7) / 8 * 8);
    return out + body;
}

TEST(Bus, GivesTheReplyAndKeepsSignalsThatCameBefore) {
    auto const signal =
        message(BusMessage::Type::signal, "\3\1s\0\3\0\0\0Sig\0\0\0\0\0"s + "\10\1g\0\1u\0"s, "\5\0\0\0"s);
    auto const reply = message(BusMessage::Type::reply, "\5\1u\0\1\0\0\0"s + "\10\1g\0\1s\0"s, "\2\0\0\0hi\0"s);
    Server server(signal + reply);
    {
        auto const deadline = Deadline::after(10s);
        auto bus = Bus::connect({server.path(), true}, deadline);
        ASSERT_TRUE(bus) << bus.error().message;
        auto const answered = bus->call({"", "/", "i.i", "M", {}}, deadline);
        ASSERT_TRUE(answered) << answered.error().message;
        EXPECT_EQ(decode_texts(*answered, 1), std::vector<std::string>{"hi"});
        auto const kept = bus->wait_for_signal("Sig", deadline);
        ASSERT_TRUE(kept) << kept.error().message;
        EXPECT_EQ(decode_texts(*kept, 1), std::vector<std::string>{"5"});
    }
    // No user id: inside a user namespace we do not know the right one.
    EXPECT_EQ(server.authentication_, "\0AUTH EXTERNAL\r\nDATA\r\n"s);
}

TEST(Bus, EndsAtTheDeadline) {
    Server server("");
    auto bus = Bus::connect({server.path(), true}, Deadline::after(10s));
    ASSERT_TRUE(bus);
    auto const answered = bus->call({"", "/", "i.i", "M", {}}, Deadline::after(20ms));
    ASSERT_FALSE(answered);
    EXPECT_EQ(answered.error().errno_value, ETIMEDOUT);
}

TEST(Bus, NobodyThereIsAnErrorOfTheKernel) {
    auto const bus = Bus::connect({"/nonexistent/socket", true}, Deadline::after(1s));
    ASSERT_FALSE(bus);
    EXPECT_EQ(bus.error().errno_value, ENOENT);
}

} // namespace
} // namespace oci::kernel
