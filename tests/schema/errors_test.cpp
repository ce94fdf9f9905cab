// SPDX-License-Identifier: Apache-2.0
// Every field of config.json: a value of another type is an error that names its place.
#include "schema.h"
#include "spec/parse.h"

namespace oci::schema {
namespace {

/// The places of values without members.
void each_field(json const& value, json::json_pointer const& place,
                std::function<void(json::json_pointer const&)> const& see) {
    bool const is_list = value.is_array() && (value.empty() || !value[0].is_structured());
    if (!value.is_structured() || is_list)
        return see(place);
    for (auto const& [name, member] : value.items())
        each_field(member, value.is_array() ? place / std::stoul(name) : place / name, see);
}

class EachField : public testing::TestWithParam<char const*> {};
INSTANTIATE_TEST_SUITE_P(Errors, EachField, testing::Values("every_field.json", "not_supported.json"));

TEST_P(EachField, OfAnotherTypeIsAProblemThere) {
    auto const config = read_json(repository() / "tests/schema" / GetParam());
    each_field(config, json::json_pointer(), [&](json::json_pointer const& place) {
        auto changed = config;
        changed[place] = json::object({{"unexpected", json::object()}});
        auto const report = spec::read_config(changed.dump());
        auto const there = [&](spec::Problem const& problem) { return problem.pointer == place.to_string(); };
        EXPECT_TRUE(std::ranges::any_of(report.problems, there)) << place;
        RecordProperty(place.to_string(), "error"); // for the table of fields
    });
}

} // namespace
} // namespace oci::schema
