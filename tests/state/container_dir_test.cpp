// SPDX-License-Identifier: Apache-2.0
// The folder of a container: made once, locked by one, removed whole or not at all.
#include "state/container_dir.h"

#include <chrono>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "kernel/socket.h"
#include "support.h"

namespace oci::state {
namespace {

using std::chrono::milliseconds;

class ContainerDirTest : public StateTest {
protected:
    Result<ContainerDir> reserve(std::string const& id = "c1") { return ContainerDir::reserve(root_, id); }
    Result<ContainerDir> open_locked(int wait = 50) {
        return ContainerDir::open_locked(root_, "c1", kernel::Deadline::after(milliseconds(wait)));
    }
};

TEST_F(ContainerDirTest, modes_do_not_depend_on_the_umask) {
    for (unsigned const mask : {0U, 022U, 077U, 0777U}) {
        auto const saved = ::umask(mask);
        auto const id = concat("c", mask);
        auto directory = reserve(id);
        EXPECT_TRUE(good(directory));
        EXPECT_TRUE(good(directory->write_record(sample_record(id))));
        EXPECT_TRUE(good(directory->write_config("{}")));
        EXPECT_TRUE(good(directory->write_state(sample_state())));
        ::umask(saved);
        EXPECT_EQ(0700U, mode(root_));
        EXPECT_EQ(0700U, mode(root_ + "/" + id));
        for (auto const* const name : {"record.json", "config.json", "state.json"})
            EXPECT_EQ(0600U, mode(file(id, name))) << name;
    }
}

TEST_F(ContainerDirTest, the_root_is_sticky_below_the_runtime_directory_only) {
    ::setenv("XDG_RUNTIME_DIR", top_.c_str(), 1);
    EXPECT_TRUE(good(reserve()));
    EXPECT_EQ(01700U, mode(root_));
    ::setenv("XDG_RUNTIME_DIR", (top_ + "/ro").c_str(), 1);
    EXPECT_TRUE(good(ContainerDir::reserve(top_ + "/root2", "c1")));
    EXPECT_EQ(0700U, mode(top_ + "/root2"));
    ::unsetenv("XDG_RUNTIME_DIR");
}

TEST_F(ContainerDirTest, makes_missing_parents_of_the_root) {
    root_ = top_ + "/a/b/c";
    EXPECT_TRUE(good(reserve()));
    EXPECT_EQ(0700U, mode(top_ + "/a"));
}

TEST_F(ContainerDirTest, reads_what_it_wrote) {
    auto directory = reserve();
    ASSERT_TRUE(good(directory));
    EXPECT_EQ("container does not exist", directory->read_record().error().message);
    EXPECT_EQ(std::nullopt, directory->read_state().value());
    ASSERT_TRUE(good(directory->write_record(sample_record())));
    ASSERT_TRUE(good(directory->write_config("{\"x\": 1}")));
    ASSERT_TRUE(good(directory->write_state(sample_state())));
    auto const other = ContainerDir::open(root_, "c1");
    ASSERT_TRUE(good(other));
    EXPECT_EQ(sample_record(), other->read_record().value());
    EXPECT_EQ("{\"x\": 1}", other->read_config().value());
    EXPECT_EQ(sample_state(), other->read_state().value());
}

TEST_F(ContainerDirTest, refuses_a_record_of_another_container) {
    auto directory = reserve();
    ASSERT_TRUE(good(directory->write_record(sample_record("c2"))));
    EXPECT_FALSE(directory->read_record());
}

TEST_F(ContainerDirTest, refuses_files_that_are_too_large) {
    auto directory = reserve();
    ASSERT_EQ(0, ::truncate((write(file("c1", "record.json"), ""), file("c1", "record.json")).c_str(), 17 << 20));
    EXPECT_EQ(EFBIG, directory->read_record().error().errno_value);
}

TEST_F(ContainerDirTest, an_id_is_taken_once) {
    auto const first = reserve();
    ASSERT_TRUE(good(first));
    auto const second = reserve();
    ASSERT_FALSE(second);
    EXPECT_EQ("container with given ID already exists", second.error().message);
    EXPECT_EQ(EEXIST, second.error().errno_value);
}

TEST_F(ContainerDirTest, says_when_there_is_none) {
    EXPECT_EQ("container does not exist", ContainerDir::open(root_, "c1").error().message);
    EXPECT_EQ("container does not exist", open_locked().error().message);
    ASSERT_TRUE(good(reserve("other")));
    EXPECT_EQ("container does not exist", ContainerDir::open(root_, "c1").error().message);
    EXPECT_EQ("container does not exist", open_locked().error().message);
    EXPECT_EQ(ENOENT, open_locked().error().errno_value);
    EXPECT_TRUE(is_missing_container(open_locked().error()));
    EXPECT_FALSE(is_missing_container({"open x: no such file or directory", ENOENT}));
    EXPECT_NE("container does not exist", ContainerDir::open(root_, "..").error().message);
}

TEST_F(ContainerDirTest, does_not_follow_links) {
    ASSERT_TRUE(good(reserve("c2")));
    ASSERT_EQ(0, ::symlink("c2", (root_ + "/c1").c_str()));
    EXPECT_FALSE(ContainerDir::open(root_, "c1"));
    EXPECT_FALSE(open_locked());
}

TEST_F(ContainerDirTest, a_lock_of_another_process_is_waited_for_until_the_deadline) {
    ASSERT_TRUE(good(reserve()));
    Child holder([&] { return open_locked(); });
    auto const begin = std::chrono::steady_clock::now();
    auto const refused = open_locked(100);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(90));
    ASSERT_FALSE(refused);
    EXPECT_EQ("container is busy: another command holds its lock", refused.error().message);
    EXPECT_EQ(ETIMEDOUT, refused.error().errno_value);
    holder.end();
    EXPECT_TRUE(good(open_locked(0))) << "the lock went with its holder";
}

TEST_F(ContainerDirTest, a_wait_without_deadline_ends_with_the_holder) {
    ASSERT_TRUE(good(reserve()));
    Child holder([&] { return open_locked(); });
    pid_t const killer = ::fork();
    if (killer == 0) {
        ::usleep(50000);
        ::kill(holder.pid(), SIGKILL);
        ::_exit(0);
    }
    EXPECT_TRUE(good(ContainerDir::open_locked(root_, "c1", kernel::Deadline::never())));
    ::waitpid(killer, nullptr, 0);
}

TEST_F(ContainerDirTest, a_folder_that_was_removed_while_waiting_does_not_exist) {
    ASSERT_TRUE(good(reserve()));
    Child remover([&] {
        auto directory = open_locked();
        pid_t const later = ::fork();
        if (later == 0) {
            ::usleep(50000);
            (void)directory->remove();
            ::_exit(0);
        }
        directory->release();
        return 0;
    });
    EXPECT_EQ("container does not exist", open_locked(2000).error().message);
}

TEST_F(ContainerDirTest, a_folder_that_was_made_anew_while_waiting_is_the_one_that_is_opened) {
    ASSERT_TRUE(good(reserve()));
    Child remover([&] {
        auto directory = open_locked();
        pid_t const later = ::fork();
        if (later == 0) {
            ::usleep(50000);
            (void)directory->remove();
            auto fresh = reserve();
            (void)fresh->write_record(sample_record());
            ::_exit(0);
        }
        directory->release();
        return 0;
    });
    // Between the two the name is free: that is an answer, too.
    auto opened = open_locked(2000);
    if (!opened)
        ::usleep(100000), opened = open_locked(2000);
    ASSERT_TRUE(good(opened));
    EXPECT_TRUE(good(opened->read_record()));
}

TEST_F(ContainerDirTest, knows_whether_another_one_holds_the_lock) {
    auto mine = reserve();
    ASSERT_TRUE(good(mine));
    EXPECT_FALSE(mine->is_locked_by_other());
    auto const other = ContainerDir::open(root_, "c1");
    EXPECT_TRUE(other->is_locked_by_other());
    EXPECT_TRUE(other->is_locked_by_other()) << "asking changes nothing";
    mine->release();
    EXPECT_FALSE(other->is_locked_by_other());
    EXPECT_TRUE(good(open_locked(0)));
}

TEST_F(ContainerDirTest, the_lock_lasts_as_long_as_any_copy) {
    auto mine = reserve();
    auto const other = ContainerDir::open(root_, "c1");
    {
        Child const with_copy([] { return 0; });
        mine->release();
        EXPECT_TRUE(other->is_locked_by_other()) << "why children call release() first";
    }
    EXPECT_FALSE(other->is_locked_by_other());
}

TEST_F(ContainerDirTest, removes_everything_it_knows) {
    auto directory = reserve();
    ASSERT_TRUE(good(directory->write_record(sample_record())));
    ASSERT_TRUE(good(directory->write_config("{}")));
    ASSERT_TRUE(good(directory->write_state(sample_state())));
    ASSERT_TRUE(good(directory->open_gate()));
    for (auto const* const name : {".state.json.12345", ".record.json.1", ".config.json.18446744073709551615"})
        write(file("c1", name), "half");
    ASSERT_EQ(0, ::mkdir(file("c1", "notify").c_str(), 0700));
    ASSERT_TRUE(good(kernel::listen_at(AT_FDCWD, file("c1", "notify/notify.sock"))));
    EXPECT_TRUE(good(directory->remove()));
    EXPECT_FALSE(std::filesystem::exists(root_ + "/c1"));
    EXPECT_TRUE(good(directory->remove())) << "again is no error";
}

TEST_F(ContainerDirTest, removes_nothing_when_there_is_something_unknown) {
    auto directory = reserve();
    ASSERT_TRUE(good(directory->write_record(sample_record())));
    for (auto const* const name : {"precious", ".state.json.", ".state.json.x1", ".other.json.1", "start.sock2"}) {
        write(file("c1", name), "");
        auto const removed = directory->remove();
        ASSERT_FALSE(removed) << name;
        EXPECT_NE(std::string::npos, removed.error().message.find(name));
        EXPECT_TRUE(std::filesystem::exists(file("c1", "record.json")));
        std::filesystem::remove(file("c1", name));
    }
    EXPECT_TRUE(good(directory->remove()));
}

TEST_F(ContainerDirTest, lists_names) {
    EXPECT_TRUE(container_ids(root_).value().empty());
    for (auto const* const id : {"b", "a", "C"})
        ASSERT_TRUE(good(reserve(id)));
    write(root_ + "/file", "");
    ASSERT_EQ(0, ::mkdir((root_ + "/.hidden").c_str(), 0700));
    ASSERT_EQ(0, ::symlink("a", (root_ + "/link").c_str()));
    EXPECT_EQ((std::vector<std::string>{"C", "a", "b"}), container_ids(root_).value());
    EXPECT_FALSE(container_ids(root_ + "/file"));
}

TEST_F(ContainerDirTest, a_storm_of_makers_has_one_winner) {
    constexpr int makers = 20;
    int winners[2];
    ASSERT_EQ(0, ::pipe(winners));
    for (int i = 0; i < makers; ++i)
        if (::fork() == 0) {
            auto const mine = reserve();
            if (mine && ::write(winners[1], "x", 1) == 1)
                ::usleep(100000);
            ::_exit(0);
        }
    for (int i = 0; i < makers; ++i)
        ::wait(nullptr);
    ::close(winners[1]);
    char bytes[makers];
    EXPECT_EQ(1, ::read(winners[0], bytes, sizeof bytes));
    ::close(winners[0]);
}

TEST_F(ContainerDirTest, makers_and_removers_never_meet_in_one_folder) {
    // Everybody makes, checks that nobody else is inside, and removes.
    for (int i = 0; i < 8; ++i)
        if (::fork() == 0) {
            int failures = 0;
            for (int round = 0; round < 100; ++round) {
                auto mine = reserve();
                if (!mine)
                    continue;
                failures += mine->write_record(sample_record()) ? 0 : 1;
                failures += mine->read_record() ? 0 : 1;
                failures += mine->remove() ? 0 : 1;
            }
            ::_exit(failures == 0 ? 0 : 1);
        }
    for (int i = 0; i < 8; ++i) {
        int status = 0;
        ::wait(&status);
        EXPECT_EQ(0, status);
    }
    EXPECT_FALSE(std::filesystem::exists(root_ + "/c1"));
}

TEST_F(ContainerDirTest, the_gate) {
    auto directory = reserve();
    EXPECT_FALSE(directory->gate_accepts().value());
    auto gate = directory->open_gate();
    ASSERT_TRUE(good(gate));
    EXPECT_EQ(0600U, mode(file("c1", "start.sock")));
    EXPECT_TRUE(directory->gate_accepts().value());
    EXPECT_TRUE(good(directory->connect_gate()));
    gate->close();
    EXPECT_FALSE(directory->gate_accepts().value());
    EXPECT_EQ(ECONNREFUSED, directory->connect_gate().error().errno_value);
}

TEST_F(ContainerDirTest, a_gate_with_a_full_queue_does_not_block_a_look) {
    auto directory = reserve();
    auto const gate = directory->open_gate();
    ASSERT_EQ(0, ::listen(gate->get(), 1));
    auto const begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 10; ++i)
        EXPECT_TRUE(directory->gate_accepts().value()) << i;
    EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(2000));
}

} // namespace
} // namespace oci::state
