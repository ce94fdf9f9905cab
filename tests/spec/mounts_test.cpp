// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include <sched.h>
#include <sys/mount.h>

#include "base/text.h"

namespace oci::spec {
namespace {

class MountProblem : public testing::TestWithParam<BadConfig> {};

TEST_P(MountProblem, IsFound) {
    expect_problem(GetParam());
}

constexpr auto section = "config.md#mounts";
constexpr auto options_section = "config.md#linux-mount-options";
constexpr auto posix = "config.md#posix-platform-mounts";

BadConfig bad_mount(std::string mount, std::string pointer, std::string rule, std::string where = section) {
    return BadConfig{{{"/mounts", "[" + mount + "]"}}, "/mounts/0" + pointer, std::move(rule), std::move(where)};
}

INSTANTIATE_TEST_SUITE_P(
    Mounts, MountProblem,
    testing::Values(
        BadConfig{{{"/mounts", "{}"}}, "/mounts", "must be an array, is an object", section},
        BadConfig{{{"/mounts", R"([{"type": "tmpfs", "destination": "/a"}, "b"])"}},
                  "/mounts/1",
                  "must be an object, is a string",
                  section},
        bad_mount(R"({"type": "tmpfs"})", "/destination", "is required"),
        bad_mount(R"({"type": "tmpfs", "destination": ""})", "/destination", "must not be empty"),
        bad_mount(R"({"type": "tmpfs", "destination": 1})", "/destination", "must be a string, is a number"),
        bad_mount(R"({"type": "tmpfs", "destination": "/"})", "/destination", "must not be the root of the container"),
        bad_mount(R"({"type": "tmpfs", "destination": "."})", "/destination", "must not be the root of the container"),
        bad_mount(R"({"type": "tmpfs", "destination": "/a/../.."})", "/destination",
                  "must not be the root of the container"),
        bad_mount(R"({"type": "tmpfs", "destination": "/a\u0000b"})", "/destination", "NUL"),
        bad_mount(R"({"type": "tmpfs", "destination": "/proc/sys"})", "/destination",
                  R"(must not be below /proc, is "/proc/sys")"),
        bad_mount(R"({"type": "tmpfs", "destination": "proc//./self"})", "/destination", "must not be below /proc")));

INSTANTIATE_TEST_SUITE_P(
    Sources, MountProblem,
    testing::Values(
        bad_mount(R"({"destination": "/a", "options": ["bind"]})", "/source", "is required"),
        bad_mount(R"({"destination": "/a", "source": "", "options": ["rbind"]})", "/source", "must not be empty"),
        bad_mount(R"({"destination": "/a", "type": "bind", "source": "/b"})", "/type", "has the option bind or rbind"),
        bad_mount(R"({"destination": "/a", "type": "tmpfs\u0000"})", "/type", "NUL"),
        bad_mount(R"({"type": "tmpfs", "destination": "/a", "source": "\u0000"})", "/source", "NUL")));

INSTANTIATE_TEST_SUITE_P(
    Options, MountProblem,
    testing::Values(
        bad_mount(R"({"type": "tmpfs", "destination": "/a", "options": "ro"})", "/options",
                  "must be an array, is a string", options_section),
        bad_mount(R"({"type": "tmpfs", "destination": "/a", "options": ["ro", "a\u0000"]})", "/options/1", "NUL",
                  options_section),
        bad_mount(R"({"destination": "/a", "type": "proc", "options": ["tmpcopyup"]})", "/options", "tmpfs",
                  options_section),
        bad_mount(R"({"destination": "/a", "source": "/b", "options": ["bind", "idmap"]})", "/options",
                  "idmap without uidMappings and gidMappings needs a user namespace", options_section),
        bad_mount(R"({"destination": "/a", "source": "/b", "options": ["bind", "idmap=uids=0-1-1"]})", "/options/1",
                  "mappings are given by uidMappings and gidMappings of the mount", options_section),
        bad_mount(
            R"({"type": "tmpfs", "destination": "/a", "uidMappings": [{"containerID": 0, "hostID": 1, "size": 1}]})",
            "/gidMappings", "is required: uidMappings and gidMappings are given together", posix),
        bad_mount(
            R"({"type": "tmpfs", "destination": "/a", "gidMappings": [{"containerID": 0, "hostID": 1, "size": 1}]})",
            "/uidMappings", "is required: uidMappings and gidMappings are given together", posix)));

std::vector<Mount> good_mounts(std::string const& json) {
    return good_spec({{"/mounts", json}}).mounts;
}

TEST(Mounts, BindMountsHaveNoOptionsOfAFileSystem) {
    auto const mounts =
        good_mounts(R"([{"destination": "/a", "source": "/b", "options": ["mode=1", "bind", "ro", "x"]}])");
    ASSERT_EQ(mounts.size(), 1U);
    EXPECT_TRUE(mounts[0].data.empty());
    EXPECT_NE(mounts[0].set, 0U);
}

TEST(Mounts, DestinationsAreAbsoluteAndClean) {
    auto const mounts = good_mounts(
        R"([{"type": "tmpfs", "destination": "a/../b//c/"}, {"type": "tmpfs", "destination": "/../x"}, {"type": "tmpfs", "destination": "/proc"},
                                        {"type": "tmpfs", "destination": "/proc/uptime"}, {"type": "tmpfs", "destination": "/process"}])");
    std::vector<std::string> destinations;
    for (auto const& mount : mounts)
        destinations.push_back(mount.destination);
    EXPECT_EQ(destinations, (std::vector<std::string>{"/b/c", "/x", "/proc", "/proc/uptime", "/process"}));
}

TEST(Mounts, FilesOfProcThatMayBeReplaced) {
    for (std::string const name : {"cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo",
                                   "sys/kernel/ns_last_pid", "sys/crypto/fips_enabled"})
        EXPECT_EQ(good_mounts(R"([{"type": "tmpfs", "destination": "/proc/)" + name + R"("}])").size(), 1U) << name;
}

TEST(Mounts, RemountsNeedNoSource) {
    EXPECT_TRUE(good_mounts(R"([{"destination": "/a", "options": ["remount", "bind", "ro"]}])")[0].remount);
}

TEST(Mounts, EmptyMappingsSayNothing) {
    EXPECT_EQ(good_mounts(R"([{"type": "tmpfs", "destination": "/a", "uidMappings": [], "gidMappings": null}])").size(),
              1U);
}

/// Options in a row and what they make of a mount.
struct OptionCase {
    std::string options; ///< separated by commas
    Mount expected;
};

std::ostream& operator<<(std::ostream& out, OptionCase const& option_case) {
    return out << option_case.options;
}

class Options : public testing::TestWithParam<OptionCase> {};

TEST_P(Options, MakeTheMount) {
    nlohmann::json mount = {{"destination", "/m"}, {"type", "tmpfs"}, {"source", "s"}};
    for (auto const option : split(GetParam().options, ','))
        mount["options"].push_back(option);
    auto expected = GetParam().expected;
    expected.destination = "/m";
    expected.type = "tmpfs";
    expected.source = "s";
    EXPECT_EQ(good_mounts(nlohmann::json::array({mount}).dump()), std::vector<Mount>{expected});
}

constexpr std::uint64_t atime = MOUNT_ATTR__ATIME;

Mount plain(std::uint64_t set, std::uint64_t clear) {
    Mount mount;
    mount.set = set;
    mount.clear = clear;
    return mount;
}

Mount recursive(std::uint64_t set, std::uint64_t clear) {
    Mount mount;
    mount.recursive_set = set;
    mount.recursive_clear = clear;
    return mount;
}

Mount propagated(std::vector<std::uint64_t> flags) {
    Mount mount;
    mount.propagation = std::move(flags);
    return mount;
}

Mount superblock(std::vector<std::string> flags) {
    Mount mount;
    mount.superblock_flags = std::move(flags);
    return mount;
}

Mount bound(bool recursively) {
    Mount mount;
    mount.bind = true;
    mount.recursive = recursively;
    return mount;
}

INSTANTIATE_TEST_SUITE_P(
    Attributes, Options,
    testing::Values(OptionCase{"ro", plain(MOUNT_ATTR_RDONLY, 0)}, OptionCase{"rw", plain(0, MOUNT_ATTR_RDONLY)},
                    OptionCase{"nosuid", plain(MOUNT_ATTR_NOSUID, 0)}, OptionCase{"suid", plain(0, MOUNT_ATTR_NOSUID)},
                    OptionCase{"nodev", plain(MOUNT_ATTR_NODEV, 0)}, OptionCase{"dev", plain(0, MOUNT_ATTR_NODEV)},
                    OptionCase{"noexec", plain(MOUNT_ATTR_NOEXEC, 0)}, OptionCase{"exec", plain(0, MOUNT_ATTR_NOEXEC)},
                    OptionCase{"nodiratime", plain(MOUNT_ATTR_NODIRATIME, 0)},
                    OptionCase{"diratime", plain(0, MOUNT_ATTR_NODIRATIME)},
                    OptionCase{"nosymfollow", plain(MOUNT_ATTR_NOSYMFOLLOW, 0)},
                    OptionCase{"symfollow", plain(0, MOUNT_ATTR_NOSYMFOLLOW)},
                    OptionCase{"noatime", plain(MOUNT_ATTR_NOATIME, atime)},
                    OptionCase{"strictatime", plain(MOUNT_ATTR_STRICTATIME, atime)},
                    OptionCase{"relatime", plain(0, atime)}, OptionCase{"atime", plain(0, atime)},
                    OptionCase{"norelatime", plain(0, atime)}, OptionCase{"nostrictatime", plain(0, atime)},
                    OptionCase{"defaults", plain(0, 0)}));

INSTANTIATE_TEST_SUITE_P(
    RecursiveAttributes, Options,
    testing::Values(
        OptionCase{"rro", recursive(MOUNT_ATTR_RDONLY, 0)}, OptionCase{"rrw", recursive(0, MOUNT_ATTR_RDONLY)},
        OptionCase{"rnosuid", recursive(MOUNT_ATTR_NOSUID, 0)}, OptionCase{"rsuid", recursive(0, MOUNT_ATTR_NOSUID)},
        OptionCase{"rnodev", recursive(MOUNT_ATTR_NODEV, 0)}, OptionCase{"rdev", recursive(0, MOUNT_ATTR_NODEV)},
        OptionCase{"rnoexec", recursive(MOUNT_ATTR_NOEXEC, 0)}, OptionCase{"rexec", recursive(0, MOUNT_ATTR_NOEXEC)},
        OptionCase{"rnodiratime", recursive(MOUNT_ATTR_NODIRATIME, 0)},
        OptionCase{"rdiratime", recursive(0, MOUNT_ATTR_NODIRATIME)},
        OptionCase{"rnosymfollow", recursive(MOUNT_ATTR_NOSYMFOLLOW, 0)},
        OptionCase{"rsymfollow", recursive(0, MOUNT_ATTR_NOSYMFOLLOW)},
        OptionCase{"rnoatime", recursive(MOUNT_ATTR_NOATIME, atime)},
        OptionCase{"rstrictatime", recursive(MOUNT_ATTR_STRICTATIME, atime)},
        OptionCase{"rrelatime", recursive(0, atime)}, OptionCase{"ratime", recursive(0, atime)},
        OptionCase{"rnorelatime", recursive(0, atime)}, OptionCase{"rnostrictatime", recursive(0, atime)}));

INSTANTIATE_TEST_SUITE_P(Propagation, Options,
                         testing::Values(OptionCase{"private", propagated({MS_PRIVATE})},
                                         OptionCase{"rprivate", propagated({MS_PRIVATE | MS_REC})},
                                         OptionCase{"shared", propagated({MS_SHARED})},
                                         OptionCase{"rshared", propagated({MS_SHARED | MS_REC})},
                                         OptionCase{"slave", propagated({MS_SLAVE})},
                                         OptionCase{"rslave", propagated({MS_SLAVE | MS_REC})},
                                         OptionCase{"unbindable", propagated({MS_UNBINDABLE})},
                                         OptionCase{"runbindable", propagated({MS_UNBINDABLE | MS_REC})},
                                         OptionCase{"rslave,shared", propagated({MS_SLAVE | MS_REC, MS_SHARED})}));

INSTANTIATE_TEST_SUITE_P(
    Superblock, Options,
    testing::Values(OptionCase{"sync", superblock({"sync"})}, OptionCase{"async", superblock({})},
                    OptionCase{"dirsync", superblock({"dirsync"})}, OptionCase{"lazytime", superblock({"lazytime"})},
                    OptionCase{"mand", superblock({"mand"})}, OptionCase{"iversion", superblock({"iversion"})},
                    OptionCase{"silent", superblock({"silent"})}, OptionCase{"loud", superblock({})},
                    OptionCase{"sync,silent,sync", superblock({"silent", "sync"})},
                    OptionCase{"sync,lazytime,async", superblock({"lazytime"})},
                    OptionCase{"mand,iversion,lazytime,silent,nomand,noiversion,nolazytime,loud", superblock({})},
                    OptionCase{"async,sync", superblock({"sync"})}));

INSTANTIATE_TEST_SUITE_P(
    LastOneCounts, Options,
    testing::Values(OptionCase{"ro,rw", plain(0, MOUNT_ATTR_RDONLY)}, OptionCase{"rw,ro", plain(MOUNT_ATTR_RDONLY, 0)},
                    OptionCase{"noatime,strictatime", plain(MOUNT_ATTR_STRICTATIME, atime)},
                    OptionCase{"strictatime,noatime", plain(MOUNT_ATTR_NOATIME, atime)},
                    OptionCase{"strictatime,relatime", plain(0, atime)},
                    OptionCase{"atime,noatime,nodiratime", plain(MOUNT_ATTR_NOATIME | MOUNT_ATTR_NODIRATIME, atime)},
                    OptionCase{"rro,rrw", recursive(0, MOUNT_ATTR_RDONLY)},
                    OptionCase{"ro,rrw", recursive(0, MOUNT_ATTR_RDONLY)},
                    OptionCase{"rw,rro", recursive(MOUNT_ATTR_RDONLY, 0)},
                    OptionCase{"noatime,rstrictatime", recursive(MOUNT_ATTR_STRICTATIME, atime)}));

TEST(Options, ARecursiveOneAndAPlainOneLater) {
    auto const mount = good_mounts(R"([{"destination": "/m", "type": "tmpfs", "options": ["rro", "rw"]}])")[0];
    EXPECT_EQ(mount.recursive_set, std::uint64_t{MOUNT_ATTR_RDONLY});
    EXPECT_EQ(mount.clear, std::uint64_t{MOUNT_ATTR_RDONLY});
}

INSTANTIATE_TEST_SUITE_P(Binds, Options,
                         testing::Values(OptionCase{"bind", bound(false)}, OptionCase{"rbind", bound(true)},
                                         OptionCase{"rbind,bind", bound(true)}));

TEST(Options, UnknownOnesAreForTheFileSystem) {
    auto const mount = good_mounts(R"([{"destination": "/m", "type": "tmpfs",
                                        "options": ["tmpcopyup", "size=1m", "RO", "nosuid", "x", "size=2m"]}])")[0];
    EXPECT_TRUE(mount.copy_up);
    EXPECT_EQ(mount.set, std::uint64_t{MOUNT_ATTR_NOSUID});
    EXPECT_EQ(mount.data, (std::vector<std::string>{"size=1m", "RO", "x", "size=2m"}));
}

TEST(MountList, AnArrayOrAnObjectWithOne) {
    std::vector<std::string> warnings;
    std::string const list = R"([{"destination": "/a/../b", "type": "tmpfs"}, {"destination": "c", "type": "bind",
        "source": "/x", "options": ["bind", "size=1"]}])";
    for (auto const& text : {list, concat(R"({"mounts": )", list, "}"), concat(" \n", list, " ")}) {
        auto const mounts = parse_mounts(text, {}, warnings).value();
        ASSERT_EQ(mounts.size(), 2) << text;
        EXPECT_EQ(mounts[0].destination, "/b");
        EXPECT_TRUE(mounts[1].bind);
        EXPECT_TRUE(warnings.back().starts_with("/mounts/1/options: ")) << warnings.back();
        EXPECT_EQ(parse_mount_destinations(text).value(), (std::vector<std::string>{"/b", "/c"}));
    }
    EXPECT_TRUE(parse_mounts("[]", {}, warnings)->empty());
}

