// SPDX-License-Identifier: Apache-2.0
#include "commands/lifecycle.h"

#include <gtest/gtest.h>

namespace oci::commands {
namespace {

unsigned passed(unsigned listen_fds, std::string const& preserve) {
    ParsedOptions options;
    options.add("preserve-fds", preserve);
    return passed_descriptors(listen_fds, options);
}

TEST(PassedDescriptors, SumThatDoesNotWrap) {
    EXPECT_EQ(passed(2, "3"), 5U);
    EXPECT_EQ(passed(2, "4294967295"), 4294967295U);
    EXPECT_EQ(passed(4294967295U, "4294967295"), 4294967295U);
    EXPECT_FALSE(check_passed_descriptors(passed(2, "4294967295"), 1000));
}

} // namespace
} // namespace oci::commands
