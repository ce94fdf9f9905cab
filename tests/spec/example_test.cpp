// SPDX-License-Identifier: Apache-2.0
#include "spec/example.h"

#include <sched.h>

#include "base/names.h"
#include "config.h"
#include "spec/names.h"

namespace oci::spec {
namespace {

Spec example(bool rootless) {
    auto const report = read_config(example_config(rootless, 1000, 1001));
    EXPECT_TRUE(report.problems.empty()) << testing::PrintToString(report.problems);
    EXPECT_TRUE(report.warnings.empty()) << testing::PrintToString(report.warnings);
    return report.spec;
}

Mount find_mount(Spec const& spec, std::string_view destination) {
    for (auto const& mount : spec.mounts)
        if (mount.destination == destination)
            return mount;
    ADD_FAILURE() << "no mount at " << destination;
    return {};
}

TEST(Example, IsAGoodConfiguration) {
    auto const spec = example(false);
    EXPECT_EQ(spec.oci_version, "1.3.0");
    EXPECT_EQ(spec.process->args, std::vector<std::string>{"sh"});
    EXPECT_TRUE(spec.process->terminal);
    EXPECT_TRUE(spec.process->no_new_privileges);
    EXPECT_TRUE(spec.root.readonly);
    EXPECT_EQ(spec.hostname, "oci-run");
    EXPECT_EQ(spec.mounts.size(), 7U);
    EXPECT_EQ(find_mount(spec, "/sys").type, "sysfs");
    EXPECT_EQ(spec.linux.namespaces.size(), 6U);
    EXPECT_TRUE(spec.linux.creates(CLONE_NEWNET));
    EXPECT_EQ(spec.linux.find(CLONE_NEWUSER), nullptr);
    ASSERT_EQ(spec.linux.resources.devices.size(), 1U);
    EXPECT_EQ(spec.linux.resources.devices[0], DeviceRule{});
}

TEST(Example, HasNoInheritableCapabilities) {
    for (bool const rootless : {false, true}) {
        auto const capabilities = example(rootless).process->capabilities.value();
        EXPECT_NE(capabilities.bounding, 0U);
        EXPECT_EQ(capabilities.effective, capabilities.bounding);
        EXPECT_EQ(capabilities.permitted, capabilities.bounding);
        EXPECT_EQ(capabilities.inheritable, 0U);
        EXPECT_EQ(capabilities.ambient, 0U);
    }
}

TEST(Example, Rootless) {
    auto const spec = example(true);
    EXPECT_TRUE(spec.linux.creates(CLONE_NEWUSER));
    EXPECT_EQ(spec.linux.find(CLONE_NEWNET), nullptr);
    EXPECT_EQ(spec.linux.uid_mappings, (std::vector<IdMapping>{{0, 1000, 1}}));
    EXPECT_EQ(spec.linux.gid_mappings, (std::vector<IdMapping>{{0, 1001, 1}}));
    EXPECT_EQ(spec.linux.resources, Resources{});
    auto const sys = find_mount(spec, "/sys");
    EXPECT_TRUE(sys.bind && sys.recursive);
    EXPECT_EQ(sys.source, "/sys");
    EXPECT_EQ(find_mount(spec, "/dev/pts").data,
              (std::vector<std::string>{"newinstance", "ptmxmode=0666", "mode=0620"}));
}

TEST(Example, IsIndentedWithTabs) {
    auto const text = example_config(false, 0, 0);
    EXPECT_TRUE(text.starts_with("{\n\t\"ociVersion\": \"1.3.0\",\n\t\"process\": {\n\t\t\"terminal\": true,\n"));
    EXPECT_TRUE(text.ends_with("\n}\n"));
}

TEST(Features, Document) {
    auto const text = features_json("2.5.4");
    EXPECT_TRUE(text.starts_with("{\n    \"ociVersionMin\": \"1.0.0\",\n    \"ociVersionMax\": \"1.3.0\",\n"));
    auto const features = nlohmann::json::parse(text);
    EXPECT_EQ(features["hooks"].size(), 6U);
    EXPECT_EQ(features["hooks"][5], "poststop");
    EXPECT_EQ(features["mountOptions"].size(), mount_options().size());
    auto const& linux = features["linux"];
    EXPECT_EQ(linux["intelRdt"], nlohmann::json::parse(R"({"enabled": true, "schemata": true, "monitoring": true})"));
    EXPECT_EQ(linux["namespaces"].size(), 8U);
    EXPECT_EQ(linux["capabilities"].size(), capability_names().size());
    EXPECT_EQ(linux["cgroup"],
              (nlohmann::json{{"v1", false}, {"v2", true}, {"systemd", true}, {"systemdUser", true}, {"rdma", true}}));
    EXPECT_EQ(linux["seccomp"]["enabled"], true);
    EXPECT_EQ(linux["seccomp"]["archs"].size(), seccomp_architectures().size());
    EXPECT_EQ(linux["mountExtensions"]["idmap"]["enabled"], true);
    EXPECT_EQ(features["annotations"]["io.github.seccomp.libseccomp.version"], "2.5.4");
    EXPECT_EQ(features["potentiallyUnsafeConfigAnnotations"],
              (nlohmann::json{"org.systemd.property.", "org.criu.config", "run.oci.keep_original_groups",
                              "run.oci.mount_context_type"}));
}

/// What the document announces, the parser must take.
TEST(Features, AreAccepted) {
    auto const features = nlohmann::json::parse(features_json("0"));
    for (auto const* const version : {"ociVersionMin", "ociVersionMax"})
        good_spec({{"/ociVersion", features[version].dump()}});
    for (auto const& option : features["mountOptions"])
        good_spec({{"/linux/namespaces", R"([{"type": "mount"}, {"type": "user"}])"}, // for idmap
                   {"/linux/uidMappings", R"([{"containerID": 0, "hostID": 1, "size": 1}])"},
                   {"/linux/gidMappings", R"([{"containerID": 0, "hostID": 1, "size": 1}])"},
                   {"/mounts", nlohmann::json::array(
                                   {{{"destination", "/m"}, {"type", "tmpfs"}, {"source", "s"}, {"options", {option}}}})
                                   .dump()}});
    auto const& seccomp = features["linux"]["seccomp"];
    for (auto const& action : seccomp["actions"])
        good_spec(
            {{"/linux/seccomp", nlohmann::json{{"defaultAction", action}, {"listenerPath", "/run/agent"}}.dump()}});
    good_spec({{"/linux/seccomp", nlohmann::json{{"defaultAction", "SCMP_ACT_ALLOW"},
                                                 {"architectures", seccomp["archs"]},
                                                 {"flags", seccomp["supportedFlags"]}}
                                      .dump()}});
    auto const report = read_changed(
        {{"/process/capabilities", nlohmann::json{{"bounding", features["linux"]["capabilities"]}}.dump()}});
    EXPECT_TRUE(report.warnings.empty());
}

} // namespace
} // namespace oci::spec
