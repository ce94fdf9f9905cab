// SPDX-License-Identifier: Apache-2.0
#include "kernel/socket.h"

#include "support.h"

#include <sys/socket.h>

namespace oci::kernel {
namespace {

using std::chrono::milliseconds;

Deadline soon() {
    return Deadline::after(milliseconds(2000));
}

TEST(Socket, messages_keep_their_borders) {
    auto const pair = sequenced_pair();
    ASSERT_TRUE(good(pair));
    auto const& [one, other] = *pair;
    EXPECT_EQ(FD_CLOEXEC, ::fcntl(one.get(), F_GETFD));
    EXPECT_TRUE(good(send_message(one.get(), "first")));
    EXPECT_TRUE(good(send_message(one.get(), std::string("with\0zero", 9))));
    EXPECT_EQ("first", receive_message(other.get(), soon()).value());
    EXPECT_EQ(std::string("with\0zero", 9), receive_message(other.get(), soon()).value());
}

TEST(Socket, large_messages_arrive_whole) {
    auto const pair = sequenced_pair();
    std::string const data(200000, 'z');
    EXPECT_TRUE(good(send_message(pair->first.get(), data)));
    EXPECT_EQ(data, receive_message(pair->second.get(), soon()).value());
}

TEST(Socket, message_beyond_the_send_buffer_grows_it) {
    auto const pair = sequenced_pair();
    int const tiny = 4608;
    ASSERT_EQ(0, ::setsockopt(pair->first.get(), SOL_SOCKET, SO_SNDBUF, &tiny, sizeof tiny));
    std::string const data(150000, 'z');
    EXPECT_TRUE(good(send_message(pair->first.get(), data)));
    EXPECT_EQ(data, receive_message(pair->second.get(), soon()).value());
}

TEST(Socket, deadline_ends_the_wait) {
    auto const pair = sequenced_pair();
    auto const begin = std::chrono::steady_clock::now();
    EXPECT_EQ(ETIMEDOUT, errno_of(receive_message(pair->second.get(), Deadline::after(milliseconds(50)))));
    auto const waited = std::chrono::steady_clock::now() - begin;
    EXPECT_GE(waited, milliseconds(50));
    EXPECT_LT(waited, milliseconds(2000));
    EXPECT_EQ(ETIMEDOUT, errno_of(receive_message(pair->second.get(), Deadline::after(milliseconds(-5)))));
}

TEST(Socket, end_of_file_is_an_empty_message) {
    auto pair = sequenced_pair();
    EXPECT_TRUE(good(send_message(pair->first.get(), "last")));
    pair->first.close();
    EXPECT_EQ("last", receive_message(pair->second.get(), soon()).value());
    EXPECT_EQ("", receive_message(pair->second.get(), Deadline::never()).value());
    EXPECT_EQ(EPIPE, errno_of(send_message(pair->second.get(), "nobody there"))) << "an error, not SIGPIPE";
}

TEST(Socket, a_peer_that_dies_without_reading_is_a_reset) {
    auto pair = sequenced_pair();
    EXPECT_TRUE(good(send_message(pair->second.get(), "not read")));
    pair->first.close();
    EXPECT_EQ(ECONNRESET, errno_of(receive_message(pair->second.get(), soon())));
}

TEST(Socket, descriptors_travel) {
    TemporaryFolder const folder;
    folder.file("file", "sent along");
    auto const file = openat(folder.get(), "file", O_RDONLY);
    auto const pair = sequenced_pair();
    int const numbers[] = {file->get()};
    ASSERT_TRUE(good(send_descriptors(pair->first.get(), "name", numbers)));
    auto const received = receive_descriptor(pair->second.get(), soon());
    ASSERT_TRUE(good(received));
    EXPECT_NE(file->get(), received->get());
    EXPECT_EQ(FD_CLOEXEC, ::fcntl(received->get(), F_GETFD));
    EXPECT_EQ("sent along", read_all(received->get(), 100).value());
}

std::size_t open_descriptors() {
    auto const folder = openat(AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY);
    return list_directory(folder->get())->size();
}

TEST(Socket, unwanted_descriptors_are_closed) {
    auto const pair = sequenced_pair();
    int const numbers[] = {0, 1, 2};
    auto const before = open_descriptors();
    ASSERT_TRUE(good(send_descriptors(pair->first.get(), "three", numbers)));
    EXPECT_EQ("recvmsg: one descriptor was expected, 3 came",
              message_of(receive_descriptor(pair->second.get(), soon())));
    ASSERT_TRUE(good(send_descriptors(pair->first.get(), "with a message", numbers)));
    EXPECT_EQ("with a message", receive_message(pair->second.get(), soon()).value());
    ASSERT_TRUE(good(send_message(pair->first.get(), "none")));
    EXPECT_EQ("recvmsg: one descriptor was expected, 0 came",
              message_of(receive_descriptor(pair->second.get(), soon())));
    EXPECT_EQ(before, open_descriptors());
}

TEST(Socket, descriptor_wait_ends_with_the_peer_or_the_deadline) {
    auto pair = sequenced_pair();
    EXPECT_EQ(ETIMEDOUT, errno_of(receive_descriptor(pair->second.get(), Deadline::after(milliseconds(20)))));
    pair->first.close();
    EXPECT_EQ("recvmsg: the other side closed the connection",
              message_of(receive_descriptor(pair->second.get(), Deadline::never())));
}

TEST(Socket, listens_and_connects_by_name) {
    TemporaryFolder const folder;
    mode_t const saved = ::umask(0);
    auto const listener = listen_at(folder.get(), "start.sock");
    ::umask(saved);
    ASSERT_TRUE(good(listener));
    EXPECT_EQ(S_IFSOCK | 0600U, folder.status("start.sock").st_mode);
    EXPECT_EQ(EADDRINUSE, errno_of(listen_at(folder.get(), "start.sock")));
    auto const client = connect_at(folder.get(), "start.sock", SOCK_SEQPACKET);
    ASSERT_TRUE(good(client));
    Fd const server(::accept4(listener->get(), nullptr, nullptr, SOCK_CLOEXEC));
    EXPECT_TRUE(good(send_message(client->get(), "start")));
    EXPECT_EQ("start", receive_message(server.get(), soon()).value());
}

TEST(Socket, connection_to_a_dead_listener_is_refused_at_once) {
    TemporaryFolder const folder;
    auto listener = listen_at(folder.get(), "start.sock");
    listener->close();
    EXPECT_EQ("connect start.sock: connection refused",
              message_of(connect_at(folder.get(), "start.sock", SOCK_SEQPACKET)));
    EXPECT_EQ(ENOENT, errno_of(connect_at(folder.get(), "none.sock", SOCK_SEQPACKET)));
}

TEST(Socket, paths_have_no_limit_of_108_bytes) {
    TemporaryFolder const folder;
    std::string const deep = concat(std::string(100, 'd'), "/", std::string(100, 'e'));
    folder.folder(deep);
    auto const whole = folder.path(concat(deep, "/", std::string(60, 's')));
    auto const listener = listen_at(AT_FDCWD, whole);
    ASSERT_TRUE(good(listener));
    auto const client = connect_at(AT_FDCWD, whole, SOCK_SEQPACKET);
    ASSERT_TRUE(good(client));
    EXPECT_EQ(ENAMETOOLONG, errno_of(listen_at(folder.get(), std::string(108, 'n'))));
}

TEST(Socket, stream_sockets_connect_too) {
    TemporaryFolder const folder;
    EXPECT_EQ(EPROTOTYPE, [&] {
        auto const listener = listen_at(folder.get(), "console.sock");
        return errno_of(connect_at(folder.get(), "console.sock", SOCK_STREAM));
    }());
    int ends[2];
    ASSERT_EQ(0, ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
    Fd const one(ends[0]);
    Fd const other(ends[1]);
    int const numbers[] = {0};
    EXPECT_TRUE(good(send_descriptors(one.get(), "/dev/pts/0", numbers)));
    EXPECT_TRUE(good(receive_descriptor(other.get(), soon())));
}

} // namespace
} // namespace oci::kernel
