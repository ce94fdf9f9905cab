// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include <sched.h>
#include <sys/mount.h>

namespace oci::spec {
namespace {

class LinuxProblem : public testing::TestWithParam<BadConfig> {};

TEST_P(LinuxProblem, IsFound) {
    expect_problem(GetParam());
}

constexpr auto namespaces = "config-linux.md#namespaces";
constexpr auto mappings = "config-linux.md#user-namespace-mappings";
constexpr auto time_section = "config-linux.md#offset-for-time-namespace";
constexpr auto devices = "config-linux.md#devices";

INSTANTIATE_TEST_SUITE_P(
    Namespaces, LinuxProblem,
    testing::Values(BadConfig{{{"/linux/namespaces", R"([{"type": "user"}])"},
                               {"/linux/uidMappings", R"([{"containerID": 0, "hostID": 0, "size": 1}])"},
                               {"/linux/gidMappings", R"([{"containerID": 0, "hostID": 0, "size": 1}])"}},
                              "/linux/namespaces",
                              "a mount namespace is required with a user namespace",
                              namespaces},
                    BadConfig{{{"/linux/namespaces", "[]"}, {"/linux/rootfsPropagation", R"("slave")"}},
                              "/linux/rootfsPropagation",
                              "needs a mount namespace",
                              "config-linux.md#rootfs-mount-propagation"},
                    BadConfig{{{"/linux/namespaces", "[]"},
                               {"/mounts", R"([{"destination": "/a", "type": "tmpfs", "options": ["runbindable"]}])"}},
                              "/mounts/0/options",
                              "unbindable needs a mount namespace",
                              "config.md#linux-mount-options"},
                    BadConfig{{{"/linux/namespaces/1", R"({"type": "Pid"})"}},
                              "/linux/namespaces/1/type",
                              R"(must be a known namespace type, is "Pid")",
                              namespaces},
                    BadConfig{{{"/linux/namespaces/1", R"({"path": "/x"})"}},
                              "/linux/namespaces/1/type",
                              "is required",
                              namespaces},
                    BadConfig{{{"/linux/namespaces/1", R"({"type": "pid", "path": "proc/1/ns/pid"})"}},
                              "/linux/namespaces/1/path",
                              "must be an absolute path",
                              namespaces},
                    BadConfig{{{"/linux/namespaces/1", R"({"type": "mount", "path": "/x"})"}},
                              "/linux/namespaces/1/type",
                              "is given twice: mount",
                              namespaces},
                    BadConfig{{{"/linux/namespaces/1", R"("pid")"}},
                              "/linux/namespaces/1",
                              "must be an object, is a string",
                              namespaces}));

TEST(Namespaces, AllMayBeInherited) {
    EXPECT_TRUE(read_changed({{"/linux", ""}}).problems.empty());
    EXPECT_TRUE(
        read_changed({{"/linux/rootfsPropagation", R"("rprivate")"}, {"/linux/namespaces", "[]"}}).problems.empty());
}

TEST(Namespaces, LinuxMustBeAnObject) {
    auto const report = read_changed({{"/linux", "[]"}});
    ASSERT_EQ(report.problems.size(), 1U);
    EXPECT_EQ(report.problems[0].rule, "must be an object, is an array");
}

constexpr auto with_user = R"([{"type": "mount"}, {"type": "user"}])";
constexpr auto with_joined_user = R"([{"type": "mount"}, {"type": "user", "path": "/proc/2/ns/user"}])";
constexpr auto one_mapping = R"([{"containerID": 0, "hostID": 1000, "size": 1}])";

BadConfig bad_mapping(std::string list, std::string pointer, std::string rule) {
    return BadConfig{{{"/linux/namespaces", with_user},
                      {"/linux/gidMappings", one_mapping},
                      {"/linux/uidMappings", std::move(list)}},
                     "/linux/uidMappings" + pointer,
                     std::move(rule),
                     mappings};
}

std::string many_mappings(int count) {
    auto list = nlohmann::json::array();
    for (int i = 0; i < count; ++i)
        list.push_back({{"containerID", i}, {"hostID", i}, {"size", 1}});
    return list.dump();
}

INSTANTIATE_TEST_SUITE_P(
    Mappings, LinuxProblem,
    testing::Values(
        BadConfig{{{"/linux/uidMappings", one_mapping}}, "/linux/uidMappings", "needs a user namespace", mappings},
        BadConfig{{{"/linux/gidMappings", one_mapping}}, "/linux/gidMappings", "needs a user namespace", mappings},
        BadConfig{{{"/linux/namespaces", with_user}, {"/linux/uidMappings", one_mapping}},
                  "/linux/gidMappings",
                  "a new user namespace needs uidMappings and gidMappings",
                  mappings},
        bad_mapping("[]", "", "a new user namespace needs uidMappings and gidMappings"),
        bad_mapping("7", "", "must be an array, is a number"),
        bad_mapping(R"([{"hostID": 0, "size": 1}])", "/0/containerID", "is required"),
        bad_mapping(R"([{"containerID": 0, "size": 1}])", "/0/hostID", "is required"),
        bad_mapping(R"([{"containerID": 0, "hostID": 0}])", "/0/size", "is required"),
        bad_mapping(R"([{"containerID": 0, "hostID": -1, "size": 1}])", "/0/hostID", "from 0 to 4294967295, is -1"),
        bad_mapping(R"([{"containerID": 0, "hostID": 0, "size": 0}])", "/0/size", "from 1 to 4294967295, is 0"),
        bad_mapping(R"([{"containerID": 0, "hostID": 4294967295, "size": 1}])", "/0",
                    "must not go beyond the id 4294967294"),
        bad_mapping(
            R"([{"containerID": 0, "hostID": 9, "size": 1}, {"containerID": 4294967290, "hostID": 0, "size": 6}])",
            "/1", "must not go beyond"),
        bad_mapping(R"([{"containerID": 0, "hostID": 0, "size": 5}, {"containerID": 4, "hostID": 9, "size": 1}])", "/1",
                    "must not overlap another mapping"),
        bad_mapping(R"([{"containerID": 7, "hostID": 9, "size": 1}, {"containerID": 0, "hostID": 0, "size": 7},
                        {"containerID": 9, "hostID": 5, "size": 5}])",
                    "/2", "must not overlap another mapping"),
        bad_mapping(many_mappings(341), "", "must not have more than 340 entries, has 341")));

