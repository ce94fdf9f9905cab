// SPDX-License-Identifier: Apache-2.0
// Groups in a made-up tree, which has what the kernel prints; what the kernel itself makes in a new group, and its
// rmdir(2) of a folder with files in it, an ordinary file system has not.
#include "perform/resctrl.h"

#include "../kernel/support.h"

namespace oci::perform {
namespace {

using kernel::contains;
using kernel::errno_of;
using kernel::good;
using kernel::message_of;

class Resctrl : public testing::Test {
protected:
    Resctrl() {
        for (auto const* const folder : {"info/L3", "info/MB", "mon_groups", "mon_data"})
            tree.folder(folder);
        tree.file("info/last_cmd_status", "ok\n");
        tree.file("info/MB/bandwidth_gran", "10\n");
        add_group("");
    }

    void add_group(std::string const& name, std::string_view schemata = "    MB:0=100;1=100\n    L3:0=7ff;1=7ff\n",
                   std::string_view tasks = "") const {
        tree.folder(concat(name, "/mon_groups"));
        tree.file(concat(name, "/schemata"), schemata);
        tree.file(concat(name, "/tasks"), tasks);
    }
    void add_monitoring_group(std::string const& name) const {
        tree.folder(name);
        tree.file(concat(name, "/tasks"), "");
    }
    Result<void> check(std::string_view found, std::vector<steps::ResctrlSchema> const& schemata) const {
        add_group("gold", found);
        return check_schemata(tree.get(), open_resctrl_group(tree.get(), "/gold").value().get(), schemata);
    }