TEST(MountList, ErrorsHaveThePointer) {
    struct Bad {
        std::string text;
        std::string error;
    };
    std::vector<std::string> warnings;
    for (auto const& [text, error] :
         std::vector<Bad>{{"{}", "/mounts: is required"},
                          {"3", "must be a JSON object"},
                          {R"([{"destination": "/"}])", "/mounts/0/destination: must not be the root of the container"},
                          {R"([{"destination": "/a"}, 1])", "/mounts/1: must be an object"},
                          {R"([{"destination": "/a", "destination": "/b"}])", "/mounts/0/destination: is given twice"},
                          {R"([] [])", "is not valid JSON"},
                          {R"([], "mounts": [])", "is not valid JSON"}})
        for (auto const& message :
             {parse_mounts(text, {}, warnings).error().message, parse_mount_destinations(text).error().message})
            EXPECT_NE(message.find(error), std::string::npos) << text << ": " << message;
    // idmap without mappings takes those of the container's user namespace.
    auto const idmap = R"([{"destination": "/a", "type": "tmpfs", "options": ["idmap"]}])";
    EXPECT_NE(parse_mounts(idmap, {}, warnings).error().message.find("/mounts/0/options"), std::string::npos);
    Linux with_user;
    with_user.namespaces = {{CLONE_NEWUSER, ""}};
    EXPECT_TRUE(parse_mounts(idmap, with_user, warnings));
}

} // namespace
} // namespace oci::spec
