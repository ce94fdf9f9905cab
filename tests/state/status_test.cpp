// SPDX-License-Identifier: Apache-2.0
// The status comes from facts: real processes, a real lock, a real gate.
#include "state/status.h"

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "kernel/host.h"
#include "support.h"

namespace oci::state {
namespace {

class StatusTest : public StateTest {
protected:
    /// A container whose init is `pid`; the lock is given up.
    void make(pid_t pid) {
        auto directory = ContainerDir::reserve(root_, "c1");
        ASSERT_TRUE(good(directory));
        record_.boot_id = kernel::boot_id().value();
        state_.pid = pid;
        state_.start_time = kernel::start_time(pid).value_or(1);
        ASSERT_TRUE(good(directory->write_record(record_)));
        ASSERT_TRUE(good(directory->write_state(state_)));
    }
    ContainerDir open() { return std::move(*ContainerDir::open(root_, "c1")); }
    std::string status() {
        auto const container = look_at(open(), top_);
        EXPECT_TRUE(good(container));
        return container ? std::string(status_name(container->status)) : container.error().message;
    }

    Record record_ = sample_record();
    State state_ = sample_state();
};

TEST_F(StatusTest, without_a_record_there_is_no_container) {
    ASSERT_TRUE(good(ContainerDir::reserve(root_, "c1")));
    EXPECT_EQ("container does not exist", look_at(open(), "").error().message);
}

TEST_F(StatusTest, creating_while_another_holds_the_lock) {
    Child creator([&] {
        auto directory = ContainerDir::reserve(root_, "c1");
        (void)directory->write_record(record_);
        return directory;
    });
    EXPECT_EQ("creating", status());
    creator.end();
    EXPECT_EQ("stopped", status()) << "the creator is gone without a commit";
    auto const mine = ContainerDir::open_locked(root_, "c1", kernel::Deadline::never());
    EXPECT_EQ(Status::stopped, look_at(*mine, "")->status) << "one's own lock is no creator";
}

TEST_F(StatusTest, running) {
    Child const init([] { return 0; });
    make(init.pid());
    EXPECT_EQ("running", status());
    auto const container = look_at(open(), "");
    EXPECT_TRUE(container->pidfd);
    EXPECT_EQ(state_, container->state);
    EXPECT_EQ(record_, container->record);
}

TEST_F(StatusTest, created_while_the_gate_accepts) {
    Child init([&] {
        ::mkdir(root_.c_str(), 0700);
        ::mkdir((root_ + "/c1").c_str(), 0700);
        return ContainerDir::open(root_, "c1")->open_gate();
    });
    auto directory = ContainerDir::open(root_, "c1");
    record_.boot_id = kernel::boot_id().value();
    state_.pid = init.pid();
    state_.start_time = kernel::start_time(init.pid()).value();
    ASSERT_TRUE(good(directory->write_record(record_)));
    ASSERT_TRUE(good(directory->write_state(state_)));
    EXPECT_EQ("created", status());
    EXPECT_EQ("created", status()) << "a look does not open the gate";
    init.end();
    EXPECT_EQ("stopped", status());
}

TEST_F(StatusTest, stopped_when_init_is_gone) {
    Child init([] { return 0; });
    make(init.pid());
    init.end();
    EXPECT_EQ("stopped", status());
}

TEST_F(StatusTest, stopped_when_init_is_a_zombie) {
    Child const init([] { return 0; });
    make(init.pid());
    init.make_zombie();
    EXPECT_EQ("stopped", status());
    EXPECT_FALSE(look_at(open(), "")->pidfd);
}

TEST_F(StatusTest, stopped_when_the_number_went_to_another_process) {
    Child const init([] { return 0; });
    make(init.pid());
    auto directory = open();
    state_.start_time -= 1;
    ASSERT_TRUE(good(directory.write_state(state_)));
    EXPECT_EQ("stopped", status());
}

TEST_F(StatusTest, stopped_after_a_reboot) {
    Child const init([] { return 0; });
    make(init.pid());
    auto directory = open();
    record_.boot_id = "another";
    ASSERT_TRUE(good(directory.write_record(record_)));
    EXPECT_EQ("stopped", status());
}

TEST_F(StatusTest, stopped_without_a_pid) {
    make(0);
    EXPECT_EQ("stopped", status());
}

TEST_F(StatusTest, paused_when_the_cgroup_is_frozen) {
    Child const init([] { return 0; });
    make(init.pid());
    auto const folder = top_ + record_.cgroup_path; // top_ stands in for the cgroup2 mount
    std::filesystem::create_directories(folder);
    write(folder + "/cgroup.events", "populated 1\nfrozen 0\n");
    write(folder + "/cgroup.freeze", "0\n");
    EXPECT_EQ("running", status());
    write(folder + "/cgroup.freeze", "1\n");
    EXPECT_EQ("paused", status());
    write(folder + "/cgroup.freeze", "0\n");
    write(folder + "/cgroup.events", "populated 1\nfrozen 1\n");
    EXPECT_EQ("paused", status());
}

TEST_F(StatusTest, a_damaged_state_is_an_error) {
    make(1);
    write(file("c1", "state.json"), "{");
    auto const container = look_at(open(), "");
    ASSERT_FALSE(container);
    EXPECT_NE(std::string::npos, container.error().message.find("state.json"));
}

Container sample(Status status = Status::running) {
    Container container;
    container.status = status;
    container.record = sample_record();
    container.state = sample_state();
    container.created = container.state->created;
    container.owner = 0;
    return container;
}

TEST(StatusDocument, as_runc_prints_it) {
    auto container = sample();
    container.record.bundle = "/b";
    container.state->annotations = {{"a", "1"}};
    EXPECT_EQ(R"({
  "ociVersion": "1.2.0",
  "id": "c1",
  "pid": 4711,
  "status": "running",
  "bundle": "/b",
  "rootfs": "/srv/b/rootfs",
  "created": "2026-01-02T03:04:05.000000006Z",
  "annotations": {
    "a": "1"
  },
  "owner": "root"
})",
              state_document(container));
}