    kernel::TemporaryFolder tree;
};

/// For the table of fields (tests/field_table.py): there is no hardware to show it in a container.
void works(std::string const& field) {
    testing::Test::RecordProperty("/linux/intelRdt/" + field, "works");
}

steps::ResctrlGroup const gold{"/gold", "/gold/mon_groups/c1"};

TEST_F(Resctrl, only_that_file_system_is_opened) {
    EXPECT_EQ(message_of(open_resctrl(tree.path())), concat(tree.path(), " is not a resctrl file system"));
    EXPECT_EQ(errno_of(open_resctrl("")), ENOENT);
    EXPECT_TRUE(contains(message_of(open_resctrl("")), "no resctrl file system is mounted"));
}

// ---- the record

TEST_F(Resctrl, what_is_missing_is_recorded_as_made) {
    state::Record record;
    ASSERT_TRUE(good(record_resctrl_group(tree.get(), gold, record)));
    EXPECT_EQ(record.resctrl_group, "/gold");
    EXPECT_EQ(record.resctrl_monitoring_group, "/gold/mon_groups/c1");
    EXPECT_TRUE(record.resctrl_created);
    EXPECT_TRUE(record.resctrl_named);
    EXPECT_FALSE(tree.exists("gold")) << "only looked at";
}

TEST_F(Resctrl, what_is_there_is_recorded_as_somebody_elses) {
    add_group("gold");
    for (auto const* const path : {"/gold", "/"}) {
        state::Record record;
        ASSERT_TRUE(good(record_resctrl_group(tree.get(), {.path = path, .must_exist = true}, record)));
        EXPECT_EQ(record.resctrl_group, path);
        EXPECT_FALSE(record.resctrl_created);
    }
}

TEST_F(Resctrl, clos_id_alone_must_exist) {
    state::Record record;
    auto const recorded = record_resctrl_group(tree.get(), {.path = "/gold", .must_exist = true}, record);
    EXPECT_TRUE(contains(message_of(recorded), "/linux/intelRdt/closID: there is no resctrl group /gold"));
    EXPECT_EQ(record, state::Record{});
}

TEST_F(Resctrl, a_monitoring_group_of_that_name_is_somebody_elses) {
    add_group("gold");
    add_monitoring_group("gold/mon_groups/c1");
    state::Record record;
    auto const recorded = record_resctrl_group(tree.get(), gold, record);
    EXPECT_EQ(errno_of(recorded), EEXIST);
    EXPECT_TRUE(contains(message_of(recorded), "/linux/intelRdt/enableMonitoring"));
    EXPECT_EQ(record, state::Record{}) << "delete must not remove it";
}

// ---- making and finding

TEST_F(Resctrl, groups_are_made_and_opened) {
    ASSERT_TRUE(good(make_resctrl_group(tree.get(), "/gold")));
    EXPECT_TRUE(tree.exists("gold"));
    EXPECT_EQ(errno_of(make_resctrl_group(tree.get(), "/gold")), EEXIST);
    EXPECT_EQ(errno_of(open_resctrl_group(tree.get(), "/silver")), ENOENT);
    EXPECT_TRUE(good(open_resctrl_group(tree.get(), "/")));
    for (auto const* const name : {"/info", "/mon_groups", "/mon_data"})
        EXPECT_EQ(message_of(open_resctrl_group(tree.get(), name)), concat(name, " is not a resctrl group"));
    EXPECT_EQ(errno_of(open_resctrl_group(tree.get(), "/schemata")), ENOTDIR);
    tree.link("link", "gold");
    EXPECT_EQ(errno_of(open_resctrl_group(tree.get(), "/link")), ELOOP);
}

TEST_F(Resctrl, no_room_for_monitoring) {
    EXPECT_EQ(errno_of(make_resctrl_group(tree.get(), "/gold/mon_groups/c1")), ENOENT);
}

TEST_F(Resctrl, schemata_are_written_in_order) {
    add_group("gold", "");
    auto const group = open_resctrl_group(tree.get(), "/gold").value();
    // A file of an ordinary file system keeps what the last write did not cover; the kernel gets each by itself.
    ASSERT_TRUE(good(write_schemata(tree.get(), group.get(), {{"L3:0=f;1=f", "/a"}, {"MB:0=20", "/b"}})));
    EXPECT_EQ(tree.content("gold/schemata"), "MB:0=20\n=f\n");
    for (auto const* const field : {"schemata", "l3CacheSchema", "memBwSchema"})
        works(field);
}

TEST_F(Resctrl, what_the_kernel_refuses_is_told_with_its_reason) {
    NEEDS_ROOT();
    tree.file("info/last_cmd_status", "Mask f0f has non-consecutive 1-bits\n");
    // No kernel refuses a write to an ordinary file; /dev/full does, and is bound over it.
    EXPECT_EQ(
        "", kernel::in_mount_namespace([&]() -> std::string {
            add_group("gold");
            if (::mount("/dev/full", tree.path("gold/schemata").c_str(), nullptr, MS_BIND, nullptr) != 0)
                return "mount";
            // A descriptor from before does not show the new mount.
            auto const root = kernel::openat(AT_FDCWD, tree.path(), O_RDONLY | O_DIRECTORY).value();
            auto const group = open_resctrl_group(root.get(), "/gold").value();
            auto const written = write_schemata(root.get(), group.get(), {{"L3:0=f0f", "/linux/intelRdt/schemata/0"}});
            REQUIRE(errno_of(written) == ENOSPC);
            return message_of(written) == "/linux/intelRdt/schemata/0: write schemata: no space left on device "
                                          "(Mask f0f has non-consecutive 1-bits)"
                       ? ""
                       : message_of(written);
        }));
}

TEST_F(Resctrl, a_reason_of_an_older_command_is_not_told) {
    tree.file("info/last_cmd_status", "Out of CLOSIDs\n");
    add_group("gold");
    EXPECT_FALSE(contains(message_of(make_resctrl_group(tree.get(), "/gold")), "CLOSIDs"));
}

// ---- comparing

TEST_F(Resctrl, the_same_in_the_kernels_words) {
    constexpr auto found = "    MB:0= 70;1=100\n    L3:0=000ff;1=7ff\nL3CODE:0=3\n";
    for (auto const* const asked :
         {"L3:0=ff;1=7ff", "L3:1=7ff;0=ff", "L3:0=ff", "L3:1=0x7FF", " L3 : 0 = 0ff ; 1 = 7ff ", "L3:0=ff\nMB:0=70",
          "MB:0=70;1=100", "MB:0=61", "MB:1=100", "L3:00=ff", "L3CODE:0=3", "L3:0=1\nL3:0=ff"})
        EXPECT_TRUE(good(check(found, {{asked, "/p"}}))) << asked;
    EXPECT_TRUE(good(check(found, {{"L3:0=1;1=7ff", "/l3"}, {"MB:0=70", "/mb"}, {"L3:0=ff", "/schemata/0"}})));
    EXPECT_TRUE(good(check(found, {})));
}

TEST_F(Resctrl, something_else) {
    constexpr auto found = "    MB:0= 70;1=100\n    L3:0=ff;1=7ff\n";
    for (auto const* const asked :
         {"L3:0=f", "L3:0=ff0", "L3:2=ff", "L2:0=ff", "L3:0=ff;1=ff", "MB:0=60", "MB:0=71", "MB:0=7", "MB:0=", "MB:0",
          "MB", "L3:0=ff\nMB:0=10", "L3:0=ff\nL3:0=1", "L3:0=fe", "L3:0=+ff", "../info/MB:0=70"})
        EXPECT_TRUE(contains(message_of(check(found, {{asked, "/p"}})), "exists with other schemata")) << asked;
    EXPECT_EQ(message_of(check(found, {{"L3:0=f", "/p"}, {"MB:0=10", "/q"}})),
              "exists with other schemata (MB:0= 70;1=100, L3:0=ff;1=7ff) than are asked for (L3:0=f, MB:0=10)");
}

TEST_F(Resctrl, an_existing_group) {
    steps::SetUpResctrlGroup operation{gold, {{"L3:0=7ff", "/linux/intelRdt/l3CacheSchema"}}};
    EXPECT_EQ(errno_of(check_existing_group(tree.get(), operation)), ENOENT);
    add_group("gold", "L3:0=7ff\n", "1\n2\n");
    EXPECT_TRUE(good(check_existing_group(tree.get(), operation))) << "shared with others";
    operation.group.named_by_clos_id = false;
    EXPECT_EQ(message_of(check_existing_group(tree.get(), operation)),
              "resctrl group /gold exists with tasks of others");
    add_group("gold", "L3:0=7ff\n", "");
    EXPECT_TRUE(good(check_existing_group(tree.get(), operation)));
    add_group("gold", "L3:0=1\n", "");
    EXPECT_TRUE(contains(message_of(check_existing_group(tree.get(), operation)), "resctrl group /gold: exists with"));
}

TEST_F(Resctrl, the_default_group_is_compared_as_well) {
    steps::SetUpResctrlGroup operation{{.path = "/"}, {{"L3:0=7ff", "/p"}}};
    EXPECT_TRUE(good(check_existing_group(tree.get(), operation)));
    operation.schemata[0].text = "L3:0=1";
    EXPECT_FALSE(check_existing_group(tree.get(), operation));
}

// ---- joining

TEST_F(Resctrl, the_process_gets_into_both_groups) {
    add_group("gold");
    add_monitoring_group("gold/mon_groups/c1");
    ASSERT_TRUE(good(join_resctrl_group(tree.get(), gold, 4711)));
    EXPECT_EQ(tree.content("gold/tasks"), "4711");
    EXPECT_EQ(tree.content("gold/mon_groups/c1/tasks"), "4711");
    EXPECT_EQ(tree.content("tasks"), "");
    ASSERT_TRUE(good(join_resctrl_group(tree.get(), {.path = "/"}, 12)));
    EXPECT_EQ(tree.content("tasks"), "12");
    works("enableMonitoring");
}

TEST_F(Resctrl, a_group_that_is_gone_is_not_joined) {
    EXPECT_EQ(errno_of(join_resctrl_group(tree.get(), gold, 4711)), ENOENT);
    add_group("gold");
    EXPECT_EQ(errno_of(join_resctrl_group(tree.get(), gold, 4711)), ENOENT);
    EXPECT_EQ(tree.content("gold/tasks"), "4711") << "at least there";
}

// ---- all of it

/// Reserved and recorded, as SetUpResctrlGroup finds it.
class ResctrlSetUp : public Resctrl {
protected:
    ResctrlSetUp() {
        context.directory = state::ContainerDir::reserve(state_root.path("root"), "c1").value();
        context.state.pid = 4711;
        context.record.id = "c1";
        context.record.cgroup_driver = "disabled";
    }
    Result<void> record_it(steps::ResctrlGroup const& group) {
        TRY(record_resctrl_group(tree.get(), group, context.record));
        return context.directory->write_record(context.record);
    }
    state::Record on_disk() const { return context.directory->read_record().value(); }

