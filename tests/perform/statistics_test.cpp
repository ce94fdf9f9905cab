// SPDX-License-Identifier: Apache-2.0
// Texts of the kernel's control files, as they are and as they may become.
#include "perform/statistics.h"

#include <gtest/gtest.h>
#include <limits>

namespace oci::perform {
namespace {

constexpr auto most = std::numeric_limits<std::uint64_t>::max();

TEST(Statistics, flat_keyed_files) {
    EXPECT_EQ((KeyedFigures{{"usage_usec", 12}, {"nr_periods", 0}}), parse_flat_keyed("usage_usec 12\nnr_periods 0\n"));
    EXPECT_EQ((KeyedFigures{{"a", most}, {"b", most}}), parse_flat_keyed("a 18446744073709551615\nb max\n"));
    EXPECT_EQ((KeyedFigures{{"", 3}, {"good", 1}}),
              parse_flat_keyed("\nlonely\n 3\nbad x\nbad -1\nbad 18446744073709551616\nbad 1 2\ngood 1"));
    EXPECT_TRUE(parse_flat_keyed("").empty());
}

TEST(Statistics, figures) {
    EXPECT_EQ(0U, parse_figure("0"));
    EXPECT_EQ(most, parse_figure("max"));
    EXPECT_EQ(most, parse_figure("18446744073709551615"));
    for (auto const* const text : {"", "x", "-1", "18446744073709551616", " 1", "maximum"})
        EXPECT_FALSE(parse_figure(text)) << text;
}

TEST(Statistics, pressure) {
    auto const pressure = parse_pressure("some avg10=1.25 avg60=0.50 avg300=100.00 total=18446744073709551615\n"
                                         "full avg10=0.00 avg60=0.00 avg300=0.01 total=7\n");
    ASSERT_TRUE(pressure);
    EXPECT_EQ((state::PressureLine{1.25, 0.5, 100, most}), pressure->some);
    EXPECT_EQ((state::PressureLine{0, 0, 0.01, 7}), pressure->full);
    EXPECT_EQ(state::PressureLine{}, parse_pressure("some avg10=1.00 total=1\n")->full) << "cpu before Linux 5.13";
    EXPECT_EQ((state::PressureLine{0, 2, 0, 0}),
              parse_pressure("some new=1 avg10=x avg60=2 =3 avg300 total=-1\n")->some);
    EXPECT_FALSE(parse_pressure(""));
    EXPECT_FALSE(parse_pressure("else avg10=1.00\n"));
}

TEST(Statistics, io) {
    state::Statistics statistics;
    parse_io("8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n"
             "259:17 rbytes=18446744073709551615 cost.usage=1\n"
             "7:1\n\nnonsense rbytes=1\n8 rbytes=1\n8:x rbytes=1\n1:2:3 rbytes=1\n254:0 rbytes=x wios=9\n",
             statistics);
    std::vector<state::DeviceFigure> const bytes = {{8, 0, "Read", 1}, {8, 0, "Write", 2}, {259, 17, "Read", most}};
    std::vector<state::DeviceFigure> const operations = {{8, 0, "Read", 3}, {8, 0, "Write", 4}, {254, 0, "Write", 9}};
    EXPECT_EQ(bytes, statistics.io_bytes);
    EXPECT_EQ(operations, statistics.io_operations);
}

TEST(Statistics, lists_of_numbers) {
    using List = std::vector<std::uint16_t>;
    EXPECT_EQ((List{0, 1, 2, 5}), parse_number_list("0-2,5\n"));
    EXPECT_EQ(List{7}, parse_number_list("7"));
    EXPECT_EQ(List{}, parse_number_list("\n"));
    EXPECT_EQ(65536U, parse_number_list("0-65535").size()) << "ends";
    EXPECT_EQ(List{3}, parse_number_list("x,3,5-4,1-99999,-1"));
}

TEST(Statistics, incidents_of_memory) {
    EXPECT_EQ(0U, count_oom(""));
    EXPECT_EQ(0U, count_oom("low 5\nhigh 6\nmax 7\noom 0\noom_kill 0\n"));
    EXPECT_EQ(1U, count_oom("oom 1\noom_kill 0\n"));
    EXPECT_EQ(1U, count_oom("oom 1\noom_kill 1\noom_group_kill 0\n"));
    EXPECT_EQ(3U, count_oom("oom 1\noom_kill 3\n"));
}

} // namespace
} // namespace oci::perform
