// SPDX-License-Identifier: Apache-2.0
// The documents that the program writes itself: features, the files of the state directory, the example configuration.
#include <set>

#include "schema.h"
#include "spec/example.h"
#include "state/container_dir.h"
#include "state/status.h"

namespace oci::schema {
namespace {

/// The members of a document that the schema has no words for.
std::set<std::string> undescribed(json const& document, Schema const& schema) {
    std::set<std::string> described;
    walk(schema.text, schema.text, "", [&](std::string const& path, json const&) { described.insert(path); });
    std::set<std::string> others;
    walk_document(document, schema.text, schema.text, "", [&](std::string const& path) {
        if (!path.ends_with("/*") && !described.contains(path))
            others.insert(path);
    });
    return others;
}

TEST(Documents, Features) {
    auto schema = Schema::of("features");
    auto const features = json::parse(spec::features_json("2.5.4"));
    EXPECT_EQ(schema.problems(features), "");
    // "MUST NOT contain properties that are not defined in this version" (features.md).
    EXPECT_EQ(undescribed(features, schema), std::set<std::string>{});
}

TEST(Documents, FeaturesByTheSchemaOfTheSpecification) {
    NEED_SPECIFICATION();
    Schema schema(specification() / "schema/features-schema.json");
    auto features = json::parse(spec::features_json("2.5.4"));
    EXPECT_EQ(schema.problems(features), "");
    features["linux"]["seccomp"]["enabled"] = 1;
    EXPECT_NE(schema.problems(features), "");
}

TEST(Documents, FeaturesMayBeNull) {
    auto schema = Schema::of("features");
    auto features = json::parse(spec::features_json("2.5.4"));
    walk(schema.text, schema.text, "", [&](std::string const& path, json const&) {
        auto changed = features;
        changed[json::json_pointer(path)] = nullptr;
        bool const may_be_null = !path.starts_with("/ociVersion");
        EXPECT_EQ(schema.accepts(changed), may_be_null) << path;
    });
}

TEST(Documents, Examples) {
    auto schema = Schema::of("config");
    for (bool const rootless : {false, true})
        EXPECT_EQ(schema.problems(json::parse(spec::example_config(rootless, 1000, 1000))), "") << rootless;
}

state::Record record() {
    return {.id = "c-1.a",
            .boot_id = "0b1c2d3e",
            .bundle = "/srv/b \"quoted\" \xc3\xa9",
            .cgroup_driver = "cgroupfs",
            .cgroup_path = "/a/..b/c1",
            .cgroup_created = "/",
            .systemd_unit = "",
            .resctrl_group = "/c1",
            .resctrl_monitoring_group = "/c1/mon_groups/c1",
            .resctrl_created = true};
}

state::State state() {
    return {.oci_version = "1.2.0",
            .created = "2026-01-02T03:04:05.000000006Z",
            .rootfs = "/srv/b/rootfs",
            .annotations = {{"a", "1"}, {"b", "line\nend"}},
            .pid = 4711,
            .start_time = 18446744073709551615U,
            .owner = 4294967295};
}

TEST(Documents, RecordFile) {
    auto schema = Schema::of("record-file");
    EXPECT_EQ(schema.problems(json::parse(to_json(record()))), "");
    for (auto const* const driver : {"systemd", "disabled"}) {
        auto other = record();
        other.cgroup_driver = driver;
        other.cgroup_path = other.cgroup_created = "";
        EXPECT_EQ(schema.problems(json::parse(to_json(other))), "") << driver;
    }
}

/// What the schema refuses, the program must not take for a record.
TEST(Documents, WrongRecordFiles) {
    auto schema = Schema::of("record-file");
    std::vector<std::function<void(state::Record&)>> const mistakes = {
        [](auto& record) { record.id = ".."; },
        [](auto& record) { record.id = std::string(256, 'a'); },
        [](auto& record) { record.bundle = "srv"; },
        [](auto& record) { record.cgroup_path = "/a/../b"; },
        [](auto& record) { record.cgroup_path = "/a//b"; },
        [](auto& record) { record.cgroup_created = "/a/"; },
        [](auto& record) { record.cgroup_created = "/a/."; },
        [](auto& record) { record.cgroup_driver = "other"; },
    };
    for (auto const& mistake : mistakes) {
        auto wrong = record();
        mistake(wrong);
        auto const text = to_json(wrong);
        EXPECT_FALSE(schema.accepts(json::parse(text))) << text;
        EXPECT_FALSE(state::record_from_json(text)) << text;
    }
}

TEST(Documents, StateFile) {
    auto schema = Schema::of("state-file");
    EXPECT_EQ(schema.problems(json::parse(to_json(state()))), "");
    auto changed = json::parse(to_json(state()));
    changed["pid"] = 2147483648;
    EXPECT_FALSE(schema.accepts(changed));
}

TEST(Documents, State) {
    auto schema = Schema::of("state");
    state::Container container;
    container.status = state::Status::running;
    container.record = record();
    container.state = state();
    container.created = state().created;
    auto const document = json::parse(state_document(container));
    EXPECT_EQ(schema.problems(document), "");
    EXPECT_EQ(undescribed(document, schema), std::set<std::string>{});
    for (auto const* const status : {"creating", "created", "running", "stopped"}) {
        auto const hook = json::parse(state::hook_state(record(), "1.2.0", {{"a", "b"}}, status, 1));
        EXPECT_EQ(schema.problems(hook), "") << status;
    }
    EXPECT_FALSE(schema.accepts(json::parse(state::hook_state(record(), "1.2.0", {}, "running", 0))));
    EXPECT_EQ(schema.problems(json::parse(state::hook_state(record(), "1.2.0", {}, "stopped", 0))), "");
}

} // namespace
} // namespace oci::schema
