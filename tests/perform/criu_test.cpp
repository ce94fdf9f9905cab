// SPDX-License-Identifier: Apache-2.0
// What criu is told and what is understood of its answers, in the numbers of its rpc.proto.
#include <gtest/gtest.h>
#include <map>

#include "base/protobuf.h"
#include "perform/criu.h"
#include "perform/mountinfo.h"

namespace oci::perform {
namespace {

using Fields = std::multimap<unsigned, ProtobufField>;

Fields fields_of(std::string_view message) {
    Fields fields;
    for (auto const& field : read_protobuf(message).value_or(std::vector<ProtobufField>()))
        fields.emplace(field.number, field);
    return fields;
}

std::uint64_t number(Fields const& fields, unsigned field) {
    EXPECT_EQ(fields.count(field), 1U) << field;
    return fields.count(field) == 0 ? 0 : fields.find(field)->second.value;
}

std::string_view text(Fields const& fields, unsigned field) {
    EXPECT_EQ(fields.count(field), 1U) << field;
    return fields.count(field) == 0 ? "" : fields.find(field)->second.bytes;
}

/// The pairs of texts in all fields of that number.
std::multimap<std::string, std::string> pairs(Fields const& fields, unsigned field) {
    std::multimap<std::string, std::string> found;
    for (auto [at, end] = fields.equal_range(field); at != end; ++at) {
        auto const pair = fields_of(at->second.bytes);
        found.emplace(text(pair, 1), text(pair, 2));
    }
    return found;
}

TEST(Criu, DumpRequest) {
    steps::DumpContainer dump;
    CriuFacts facts;
    facts.images = 7;
    facts.work = 8;
    facts.process = 4711;
    facts.freeze_cgroup = "/sys/fs/cgroup/c1";
    facts.mounts = {{"/run/data", "/var/run/data"}, {"/proc/kcore", "/dev/null"}};
    facts.externals = {"net[4026531840]:extRootNetNS", "file[1a:2b]"};
    auto const message = dump_request(dump, facts);
    auto const request = fields_of(message);
    EXPECT_EQ(number(request, 1), 1U);
    auto const options = fields_of(text(request, 2));
    EXPECT_EQ(number(options, 1), 7U);
    EXPECT_EQ(number(options, 17), 8U);
    EXPECT_EQ(number(options, 2), 4711U);
    EXPECT_EQ(number(options, 3), 0U) << "leave_running";
    EXPECT_EQ(text(options, 10), "dump.log");
    EXPECT_EQ(number(options, 12), 1U) << "notify_scripts";
    EXPECT_EQ(number(options, 34), 6U) << "manage_cgroups_mode";
    EXPECT_EQ(number(options, 38), 0x40000000U) << "empty_ns";
    EXPECT_EQ(text(options, 44), "/sys/fs/cgroup/c1");
    EXPECT_EQ(pairs(options, 23),
              (std::multimap<std::string, std::string>{{"/run/data", "/var/run/data"}, {"/proc/kcore", "/dev/null"}}));
    EXPECT_EQ(options.count(37), 2U);
    for (unsigned const absent : {4, 5, 7, 8, 11, 13, 14, 15, 16, 18, 26, 46, 48, 51, 52, 64})
        EXPECT_EQ(options.count(absent), 0U) << absent;
}

TEST(Criu, EveryOption) {
    steps::DumpContainer dump;
    auto& options = dump.options;
    options.tcp_established = options.tcp_skip_in_flight = options.tcp_close = options.external_sockets =
        options.shell_job = options.file_locks = options.link_remap = options.auto_dedup = options.lazy_pages = true;
    options.cgroups_mode = steps::CgroupsMode::ignore;
    options.network_lock = steps::NetworkLock::nftables;
    options.config_file = "/etc/criu/runc.conf";
    dump.leave_running = true;
    dump.parent_path = "../before";
    dump.page_server = "::1";
    dump.page_server_port = 27;
    auto const message = dump_request(dump, {});
    auto const request = fields_of(message);
    auto const fields = fields_of(text(request, 2));
    for (unsigned const set : {3, 4, 5, 7, 8, 15, 16, 18, 46, 48, 52})
        EXPECT_EQ(number(fields, set), 1U) << set;
    EXPECT_EQ(number(fields, 34), 0U);
    EXPECT_EQ(number(fields, 64), 2U);
    EXPECT_EQ(text(fields, 51), "/etc/criu/runc.conf");
    EXPECT_EQ(text(fields, 14), "../before");
    auto const server = fields_of(text(fields, 11));
    EXPECT_EQ(text(server, 1), "::1");
    EXPECT_EQ(number(server, 2), 27U);
}

TEST(Criu, CgroupsModes) {
    for (auto const& [mode, value] : std::map<steps::CgroupsMode, unsigned>{{steps::CgroupsMode::standard, 6},
                                                                            {steps::CgroupsMode::soft, 3},
                                                                            {steps::CgroupsMode::full, 4},
                                                                            {steps::CgroupsMode::strict, 5},
                                                                            {steps::CgroupsMode::ignore, 0}}) {
        steps::DumpContainer dump;
        dump.options.cgroups_mode = mode;
        auto const message = dump_request(dump, {});
        EXPECT_EQ(number(fields_of(text(fields_of(message), 2)), 34), value);
    }
}

TEST(Criu, PreDumpTracksMemory) {
    steps::DumpContainer dump;
    dump.pre_dump = true;
    auto const message = dump_request(dump, {});
    auto const request = fields_of(message);
    EXPECT_EQ(number(request, 1), 4U);
    EXPECT_EQ(number(fields_of(text(request, 2)), 15), 1U);
}

TEST(Criu, RestoreRequest) {
    steps::BeginRestore restore;
    restore.lsm_profile = "selinux:u:r:t:s0";
    restore.lsm_mount_context = "u:object_r:f:s0";
    CriuFacts facts;
    facts.images = 7;
    facts.root = "/run/oci-run/c1";
    facts.cgroup = "/c1";
    facts.mounts = {{"/data", "/srv/data"}};
    facts.inherited = {{"pipe:[1234]", 1}, {"extRootNetNS", 9}};
    facts.joined = {{"ipc", "/proc/1/ns/ipc"}};
    auto const message = restore_request(restore, facts);
    auto const request = fields_of(message);
    EXPECT_EQ(number(request, 1), 2U);
    auto const options = fields_of(text(request, 2));
    EXPECT_EQ(options.count(2), 0U) << "pid";
    EXPECT_EQ(options.count(17), 0U) << "work_dir_fd";
    EXPECT_EQ(text(options, 10), "restore.log");
    EXPECT_EQ(text(options, 13), "/run/oci-run/c1");
    EXPECT_EQ(number(options, 26), 1U) << "rst_sibling";
    EXPECT_EQ(number(options, 50), 1U) << "orphan_pts_master";
    EXPECT_EQ(text(options, 53), "selinux:u:r:t:s0");
    EXPECT_EQ(text(options, 63), "u:object_r:f:s0");
    EXPECT_EQ(pairs(options, 25), (std::multimap<std::string, std::string>{{"", "/c1"}}));
    EXPECT_EQ(pairs(options, 39), (std::multimap<std::string, std::string>{{"ipc", "/proc/1/ns/ipc"}}));
    std::map<std::string, std::uint64_t> inherited;
    for (auto [at, end] = options.equal_range(27); at != end; ++at) {
        auto const one = fields_of(at->second.bytes);
        inherited.emplace(text(one, 1), number(one, 2));
    }
    EXPECT_EQ(inherited, (std::map<std::string, std::uint64_t>{{"pipe:[1234]", 1}, {"extRootNetNS", 9}}));
}

TEST(Criu, WithoutCgroupThatOfTheImageIsNotMade) {
    auto const message = restore_request({}, {});
    auto const request = fields_of(message);
    auto const options = fields_of(text(request, 2));
    EXPECT_EQ(number(options, 34), 0U);
    EXPECT_EQ(options.count(25), 0U);
}

TEST(Criu, NotificationReply) {
    auto const yes = notification_reply(true);
    auto const no = notification_reply(false);
    EXPECT_EQ(number(fields_of(yes), 1), 6U);
    EXPECT_EQ(number(fields_of(yes), 3), 1U);
    EXPECT_EQ(number(fields_of(no), 3), 0U);
}

TEST(Criu, ReadsNotifications) {
    ProtobufWriter notification;
    notification.text(1, "post-restore");
    notification.integer(2, 4711);
    notification.text(99, "what may come");
    ProtobufWriter message;
    message.number(1, 6);
    message.flag(2, true);
    message.text(5, notification.bytes());
    message.number(99, 1);
    auto const answer = read_answer(message.bytes());
    ASSERT_TRUE(answer);
    EXPECT_EQ(*answer, (CriuAnswer{true, true, "post-restore", 4711, {}}));
}

TEST(Criu, ReadsFailures) {
    ProtobufWriter message;
    message.number(1, 2);
    message.flag(2, false);
    message.integer(7, 3);
    message.text(9, "Error (criu/x.c:1): mnt: no\n");
    auto const answer = read_answer(message.bytes());
    ASSERT_TRUE(answer);
    EXPECT_EQ(*answer, (CriuAnswer{false, false, "", 0, "Error (criu/x.c:1): mnt: no\n"}));
}

TEST(Criu, RefusesNonsense) {
    EXPECT_FALSE(read_answer("\x08"));
    ProtobufWriter broken;
    broken.text(5, "\x0a\x20short");
    EXPECT_FALSE(read_answer(broken.bytes()));
    ProtobufWriter pid;
    pid.number(2, 1ULL << 40U);
    ProtobufWriter message;
    message.text(5, pid.bytes());
    EXPECT_FALSE(read_answer(message.bytes())) << "a pid beyond an int";
}

TEST(Criu, ErrorsOfTheLog) {
    EXPECT_EQ(error_text("(00.1) Warn  (criu/a.c:1): careful\n"
                         "(00.2)      1: Error (criu/mount.c:1089): mnt: No such file: (x): y\n"
                         "(00.3) Error (criu/cr-restore.c:2): Restoring FAILED.\n"),
              "mnt: No such file: (x): y");
    EXPECT_EQ(error_text("Error (criu/cr-dump.c:2): Dumping FAILED.\n"), "Dumping FAILED.");
    EXPECT_EQ(error_text("Error (criu/a.c:1): \x1b[31mred\n"), "\\x1b[31mred");
    for (auto const* const none : {"", "Error", "Error (criu/a.c:1", "no Error here\n"})
        EXPECT_EQ(error_text(none), "") << none;
}

TEST(Mountinfo, IdsAndPlaces) {
    auto const mounts = parse_mountinfo("36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw\n"
                                        "100 36 0:5 / /a\\040b\\134c\\011 rw - tmpfs x y\n"
                                        "nonsense\n7 8 9\n\n");
    EXPECT_EQ(mounts,
              (std::vector<MountPoint>{{36, "/mnt2", "ext3", "/dev/root", "/mnt1", {"rw", "noatime"}, {"slave"}},
                                       {100, "/a b\\c\t", "tmpfs", "x", "/", {"rw", "y"}, {"private"}}}));
    EXPECT_EQ(find_mount(mounts, 100), &mounts[1]);
    EXPECT_EQ(find_mount(mounts, 1), nullptr);
}

} // namespace
} // namespace oci::perform
