// SPDX-License-Identifier: Apache-2.0
// record.json and state.json: written by us, but read as if they were hostile, because a disk may be full or broken.
#include <algorithm>
#include <array>
#include <concepts>
#include <exception>
#include <limits>
#include <nlohmann/json.hpp>

#include "state/container_dir.h"

namespace oci::state {

namespace {

using Json = nlohmann::ordered_json;

/// FNV-1a, 64 bit. Every step is a bijection, so a change of one byte is always seen. No defence against intent: who
/// can write here is the owner of the containers.
std::uint64_t checksum(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (char const c : text) {
        hash ^= static_cast<unsigned char>(c);
        hash *= 0x100000001b3U;
    }
    return hash;
}

/// The end of a file whose beginning is `members`.
std::string seal(std::string_view members) {
    std::array<char, 16> digits{};
    auto const end = std::to_chars(digits.data(), digits.data() + digits.size(), checksum(members), 16).ptr;
    return concat(",\n  \"checksum\": \"",
                  std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data())), "\"\n}\n");
}

std::string sealed_text(Json const& object) {
    std::string text = object.dump(2, ' ', false, Json::error_handler_t::replace);
    text.resize(text.size() - std::string_view("\n}").size());
    return text + seal(text);
}

Result<Json> parse_sealed(std::string_view text) {
    auto const seal_begin = text.rfind(",\n  \"checksum\"");
    if (seal_begin == std::string_view::npos || text.substr(seal_begin) != seal(text.substr(0, seal_begin)))
        return fail("damaged: the checksum does not fit");
    auto object = Json::parse(text.begin(), text.end(), nullptr, false);
    if (!object.is_object())
        return fail("damaged: not a JSON object");
    auto const version = object.find("formatVersion");
    if (version == object.end() || !version->is_number_integer() || *version != format_version)
        return fail("of another format version than ", format_version, ", the only one this program knows");
    return object;
}

Failure wrong(std::string_view key) {
    return fail("\"", key, "\" is missing or not valid");
}

Result<std::string> text_member(Json const& object, char const* key) {
    auto const found = object.find(key);
    if (found == object.end() || !found->is_string())
        return wrong(key);
    return found->get<std::string>();
}

/// Empty, or absolute and clean: no "..", so that nothing beside the container is ever reached.
Result<std::string> path_member(Json const& object, char const* key) {
    auto path = TRY(text_member(object, key));
    if (!path.empty() && path != clean_path(path))
        return wrong(key);
    return path;
}

template <std::unsigned_integral Number>
Result<Number> number_member(Json const& object, char const* key, Number maximum = std::numeric_limits<Number>::max()) {
    auto const found = object.find(key);
    if (found == object.end() || !found->is_number_unsigned() || found->get<std::uint64_t>() > maximum)
        return wrong(key);
    return found->get<Number>();
}

Result<bool> flag_member(Json const& object, char const* key) {
    auto const found = object.find(key);
    if (found == object.end() || !found->is_boolean())
        return wrong(key);
    return found->get<bool>();
}

Result<std::map<std::string, std::string>> annotations_member(Json const& object, char const* key) {
    auto const found = object.find(key);
    if (found == object.end() || !found->is_object())
        return wrong(key);
    std::map<std::string, std::string> annotations;
    for (auto const& [name, value] : found->items()) {
        if (!value.is_string())
            return wrong(key);
        annotations[name] = value.get<std::string>();
    }
    return annotations;
}

Result<Record> parse_record(std::string_view text) {
    auto const object = TRY(parse_sealed(text));
    Record record;
    record.id = TRY(text_member(object, "id"));
    TRY(check_id(record.id));
    record.boot_id = TRY(text_member(object, "bootId"));
    record.bundle = TRY(path_member(object, "bundle"));
    record.cgroup_driver = TRY(text_member(object, "cgroupDriver"));
    constexpr std::array<std::string_view, 3> drivers = {"cgroupfs", "systemd", "disabled"};
    if (std::find(drivers.begin(), drivers.end(), record.cgroup_driver) == drivers.end())
        return wrong("cgroupDriver");
    record.cgroup_path = TRY(path_member(object, "cgroupPath"));
    record.cgroup_created = TRY(path_member(object, "cgroupCreated"));
    record.systemd_unit = TRY(text_member(object, "systemdUnit"));
    record.resctrl_group = TRY(path_member(object, "resctrlGroup"));
    record.resctrl_monitoring_group = TRY(path_member(object, "resctrlMonitoringGroup"));
    record.resctrl_created = TRY(flag_member(object, "resctrlCreated"));
    record.resctrl_named = TRY(flag_member(object, "resctrlNamed"));
    return record;
}

Result<State> parse_state(std::string_view text) {
    auto const object = TRY(parse_sealed(text));
    State state;
    state.oci_version = TRY(text_member(object, "ociVersion"));
    state.created = TRY(text_member(object, "created"));
    state.rootfs = TRY(text_member(object, "rootfs"));
    state.annotations = TRY(annotations_member(object, "annotations"));
    state.pid = static_cast<pid_t>(
        TRY(number_member<std::uint32_t>(object, "pid", std::uint32_t{std::numeric_limits<pid_t>::max()})));
    state.start_time = TRY(number_member<std::uint64_t>(object, "startTime"));
    state.owner = TRY(number_member<std::uint32_t>(object, "owner"));
    state.has_process = TRY(flag_member(object, "hasProcess"));
    state.devices_updated = TRY(flag_member(object, "devicesUpdated"));
    state.has_keyring = TRY(flag_member(object, "hasKeyring"));
    if (object.contains("ownPidNamespace")) // not in files of older versions
        state.own_pid_namespace = TRY(flag_member(object, "ownPidNamespace"));
    return state;
}

/// The JSON library reports by exceptions; they end here.
template <typename Parser>
auto without_exceptions(Parser parser, std::string_view text) -> decltype(parser(text)) {
    try {
        return parser(text);
    } catch (std::exception const& exception) {
        return fail("damaged: ", std::string_view(exception.what()));
    }
}

} // namespace

std::string to_json(Record const& record) {
    Json object;
    object["formatVersion"] = format_version;
    object["id"] = record.id;
    object["bootId"] = record.boot_id;
    object["bundle"] = record.bundle;
    object["cgroupDriver"] = record.cgroup_driver;
    object["cgroupPath"] = record.cgroup_path;
    object["cgroupCreated"] = record.cgroup_created;
    object["systemdUnit"] = record.systemd_unit;
    object["resctrlGroup"] = record.resctrl_group;
    object["resctrlMonitoringGroup"] = record.resctrl_monitoring_group;
    object["resctrlCreated"] = record.resctrl_created;
    object["resctrlNamed"] = record.resctrl_named;
    return sealed_text(object);
}

std::string to_json(State const& state) {
    Json object;
    object["formatVersion"] = format_version;
    object["ociVersion"] = state.oci_version;
    object["created"] = state.created;
    object["rootfs"] = state.rootfs;
    object["annotations"] = state.annotations;
    object["pid"] = static_cast<std::uint32_t>(std::max<pid_t>(state.pid, 0));
    object["startTime"] = state.start_time;
    object["owner"] = state.owner;
    object["hasProcess"] = state.has_process;
    object["devicesUpdated"] = state.devices_updated;
    object["hasKeyring"] = state.has_keyring;
    object["ownPidNamespace"] = state.own_pid_namespace;
    return sealed_text(object);
}

Result<Record> record_from_json(std::string_view text) {
    return without_exceptions(parse_record, text);
}

Result<State> state_from_json(std::string_view text) {
    return without_exceptions(parse_state, text);
}

} // namespace oci::state
