// SPDX-License-Identifier: Apache-2.0
#include "spec/positions.h"

#include <gtest/gtest.h>

namespace oci::spec {
namespace {

constexpr std::string_view text = "{\n"
                                  "  \"a\": [1,22 , {\"b\": \"x,:\\\"\"}, [], {}, [[3]]],\n"
                                  "\t\"c/d\":\n"
                                  "      true,\"e~\": -1.5e3,\n"
                                  "  \"n\": null, \"o\": {\"p\": {}}}\n";

TEST(Positions, OfEveryKindOfValue) {
    Positions const positions(text);
    EXPECT_EQ(positions.find(""), (Position{1, 1}));
    EXPECT_EQ(positions.find("/a"), (Position{2, 8}));
    EXPECT_EQ(positions.find("/a/0"), (Position{2, 9}));
    EXPECT_EQ(positions.find("/a/1"), (Position{2, 11}));
    EXPECT_EQ(positions.find("/a/2"), (Position{2, 16}));
    EXPECT_EQ(positions.find("/a/2/b"), (Position{2, 22}));
    EXPECT_EQ(positions.find("/a/3"), (Position{2, 32}));
    EXPECT_EQ(positions.find("/a/4"), (Position{2, 36}));
    EXPECT_EQ(positions.find("/a/5/0/0"), (Position{2, 42}));
    EXPECT_EQ(positions.find("/c~1d"), (Position{4, 7}));
    EXPECT_EQ(positions.find("/e~0"), (Position{4, 18}));
    EXPECT_EQ(positions.find("/n"), (Position{5, 8}));
    EXPECT_EQ(positions.find("/o/p"), (Position{5, 25}));
}

TEST(Positions, OfWhatIsMissingIsThatOfWhereItBelongs) {
    Positions const positions(text);
    EXPECT_EQ(positions.find("/a/2/z"), positions.find("/a/2"));
    EXPECT_EQ(positions.find("/q/r"), (Position{1, 1}));
}

TEST(Positions, OfAMemberThatIsGivenTwiceIsTheSecond) {
    EXPECT_EQ(Positions("{\"a\": 1, \"a\": 2}").find("/a"), (Position{1, 15}));
}

TEST(Positions, OfATextThatIsCutOffAreThoseBefore) {
    Positions const positions("{\"a\": [1, tru");
    EXPECT_EQ(positions.find("/a/0"), (Position{1, 8}));
    EXPECT_EQ(positions.find("/b"), (Position{1, 1}));
    EXPECT_EQ(Positions("").find("/b"), (Position{1, 1}));
    EXPECT_EQ(Positions(std::string(100000, '[')).find(""), (Position{1, 1}));
}

} // namespace
} // namespace oci::spec