TEST(Mappings, AreRead) {
    auto const linux = good_spec({{"/linux/namespaces", with_user},
                                  {"/linux/gidMappings", one_mapping},
                                  {"/linux/uidMappings", R"([{"containerID": 1, "hostID": 0, "size": 4294967294},
                                                             {"containerID": 0, "hostID": 4294967294, "size": 1}])"}})
                           .linux;
    EXPECT_EQ(linux.gid_mappings, (std::vector<IdMapping>{{0, 1000, 1}}));
    EXPECT_EQ(linux.uid_mappings, (std::vector<IdMapping>{{1, 0, 4294967294}, {0, 4294967294, 1}}));
}

TEST(Mappings, AsManyAsTheKernelTakes) {
    EXPECT_EQ(good_spec({{"/linux/namespaces", with_user},
                         {"/linux/gidMappings", one_mapping},
                         {"/linux/uidMappings", many_mappings(340)}})
                  .linux.uid_mappings.size(),
              340U);
}

TEST(Mappings, MayBeGivenForAJoinedNamespace) {
    good_spec({{"/linux/namespaces", with_joined_user},
               {"/linux/gidMappings", one_mapping},
               {"/linux/uidMappings", one_mapping}});
    good_spec({{"/linux/namespaces", with_joined_user}});
}

constexpr auto with_time = R"([{"type": "mount"}, {"type": "time"}])";
constexpr auto with_joined_time = R"([{"type": "mount"}, {"type": "time", "path": "/proc/2/ns/time"}])";

BadConfig bad_offset(std::string offsets, std::string pointer, std::string rule) {
    return BadConfig{{{"/linux/namespaces", with_time}, {"/linux/timeOffsets", std::move(offsets)}},
                     "/linux/timeOffsets" + pointer,
                     std::move(rule),
                     time_section};
}

INSTANTIATE_TEST_SUITE_P(TimeOffsets, LinuxProblem,
                         testing::Values(BadConfig{{{"/linux/timeOffsets", R"({"boottime": {"secs": 1}})"}},
                                                   "/linux/timeOffsets",
                                                   "needs a new time namespace",
                                                   time_section},
                                         BadConfig{{{"/linux/namespaces", with_joined_time},
                                                    {"/linux/timeOffsets", R"({"boottime": {"secs": 1}})"}},
                                                   "/linux/timeOffsets",
                                                   "needs a new time namespace",
                                                   time_section},
                                         bad_offset(R"({"realtime": {"secs": 1}})", "/realtime",
                                                    R"(must be the clock monotonic or boottime, is "realtime")"),
                                         bad_offset(R"({"boottime": 1})", "/boottime",
                                                    "must be an object, is a number"),
                                         bad_offset(R"({"boottime": {"secs": 9223372036854775808}})", "/boottime/secs",
                                                    "to 9223372036854775807"),
                                         bad_offset(R"({"monotonic": {"nanosecs": 1000000000}})", "/monotonic/nanosecs",
                                                    "from 0 to 999999999, is 1000000000"),
                                         bad_offset("[]", "", "must be an object, is an array")));

BadConfig bad_device(std::string list, std::string pointer, std::string rule) {
    return BadConfig{{{"/linux/devices", std::move(list)}}, "/linux/devices" + pointer, std::move(rule), devices};
}

INSTANTIATE_TEST_SUITE_P(
    Devices, LinuxProblem,
    testing::Values(
        bad_device(R"([{"type": "p"}])", "/0/path", "is required"),
        bad_device(R"([{"type": "p", "path": "dev/x"}])", "/0/path", "must be an absolute path"),
        bad_device(R"([{"path": "/x"}])", "/0/type", "is required"),
        bad_device(R"([{"path": "/x", "type": "d"}])", "/0/type", R"(must be c, b, u or p, is "d")"),
        bad_device(R"([{"path": "/x", "type": "c", "minor": 1}])", "/0/major", "is required"),
        bad_device(R"([{"path": "/x", "type": "u", "major": 1}])", "/0/minor", "is required"),
        bad_device(R"([{"path": "/x", "type": "b", "major": -1, "minor": 1}])", "/0/major",
                   "from 0 to 4294967295, is -1"),
        bad_device(R"([{"path": "/x", "type": "b", "major": 1, "minor": 4294967296}])", "/0/minor",
                   "from 0 to 4294967295"),
        bad_device(R"([{"path": "/x", "type": "p", "fileMode": -1}])", "/0/fileMode", "from 0 to"),
        bad_device(R"([{"path": "/x", "type": "p", "uid": 4294967295}])", "/0/uid", "from 0 to 4294967294"),
        bad_device(R"([{"path": "/x", "type": "p", "gid": "0"}])", "/0/gid",
                   "must be an integer from 0 to 4294967294, is a string"),
        bad_device(
            R"([{"path": "/x/y", "type": "p"}, {"path": "/z", "type": "p"}, {"path": "/x//y", "type": "p", "uid": 1}])",
            "/2/path", R"(is given twice, as different devices: "/x/y")")));

INSTANTIATE_TEST_SUITE_P(Paths, LinuxProblem,
                         testing::Values(BadConfig{{{"/linux/cgroupsPath", R"("/a/../b")"}},
                                                   "/linux/cgroupsPath",
                                                   "must not contain \"..\"",
                                                   "config-linux.md#cgroups-path"},
                                         BadConfig{{{"/linux/cgroupsPath", R"("a\u0000")"}},
                                                   "/linux/cgroupsPath",
                                                   "NUL",
                                                   "config-linux.md#cgroups-path"},
                                         BadConfig{{{"/linux/maskedPaths", R"(["/a", "b"])"}},
                                                   "/linux/maskedPaths/1",
                                                   R"(must be an absolute path, is "b")",
                                                   "config-linux.md#masked-paths"},
                                         BadConfig{{{"/linux/maskedPaths", R"([""])"}},
                                                   "/linux/maskedPaths/0",
                                                   "must not be empty",
                                                   "config-linux.md#masked-paths"},
                                         BadConfig{{{"/linux/readonlyPaths", R"(["b"])"}},
                                                   "/linux/readonlyPaths/0",
                                                   "must be an absolute path",
                                                   "config-linux.md#readonly-paths"},
                                         BadConfig{{{"/linux/rootfsPropagation", R"("ro")"}},
                                                   "/linux/rootfsPropagation",
                                                   R"(must be shared, slave, private or unbindable)",
                                                   "config-linux.md#rootfs-mount-propagation"}));

INSTANTIATE_TEST_SUITE_P(MountLabel, LinuxProblem,
                         testing::Values(BadConfig{{{"/linux/mountLabel", "{}"}},
                                                   "/linux/mountLabel",
                                                   "must be a string",
                                                   "config-linux.md#mount-label"}));

constexpr auto policy_section = "config-linux.md#memory-policy";
constexpr auto personality_section = "config-linux.md#personality";
INSTANTIATE_TEST_SUITE_P(
    MemoryPolicyAndPersonality, LinuxProblem,
    testing::Values(
        BadConfig{{{"/linux/memoryPolicy", "{}"}}, "/linux/memoryPolicy/mode", "is required", policy_section},
        BadConfig{{{"/linux/memoryPolicy", R"({"mode": "MPOL_BEST"})"}},
                  "/linux/memoryPolicy/mode",
                  "must be a known memory policy",
                  policy_section},
        BadConfig{{{"/linux/memoryPolicy", R"({"mode": "MPOL_BIND"})"}},
                  "/linux/memoryPolicy",
                  "needs nodes with this mode",
                  policy_section},
        BadConfig{{{"/linux/memoryPolicy", R"({"mode": "MPOL_LOCAL", "nodes": "0"})"}},
                  "/linux/memoryPolicy/nodes",
                  "must be empty with this mode",
                  policy_section},
        BadConfig{{{"/linux/memoryPolicy", R"({"mode": "MPOL_BIND", "nodes": "x"})"}},
                  "/linux/memoryPolicy/nodes",
                  "must be a list of numbers and ranges",
                  policy_section},
        BadConfig{{{"/linux/memoryPolicy", R"({"mode": "MPOL_DEFAULT", "flags": ["MPOL_F_NONE"]})"}},
                  "/linux/memoryPolicy/flags/0",
                  "must be a known memory policy flag",
                  policy_section},
        BadConfig{{{"/linux/memoryPolicy", R"({"mode": "MPOL_BIND", "nodes": "0",
                    "flags": ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"]})"}},
                  "/linux/memoryPolicy/flags",
                  "exclude each other",
                  policy_section},
        BadConfig{{{"/linux/personality", "{}"}}, "/linux/personality/domain", "is required", personality_section},
        BadConfig{{{"/linux/personality", R"({"domain": "BSD"})"}},
                  "/linux/personality/domain",
                  "must be a known execution domain",
                  personality_section},
        BadConfig{{{"/linux/personality", R"({"domain": "LINUX", "flags": ["x"]})"}},
                  "/linux/personality/flags/0",
                  "none is known",
                  personality_section}));

TEST(Linux, MemoryPolicyAndPersonalityAreRead) {
    auto const linux = good_spec({{"/linux/memoryPolicy", R"({"mode": "MPOL_INTERLEAVE", "nodes": "2-3",
                                    "flags": ["MPOL_F_STATIC_NODES"]})"},
                                  {"/linux/personality", R"({"domain": "LINUX32", "flags": []})"}})
                           .linux;
    EXPECT_EQ(linux.memory_policy, (MemoryPolicy{3, 1U << 15U, "2-3"}));
    EXPECT_EQ(linux.personality, 8U);
    EXPECT_EQ(good_spec({{"/linux/memoryPolicy", R"({"mode": "MPOL_PREFERRED"})"}}).linux.memory_policy,
              (MemoryPolicy{1, 0, ""}));
}