TEST(StatusDocument, a_stopped_container_has_no_pid) {
    auto container = sample(Status::stopped);
    container.state->annotations.clear();
    auto const json = nlohmann::json::parse(state_document(container));
    EXPECT_EQ(0, json["pid"]);
    EXPECT_EQ("stopped", json["status"]);
    EXPECT_FALSE(json.contains("annotations"));
}

TEST(StatusDocument, is_whole_before_the_commit) {
    auto container = sample(Status::creating);
    container.state.reset();
    auto const json = nlohmann::json::parse(state_document(container));
    for (auto const* const key : {"ociVersion", "id", "pid", "status", "bundle", "rootfs", "created", "owner"})
        EXPECT_TRUE(json.contains(key)) << key;
    EXPECT_EQ(0, json["pid"]);
}

TEST(StatusDocument, an_unknown_owner_is_a_number) {
    auto container = sample();
    container.owner = 4000000001U;
    EXPECT_EQ("#4000000001", nlohmann::json::parse(state_document(container))["owner"]);
}

TEST(StatusDocument, bytes_that_are_no_text_are_replaced) {
    auto container = sample();
    container.record.bundle = "/\xff";
    EXPECT_EQ("/\xef\xbf\xbd", nlohmann::json::parse(state_document(container))["bundle"]);
}

TEST(StatusDocument, for_hooks_on_one_line) {
    auto record = sample_record();
    record.bundle = "/b";
    EXPECT_EQ(R"({"ociVersion":"1.3.0","id":"c1","status":"creating","pid":7,"bundle":"/b","annotations":{"k":"v"}})",
              hook_state(record, "1.3.0", {{"k", "v"}}, "creating", 7));
    EXPECT_EQ(R"({"ociVersion":"1.3.0","id":"c1","status":"stopped","bundle":"/b"})",
              hook_state(record, "1.3.0", {}, "stopped", 0));
}

TEST(StatusList, json) {
    EXPECT_EQ("null", list_json({}));
    std::vector<Container> containers;
    containers.push_back(sample());
    containers.push_back(sample(Status::stopped));
    auto const text = list_json(containers);
    EXPECT_EQ(std::string::npos, text.find('\n'));
    auto const json = nlohmann::json::parse(text);
    ASSERT_EQ(2U, json.size());
    EXPECT_EQ("stopped", json[1]["status"]);
}

TEST(StatusList, table) {
    EXPECT_EQ("ID          PID         STATUS      BUNDLE      CREATED     OWNER\n", list_table({}));
    std::vector<Container> containers;
    containers.push_back(sample());
    containers.back().record.id = "a-long-name";
    containers.back().record.bundle = "/b\n";
    EXPECT_EQ("ID            PID         STATUS      BUNDLE      CREATED                          OWNER\n"
              "a-long-name   4711        running     /b\\x0a      2026-01-02T03:04:05.000000006Z   root\n",
              list_table(containers));
}

} // namespace
} // namespace oci::state
