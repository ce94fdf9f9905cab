// SPDX-License-Identifier: Apache-2.0
#include "commands/exec_options.h"

#include <algorithm>
#include <array>
#include <fcntl.h>

#include "base/names.h"
#include "commands/common.h"
#include "kernel/file.h"
#include "spec/parse.h"

namespace oci::commands {

namespace {

/// A number of digits only. 4294967295, (uid_t)-1, means "unchanged" to the kernel and is nobody's.
Result<std::uint32_t> parse_id(std::string_view text, std::string_view option) {
    auto const id = parse_number<std::uint32_t>(text);
    if (!id || *id == ~std::uint32_t{0})
        return fail("--", option, ": must be a number from 0 to 4294967294, is ", json_string(text));
    return *id;
}

Result<void> add_capability(std::string const& name, spec::Capabilities& sets) {
    auto const number = capability_number(name);
    if (!number)
        return fail("--cap: is no known capability: ", json_string(name));
    auto const bit = std::uint64_t{1} << *number;
    sets.bounding |= bit;
    sets.effective |= bit;
    sets.permitted |= bit;
    // Never inheritable (CVE-2022-29162), and ambient is only what is inheritable already (capabilities(7)).
    sets.ambient |= bit & sets.inheritable;
    return {};
}

/// Options that describe a process, besides --process, which does it wholly.
constexpr std::array<std::string_view, 9> process_options = {"tty", "user",     "additional-gids", "cap",         "env",
                                                             "cwd", "apparmor", "process-label",   "no-new-privs"};

Result<void> change_user(ParsedOptions const& options, spec::User& user) {
    if (options.given("user")) {
        auto const [uid, gid] = TRY(parse_user_option(options.text("user")));
        user.uid = uid;
        user.gid = gid.value_or(user.gid);
    }
    for (auto const& group : options.texts("additional-gids"))
        user.additional_gids.push_back(TRY(parse_id(group, "additional-gids")));
    return {};
}

Result<void> change(spec::Process& process, ParsedOptions const& options) {
    process.terminal = options.flag("tty");
    TRY(change_user(options, process.user));
    if (options.given("cap"))
        process.capabilities = process.capabilities.value_or(spec::Capabilities{});
    for (auto const& name : options.texts("cap"))
        TRY(add_capability(name, *process.capabilities));
    for (auto const& variable : options.texts("env")) {
        if (auto const sign = variable.find('='); sign == std::string::npos || sign == 0)
            return fail("--env: must be of the form NAME=VALUE, is ", json_string(variable));
        process.env.push_back(variable);
    }
    if (auto const folder = options.text("cwd"); !folder.empty()) {
        if (!folder.starts_with('/'))
            return fail("--cwd: must be an absolute path, is ", json_string(folder));
        process.cwd = folder;
    }
    if (auto const profile = options.text("apparmor"); !profile.empty())
        process.apparmor_profile = profile;
    if (auto const label = options.text("process-label"); !label.empty())
        process.selinux_label = label;
    if (options.given("no-new-privs"))
        process.no_new_privileges = options.flag("no-new-privs");
    return {};
}

/// `own` where `value` is not set.
template <typename Value>
void complete(Value& value, Value const& own) {
    if (value == Value{})
        value = own;
}

Result<spec::Process> process_of_file(std::string const& path, spec::Spec const& spec) {
    auto const file = TRY(kernel::openat(AT_FDCWD, path, O_RDONLY | O_NOCTTY));
    auto const text = TRY(in_context(kernel::read_all(file.get(), spec::maximum_config_size), path));
    std::vector<std::string> warnings;
    auto process = TRY(in_context(spec::parse_process(text, warnings), path));
    for (auto const& warning : warnings)
        log_warning(concat(path, ": ", warning));
    if (!spec.process)
        return process;
    auto const& own = *spec.process;
    complete(process.capabilities, own.capabilities);
    complete(process.rlimits, own.rlimits);
    complete(process.user.umask, own.user.umask);
    complete(process.oom_score_adj, own.oom_score_adj);
    complete(process.scheduler, own.scheduler);
    complete(process.io_priority, own.io_priority);
    complete(process.exec_cpu_affinity, own.exec_cpu_affinity);
    complete(process.apparmor_profile, own.apparmor_profile);
    complete(process.selinux_label, own.selinux_label);
    return process;
}

} // namespace

Result<UserOption> parse_user_option(std::string_view text) {
    auto const colon = text.find(':');
    UserOption user;
    user.uid = TRY(parse_id(text.substr(0, colon), "user"));
    if (colon != std::string_view::npos)
        user.gid = TRY(parse_id(text.substr(colon + 1), "user"));
    return user;
}

Result<std::string> parse_cgroup_option(std::string_view path) {
    if (path.find(':') != std::string_view::npos)
        return fail("--cgroup: cgroup v2 has no controllers to name before a path: ", json_string(path));
    // By its words alone, and once more by descriptor when it is opened.
    int depth = 0;
    for (auto const part : split(path, '/')) {
        if (part.empty() || part == ".")
            continue;
        depth += part == ".." ? -1 : 1;
        if (depth < 0)
            return fail("--cgroup: ", printable(path), " is not a sub cgroup path");
    }
    return depth == 0 ? "." : absolute_path("/", path).substr(1);
}

Result<spec::Process> exec_process(Invocation const& invocation, spec::Spec const& spec) {
    auto const& options = invocation.options;
    bool const has_command = invocation.arguments.size() > 1;
    if (options.given("process")) {
        for (auto const name : process_options)
            // conmon repeats in an option that the process in the file has a terminal.
            if (name != "tty" && options.given(name))
                return fail("--", name, ": has no effect besides --process, which describes the whole process");
        if (has_command)
            return fail("--process: describes the whole process, there cannot be another command");
        return process_of_file(options.text("process"), spec);
    }
    if (!has_command)
        return fail("\"exec\" requires a minimum of 2 argument(s)");
    if (!spec.process)
        return fail("/process: is not set in config.json, so there is no user, environment and folder to run with "
                    "(--process can describe them)");
    auto process = *spec.process;
    process.args.assign(invocation.arguments.begin() + 1, invocation.arguments.end());
    TRY(change(process, options));
    return process;
}

std::optional<std::uint32_t> outside_id(std::string_view id_map, std::uint32_t id) {
    for (auto const line : split(id_map, '\n')) {
        std::vector<std::uint32_t> numbers; // first id inside, first id outside, count
        for (auto const word : split(line, ' '))
            if (auto const number = parse_number<std::uint32_t>(word))
                numbers.push_back(*number);
        if (numbers.size() == 3 && id >= numbers[0] && id - numbers[0] < numbers[2])
            return numbers[1] + (id - numbers[0]);
    }
    return std::nullopt;
}

} // namespace oci::commands