BadConfig bad_devices(std::string net_devices, std::string const& pointer, std::string rule) {
    return {{{"/linux/namespaces", R"([{"type": "mount"}, {"type": "network"}])"},
             {"/linux/netDevices", std::move(net_devices)}},
            "/linux/netDevices" + pointer,
            std::move(rule),
            "config-linux.md#network-devices"};
}

INSTANTIATE_TEST_SUITE_P(
    NetDevices, LinuxProblem,
    testing::Values(
        BadConfig{{{"/linux/namespaces", R"([{"type": "mount"}])"}, {"/linux/netDevices", R"({"eth0": {}})"}},
                  "/linux/netDevices",
                  "needs a network namespace",
                  "config-linux.md#network-devices"},
        bad_devices(R"({"": {}})", "/", "is no name of a network device"),
        bad_devices(R"({"a%d": {}})", "/a%d", "is no name of a network device"),
        bad_devices(R"({"a": null, "b": []})", "/b", "must be an object, is an array"),
        bad_devices(R"({"a": {"name": "sixteen-letters-"}})", "/a/name", "must be the name of a network device"),
        bad_devices(R"({"a": {"name": "a%d%d"}})", "/a/name", "must be the name of a network device"),
        bad_devices(R"({"a": {"name": "b"}, "b": {}})", "/b", "there is a device \"b\" in the container already")));

