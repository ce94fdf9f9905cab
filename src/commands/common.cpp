// SPDX-License-Identifier: Apache-2.0
#include "commands/common.h"

#include <cstdlib>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include "base/trace.h"
#include "kernel/file.h"
#include "kernel/host.h"
#include "spec/parse.h"

namespace oci::commands {

namespace {

template <typename Value>
struct Choice {
    std::string_view name;
    Value value;
};

/// One of a few words; `complaint` comes before a wrong one.
template <typename Value, std::size_t count>
Result<Value> choose(Choice<Value> const (&choices)[count], std::string_view word, std::string_view complaint) {
    for (auto const& choice : choices)
        if (choice.name == word)
            return choice.value;
    return fail(complaint, " ", json_string(word));
}

Result<std::string> absolute(std::string const& path) {
    // Only where it is needed: a current folder that is gone must not keep `delete` from its work.
    return absolute_path(path.starts_with('/') ? "/" : TRY(kernel::getcwd()), path);
}

bool is_path(std::string_view argument) {
    return argument.find('/') != std::string_view::npos;
}

/// "PATH" or, as crun has it, "file:PATH".
Result<std::string> log_path(std::string const& value) {
    if (value.starts_with("syslog:") || value.starts_with("journald:"))
        return fail("Option --log takes a file, not ", json_string(value));
    return value.starts_with("file:") ? value.substr(std::string_view("file:").size()) : value;
}

Result<std::optional<LogLevel>> log_level(ParsedOptions const& options) {
    if (options.flag("debug"))
        return LogLevel::debug;
    if (!options.given("log-level"))
        return std::nullopt;
    // Nothing is said at info level, so the next one is the same.
    static constexpr Choice<LogLevel> levels[] = {{"debug", LogLevel::debug},
                                                  {"info", LogLevel::warning},
                                                  {"warning", LogLevel::warning},
                                                  {"error", LogLevel::error}};
    return TRY(choose(levels, options.text("log-level"), "unknown log-level"));
}

Result<CgroupManager> cgroup_manager(ParsedOptions const& options) {
    static constexpr Choice<CgroupManager> managers[] = {{"cgroupfs", CgroupManager::cgroupfs},
                                                         {"systemd", CgroupManager::systemd},
                                                         {"disabled", CgroupManager::disabled}};
    auto const fallback = options.flag("systemd-cgroup") ? "systemd" : "cgroupfs";
    return choose(managers, options.text("cgroup-manager", fallback), "unknown cgroup-manager");
}

} // namespace

Result<GlobalOptions> check_global_options(ParsedOptions const& options) {
    static constexpr Choice<LogFormat> formats[] = {{"text", LogFormat::text}, {"json", LogFormat::json}};
    static constexpr Choice<std::optional<bool>> rootless[] = {
        {"auto", std::nullopt}, {"true", true}, {"false", false}};
    GlobalOptions global;
    if (options.given("root") && !options.text("root").empty()) {
        global.root = TRY(absolute(options.text("root")));
        if (global.root == "/")
            return fail("Option --root argument should not be set to /");
    }
    global.log = TRY(log_path(options.text("log")));
    global.log_format = TRY(choose(formats, options.text("log-format", "text"), "unknown log-format"));
    global.log_level = TRY(log_level(options));
    global.trace = options.text("trace");
    global.cgroup_manager = TRY(cgroup_manager(options));
    global.rootless = TRY(choose(rootless, options.text("rootless", "auto"), "unknown value of --rootless:"));
    return global;
}

Result<kernel::Fd> set_up_log(GlobalOptions const& global) {
    kernel::Fd file;
    if (!global.log.empty())
        file = TRY(
            in_context(kernel::openat(AT_FDCWD, global.log, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY, 0644), "log"));
    log_configure({.file_descriptor = file.get(), .format = global.log_format, .level = global.log_level});
    return file;
}

Result<kernel::Fd> set_up_trace(std::string const& path, std::string_view name) {
    if (path.empty())
        return kernel::Fd();
    // O_NONBLOCK: opening a fifo would wait for a reader.
    constexpr int flags = O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK;
    auto file = TRY(in_context(kernel::openat(AT_FDCWD, path, flags, 0600), "--trace"));
    TRY(in_context(kernel::lock_exclusively(file.get(), kernel::Deadline::after(lock_limit)), "--trace ", path));
    auto const status = TRY(in_context(kernel::fstat(file.get()), "--trace ", path));
    if (!S_ISREG(status.st_mode))
        return fail("--trace: ", path, " is not a regular file");
    if (status.st_size == 0)
        TRY(in_context(kernel::write_all(file.get(), "[\n"), "--trace ", path));
    TRY(in_context(kernel::flock(file.get(), LOCK_UN), "--trace ", path));
    trace_to(file.get(), name);
    return file;
}

Result<void> print(std::string_view text) {
    return in_context(kernel::write_all(STDOUT_FILENO, text), "standard output");
}

Result<std::string> container_id(std::string const& argument) {
    if (!is_path(argument))
        return argument;
    return std::string(base_name(TRY(absolute(argument))));
}

namespace {

Result<std::string> bundle_of(Invocation const& invocation, bool argument_is_path) {
    if (argument_is_path && invocation.options.given("bundle"))
        return fail("the bundle is given twice: ", printable(invocation.arguments[0]), " and --bundle");
    return absolute(argument_is_path ? invocation.arguments[0] : invocation.options.text("bundle", "."));
}

} // namespace

Result<std::string> bundle_path(Invocation const& invocation) {
    return bundle_of(invocation, !invocation.arguments.empty() && is_path(invocation.arguments[0]));
}

Result<std::string> bundle_argument(Invocation const& invocation) {
    return bundle_of(invocation, !invocation.arguments.empty());
}

Result<OutputFormat> output_format(ParsedOptions const& options, OutputFormat fallback) {
    if (!options.given("format"))
        return fallback;
    auto const format = options.text("format");
    if (format == "json")
        return OutputFormat::json;
    if (format == (fallback == OutputFormat::table ? "table" : "text"))
        return fallback;
    return fail("invalid format option ", json_string(format));
}

Result<std::string> read_config(std::string const& bundle) {
    auto const path = bundle + "/config.json";
    // O_NONBLOCK: opening a fifo would wait for a writer.
    auto const file = TRY(kernel::openat(AT_FDCWD, path, O_RDONLY | O_NOCTTY | O_NONBLOCK));
    if (!S_ISREG(TRY(kernel::fstat(file.get())).st_mode))
        return fail(path, ": is not a regular file");
    return in_context(kernel::read_all(file.get(), spec::maximum_config_size), path);
}

Result<Bundle> load_bundle(std::string const& path) {
    TraceSpan const span("read config.json");
    Bundle bundle;
    bundle.path = path;
    bundle.config = TRY(read_config(path));
    std::vector<std::string> warnings;
    bundle.spec = TRY(spec::parse_spec(bundle.config, warnings));
    for (auto const& warning : warnings)
        log_warning(warning);
    return bundle;
}

std::string state_root(GlobalOptions const& global, HostFacts const& host) {
    if (!global.root.empty())
        return global.root;
    return state::default_root(host.euid, host.in_user_namespace, std::getenv("USER"), std::getenv("XDG_RUNTIME_DIR"));
}

Result<state::ContainerDir> open_locked(Invocation const& invocation, HostFacts const& host, std::string const& id) {
    return state::ContainerDir::open_locked(state_root(invocation.global, host), id,
                                            kernel::Deadline::after(lock_limit));
}

plan::CgroupDriver cgroup_driver(CgroupManager manager) {
    switch (manager) {
    case CgroupManager::cgroupfs:
        return plan::CgroupDriver::cgroupfs;
    case CgroupManager::systemd:
        return plan::CgroupDriver::systemd;
    case CgroupManager::disabled:
        break;
    }
    return plan::CgroupDriver::disabled;
}

Result<HostFacts> supported_host(NeedCgroup need) {
    constexpr unsigned oldest_major = 5;
    constexpr unsigned oldest_minor = 14; // cgroup.kill
    TraceSpan const span("observe the host");
    auto host = TRY(kernel::observe_host());
    if (host.kernel_major < oldest_major || (host.kernel_major == oldest_major && host.kernel_minor < oldest_minor))
        return fail("Linux ", host.kernel_release, " is too old, ", oldest_major, ".", oldest_minor,
                    " or newer is needed");
    if (need == NeedCgroup::yes && host.cgroup2_mount.empty() && host.is_host_root())
        return fail(
            "cgroup v2 is needed, but none is mounted at /sys/fs/cgroup (--cgroup-manager disabled does without)");
    return host;
}

} // namespace oci::commands
