// SPDX-License-Identifier: Apache-2.0
#include "kernel/netlink_message.h"

#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

namespace oci::kernel {
namespace {

TEST(NetlinkMessage, RequestsAreReadAsTheyWereWritten) {
    ifinfomsg head{};
    head.ifi_index = 7;
    NetlinkRequest request(RTM_NEWLINK, NLM_F_ACK, head);
    request.text(IFLA_IFNAME, "eth0");
    request.attribute(IFLA_NEW_IFINDEX, bytes_of(5U));
    auto const bytes = request.message();
    ASSERT_TRUE(bytes);
    auto const messages = read_netlink(*bytes);
    ASSERT_TRUE(messages && messages->size() == 1);
    auto const& [type, content] = messages->front();
    EXPECT_EQ(type, RTM_NEWLINK);
    EXPECT_EQ(read_as<ifinfomsg>(content).ifi_index, 7);
    EXPECT_EQ(read_attributes(content, sizeof head),
              (NetlinkAttributes{{IFLA_IFNAME, std::string("eth0\0", 5)}, {IFLA_NEW_IFINDEX, {5, 0, 0, 0}}}));
}

/// CVE-2021-43784: a length of 16 bits that wrapped made a part of the value into attributes of its own.
TEST(NetlinkMessage, AValueThatDoesNotFitIsAnError) {
    for (std::size_t const size : {std::size_t{65531}, std::size_t{65532}, std::size_t{65536}, std::size_t{1} << 20U}) {
        NetlinkRequest request(RTM_NEWLINK, 0, ifinfomsg{});
        request.attribute(IFLA_IFNAME, std::string(size, 'x'));
        EXPECT_EQ(request.message().has_value(), size == 65531) << size;
    }
}

TEST(NetlinkMessage, MalformedAnswersAreErrors) {
    auto const whole = *NetlinkRequest(RTM_NEWLINK, 0, ifinfomsg{}).message();
    for (std::uint32_t const length : {0U, 15U, static_cast<std::uint32_t>(whole.size()) + 1, 0xffffffffU}) {
        auto bytes = whole;
        std::memcpy(bytes.data(), &length, sizeof length);
        EXPECT_FALSE(read_netlink(bytes)) << length;
    }
    EXPECT_TRUE(read_netlink("")->empty());
}

} // namespace
} // namespace oci::kernel
