// SPDX-License-Identifier: Apache-2.0
#include "plan/systemd.h"

#include <algorithm>
#include <array>
#include <limits>

#include "plan/device_filter.h"
#include "plan/plan.h"

namespace oci::plan {

namespace {

constexpr std::uint64_t infinity = std::numeric_limits<std::uint64_t>::max();
constexpr std::string_view cgroups_path = "/linux/cgroupsPath: ";

// ---- names

bool is_unit_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(":-_.\\").find(c) != std::string_view::npos;
}

/// As systemd-escape(1) does: '+' as "\x2b".
std::string escaped(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (char const c : text) {
        auto const byte = static_cast<unsigned char>(c);
        out += is_unit_character(c) ? std::string(1, c) : concat("\\x", digits[byte >> 4U], digits[byte & 0xfU]);
    }
    return out;
}

Result<void> check_unit_name(std::string const& name) {
    constexpr std::size_t longest = 255; // UNIT_NAME_MAX
    if (name.size() > longest)
        return fail(cgroups_path, "the unit name ", name, " is longer than ", longest, " bytes");
    if (!std::ranges::all_of(name, is_unit_character))
        return fail(cgroups_path, json_string(name), " is not a valid unit name (systemd.unit(5))");
    return {};
}

// ---- values

/// As the kernel reads sizes (memparse): a number, which may end in K, M, G or T; "max".
std::optional<std::uint64_t> parse_size(std::string_view text) {
    if (text == "max")
        return infinity;
    constexpr std::string_view suffixes = "KMGT";
    unsigned shift = 0;
    if (!text.empty())
        if (auto const at = suffixes.find(static_cast<char>(text.back() & ~0x20)); at != std::string_view::npos) {
            shift = static_cast<unsigned>(at + 1) * 10;
            text.remove_suffix(1);
        }
    auto const number = parse_number<std::uint64_t>(text);
    if (!number || *number > infinity >> shift)
        return std::nullopt;
    return *number << shift;
}

using Properties = std::vector<BusProperty>;

/// How the value of one control file becomes properties.
using Convert = Result<Properties> (*)(std::string_view property, std::string_view value, SystemdFacts const& systemd);

Result<Properties> size_property(std::string_view property, std::string_view value, SystemdFacts const&) {
    auto const size = parse_size(value);
    if (!size)
        return fail("must be a number of bytes or max, is ", json_string(value));
    return Properties{{std::string(property), *size}};
}

Result<Properties> tasks_property(std::string_view property, std::string_view value, SystemdFacts const& systemd) {
    // systemd refuses 0. No difference: the one process that is always there may not fork with either.
    return size_property(property, value == "0" ? "1" : value, systemd);
}

Result<Properties> weight_property(std::string_view property, std::string_view value, SystemdFacts const&) {
    auto const weight = parse_number<std::uint64_t>(value);
    if (!weight)
        return fail("must be a number, is ", json_string(value));
    return Properties{{std::string(property), *weight}};
}

/// "100", or "default 100"; of a single device ("8:0 100") systemd is told nothing.
Result<Properties> io_weight_property(std::string_view property, std::string_view value, SystemdFacts const& systemd) {
    constexpr std::string_view all_devices = "default ";
    value = trim(value.substr(value.starts_with(all_devices) ? all_devices.size() : 0));
    return value.find(':') == std::string_view::npos ? weight_property(property, value, systemd) : Properties{};
}

/// systemd writes both files: its IOWeight (1 to 10000) above 100 stands for a step of one in 11 here (1 to 1000).
Result<Properties> bfq_weight_property(std::string_view property, std::string_view value, SystemdFacts const& systemd) {
    auto properties = TRY(io_weight_property(property, value, systemd));
    for (auto& weight : properties)
        if (auto& number = std::get<std::uint64_t>(weight.value); number > 100)
            number = 100 + (number - 100) * 11;
    return properties;
}

Result<Properties> idle_property(std::string_view property, std::string_view value, SystemdFacts const& systemd) {
    constexpr unsigned first_version = 252;
    if (value != "1" || systemd.version < first_version)
        return Properties{};
    return Properties{{std::string(property), std::uint64_t{0}}};
}

/// An empty list, for what the parent has, is the file's alone.
Result<Properties> mask_property(std::string_view property, std::string_view value, SystemdFacts const&) {
    if (value.empty())
        return Properties{};
    auto mask = parse_bit_list(value);
    if (!mask)
        return fail("must be a list of numbers and ranges such as 0-3,7, is ", json_string(value));
    return Properties{{std::string(property), *std::move(mask)}};
}

Result<Properties> quota_properties(std::string_view property, std::string_view value, SystemdFacts const&) {
    constexpr std::uint64_t second = 1'000'000;
    constexpr std::uint64_t percent = second / 100;
    auto const space = value.find(' ');
    auto const period =
        space == std::string_view::npos ? 100'000 : parse_number<std::uint64_t>(trim(value.substr(space)));
    auto const quota = parse_size(value.substr(0, space));
    if (!quota || !period || *period == 0 || (*quota != infinity && *quota > infinity / second))
        return fail("must be a quota and a period in microseconds, is ", json_string(value));
    auto const per_second = *quota == infinity ? infinity : *quota * second / *period;
    auto const rounded = per_second == infinity ? infinity : (per_second + percent - 1) / percent * percent;
    return Properties{{"CPUQuotaPeriodUSec", *period}, {std::string(property), rounded}};
}

Result<Properties> oom_property(std::string_view property, std::string_view value, SystemdFacts const& systemd) {
    constexpr unsigned first_version = 253; // before it services have it, scopes do not
    if (systemd.version < first_version)
        return Properties{};
    return Properties{{std::string(property), std::string(value == "1" ? "kill" : "continue")}};
}

struct Conversion {
    std::string_view file;
    std::string_view property;
    Convert convert;
};

/// Whenever systemd touches a unit it writes all files that it has properties for, so what is set there must be known
/// to it. What is not here (io.max, hugetlb.*, rdma.max, cpu.max.burst ...) is in the file only; it leaves those alone.
constexpr auto conversions = std::to_array<Conversion>({
    {"cpu.weight", "CPUWeight", weight_property},
    {"cpu.idle", "CPUWeight", idle_property},
    {"cpu.max", "CPUQuotaPerSecUSec", quota_properties},
    {"cpuset.cpus", "AllowedCPUs", mask_property},
    {"cpuset.mems", "AllowedMemoryNodes", mask_property},
    {"memory.min", "MemoryMin", size_property},
    {"memory.low", "MemoryLow", size_property},
    {"memory.high", "MemoryHigh", size_property},
    {"memory.max", "MemoryMax", size_property},
    {"memory.swap.max", "MemorySwapMax", size_property},
    {"memory.oom.group", "OOMPolicy", oom_property},
    {"io.weight", "IOWeight", io_weight_property},
    {"io.bfq.weight", "IOWeight", bfq_weight_property},
    {"pids.max", "TasksMax", tasks_property},
});

/// Of the same name the later one stays, in the earlier one's place.
void set_property(Properties& properties, BusProperty property) {
    auto const same = std::ranges::find(properties, property.name, &BusProperty::name);
    if (same == properties.end())
        properties.push_back(std::move(property));
    else
        *same = std::move(property);
}

// ---- devices

std::string device_name(spec::DeviceRule const& rule, char type) {
    std::string_view const group = type == 'b' ? "block" : "char";
    // Of any major but one minor: systemd has no word for it, all is the least that holds it.
    if (!rule.major)
        return concat(group, "-*");
    if (!rule.minor)
        return concat(group, "-", *rule.major);
    return concat("/dev/", group, "/", *rule.major, ":", *rule.minor);
}

bool is_everything(spec::DeviceRule const& rule) {
    return rule.type == 'a' && !rule.major && !rule.minor && rule.read && rule.write && rule.mknod;
}

// ---- the scope

/// What every scope gets. Accounting, so that the controllers are on from the beginning.
Properties common_properties(ScopeName const& name, std::string const& id) {
    return {
        {"Description", concat("oci-run container ", id)},
        {"Slice", name.slice},
        {"Delegate", true},
        {"MemoryAccounting", true},
        {"CPUAccounting", true},
        {"IOAccounting", true},
        {"TasksAccounting", true},
        {"DefaultDependencies", false},
    };
}

bool is_too_small_for_set_up(BusProperty const& property) {
    constexpr std::uint64_t fewest_tasks = 16;
    constexpr std::uint64_t least_memory = 64U << 20U;
    auto const* value = std::get_if<std::uint64_t>(&property.value);
    if (value == nullptr)
        return false;
    bool const memory = property.name == "MemoryMax" || property.name == "MemoryHigh";
    return (property.name == "TasksMax" && *value < fewest_tasks) || (memory && *value < least_memory);
}

} // namespace

