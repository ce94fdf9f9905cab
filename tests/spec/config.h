// SPDX-License-Identifier: Apache-2.0
// For tests of the parser: a small good configuration, and changes to it.
#pragma once

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "spec/parse.h"

namespace oci::spec {

inline nlohmann::json small_config() {
    return nlohmann::json::parse(R"({
        "ociVersion": "1.2.0",
        "process": {"user": {"uid": 0, "gid": 0}, "args": ["/bin/true"], "cwd": "/"},
        "root": {"path": "rootfs"},
        "linux": {"namespaces": [{"type": "mount"}]}
    })");
}

/// Sets the value at a JSON pointer; an empty text takes it away.
struct Change {
    std::string pointer;
    std::string json;
};

inline nlohmann::json changed_config(std::vector<Change> const& changes) {
    auto config = small_config();
    for (auto const& [pointer, text] : changes) {
        nlohmann::json::json_pointer const place(pointer);
        if (text.empty())
            config[place.parent_pointer()].erase(place.back());
        else
            config[place] = nlohmann::json::parse(text);
    }
    return config;
}

inline Report read_changed(std::vector<Change> const& changes) {
    return read_config(changed_config(changes).dump());
}

/// A configuration with exactly one problem.
struct BadConfig {
    std::vector<Change> changes;
    std::string pointer;
    std::string rule; ///< a part of it
    std::string section;
};

inline std::ostream& operator<<(std::ostream& out, Problem const& problem) {
    return out << problem.pointer << ": " << problem.rule << " [" << problem.section << "]";
}

inline std::ostream& operator<<(std::ostream& out, BadConfig const& bad) {
    for (auto const& change : bad.changes)
        out << change.pointer << " = " << change.json << "; ";
    return out;
}

/// For the table of fields: tests/run.sh reads it out of the report.
inline void record_problem(std::string const& pointer) {
    testing::Test::RecordProperty(pointer, "error");
}

inline void expect_problem(Report const& report, std::string const& pointer, std::string const& rule,
                           std::string const& section) {
    ASSERT_EQ(report.problems.size(), 1U) << testing::PrintToString(report.problems);
    EXPECT_EQ(report.problems[0].pointer, pointer);
    EXPECT_NE(report.problems[0].rule.find(rule), std::string::npos) << report.problems[0].rule;
    EXPECT_EQ(report.problems[0].section, section);
    record_problem(pointer);
}

inline void expect_problem(BadConfig const& bad) {
    expect_problem(read_changed(bad.changes), bad.pointer, bad.rule, bad.section);
}

/// The Spec of a configuration without problems.
inline Spec good_spec(std::vector<Change> const& changes) {
    auto const report = read_changed(changes);
    EXPECT_TRUE(report.problems.empty()) << testing::PrintToString(report.problems);
    return report.spec;
}

} // namespace oci::spec
