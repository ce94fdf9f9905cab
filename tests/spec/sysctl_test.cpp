// SPDX-License-Identifier: Apache-2.0
#include "config.h"

namespace oci::spec {
namespace {

constexpr auto all_namespaces =
    R"([{"type": "mount"}, {"type": "ipc"}, {"type": "network", "path": "/run/n"}, {"type": "uts"}])";
constexpr auto foreign = "is not in a separate kernel namespace";

std::vector<Change> with_sysctl(std::string sysctl,
                                std::vector<Change> more = {{"/linux/namespaces", all_namespaces}}) {
    more.push_back({"/linux/sysctl", std::move(sysctl)});
    return more;
}

BadConfig bad_sysctl(std::vector<Change> changes, std::string pointer, std::string rule) {
    return BadConfig{std::move(changes), "/linux/sysctl" + pointer, std::move(rule), "config-linux.md#sysctl"};
}

class SysctlProblem : public testing::TestWithParam<BadConfig> {};

TEST_P(SysctlProblem, IsFound) {
    expect_problem(GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    Sysctl, SysctlProblem,
    testing::Values(
        bad_sysctl(with_sysctl(R"({"vm.swappiness": "1"})"), "/vm.swappiness", foreign),
        bad_sysctl(with_sysctl(R"({"kernel.core_pattern": "|x"})"), "/kernel.core_pattern", foreign),
        bad_sysctl(with_sysctl(R"({"kernel/shmmax2": "1"})"), "/kernel~1shmmax2", foreign),
        bad_sysctl(with_sysctl(R"({"net": "1"})"), "/net", foreign),
        bad_sysctl(with_sysctl(R"({"network.x": "1"})"), "/network.x", foreign),
        bad_sysctl(with_sysctl(R"({"net.core.somaxconn": "1"})", {}), "/net.core.somaxconn", foreign),
        bad_sysctl(with_sysctl(R"({"kernel.sem": "1"})", {}), "/kernel.sem", foreign),
        bad_sysctl(with_sysctl(R"({"fs.mqueue.msg_max": "1"})", {}), "/fs.mqueue.msg_max", foreign),
        bad_sysctl(with_sysctl(R"({"kernel.domainname": "1"})", {}), "/kernel.domainname", foreign),
        bad_sysctl(with_sysctl(R"({"kernel.hostname": "1"})", {}), "/kernel.hostname", foreign),
        bad_sysctl(with_sysctl(R"({"net/../kernel/x": "1"})"), "/net~1..~1kernel~1x",
                   "is no name of a kernel parameter"),
        bad_sysctl(with_sysctl(R"({"net.//.kernel": "1"})"), "/net.~1~1.kernel", "is no name of a kernel parameter"),
        bad_sysctl(with_sysctl(R"({"net..core": "1"})"), "/net..core", "is no name of a kernel parameter"),
        bad_sysctl(with_sysctl(R"({"net.": "1"})"), "/net.", "is no name of a kernel parameter"),
        bad_sysctl(with_sysctl(R"({"/net/core/x": "1"})"), "/~1net~1core~1x", "is no name of a kernel parameter"),
        bad_sysctl(with_sysctl(R"({"": "1"})"), "/", "is no name of a kernel parameter"),
        bad_sysctl(with_sysctl(R"({"net.a": "1\n"})"), "/net.a", "must not contain a line end"),
        bad_sysctl(with_sysctl(R"({"net.a": "\u0000"})"), "/net.a", "NUL"),
        bad_sysctl(with_sysctl(R"({"net.a\u0000": "1"})"), std::string("/net.a\0", 7), "NUL"),
        bad_sysctl(with_sysctl(R"({"net.a": 1})"), "/net.a", "must be a string, is a number"),
        bad_sysctl(with_sysctl(R"({"net.a": null})"), "/net.a", "is required"),
        bad_sysctl(with_sysctl(R"({"net.a": "1", "net/a": "1"})"), "/net~1a", "is given twice"),
        bad_sysctl(with_sysctl("[]"), "", "must be an object, is an array")));

TEST(Sysctl, HostnameAndDomainnameHaveFields) {
    auto const problems =
        read_changed(
            with_sysctl(R"({"kernel.hostname": "x", "kernel/domainname": "y"})",
                        {{"/linux/namespaces", all_namespaces}, {"/hostname", R"("h")"}, {"/domainname", R"("d")"}}))
            .problems;
    ASSERT_EQ(problems.size(), 2U);
    EXPECT_EQ(problems[0], (Problem{"/linux/sysctl/kernel.hostname", "conflicts with the field hostname",
                                    "config-linux.md#sysctl"}));
    EXPECT_EQ(problems[1], (Problem{"/linux/sysctl/kernel~1domainname", "conflicts with the field domainname",
                                    "config-linux.md#sysctl"}));
    good_spec(with_sysctl(R"({"kernel.hostname": "x", "kernel.domainname": "y"})"));
}

TEST(Sysctl, KeysBecomePaths) {
    auto const sysctl = good_spec(with_sysctl(R"({
        "net.ipv4.ip_forward": "1", "net/core/somaxconn": "256", "net.ipv4.conf.eth0/1.forwarding": "0",
        "net/ipv4/conf/eth0.2/forwarding": "", "fs.mqueue.msg_max": "8",
        "kernel.msgmax": "1", "kernel.msgmnb": "1", "kernel.msgmni": "1", "kernel.sem": "1 2 3 4", "kernel.shmall": "1",
        "kernel.shmmax": "1", "kernel.shmmni": "1", "kernel.shm_rmid_forced": "1"
    })"))
                            .linux.sysctl;
    EXPECT_EQ(sysctl, (std::map<std::string, std::string>{{"net/ipv4/ip_forward", "1"},
                                                          {"net/core/somaxconn", "256"},
                                                          {"net/ipv4/conf/eth0.1/forwarding", "0"},
                                                          {"net/ipv4/conf/eth0.2/forwarding", ""},
                                                          {"fs/mqueue/msg_max", "8"},
                                                          {"kernel/msgmax", "1"},
                                                          {"kernel/msgmnb", "1"},
                                                          {"kernel/msgmni", "1"},
                                                          {"kernel/sem", "1 2 3 4"},
                                                          {"kernel/shmall", "1"},
                                                          {"kernel/shmmax", "1"},
                                                          {"kernel/shmmni", "1"},
                                                          {"kernel/shm_rmid_forced", "1"}}));
}

} // namespace
} // namespace oci::spec
