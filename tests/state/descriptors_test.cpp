// SPDX-License-Identifier: Apache-2.0
#include "state/descriptors.h"

#include <gtest/gtest.h>

namespace oci::state {
namespace {

TEST(Descriptors, RoundTrip) {
    std::vector<std::string> const links{"/dev/null", "pipe:[12]", "/tmp/\"a\n"};
    EXPECT_EQ(descriptors_json({"/dev/null", "pipe:[12]"}), R"(["/dev/null","pipe:[12]"])");
    EXPECT_EQ(descriptors_from_json(descriptors_json(links)).value(), links);
    EXPECT_TRUE(descriptors_from_json("[]")->empty());
}

TEST(Descriptors, WhatIsNoList) {
    for (auto const* const text : {"", "{}", "[1]", "[\"a\"", "\"a\"", "[[\"a\"]]", "null"})
        EXPECT_FALSE(descriptors_from_json(text)) << text;
}

} // namespace
} // namespace oci::state