Result<std::string> slice_path(std::string const& slice) {
    constexpr std::string_view suffix = ".slice";
    auto const invalid = [&] { return fail(cgroups_path, json_string(slice), " is not a valid slice name"); };
    if (!slice.ends_with(suffix) || slice.size() == suffix.size())
        return invalid();
    TRY(check_unit_name(slice));
    auto const name = std::string_view(slice).substr(0, slice.size() - suffix.size());
    if (name == "-")
        return "/";
    std::string path;
    for (std::size_t end = name.find('-');; end = name.find('-', end + 1)) {
        auto const ancestor = name.substr(0, end);
        if (ancestor.empty() || ancestor.ends_with('-'))
            return invalid();
        path += concat("/", ancestor, suffix);
        if (end == std::string_view::npos)
            return path;
    }
}

Result<ScopeName> scope_name(spec::Spec const& spec, SystemdFacts const& systemd, std::string const& id) {
    std::string_view const asked = spec.linux.cgroups_path;
    auto parts = split(asked.empty() ? ":oci-run:" : asked, ':');
    if (parts.size() != 3)
        return fail(cgroups_path,
                    "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got ",
                    json_string(asked), " instead");
    std::string const name = asked.empty() ? escaped(id) : std::string(parts[2]);
    if (name.empty())
        return fail(cgroups_path, "the name in ", json_string(asked), " is empty");
    if (name.ends_with(".slice"))
        return fail(cgroups_path, json_string(name), ": a slice has no processes, a container must be in a scope");
    ScopeName scope;
    scope.slice = !parts[0].empty() ? std::string(parts[0]) : systemd.user ? "user.slice" : "system.slice";
    scope.unit = concat(parts[1], parts[1].empty() ? "" : "-", name, ".scope");
    TRY(check_unit_name(scope.unit));
    scope.path = clean_path(concat(systemd.control_group, "/", TRY(slice_path(scope.slice)), "/", scope.unit));
    return scope;
}