    kernel::TemporaryFolder state_root;
    Context context;
};

TEST_F(ResctrlSetUp, a_group_that_is_there_is_joined_as_it_is) {
    add_group("gold", "L3:0=f\n", "1\n");
    steps::SetUpResctrlGroup const operation{{.path = "/gold"}, {{"L3:0=f", "/p"}}};
    ASSERT_TRUE(good(record_it(operation.group)));
    ASSERT_TRUE(good(set_up_resctrl_group(tree.get(), operation, context)));
    EXPECT_EQ(tree.content("gold/tasks"), "4711");
    EXPECT_EQ(tree.content("gold/schemata"), "L3:0=f\n");
    works("closID");
}

TEST_F(ResctrlSetUp, other_schemata_are_an_error_and_stay) {
    add_group("gold", "L3:0=f\n");
    steps::SetUpResctrlGroup const operation{{.path = "/gold"}, {{"L3:0=ff", "/p"}}};
    ASSERT_TRUE(good(record_it(operation.group)));
    EXPECT_TRUE(contains(message_of(set_up_resctrl_group(tree.get(), operation, context)),
                         "/linux/intelRdt: resctrl group /gold: exists with other schemata"));
    EXPECT_EQ(tree.content("gold/schemata"), "L3:0=f\n");
    EXPECT_EQ(tree.content("gold/tasks"), "");
}

TEST_F(ResctrlSetUp, a_group_that_another_container_made_meanwhile_is_its) {
    steps::SetUpResctrlGroup const operation{{.path = "/gold"}, {{"L3:0=f", "/p"}}};
    ASSERT_TRUE(good(record_it(operation.group)));
    EXPECT_TRUE(on_disk().resctrl_created);
    add_group("gold", "L3:0=f\n");
    ASSERT_TRUE(good(set_up_resctrl_group(tree.get(), operation, context)));
    EXPECT_FALSE(on_disk().resctrl_created) << "delete must not remove it";
    EXPECT_EQ(tree.content("gold/tasks"), "4711");
}

TEST_F(ResctrlSetUp, so_is_a_monitoring_group) {
    add_group("gold");
    ASSERT_TRUE(good(record_it(gold)));
    add_monitoring_group("gold/mon_groups/c1");
    auto const done = set_up_resctrl_group(tree.get(), {gold, {}}, context);
    EXPECT_EQ(errno_of(done), EEXIST);
    EXPECT_TRUE(message_of(done).starts_with("/linux/intelRdt/enableMonitoring: resctrl group /gold/mon_groups/c1"));
    EXPECT_EQ(on_disk().resctrl_monitoring_group, "");
    EXPECT_EQ(on_disk().resctrl_group, "/gold");
    EXPECT_EQ(tree.content("gold/tasks"), "");
}

TEST_F(ResctrlSetUp, what_is_missing_is_made) {
    ASSERT_TRUE(good(record_it(gold)));
    // No kernel fills the new folder here, so that is as far as it comes.
    EXPECT_EQ(message_of(set_up_resctrl_group(tree.get(), {gold, {}}, context)),
              "/linux/intelRdt: /gold is not a resctrl group");
    EXPECT_TRUE(tree.exists("gold"));
    EXPECT_TRUE(on_disk().resctrl_created);
}

// ---- removing

state::Record record_of(bool created, bool named) {
    state::Record record;
    record.resctrl_group = "/gold";
    record.resctrl_monitoring_group = "/gold/mon_groups/c1";
    record.resctrl_created = created;
    record.resctrl_named = named;
    return record;
}

struct End {
    bool created;
    bool named;
    Ending ending;
    bool stays;
};

class ResctrlEnd : public testing::TestWithParam<End> {};

TEST_P(ResctrlEnd, LeavesWhatIsNotOurs) {
    auto const& end = GetParam();
    kernel::TemporaryFolder tree;
    // As far as rmdir(2) of an ordinary file system can: empty folders, and nothing that says who is in them.
    tree.folder(end.stays ? "gold/mon_groups/c1" : "gold");
    auto const record = record_of(end.created, end.named);
    auto const once = [&] {
        return remove_resctrl_groups(tree.get(), record, end.ending, kernel::Deadline::after(std::chrono::seconds(0)));
    };
    ASSERT_TRUE(good(once()));
    EXPECT_FALSE(tree.exists("gold/mon_groups/c1"));
    EXPECT_EQ(tree.exists("gold"), end.stays);
    EXPECT_TRUE(good(once())) << "delete may be run again";
}

INSTANTIATE_TEST_SUITE_P(
    All, ResctrlEnd,
    testing::Values(End{true, false, Ending::deleted, false}, End{true, false, Ending::undone, false},
                    End{false, false, Ending::deleted, true}, End{false, false, Ending::undone, true},
                    End{true, true, Ending::deleted, true}, End{false, true, Ending::deleted, true},
                    End{false, true, Ending::undone, true}));

TEST_F(Resctrl, a_named_group_of_a_create_that_failed_goes_unless_it_is_in_use) {
    auto const undo = [&] {
        return remove_resctrl_groups(tree.get(), record_of(true, true), Ending::undone,
                                     kernel::Deadline::after(std::chrono::seconds(0)));
    };
    EXPECT_TRUE(good(undo())) << "it did not come to be";
    add_group("gold", "", "1\n");
    EXPECT_TRUE(good(undo()));
    EXPECT_TRUE(tree.exists("gold"));
    // Here rmdir(2) is refused because of the files, which shows that it was tried.
    add_group("gold", "", "");
    EXPECT_EQ(errno_of(undo()), ENOTEMPTY);
}

TEST_F(Resctrl, nothing_is_touched_without_the_file_system_or_after_a_reboot) {
    HostFacts host;
    auto const deadline = kernel::Deadline::after(std::chrono::seconds(0));
    EXPECT_TRUE(good(remove_resctrl_groups(record_of(true, false), host, Ending::deleted, deadline)));
    host.resctrl_mount = tree.path();
    EXPECT_TRUE(good(remove_resctrl_groups(record_of(true, false), host, Ending::deleted, deadline)))
        << "the record is of no boot";
    EXPECT_TRUE(good(remove_resctrl_groups(state::Record{}, host, Ending::deleted, deadline)));
}

} // namespace
} // namespace oci::perform