TEST(Linux, NetDevices) {
    auto const with_network = R"([{"type": "mount"}, {"type": "network"}])";
    auto const linux = good_spec({{"/linux/namespaces", with_network},
                                  {"/linux/netDevices", R"({"eth0": {}, "eth1": {"name": "net%d"}})"}})
                           .linux;
    EXPECT_EQ(linux.net_devices, (std::map<std::string, std::string>{{"eth0", "eth0"}, {"eth1", "net%d"}}));
}

TEST(Linux, EmptyUnsupportedFieldsSayNothing) {
    EXPECT_EQ(
        good_spec({{"/linux/netDevices", "{}"}, {"/linux/mountLabel", R"("")"}, {"/linux/rootfsPropagation", R"("")"}}),
        good_spec({}));
}

TEST(Linux, EverythingIsRead) {
    auto const linux = good_spec({{"/linux", R"({
        "namespaces": [{"type": "mount"}, {"type": "pid", "path": "/proc/4/ns/pid"}, {"type": "time"}, {"type": "cgroup", "path": ""}],
        "timeOffsets": {"monotonic": {"secs": -5, "nanosecs": 999999999}, "boottime": {}},
        "devices": [
            {"path": "/dev//x", "type": "c", "major": 10, "minor": 229, "fileMode": 8624, "uid": 1, "gid": 2},
            {"path": "/b", "type": "b", "major": 4294967295, "minor": 0},
            {"path": "/u", "type": "u", "major": 1, "minor": 1},
            {"path": "/p", "type": "p", "fileMode": 0}
        ],
        "cgroupsPath": "system.slice:a:b..c",
        "rootfsPropagation": "rslave",
        "maskedPaths": ["/proc/kcore"],
        "readonlyPaths": ["/proc/sys", "/proc/bus"]
    })"}}).linux;
    Linux expected;
    expected.namespaces = {
        {CLONE_NEWNS, ""}, {CLONE_NEWPID, "/proc/4/ns/pid"}, {CLONE_NEWTIME, ""}, {CLONE_NEWCGROUP, ""}};
    expected.time_offsets = {{"monotonic", {-5, 999999999}}, {"boottime", {0, 0}}};
    expected.devices = {{"/dev/x", DeviceType::character, 10, 229, 0660, 1, 2},
                        {"/b", DeviceType::block, 4294967295, 0, 0666, 0, 0},
                        {"/u", DeviceType::character, 1, 1, 0666, 0, 0},
                        {"/p", DeviceType::fifo, 0, 0, 0, 0, 0}};
    expected.cgroups_path = "system.slice:a:b..c";
    expected.rootfs_propagation = MS_SLAVE | MS_REC;
    expected.masked_paths = {"/proc/kcore"};
    expected.readonly_paths = {"/proc/sys", "/proc/bus"};
    EXPECT_EQ(linux, expected);
}

TEST(Linux, FindAndCreates) {
    Linux linux;
    linux.namespaces = {{CLONE_NEWPID, "/x"}, {CLONE_NEWNS, ""}};
    EXPECT_EQ(linux.find(CLONE_NEWPID), &linux.namespaces[0]);
    EXPECT_EQ(linux.find(CLONE_NEWNET), nullptr);
    EXPECT_TRUE(linux.creates(CLONE_NEWNS));
    EXPECT_FALSE(linux.creates(CLONE_NEWPID));
    EXPECT_FALSE(linux.creates(CLONE_NEWNET));
}

struct Propagation {
    char const* name;
    std::uint64_t flags;
};

TEST(Linux, RootfsPropagation) {
    for (auto const& [name, flags] : {Propagation{"shared", MS_SHARED},
                                      {"rshared", MS_SHARED | MS_REC},
                                      {"slave", MS_SLAVE},
                                      {"rslave", MS_SLAVE | MS_REC},
                                      {"private", MS_PRIVATE},
                                      {"rprivate", MS_PRIVATE | MS_REC},
                                      {"unbindable", MS_UNBINDABLE},
                                      {"runbindable", MS_UNBINDABLE | MS_REC}})
        EXPECT_EQ(good_spec({{"/linux/rootfsPropagation", nlohmann::json(name).dump()}}).linux.rootfs_propagation,
                  flags);
}

} // namespace
} // namespace oci::spec
