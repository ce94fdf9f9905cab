// SPDX-License-Identifier: Apache-2.0
#include "perform/criu_messages.h"

#include <limits>
#include <sched.h>

#include "base/protobuf.h"

namespace oci::perform {

namespace {

// Numbers of fields and values as criu's rpc.proto has them.

namespace request {
constexpr unsigned type = 1;
constexpr unsigned options = 2;
constexpr unsigned notify_success = 3;
} // namespace request

namespace type {
constexpr unsigned dump = 1;
constexpr unsigned restore = 2;
constexpr unsigned pre_dump = 4;
constexpr unsigned notify = 6;
} // namespace type

namespace option {
constexpr unsigned images_dir_fd = 1;
constexpr unsigned pid = 2;
constexpr unsigned leave_running = 3;
constexpr unsigned ext_unix_sk = 4;
constexpr unsigned tcp_established = 5;
constexpr unsigned evasive_devices = 6;
constexpr unsigned shell_job = 7;
constexpr unsigned file_locks = 8;
constexpr unsigned log_level = 9;
constexpr unsigned log_file = 10;
constexpr unsigned page_server = 11;
constexpr unsigned notify_scripts = 12;
constexpr unsigned root = 13;
constexpr unsigned parent_img = 14;
constexpr unsigned track_mem = 15;
constexpr unsigned auto_dedup = 16;
constexpr unsigned work_dir_fd = 17;
constexpr unsigned link_remap = 18;
constexpr unsigned ext_mnt = 23;
constexpr unsigned cg_root = 25;
constexpr unsigned rst_sibling = 26;
constexpr unsigned inherit_fd = 27;
constexpr unsigned manage_cgroups_mode = 34;
constexpr unsigned external = 37;
constexpr unsigned empty_ns = 38;
constexpr unsigned join_ns = 39;
constexpr unsigned freeze_cgroup = 44;
constexpr unsigned tcp_skip_in_flight = 46;
constexpr unsigned lazy_pages = 48;
constexpr unsigned orphan_pts_master = 50;
constexpr unsigned config_file = 51;
constexpr unsigned tcp_close = 52;
constexpr unsigned lsm_profile = 53;
constexpr unsigned lsm_mount_context = 63;
constexpr unsigned network_lock = 64;
} // namespace option

namespace response {
constexpr unsigned type = 1;
constexpr unsigned success = 2;
constexpr unsigned notify = 5;
constexpr unsigned cr_errmsg = 9;
} // namespace response

namespace notification {
constexpr unsigned script = 1;
constexpr unsigned pid = 2;
} // namespace notification

constexpr int everything = 4; ///< log level: who reports a failure to criu's authors is asked for it

unsigned cgroups_mode(steps::CgroupsMode mode) {
    switch (mode) {
    case steps::CgroupsMode::ignore:
        return 0;
    case steps::CgroupsMode::soft:
        return 3;
    case steps::CgroupsMode::full:
        return 4;
    case steps::CgroupsMode::strict:
        return 5;
    case steps::CgroupsMode::standard:
        break;
    }
    return 6;
}

unsigned network_lock(steps::NetworkLock method) {
    switch (method) {
    case steps::NetworkLock::standard:
        return 0;
    case steps::NetworkLock::iptables:
        return 1;
    case steps::NetworkLock::nftables:
        return 2;
    case steps::NetworkLock::skip:
        break;
    }
    return 3;
}

/// A message of two texts, fields 1 and 2, as several are.
std::string pair_of_texts(std::string_view first, std::string_view second) {
    ProtobufWriter pair;
    pair.text(1, first);
    pair.text(2, second);
    return pair.bytes();
}

void write_flags(ProtobufWriter& out, steps::CriuOptions const& options) {
    struct Flag {
        unsigned field;
        bool value;
    };
    // What is false is so by default, too; a configuration file may then say otherwise.
    for (auto const& [field, value] :
         {Flag{option::tcp_established, options.tcp_established},
          Flag{option::tcp_skip_in_flight, options.tcp_skip_in_flight}, Flag{option::tcp_close, options.tcp_close},
          Flag{option::ext_unix_sk, options.external_sockets}, Flag{option::shell_job, options.shell_job},
          Flag{option::file_locks, options.file_locks}, Flag{option::link_remap, options.link_remap},
          Flag{option::auto_dedup, options.auto_dedup}, Flag{option::lazy_pages, options.lazy_pages}})
        if (value)
            out.flag(field, true);
}

void write_common(ProtobufWriter& out, steps::CriuOptions const& options, CriuFacts const& facts,
                  std::string_view log) {
    out.integer(option::images_dir_fd, facts.images);
    if (facts.work >= 0)
        out.integer(option::work_dir_fd, facts.work);
    out.integer(option::log_level, everything);
    out.text(option::log_file, log);
    out.flag(option::notify_scripts, true);
    out.flag(option::orphan_pts_master, true);
    // Devices and addresses of the network are not the runtime's: the new namespace is set up as any other.
    out.number(option::empty_ns, CLONE_NEWNET);
    if (options.network_lock != steps::NetworkLock::standard)
        out.number(option::network_lock, network_lock(options.network_lock));
    write_flags(out, options);
    if (!options.config_file.empty())
        out.text(option::config_file, options.config_file);
    for (auto const& [key, value] : facts.mounts)
        out.text(option::ext_mnt, pair_of_texts(key, value));
    for (auto const& external : facts.externals)
        out.text(option::external, external);
}

std::string finish(unsigned type, ProtobufWriter const& options) {
    ProtobufWriter message;
    message.number(request::type, type);
    message.text(request::options, options.bytes());
    return message.bytes();
}

Result<int> to_int(std::uint64_t value) {
    auto const number = static_cast<std::int64_t>(value);
    if (number < std::numeric_limits<int>::min() || number > std::numeric_limits<int>::max())
        return fail("criu: unexpected answer: a number is out of range");
    return static_cast<int>(number);
}

Result<void> read_notification(std::string_view message, CriuAnswer& answer) {
    auto const fields = read_protobuf(message);
    if (!fields)
        return fail("criu: unexpected answer: a malformed notification");
    for (auto const& field : *fields) {
        if (field.number == notification::script)
            answer.script = field.bytes;
        else if (field.number == notification::pid)
            answer.process = TRY(to_int(field.value));
    }
    return {};
}

} // namespace

std::string dump_request(steps::DumpContainer const& operation, CriuFacts const& facts) {
    ProtobufWriter out;
    write_common(out, operation.options, facts, "dump.log");
    out.integer(option::pid, facts.process);
    out.flag(option::leave_running, operation.leave_running);
    out.number(option::manage_cgroups_mode, cgroups_mode(operation.options.cgroups_mode));
    if (!facts.freeze_cgroup.empty())
        out.text(option::freeze_cgroup, facts.freeze_cgroup);
    if (!operation.parent_path.empty())
        out.text(option::parent_img, operation.parent_path);
    // A later dump can only build on this one if the kernel counts from now on what is written to.
    if (operation.pre_dump || !operation.parent_path.empty())
        out.flag(option::track_mem, true);
    if (!operation.page_server.empty()) {
        ProtobufWriter server;
        server.text(1, operation.page_server);
        server.integer(2, static_cast<int>(operation.page_server_port));
        out.text(option::page_server, server.bytes());
    }
    return finish(operation.pre_dump ? type::pre_dump : type::dump, out);
}

std::string restore_request(steps::BeginRestore const& operation, CriuFacts const& facts) {
    ProtobufWriter out;
    write_common(out, operation.options, facts, "restore.log");
    out.text(option::root, facts.root);
    // The first process becomes our child, as that of `create` is.
    out.flag(option::rst_sibling, true);
    // Devices are looked up by path: the new container has its own.
    out.flag(option::evasive_devices, true);
    // A container without a cgroup of its own must not get that of the image, which nobody would remove.
    auto const mode = facts.cgroup.empty() ? steps::CgroupsMode::ignore : operation.options.cgroups_mode;
    out.number(option::manage_cgroups_mode, cgroups_mode(mode));
    if (!facts.cgroup.empty())
        out.text(option::cg_root, pair_of_texts("", facts.cgroup));
    for (auto const& [key, descriptor] : facts.inherited) {
        ProtobufWriter inherited;
        inherited.text(1, key);
        inherited.integer(2, descriptor);
        out.text(option::inherit_fd, inherited.bytes());
    }
    for (auto const& [name, path] : facts.joined)
        out.text(option::join_ns, pair_of_texts(name, path));
    if (!operation.lsm_profile.empty())
        out.text(option::lsm_profile, operation.lsm_profile);
    if (!operation.lsm_mount_context.empty())
        out.text(option::lsm_mount_context, operation.lsm_mount_context);
    return finish(type::restore, out);
}

std::string notification_reply(bool success) {
    ProtobufWriter message;
    message.number(request::type, type::notify);
    message.flag(request::notify_success, success);
    return message.bytes();
}

Result<CriuAnswer> read_answer(std::string_view message) {
    auto const fields = read_protobuf(message);
    if (!fields)
        return fail("criu: unexpected answer: a malformed message");
    CriuAnswer answer;
    for (auto const& field : *fields)
        switch (field.number) {
        case response::type:
            answer.is_notification = field.value == type::notify;
            break;
        case response::success:
            answer.success = field.value != 0;
            break;
        case response::notify:
            TRY(read_notification(field.bytes, answer));
            break;
        case response::cr_errmsg:
            answer.complaint = field.bytes;
            break;
        default:
            break;
        }
    return answer;
}

} // namespace oci::perform
