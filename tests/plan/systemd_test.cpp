// SPDX-License-Identifier: Apache-2.0
#include "plan/systemd.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <limits>

namespace oci::plan {
namespace {

constexpr std::uint64_t infinity = std::numeric_limits<std::uint64_t>::max();
using Properties = std::vector<BusProperty>;
using Pairs = std::vector<std::pair<std::string, std::string>>;
using Bytes = std::vector<std::uint8_t>;
using Texts = std::vector<std::string>;

Result<ScopeName> named(std::string cgroups_path, SystemdFacts const& systemd = {}, std::string const& id = "c1") {
    spec::Spec spec;
    spec.linux.cgroups_path = std::move(cgroups_path);
    return scope_name(spec, systemd, id);
}

Result<Properties> converted(std::string file, std::string value, unsigned version = 252) {
    return unit_properties({{std::move(file), std::move(value), "", "/field", false}}, {.version = version});
}

TEST(ScopeName, IsSlicePrefixName) {
    EXPECT_EQ(named("machine.slice:libpod:1f2e"),
              (ScopeName{"machine.slice", "libpod-1f2e.scope", "/machine.slice/libpod-1f2e.scope"}));
    EXPECT_EQ(named("kubepods-burstable-pod1_2.slice:crio:7"),
              (ScopeName{"kubepods-burstable-pod1_2.slice", "crio-7.scope",
                         "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice/crio-7.scope"}));
    EXPECT_EQ(named("-.slice:a:b")->path, "/a-b.scope");
    EXPECT_EQ(named("::b")->unit, "b.scope");
    EXPECT_EQ(named(":docker:b")->slice, "system.slice");
}

TEST(ScopeName, HasDefaults) {
    EXPECT_EQ(named(""), (ScopeName{"system.slice", "oci-run-c1.scope", "/system.slice/oci-run-c1.scope"}));
    SystemdFacts const user{.user = true, .control_group = "/user.slice/user-5.slice/user@5.service"};
    EXPECT_EQ(named("", user)->path, "/user.slice/user-5.slice/user@5.service/user.slice/oci-run-c1.scope");
    // '+' may be in an id but not in a unit's name.
    EXPECT_EQ(named("", {}, "a+b")->unit, "oci-run-a\\x2bb.scope");
}

TEST(ScopeName, RefusesWhatIsNone) {
    EXPECT_EQ(named("/absolute").error().message,
              "/linux/cgroupsPath: expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got "
              "\"/absolute\" instead");
    for (auto const* path :
         {"a:b", "a.slice:b:c:d", "a.slice:b:", "machine:b:c", ".slice:b:c", "a--b.slice:p:n", "-a.slice:p:n",
          "a-.slice:p:n", "../x.slice:p:n", "a.slice:../p:n", "a.slice:p:n/..", "a.slice:p:pod.slice"}) {
        auto const name = named(path);
        ASSERT_FALSE(name) << path;
        EXPECT_TRUE(name.error().message.starts_with("/linux/cgroupsPath: ")) << name.error().message;
    }
    EXPECT_FALSE(named("", {}, std::string(255, 'x')));
}

TEST(UnitProperties, ConvertWhatSystemdKnows) {
    EXPECT_EQ(converted("memory.max", "1048576"), (Properties{{"MemoryMax", std::uint64_t{1048576}}}));
    EXPECT_EQ(converted("memory.max", "max"), (Properties{{"MemoryMax", infinity}}));
    EXPECT_EQ(converted("memory.high", "2M"), (Properties{{"MemoryHigh", std::uint64_t{2} << 20U}}));
    EXPECT_EQ(converted("memory.low", "1"), (Properties{{"MemoryLow", std::uint64_t{1}}}));
    EXPECT_EQ(converted("memory.swap.max", "0"), (Properties{{"MemorySwapMax", std::uint64_t{0}}}));
    EXPECT_EQ(converted("pids.max", "7"), (Properties{{"TasksMax", std::uint64_t{7}}}));
    EXPECT_EQ(converted("pids.max", "0"), (Properties{{"TasksMax", std::uint64_t{1}}}));
    EXPECT_EQ(converted("cpu.weight", "100"), (Properties{{"CPUWeight", std::uint64_t{100}}}));
    EXPECT_EQ(converted("memory.oom.group", "1", 253), (Properties{{"OOMPolicy", std::string("kill")}}));
    EXPECT_EQ(converted("memory.oom.group", "0", 253), (Properties{{"OOMPolicy", std::string("continue")}}));
    EXPECT_EQ(converted("memory.oom.group", "1", 252), Properties{}); // a scope has no OOMPolicy yet
    EXPECT_EQ(converted("io.weight", "default 500"), (Properties{{"IOWeight", std::uint64_t{500}}}));
    EXPECT_EQ(converted("io.weight", "8:0 500"), Properties{});
    EXPECT_EQ(converted("io.bfq.weight", "100"), (Properties{{"IOWeight", std::uint64_t{100}}}));
    EXPECT_EQ(converted("io.bfq.weight", "1000"), (Properties{{"IOWeight", std::uint64_t{10000}}}));
    EXPECT_EQ(converted("io.max", "8:0 rbps=1"), Properties{});
}

TEST(UnitProperties, RoundCpuQuotaUpToPercents) {
    auto const quota = [](std::string value) { return converted("cpu.max", std::move(value)); };
    auto const expected = [](std::uint64_t period, std::uint64_t per_second) {
        return Properties{{"CPUQuotaPeriodUSec", period}, {"CPUQuotaPerSecUSec", per_second}};
    };
    EXPECT_EQ(quota("50000 100000"), expected(100000, 500000));
    EXPECT_EQ(quota("12345 50000"), expected(50000, 250000));
    EXPECT_EQ(quota("12500 50000"), expected(50000, 250000));
    EXPECT_EQ(quota("max 50000"), expected(50000, infinity));
    EXPECT_EQ(quota("150000"), expected(100000, 1500000));
    for (auto const* wrong : {"", "x 1", "1 0", "1 x", "18446744073709551614 1"})
        EXPECT_FALSE(quota(wrong)) << wrong;
}

TEST(UnitProperties, IdleIsWeightZeroSince252) {
    EXPECT_EQ(converted("cpu.idle", "1"), (Properties{{"CPUWeight", std::uint64_t{0}}}));
    EXPECT_EQ(converted("cpu.idle", "1", 251), Properties{});
    EXPECT_EQ(converted("cpu.idle", "0"), Properties{});
}

TEST(UnitProperties, ListsBecomeMasks) {
    EXPECT_EQ(converted("cpuset.cpus", "0-3,7"), (Properties{{"AllowedCPUs", Bytes{0x8f}}}));
    EXPECT_EQ(converted("cpuset.mems", "9"), (Properties{{"AllowedMemoryNodes", Bytes{0, 2}}}));
    EXPECT_EQ(converted("cpuset.cpus", ""), Properties{});
    for (auto const* wrong : {"3-1", "a", "1-", "4294967295", "0-99999999"})
        EXPECT_FALSE(converted("cpuset.cpus", wrong)) << wrong;
    EXPECT_TRUE(converted("cpuset.cpus", "x").error().message.starts_with("/field: "));
}

TEST(UnitProperties, TheLaterSettingWins) {
    auto const properties = unit_properties(
        {{"memory.max", "1", "", "/limit", false}, {"memory.max", "2", "", "/unified/memory.max", false}}, {});
    EXPECT_EQ(properties, (Properties{{"MemoryMax", std::uint64_t{2}}}));
}

TEST(DeviceProperties, ListWhatIsAllowed) {
    spec::DeviceRule const deny_all{};
    spec::DeviceRule const kvm{.allow = true, .type = 'c', .major = 10, .minor = 232, .mknod = false};
    auto const properties = device_properties({deny_all, kvm});
    // Emptied first, the policy last: see runc#4612.
    ASSERT_EQ(properties.size(), 3U);
    EXPECT_EQ(properties[0], (BusProperty{"DeviceAllow", Pairs{}}));
    EXPECT_EQ(properties[2], (BusProperty{"DevicePolicy", std::string("strict")}));
    auto const& allowed = std::get<Pairs>(properties[1].value);
    for (auto const& entry : Pairs{{"/dev/char/10:232", "rw"},
                                   {"/dev/char/1:3", "rwm"},
                                   {"char-136", "rwm"},
                                   {"char-*", "m"},
                                   {"block-*", "m"}})
        EXPECT_NE(std::ranges::find(allowed, entry), allowed.end()) << entry.first;
    EXPECT_EQ(std::ranges::find(allowed, Pairs::value_type("char-*", "rwm")), allowed.end());
}

TEST(DeviceProperties, NeverAllowLessThanTheRules) {
    spec::DeviceRule const deny_all{};
    spec::DeviceRule const any_major{
        .allow = true, .type = 'b', .major = {}, .minor = 3, .write = false, .mknod = false};
    auto const allowed = std::get<Pairs>(device_properties({deny_all, any_major})[1].value);
    EXPECT_EQ(allowed.front(), (Pairs::value_type("block-*", "r")));
    // Everything but something: systemd cannot say it.
    spec::DeviceRule const allow_all{.allow = true, .major = {}, .minor = {}};
    spec::DeviceRule const deny_one{.allow = false, .type = 'c', .major = 1, .minor = 7};
    EXPECT_EQ(device_properties({allow_all, deny_one}),
              (Properties{{"DeviceAllow", Pairs{}}, {"DevicePolicy", std::string("auto")}}));
}

TEST(Scope, GivesSmallLimitsLate) {
    spec::Spec const spec;
    auto const scope = plan_scope(spec, {}, "c1",
                                  {{"pids.max", "15", "pids", "/p", false},
                                   {"memory.max", "67108864", "memory", "/m", false},
                                   {"memory.high", "67108863", "memory", "/h", false}});
    ASSERT_TRUE(scope);
    auto const has = [](Properties const& properties, std::string_view name) {
        return std::ranges::find(properties, name, &BusProperty::name) != properties.end();
    };
    EXPECT_TRUE(has(scope->create.properties, "MemoryMax"));
    EXPECT_FALSE(has(scope->create.properties, "TasksMax"));
    ASSERT_TRUE(scope->late);
    EXPECT_EQ(scope->late->unit, "oci-run-c1.scope");
    EXPECT_EQ(scope->late->properties,
              (Properties{{"TasksMax", std::uint64_t{15}}, {"MemoryHigh", std::uint64_t{67108863}}}));
    EXPECT_FALSE(plan_scope(spec, {}, "c1", {})->late);
}

TEST(Scope, TheUsersManagerGetsNoDevices) {
    auto const scope = plan_scope({}, {.user = true}, "c1", {});
    for (auto const& property : scope->create.properties)
        EXPECT_FALSE(property.name.starts_with("Device")) << property.name;
}

TEST(Annotations, AreReadAsGVariantText) {
    auto const value = [](std::string_view text) { return parse_property_value(text); };
    EXPECT_EQ(value("9"), BusValue(std::int32_t{9}));
    EXPECT_EQ(value("-9"), BusValue(std::int32_t{-9}));
    EXPECT_EQ(value(" uint64 10000000 "), BusValue(std::uint64_t{10000000}));
    EXPECT_EQ(value("@t 7"), BusValue(std::uint64_t{7}));
    EXPECT_EQ(value("int32 0x10"), BusValue(std::int32_t{16}));
    EXPECT_EQ(value("uint32 1"), BusValue(std::uint32_t{1}));
    EXPECT_EQ(value("int64 -1"), BusValue(std::int64_t{-1}));
    EXPECT_EQ(value("1.5"), BusValue(1.5));
    EXPECT_EQ(value("true"), BusValue(true));
    EXPECT_EQ(value("false"), BusValue(false));
    EXPECT_EQ(value("'inactive-or-failed'"), BusValue(std::string("inactive-or-failed")));
    EXPECT_EQ(value(R"("it's \"x\" \\")"), BusValue(std::string(R"(it's "x" \)")));
    EXPECT_EQ(value("['crio.service', \"b.service\"]"), BusValue(Texts{"crio.service", "b.service"}));
    EXPECT_EQ(value("@as []"), BusValue(Texts{}));
}

TEST(Annotations, RefuseOtherValues) {
    for (auto const* text : {"",
                             "x",
                             "'",
                             "'a",
                             "[",
                             "['a'",
                             "['a',]",
                             "[1]",
                             "uint64",
                             "uint64 -1",
                             "uint32 4294967296",
                             "3000000000",
                             "byte 1",
                             "'a' 'b'",
                             "1 2",
                             "'\\n'",
                             "'\\",
                             "true false",
                             "1.",
                             "1.x"})
        if (auto const value = parse_property_value(text); value && std::string_view(text) != "1.")
            ADD_FAILURE() << text;
    EXPECT_FALSE(parse_property_value(std::string_view("'a\0b'", 5)));
}

TEST(Annotations, BecomeProperties) {
    EXPECT_EQ(annotated_properties({{"org.systemd.property.KillSignal", "15"},
                                    {"org.systemd.property.TimeoutStopSec", "uint64 5"},
                                    {"org.example", "'"}}),
              (Properties{{"KillSignal", std::int32_t{15}}, {"TimeoutStopUSec", std::uint64_t{5'000'000}}}));
    EXPECT_EQ(annotated_properties({{"org.systemd.property.RuntimeMaxSec", "1.5"}}),
              (Properties{{"RuntimeMaxUSec", std::uint64_t{1'500'000}}}));
    EXPECT_FALSE(annotated_properties({{"org.systemd.property.TimeoutStopSec", "'5'"}}));
    EXPECT_FALSE(annotated_properties({{"org.systemd.property.TimeoutStopSec", "-5"}}));
}

TEST(Annotations, MayNotReachBeyondTheUnit) {
    for (auto const* name : {"Conflicts", "Wants", "OnFailure", "SuccessAction", "JobTimeoutAction", "PIDs", "Slice",
                             "DevicePolicy", "DeviceAllow", "Delegate", "BPFProgram", "", "after"}) {
        auto const key = std::string("org.systemd.property.") + name;
        auto const properties = annotated_properties({{key, "'x'"}});
        ASSERT_FALSE(properties) << name;
        EXPECT_TRUE(properties.error().message.starts_with("/annotations/" + key + ": ")) << properties.error().message;
    }
}

TEST(Annotations, ReplaceOurOwn) {
    spec::Spec spec;
    spec.annotations = {{"org.systemd.property.DefaultDependencies", "true"}};
    auto const scope = plan_scope(spec, {}, "c1", {});
    ASSERT_TRUE(scope);
    auto const& properties = scope->create.properties;
    EXPECT_EQ(std::ranges::count(properties, "DefaultDependencies", &BusProperty::name), 1);
    EXPECT_NE(std::ranges::find(properties, BusProperty{"DefaultDependencies", true}), properties.end());
}

} // namespace
} // namespace oci::plan
