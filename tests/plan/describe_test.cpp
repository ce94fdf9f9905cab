// SPDX-License-Identifier: Apache-2.0
// The words for every operation: what `plan` prints and errors begin with.
#include "steps/step.h"

#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <gtest/gtest.h>

namespace oci::steps {
namespace {

constexpr std::uint64_t kill = 1U << 5U;         // CAP_KILL, capabilities(7)
constexpr std::uint64_t raw_sockets = 1U << 13U; // CAP_NET_RAW

TEST(Describe, CgroupOperations) {
    CgroupSetting const memory{.file = "memory.max", .value = "536870912", .controller = "memory", .pointer = "/a"};
    CgroupSetting const swap{.file = "memory.swap.max", .value = "0", .controller = "memory", .pointer = "/b"};
    CgroupSetting const pids{.file = "pids.max", .value = "100", .controller = "pids", .pointer = "/c"};
    CgroupSetting const frozen{.file = "cgroup.freeze", .value = "0", .controller = "", .pointer = "/d"};
    EXPECT_EQ(describe(CreateCgroup{.path = "/c1", .needs = {}}), "create cgroup /c1");
    EXPECT_EQ(describe(CreateCgroup{.path = "/c1", .needs = {memory, pids, swap, frozen}}),
              "create cgroup /c1 (with memory, pids)");
    EXPECT_EQ(describe(EnableControllers{.path = "/c1", .needs = {memory, pids, swap}}),
              "enable memory, pids for cgroup /c1");
    EXPECT_EQ(describe(ApplyCgroupSettings{.settings = {memory, pids}}), "set memory.max 536870912, pids.max 100");
    CgroupSetting const weight{.file = "io.bfq.weight",
                               .value = "500",
                               .controller = "io",
                               .pointer = "/e",
                               .fallback_file = "io.weight",
                               .fallback_value = "4950"};
    EXPECT_EQ(describe(ApplyCgroupSettings{.settings = {weight}}), "set io.bfq.weight 500 (or io.weight 4950)");
    EXPECT_EQ(describe(DelegateCgroup{100000}), "give the cgroup to user 100000");
    EXPECT_EQ(describe(AttachDeviceFilter{.rules = {"allow c 1:3 rwm", "deny a *:* rwm"}, .program = {1, 2, 3}}),
              "attach device filter (allow c 1:3 rwm, deny a *:* rwm; 3 instructions)");
    EXPECT_EQ(describe(CreateScope{.unit = "a-c1.scope",
                                   .path = "/a.slice/a-c1.scope",
                                   .properties = {{"MemoryMax", std::uint64_t{1} << 20U},
                                                  {"AllowedCPUs", std::vector<std::uint8_t>{3}}}}),
              "start unit a-c1.scope with a placeholder, as cgroup /a.slice/a-c1.scope (MemoryMax 1048576, AllowedCPUs "
              "0x03)");
    EXPECT_EQ(describe(EndPlaceholder{}), "end the placeholder");
    EXPECT_EQ(describe(SetUnitProperties{"a-c1.scope", {{"Delegate", true}}, {}, {}}),
              "set properties of unit a-c1.scope (Delegate yes)");
    EXPECT_EQ(describe(UnshareCgroupNamespace{}), "make a cgroup namespace");
}

TEST(Describe, LifecycleOperations) {
    EXPECT_EQ(describe(ReserveContainer{"c1"}), "reserve container c1");
    EXPECT_EQ(describe(RecordContainer{.bundle = "/b", .cgroup_path = "/c1"}), "record bundle /b and cgroup /c1");
    EXPECT_EQ(describe(RecordContainer{.bundle = "/b", .cgroup_path = ""}), "record bundle /b");
    EXPECT_EQ(describe(RecordContainer{.bundle = "/b", .cgroup_path = "/a", .unit = "u.scope"}),
              "record bundle /b and cgroup /a of unit u.scope");
    EXPECT_EQ(describe(ConnectConsole{"/run/c.sock"}), "connect to console socket /run/c.sock");
    EXPECT_EQ(describe(ConnectConsole{}), "make ready to pass on the terminal");
    HookProgram const first{.path = "/usr/bin/x", .arguments = {"x"}, .environment = {}, .timeout = {}};
    HookProgram const second{.path = "/usr/bin/y", .arguments = {"y"}, .environment = {}, .timeout = 5};
    EXPECT_EQ(describe(RunHooks{.kind = "createRuntime", .status = "creating", .hooks = {first, second}}),
              "run createRuntime hooks /usr/bin/x, /usr/bin/y (at most 5 s)");
    EXPECT_EQ(describe(RunHooks{.kind = "poststop", .status = "stopped", .hooks = {first}}),
              "run poststop hook /usr/bin/x");
    EXPECT_EQ(describe(WritePidFile{"/run/c1.pid"}), "write pid file /run/c1.pid");
    EXPECT_EQ(describe(SendPidfd{.path = "/run/s", .payload = "setns"}), "send pidfd to /run/s (setns)");
    EXPECT_EQ(describe(StartExec{}), "start a process in the cgroup");
    EXPECT_EQ(describe(WaitForStart{}), "wait for start");
}

TEST(Describe, NamespaceOperations) {
    EXPECT_EQ(describe(StartInit{.new_namespaces = CLONE_NEWPID | CLONE_NEWNS,
                                 .joined = {{CLONE_NEWIPC, "/proc/12/ns/ipc"}},
                                 .time_offsets = {"monotonic 5 0\n"}}),
              "start init in the cgroup, in new mount, pid namespaces; join ipc namespace /proc/12/ns/ipc; "
              "time offsets monotonic 5 0");
    EXPECT_EQ(
        describe(StartInit{.new_namespaces = CLONE_NEWUTS, .joined = {}, .time_offsets = {}, .into_cgroup = false}),
        "start init in a new uts namespace");
    EXPECT_EQ(describe(StartInit{}), "start init in the cgroup");
    EXPECT_EQ(describe(WriteIdMaps{.uids = {{0, 100000, 65536}}, .gids = {{0, 100000, 1}, {1, 5, 2}}}),
              "write id maps uid 0 100000 65536; gid 0 100000 1, 1 5 2");
    EXPECT_EQ(describe(WriteIdMaps{
                  .uids = {{0, 7, 2}}, .gids = {{0, 7, 1}}, .uid_writer = MapWriter::helper, .deny_setgroups = true}),
              "write id maps uid 0 7 2 by newuidmap; gid 0 7 1, setgroups denied");
    EXPECT_EQ(describe(BecomeMappedUser{.uid = 1, .gid = 2}), "become mapped user 1:2");
    EXPECT_EQ(describe(SetSysctls{{{"net/ipv4/ip_forward", "1"}}}), "set sysctl net/ipv4/ip_forward=1");
    EXPECT_EQ(describe(JoinContainer{{CLONE_NEWUSER, CLONE_NEWPID}}), "join the container's user, pid namespaces");
}

TEST(Describe, ProcessOperations) {
    EXPECT_EQ(describe(SetUser{.uid = 1000, .gid = 1000, .groups = {}}), "become 1000:1000");
    EXPECT_EQ(describe(SetUser{.uid = 1, .gid = 2, .groups = {3, 4}, .umask = 077, .own_streams = false}),
              "become 1:2 (groups 3, 4; umask 077; streams keep their owner)");
    EXPECT_EQ(describe(RaiseResourceLimits{{{RLIMIT_NOFILE, 1024, RLIM_INFINITY}}}),
              "raise hard limits RLIMIT_NOFILE 1024:unlimited");
    EXPECT_EQ(describe(SetOomScore{-500}), "set oom_score_adj -500");
    EXPECT_EQ(describe(SetScheduler{.policy = 3, .nice = -5}), "set scheduler SCHED_BATCH (nice -5)");
    EXPECT_EQ(describe(SetScheduler{.policy = 6, .flags = 3, .runtime = 1, .deadline = 2, .period = 3}),
              "set scheduler SCHED_DEADLINE (runtime 1 ns; deadline 2 ns; period 3 ns; SCHED_FLAG_RESET_ON_FORK "
              "SCHED_FLAG_RECLAIM)");
    EXPECT_EQ(describe(SetIoPriority{2, 5}), "set I/O priority IOPRIO_CLASS_BE 5");
    EXPECT_EQ(describe(SetCpuAffinity{"0-1", {3}, true}), "start on CPUs 0-1");
    EXPECT_EQ(describe(SetCpuAffinity{"1", {2}, false}), "run on CPUs 1");
    EXPECT_EQ(describe(SetPersonality{8}), "set personality LINUX32");
    EXPECT_EQ(describe(SetMemoryPolicy{.mode = 2, .flags = 1U << 15U, .nodes = "0", .mask = {1}}),
              "set memory policy MPOL_BIND (nodes 0; MPOL_F_STATIC_NODES)");
    EXPECT_EQ(describe(CloseDescriptors{}), "close descriptors");
    EXPECT_EQ(describe(CloseDescriptors{3}), "close descriptors (but 3 preserved)");
    EXPECT_EQ(describe(LoadSeccomp{.program = {1}, .flags = 0, .default_action = "SCMP_ACT_ERRNO"}),
              "load seccomp filter (1 instruction, default SCMP_ACT_ERRNO)");
    EXPECT_EQ(describe(LoadSeccomp{.program = std::vector<std::uint64_t>(412),
                                   .flags = SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW,
                                   .default_action = "SCMP_ACT_ALLOW"}),
              "load seccomp filter (412 instructions, default SCMP_ACT_ALLOW, log, no speculation barriers)");
}

TEST(Describe, EqualCapabilitySetsAreNamedOnce) {
    EXPECT_EQ(describe(SetCapabilities{}), "set capabilities none");
    EXPECT_EQ(
        describe(SetCapabilities{.bounding = kill | raw_sockets,
                                 .effective = kill,
                                 .inheritable = 0,
                                 .permitted = kill,
                                 .ambient = std::uint64_t{1} << 63U,
                                 .keep_for_seccomp = true}),
        "set capabilities CAP_KILL CAP_NET_RAW (bounding); CAP_KILL (effective, permitted); capability 63 (ambient); "
        "keep CAP_SYS_ADMIN until seccomp is loaded");
}

TEST(Describe, MountOptionsAreThoseOfConfigJson) {
    MountTarget const proc{
        .destination = "/proc", .set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV, .propagation = {}};
    EXPECT_EQ(describe(MountFilesystem{.target = proc, .type = "proc", .source = "proc", .parameters = {}}),
              "mount proc at /proc (nosuid,nodev,noexec)");
    MountTarget const memory{.destination = "/dev/shm", .propagation = {}};
    EXPECT_EQ(describe(MountFilesystem{.target = memory,
                                       .type = "tmpfs",
                                       .source = "shm",
                                       .parameters = {"mode=1777", "size=64k"},
                                       .copy_up = true}),
              "mount tmpfs shm at /dev/shm (mode=1777,size=64k; with a copy of what is there)");
    MountTarget const data{.destination = "/mnt",
                           .set = MOUNT_ATTR_NOATIME,
                           .clear = MOUNT_ATTR__ATIME | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV,
                           .recursive_set = MOUNT_ATTR_RDONLY,
                           .recursive_clear = MOUNT_ATTR__ATIME,
                           .propagation = {MS_PRIVATE | MS_REC}};
    EXPECT_EQ(describe(BindMount{.target = data, .source = 0, .source_path = "/data"}),
              "bind /data at /mnt (noatime,rw,dev,rro,rrelatime,rprivate)");
    EXPECT_EQ(describe(Remount{memory}), "remount /dev/shm");
    EXPECT_EQ(describe(MountCgroup{.target = memory, .new_namespace = false, .cgroup_path = "/c1"}),
              "bind cgroup /c1 at /dev/shm");
    EXPECT_EQ(describe(MountCgroup{.target = memory, .new_namespace = true, .cgroup_path = "/c1"}),
              "mount cgroup2 at /dev/shm");
}

TEST(Describe, RootfsOperations) {
    EXPECT_EQ(describe(IsolateMounts{MS_SLAVE | MS_REC}), "make all mounts rslave");
    EXPECT_EQ(describe(OpenMountSources{{{"/a", true}, {"/b", false}}}), "open mount sources /a (recursive), /b");
    EXPECT_EQ(describe(OpenMountSources{{{"/a", true}}, true}), "take 1 staged mount source");
    EXPECT_EQ(describe(StageMounts{.rootfs = "/r", .sources = {}}), "stage /r");
    EXPECT_EQ(describe(StageMounts{.rootfs = "/r", .sources = {{"/a", true}}}),
              "stage /r and mount sources /a (recursive)");
    DeviceNode const null{.path = "/dev/null", .type = 'c', .major = 1, .minor = 3, .mode = 0666, .uid = 0, .gid = 0};
    DeviceNode const fifo{.path = "/dev/f", .type = 'p', .major = 0, .minor = 0, .mode = 0600, .uid = 5, .gid = 6};
    EXPECT_EQ(describe(CreateDevices{.nodes = {null, fifo}}),
              "create devices /dev/null (c 1:3 0666), /dev/f (p 0600 5:6)");
    EXPECT_EQ(describe(CreateDevices{.nodes = {null, fifo}, .from_host = true}),
              "bind the host's devices /dev/null, /dev/f");
    EXPECT_EQ(describe(LinkDevices{{{"/dev/fd", "/proc/self/fd"}, {"/dev/core", "/proc/kcore"}}}),
              "link /dev/fd -> /proc/self/fd, /dev/core -> /proc/kcore");
    EXPECT_EQ(describe(SetUpConsole{}), "set up the console");
    EXPECT_EQ(describe(SetUpConsole{.size = TerminalSize{.rows = 24, .columns = 80}, .owner = 7}),
              "set up the console (80x24 characters; owner 7)");
    EXPECT_EQ(describe(PivotRoot{}), "pivot root");
    EXPECT_EQ(describe(PivotRoot{.by_moving = true}), "move root and chroot");
    EXPECT_EQ(describe(BringLoopbackUp{}), "bring loopback up");
    EXPECT_EQ(describe(MoveNetworkDevices{{{"eth0", "eth0"}, {"eth1", "net%d"}}}),
              "move network devices eth0, eth1 as net%d");
    EXPECT_EQ(describe(FinishReadonlyMounts{{"/dev", "/x"}}), "make mounts /dev, /x read-only");
    EXPECT_EQ(describe(MaskPaths{{"/proc/kcore"}}), "mask /proc/kcore");
    EXPECT_EQ(describe(MakePathsReadonly{{"/proc/sys", "/proc/bus"}}), "make /proc/sys, /proc/bus read-only");
}

TEST(Describe, NeverBreaksTheLine) {
    EXPECT_EQ(describe(SetHostname{"a\nb\x1b"}), "set hostname a\\x0ab\\x1b");
    EXPECT_EQ(describe(Execute{.arguments = {"sh", "-c", "a 'b'\n", ""}, .environment = {"PASSWORD=x"}}),
              R"(execute sh -c "a 'b'\n" "")");
}

template <typename Variant, std::size_t... index>
std::vector<Variant> one_of_each(std::index_sequence<index...>) {
    return {Variant(std::in_place_index<index>)...};
}

TEST(Describe, EveryOperationHasANameAndALowerCaseSentence) {
    auto const operations = one_of_each<Operation>(std::make_index_sequence<std::variant_size_v<Operation>>{});
    for (auto const& operation : operations) {
        auto const name = std::string(operation_name(operation));
        auto const sentence = describe(operation);
        EXPECT_EQ(name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"), std::string::npos)
            << name;
        ASSERT_FALSE(sentence.empty()) << name;
        EXPECT_TRUE(sentence[0] >= 'a' && sentence[0] <= 'z') << sentence;
        EXPECT_NE(sentence.back(), '.') << sentence;
    }
    EXPECT_EQ(operation_name(operations.front()), "ReserveContainer");
    EXPECT_EQ(operation_name(MountFilesystem{}), "MountFilesystem");
}

TEST(Describe, ActorNames) {
    EXPECT_EQ(actor_name(Actor::runtime), "runtime");
    EXPECT_EQ(actor_name(Actor::container), "container");
    EXPECT_EQ(actor_name(Actor::finisher), "finisher");
}

} // namespace
} // namespace oci::steps
