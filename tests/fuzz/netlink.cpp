// SPDX-License-Identifier: Apache-2.0
// rtnetlink: answers of any bytes, and requests with attributes of any length, which must be read as they were written.
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "fuzz.h"
#include "kernel/netlink_message.h"

namespace {

using namespace oci;

void read(std::string_view bytes) {
    auto const messages = kernel::read_netlink(bytes);
    if (!messages)
        return;
    for (auto const& [type, content] : *messages) {
        (void)kernel::read_as<nlmsgerr>(content);
        for (std::size_t const header : {sizeof(ifinfomsg), sizeof(rtgenmsg)})
            (void)kernel::read_attributes(content, header);
    }
}

void write_and_read(fuzz::Input input) {
    ifinfomsg head{};
    head.ifi_index = 7;
    kernel::NetlinkRequest request(RTM_NEWLINK, NLM_F_ACK, head);
    kernel::NetlinkAttributes attributes;
    bool fits = true;
    while (!input.empty() && attributes.size() < 32) {
        auto const type = input.number<std::uint16_t>();
        auto value = input.text();
        value.resize(value.size() + (input.flag() ? input.number<std::uint16_t>() * std::size_t{2} : 0));
        fits = fits && value.size() + sizeof(rtattr) <= 0xffff;
        request.attribute(type, value);
        attributes.emplace_back(type, std::move(value));
    }
    auto const message = request.message();
    fuzz::expect(message.has_value() == fits, "what does not fit is an error");
    if (!message)
        return;
    auto const messages = kernel::read_netlink(*message);
    fuzz::expect(messages && messages->size() == 1 && messages->front().type == RTM_NEWLINK, "one message was written");
    fuzz::expect(kernel::read_attributes(messages->front().content, sizeof head) == attributes,
                 "attributes are read as they were written");
}

} // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    read(fuzz::as_text(data, size));
    write_and_read({data, size});
    return 0;
}