Result<std::vector<BusProperty>> unit_properties(std::vector<steps::CgroupSetting> const& settings,
                                                 SystemdFacts const& systemd) {
    Properties properties;
    for (auto const& setting : settings) {
        auto const known = std::ranges::find(conversions, setting.file, &Conversion::file);
        if (known == conversions.end())
            continue;
        auto converted = known->convert(known->property, trim(setting.value), systemd);
        for (auto& property : TRY(in_context(std::move(converted), setting.pointer)))
            set_property(properties, std::move(property));
    }
    return properties;
}

std::vector<std::string> unit_files() {
    std::vector<std::string> files;
    for (auto const& conversion : conversions)
        files.emplace_back(conversion.file);
    return files;
}

std::vector<BusProperty> device_properties(std::vector<spec::DeviceRule> const& rules) {
    using Entries = std::vector<std::pair<std::string, std::string>>;
    std::vector<spec::DeviceRule> all(rules);
    auto const defaults = default_device_rules();
    all.insert(all.end(), defaults.begin(), defaults.end());
    bool everything = false;
    Entries allowed;
    for (auto const& rule : all) {
        if (is_everything(rule)) {
            everything = rule.allow;
            allowed.clear();
        }
        if (!rule.allow || is_everything(rule))
            continue;
        auto const access = concat(rule.read ? "r" : "", rule.write ? "w" : "", rule.mknod ? "m" : "");
        for (char const type : {'b', 'c'})
            if (rule.type == type || rule.type == 'a')
                if (std::pair entry{device_name(rule, type), access};
                    std::ranges::find(allowed, entry) == allowed.end())
                    allowed.push_back(std::move(entry));
    }
    // An empty list first: each one is added to what is there. The policy last: in the other order systemd (before 258)
    // takes the unit for changed on disk and wants a daemon-reload (runc#4612).
    Properties properties{{"DeviceAllow", Entries{}}};
    if (!everything)
        properties.push_back({"DeviceAllow", std::move(allowed)});
    properties.push_back({"DevicePolicy", std::string(everything ? "auto" : "strict")});
    return properties;
}

Result<Scope> plan_scope(spec::Spec const& spec, SystemdFacts const& systemd, std::string const& id,
                         std::vector<steps::CgroupSetting> const& settings) {
    auto const name = TRY(scope_name(spec, systemd, id));
    Scope scope{{name.unit, name.path, common_properties(name, id)}, std::nullopt};
    auto& properties = scope.create.properties;
    for (auto& property : TRY(annotated_properties(spec.annotations)))
        set_property(properties, std::move(property));
    Properties late;
    for (auto& property : TRY(unit_properties(settings, systemd)))
        if (is_too_small_for_set_up(property))
            late.push_back(std::move(property));
        else
            set_property(properties, std::move(property));
    // The user's manager may not attach programs.
    if (!systemd.user)
        for (auto& property : device_properties(spec.linux.resources.devices))
            properties.push_back(std::move(property)); // DeviceAllow is there more than once
    if (!late.empty())
        scope.late = steps::SetUnitProperties{name.unit, std::move(late), {}, {}};
    return scope;
}

} // namespace oci::plan
