// SPDX-License-Identifier: Apache-2.0
// The schemas themselves: whole, described, and with the words that the program knows.
#include <regex>
#include <set>

#include <sys/resource.h>

#include "base/constants.h"
#include "base/names.h"
#include "schema.h"
#include "spec/names.h"

namespace oci::schema {
namespace {

constexpr char const* all_schemas[] = {"config", "features", "state", "record-file", "state-file"};

class EachSchema : public testing::TestWithParam<char const*> {};
INSTANTIATE_TEST_SUITE_P(Schemas, EachSchema, testing::ValuesIn(all_schemas));

TEST_P(EachSchema, IsDraft7WithANameOfItsOwn) {
    auto const schema = Schema::of(GetParam()).text;
    EXPECT_EQ(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    EXPECT_EQ(schema["$id"], std::string("urn:oci-run:schema:") + GetParam());
}

/// An editor shows nothing else.
TEST_P(EachSchema, HasATitleAndASentenceForEveryProperty) {
    auto const schema = Schema::of(GetParam()).text;
    int properties = 0;
    walk(schema, schema, "", [&](std::string const& path, json const& property) {
        ++properties;
        EXPECT_NE(property.value("title", ""), "") << path;
        EXPECT_TRUE(property.value("description", "").ends_with('.')) << path;
        // The draft ignores what else is beside a reference.
        EXPECT_TRUE(!property.contains("$ref") || property.size() == 3) << path << " has more beside $ref";
    });
    EXPECT_GT(properties, 5);
}

TEST_P(EachSchema, HasNoDefinitionThatIsNotUsed) {
    auto const schema = Schema::of(GetParam()).text;
    auto const text = schema.dump();
    auto const definitions = schema.value("definitions", json::object());
    for (auto const& [name, definition] : definitions.items())
        EXPECT_NE(text.find("\"#/definitions/" + name + "\""), std::string::npos) << name;
}

std::set<std::string> words(json const& list) {
    return list.get<std::set<std::string>>();
}

template <typename List>
std::set<std::string> names_of(List const& list) {
    std::set<std::string> names;
    for (auto const& entry : list)
        if constexpr (requires { entry.name; })
            names.emplace(entry.name);
        else
            names.emplace(entry);
    return names;
}

/// The list of words for the value at a path of config.json.
std::set<std::string> known_words(std::string const& path) {
    auto const schema = Schema::of("config").text;
    std::set<std::string> known;
    walk(schema, schema, "", [&](std::string const& place, json const& property) {
        auto const& here = resolved(property, schema);
        for (auto const& value : {here, here.contains("items") ? resolved(here["items"], schema) : json()}) {
            if (place == path && value.contains("enum"))
                known = words(value["enum"]);
            if (place == path && value.contains("anyOf") && value["anyOf"][0].contains("enum"))
                known = words(value["anyOf"][0]["enum"]);
        }
    });
    return known;
}

TEST(ConfigSchema, HasTheWordsThatTheParserKnows) {
    EXPECT_EQ(known_words("/process/capabilities/bounding"), names_of(capability_names()));
    EXPECT_EQ(known_words("/process/scheduler/policy"), names_of(scheduler_policies()));
    EXPECT_EQ(known_words("/process/scheduler/flags"), names_of(scheduler_flags()));
    EXPECT_EQ(known_words("/process/ioPriority/class"), names_of(io_priority_classes()));
    EXPECT_EQ(known_words("/mounts/*/options"), names_of(spec::mount_options()));
    EXPECT_EQ(known_words("/linux/namespaces/*/type"), names_of(namespace_names()));
    EXPECT_EQ(known_words("/linux/seccomp/defaultAction"), names_of(spec::seccomp_actions()));
    EXPECT_EQ(known_words("/linux/seccomp/syscalls/*/action"), names_of(spec::seccomp_actions()));
    EXPECT_EQ(known_words("/linux/seccomp/syscalls/*/args/*/op"), names_of(spec::seccomp_operators()));
    EXPECT_EQ(known_words("/linux/seccomp/flags"), names_of(spec::seccomp_flags()));
    EXPECT_EQ(known_words("/linux/memoryPolicy/mode"), names_of(memory_policy_modes()));
    EXPECT_EQ(known_words("/linux/memoryPolicy/flags"), names_of(memory_policy_flags()));
    EXPECT_EQ(known_words("/linux/personality/domain"), names_of(personality_domains()));
    std::set<std::string> limits;
    for (int resource = 0; resource < static_cast<int>(RLIM_NLIMITS); ++resource)
        limits.emplace(rlimit_name(resource));
    EXPECT_EQ(known_words("/process/rlimits/*/type"), limits);
}

TEST(ConfigSchema, HasMoreArchitecturesThanTheProgram) {
    auto of_specification = names_of(spec::seccomp_architectures());
    of_specification.merge(
        std::set<std::string>{"SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K", "SCMP_ARCH_SH", "SCMP_ARCH_SHEB"});
    EXPECT_EQ(known_words("/linux/seccomp/architectures"), of_specification);
}

TEST(ConfigSchema, HasTheHooksThatTheParserKnows) {
    auto const schema = Schema::of("config").text;
    std::set<std::string> hooks;
    for (auto const& [name, property] : schema["definitions"]["hooks"]["properties"].items())
        hooks.insert(name);
    EXPECT_EQ(hooks, names_of(spec::hook_names()));
}

} // namespace
} // namespace oci::schema
