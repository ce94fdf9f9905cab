// SPDX-License-Identifier: Apache-2.0
#include "base/names.h"

#include <csignal>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

namespace oci {
namespace {

TEST(Capabilities, AreNumberedAsInTheKernel) {
    EXPECT_EQ(capability_number("CAP_CHOWN"), CAP_CHOWN);
    EXPECT_EQ(capability_number("CAP_KILL"), CAP_KILL);
    EXPECT_EQ(capability_number("CAP_NET_RAW"), CAP_NET_RAW);
    EXPECT_EQ(capability_number("CAP_SYS_ADMIN"), CAP_SYS_ADMIN);
    EXPECT_EQ(capability_number("CAP_AUDIT_READ"), CAP_AUDIT_READ);
    EXPECT_EQ(capability_number("CAP_CHECKPOINT_RESTORE"), CAP_CHECKPOINT_RESTORE);
    EXPECT_EQ(capability_names().size(), CAP_LAST_CAP + 1U);
    for (unsigned i = 0; i < capability_names().size(); ++i)
        EXPECT_EQ(capability_number(capability_names()[i]), i);
}

TEST(Capabilities, AnyCaseWithOrWithoutPrefix) {
    EXPECT_EQ(capability_number("cap_net_raw"), CAP_NET_RAW);
    EXPECT_EQ(capability_number("NET_RAW"), CAP_NET_RAW);
    EXPECT_EQ(capability_number("net_Raw"), CAP_NET_RAW);
    for (auto const* const name : {"", "CAP_", "CAP_CAP_KILL", "KILLER", "41", "CAP_KILL "})
        EXPECT_EQ(capability_number(name), std::nullopt) << name;
}

struct SignalCase {
    char const* name;
    std::optional<int> number;
};

class Signals : public testing::TestWithParam<SignalCase> {};

TEST_P(Signals, Number) {
    EXPECT_EQ(signal_number(GetParam().name), GetParam().number) << GetParam().name;
}

INSTANTIATE_TEST_SUITE_P(
    Known, Signals,
    testing::Values(SignalCase{"0", 0}, SignalCase{"9", 9}, SignalCase{"64", 64}, SignalCase{"KILL", SIGKILL},
                    SignalCase{"SIGKILL", SIGKILL}, SignalCase{"sigkill", SIGKILL}, SignalCase{"kill", SIGKILL},
                    SignalCase{"SigTerm", SIGTERM}, SignalCase{"CHLD", SIGCHLD}, SignalCase{"CLD", SIGCHLD},
                    SignalCase{"IOT", SIGABRT}, SignalCase{"SYS", SIGSYS}, SignalCase{"WINCH", SIGWINCH},
                    SignalCase{"RTMIN", 34}, SignalCase{"SIGRTMIN+3", 37}, SignalCase{"rtmin+30", 64},
                    SignalCase{"SIGRTMAX", 64}, SignalCase{"RTMAX-1", 63}, SignalCase{"rtmax-30", 34}));

INSTANTIATE_TEST_SUITE_P(Unknown, Signals,
                         testing::Values(SignalCase{"", {}}, SignalCase{"-1", {}}, SignalCase{"65", {}},
                                         SignalCase{"FOO", {}}, SignalCase{"SIG", {}}, SignalCase{"SIG9", {}},
                                         SignalCase{"SIGSIGKILL", {}}, SignalCase{"9 ", {}}, SignalCase{"+9", {}},
                                         SignalCase{"RTMIN-1", {}}, SignalCase{"RTMIN+31", {}},
                                         SignalCase{"RTMIN+", {}}, SignalCase{"RTMIN+-1", {}}, SignalCase{"RTMIN3", {}},
                                         SignalCase{"RTMAX+1", {}}, SignalCase{"99999999999999999999", {}}));

TEST(Rlimits, BothWays) {
    EXPECT_EQ(rlimit_number("RLIMIT_NOFILE"), RLIMIT_NOFILE);
    EXPECT_EQ(rlimit_number("RLIMIT_CPU"), RLIMIT_CPU);
    EXPECT_EQ(rlimit_number("RLIMIT_RTTIME"), RLIMIT_RTTIME);
    EXPECT_EQ(rlimit_number("NOFILE"), std::nullopt);
    EXPECT_EQ(rlimit_number("RLIMIT_NLIMITS"), std::nullopt);
    for (int resource = 0; resource < RLIMIT_NLIMITS; ++resource)
        EXPECT_EQ(rlimit_number(rlimit_name(resource)), resource);
    EXPECT_EQ(rlimit_name(RLIMIT_NLIMITS), "");
}

TEST(Namespaces, BothWays) {
    EXPECT_EQ(namespace_flag("mount"), CLONE_NEWNS);
    EXPECT_EQ(namespace_flag("network"), CLONE_NEWNET);
    EXPECT_EQ(namespace_flag("time"), CLONE_NEWTIME);
    EXPECT_EQ(namespace_flag("mnt"), std::nullopt);
    EXPECT_EQ(namespace_names().size(), 8U);
    for (auto const name : namespace_names())
        EXPECT_EQ(namespace_name(namespace_flag(name).value_or(0)), name);
    EXPECT_EQ(namespace_name(CLONE_VM), "");
}

TEST(Mounts, Names) {
    EXPECT_EQ(mount_attribute_names(0), "");
    EXPECT_EQ(mount_attribute_names(MOUNT_ATTR_NOSUID), "nosuid");
    EXPECT_EQ(mount_attribute_names(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOATIME), "ro,noexec,noatime");
    EXPECT_EQ(propagation_name(MS_PRIVATE | MS_REC), "rprivate");
    EXPECT_EQ(propagation_name(MS_SHARED), "shared");
    EXPECT_EQ(propagation_name(MS_SLAVE), "slave");
    EXPECT_EQ(propagation_name(MS_UNBINDABLE | MS_REC), "runbindable");
}

} // namespace
} // namespace oci
