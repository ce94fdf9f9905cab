// SPDX-License-Identifier: Apache-2.0
#include "commands/lifecycle.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <limits>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/common.h"
#include "kernel/file.h"
#include "kernel/process.h"
#include "kernel/sealed.h"
#include "kernel/socket.h"
#include "kernel/terminal.h"
#include "perform/destroy.h"
#include "perform/foreground.h"
#include "perform/gate.h"
#include "perform/hooks.h"
#include "perform/perform.h"
#include "perform/systemd.h"
#include "spec/parse.h"

namespace oci::commands {

namespace {

constexpr std::chrono::seconds delete_limit{20};
constexpr std::chrono::seconds reaping_limit{1};
constexpr std::chrono::seconds start_limit{120};
constexpr unsigned first_passed_descriptor = STDERR_FILENO + 1;

} // namespace

Result<std::string> path_option(ParsedOptions const& options, std::string_view name) {
    auto const path = options.text(name);
    return path.empty() ? path : absolute_path(TRY(kernel::getcwd()), path);
}

unsigned listen_descriptors() {
    auto const number = [](char const* name) {
        char const* value = std::getenv(name);
        return parse_number<unsigned>(value == nullptr ? "" : value).value_or(0);
    };
    return number("LISTEN_PID") == static_cast<unsigned>(::getpid()) ? number("LISTEN_FDS") : 0;
}

unsigned passed_descriptors(unsigned listen_fds, ParsedOptions const& options) {
    unsigned const sum = listen_fds + options.number("preserve-fds");
    return sum < listen_fds ? std::numeric_limits<unsigned>::max() : sum;
}

Result<void> check_passed_descriptors(unsigned count, unsigned inherited) {
    if (count > inherited)
        return fail("unable to stat preserved-fd ", inherited, " (of ", count, "): --preserve-fds, LISTEN_FDS");
    return {};
}

void take_window_size(spec::Process& process) {
    if (auto const size = kernel::window_size(STDIN_FILENO))
        process.console_size = spec::ConsoleSize{.height = size->rows, .width = size->columns};
}

Result<void> check_terminal(bool terminal, bool detach, std::string const& console_socket) {
    if (terminal && detach && console_socket.empty())
        return fail("/process/terminal: cannot allocate tty if oci-run will detach without setting console socket "
                    "(--console-socket)");
    if (!terminal && !console_socket.empty())
        return fail("--console-socket: cannot use console socket if oci-run will not detach or allocate tty "
                    "(/process/terminal is not true)");
    return {};
}

namespace {

/// Where a service manager (sd_notify(3)) wants to be told; "": nowhere.
std::string notify_socket() {
    char const* const name = std::getenv("NOTIFY_SOCKET");
    return name == nullptr ? "" : name;
}

void warn_of_failure(std::optional<perform::Notify> const& notify) {
    if (notify && notify->failure)
        log_warning(concat("NOTIFY_SOCKET: ", notify->failure->message));
}

} // namespace

Result<std::optional<perform::Notify>> listen_for_ready(state::ContainerDir const& directory) {
    auto const name = notify_socket();
    return name.empty() ? std::nullopt : TRY(perform::open_notify(directory, name));
}

void wait_until_ready(std::optional<perform::Notify>& notify, pid_t process, int pidfd) {
    if (notify)
        perform::wait_until_ready(*notify, process, pidfd);
    warn_of_failure(notify);
}

Result<int> wait_in_foreground(perform::Context& context, std::optional<perform::Notify> notify) {
    kernel::Fd master;
    if (context.terminal) {
        // It was sent when the console was set up, so it is there.
        constexpr std::chrono::seconds limit{10};
        master = TRY(in_context(kernel::receive_descriptor(context.terminal.get(), kernel::Deadline::after(limit)),
                                "receive the terminal"));
    }
    auto status = perform::wait_in_foreground(
        {context.state.pid, context.init_pidfd.get(), master.get(), notify ? &*notify : nullptr});
    warn_of_failure(notify);
    return status;
}

void remove_pid_file(perform::Context const& context) {
    if (!context.pid_file.empty())
        (void)kernel::unlinkat(AT_FDCWD, context.pid_file, 0);
}

namespace {

Result<void> check_rootfs(std::string const& path) {
    auto const status =
        TRY(in_context(kernel::fstatat(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW), "config.json: /root/path"));
    if (S_ISLNK(status.st_mode))
        return fail("config.json: /root/path: ", path, " is a symbolic link");
    if (!S_ISDIR(status.st_mode))
        return fail_errno(ENOTDIR, "config.json: /root/path: ", path);
    return {};
}

Result<plan::CreateRequest> create_request(Invocation const& invocation, std::string const& bundle, Purpose purpose) {
    auto const& options = invocation.options;
    plan::CreateRequest request;
    request.id = TRY(container_id(invocation.arguments[0]));
    TRY(state::check_id(request.id));
    request.bundle = bundle;
    request.console_socket = TRY(path_option(options, "console-socket"));
    request.pid_file = TRY(path_option(options, "pid-file"));
    request.pidfd_socket = TRY(path_option(options, "pidfd-socket"));
    request.detach = purpose != Purpose::run_in_foreground;
    request.no_pivot = options.flag("no-pivot");
    request.no_new_keyring = options.flag("no-new-keyring");
    request.listen_fds = listen_descriptors();
    request.preserved_descriptors = passed_descriptors(request.listen_fds, options);
    request.cgroup_driver = cgroup_driver(invocation.global.cgroup_manager);
    return request;
}

/// Where init joins a pid namespace, strangers see even the set-up child: it must not be the host's program that they
/// reach through /proc/PID/exe (CVE-2019-5736).
Result<void> seal_where_visible(spec::Spec const& spec) {
    auto const* entry = spec.linux.find(CLONE_NEWPID);
    if (entry == nullptr || entry->path.empty() || kernel::running_sealed())
        return {};
    auto const line = TRY(kernel::read_file(AT_FDCWD, "/proc/self/cmdline", 4U << 20U));
    std::vector<std::string> arguments;
    for (auto const word : split(std::string_view(line).substr(0, line.size() - 1), '\0'))
        arguments.emplace_back(word);
    return Failure(kernel::restart_sealed(arguments));
}

perform::Context make_context(Invocation const& invocation, Bundle const& bundle, HostFacts const& host,
                              plan::CreateRequest const& request) {
    perform::Context context;
    context.host = host;
    context.root = state_root(invocation.global, host);
    context.preserved_descriptors = request.preserved_descriptors;
    context.record.id = request.id;
    context.state.oci_version = bundle.spec.oci_version;
    context.state.annotations = bundle.spec.annotations;
    context.state.rootfs = absolute_path(bundle.path, bundle.spec.root.path);
    context.state.owner = host.euid;
    context.state.has_process = bundle.spec.process.has_value();
    context.state.has_keyring = !request.no_new_keyring;
    context.state.own_pid_namespace = bundle.spec.linux.creates(CLONE_NEWPID);
    return context;
}

/// Everything as it was before (runtime.md#errors); the poststop hooks run, as the life-cycle says.
Error undo_create(perform::Context& context, Error error) {
    if (!context.directory)
        return error;
    auto const undone = [&]() -> Result<void> {
        if (context.criu)
            context.criu->abandon();
        for (auto const* process : {&context.init_pidfd, &context.placeholder})
            if (*process)
                TRY(kernel::kill_and_reap(process->get()));
        if (!context.directory->read_record())
            return context.directory->remove();
        remove_pid_file(context);
        return delete_container(*context.directory, context.record, -1, context.host, perform::Ending::undone);
    }();
    if (!undone)
        error.message += concat(" (and clean-up failed: ", undone.error().message, ")");
    return error;
}

} // namespace

Result<Created> create_container(Invocation const& invocation, Purpose purpose, Planner const& planner) {
    auto const path = TRY(bundle_path(invocation));
    auto request = TRY(create_request(invocation, path, purpose));
    auto const host =
        TRY(supported_host(request.cgroup_driver == plan::CgroupDriver::disabled ? NeedCgroup::no : NeedCgroup::yes));
    if (request.cgroup_driver == plan::CgroupDriver::systemd)
        request.systemd =
            TRY(in_context(perform::observe_systemd(host, kernel::Deadline::after(systemd_limit)), "--systemd-cgroup"));
    request.cgroup_may_be_missing = invocation.global.rootless.value_or(!host.is_host_root());
    auto bundle = TRY(load_bundle(path));
    if (purpose != Purpose::create && !bundle.spec.process)
        return fail("config.json: /process: is not set, so there is nothing to run");
    TRY(check_terminal(bundle.spec.process && bundle.spec.process->terminal, request.detach, request.console_socket));
    if (bundle.spec.process && !request.detach)
        take_window_size(*bundle.spec.process);
    TRY(check_rootfs(absolute_path(bundle.path, bundle.spec.root.path)));
    if (!notify_socket().empty())
        request.notify_folder = state::notify_folder_path(state_root(invocation.global, host), request.id);
    TRY(check_passed_descriptors(request.preserved_descriptors, invocation.inherited_descriptors));
    TRY(seal_where_visible(bundle.spec));
    auto const steps = TRY(planner(bundle.spec, host, request));

    TRY(kernel::mark_close_on_exec(first_passed_descriptor, ~0U));
    // A signal must not interrupt half-way; the waits have deadlines.
    TRY(kernel::block_all_signals());
    auto context = make_context(invocation, bundle, host, request);
    context.config = std::move(bundle.config);
    auto done = perform::perform(steps, context);
    if (done && purpose == Purpose::create) // the others find out when they open the gate
        done = perform::await_gate(context);
    for (auto const& warning : context.warnings)
        log_warning(warning);
    if (!done)
        return Failure(undo_create(context, std::move(done).error()));
    return Created{std::move(context), std::move(bundle.spec)};
}

namespace {

/// Time for startContainer hooks; without limit where one of them has none.
kernel::Deadline start_deadline(spec::Spec const& spec) {
    auto limit = start_limit;
    for (auto const& hook : spec.hooks[spec::HookKind::start_container]) {
        if (!hook.timeout)
            return kernel::Deadline::never();
        limit += std::chrono::seconds(*hook.timeout);
    }
    return kernel::Deadline::after(limit);
}

Result<void> run_poststart_hooks(state::Container const& container, spec::Spec const& spec) {
    auto const hooks = plan::make_hooks(spec, spec::HookKind::poststart);
    if (!hooks)
        return {};
    auto const& state = *container.state;
    return perform::run_hooks(
        *hooks, container.record.bundle,
        state::hook_state(container.record, state.oci_version, state.annotations, hooks->status, state.pid));
}

} // namespace

Result<void> start_container(state::ContainerDir& directory, state::Container const& container, spec::Spec const& spec,
                             HostFacts const& host) {
    auto const& state = *container.state;
    auto const agent = seccomp_agent(
        spec, state::hook_state(container.record, state.oci_version, state.annotations, "created", state.pid));
    auto answer = TRY(perform::open_gate(directory, start_deadline(spec), agent, state.pid));
    bool const nobody_waits = answer.kind == perform::StartAnswer::Kind::not_waiting;
    if (nobody_waits &&
        kernel::wait_for_exit(container.pidfd.get(), kernel::Deadline::after(std::chrono::seconds(0))).value_or(false))
        return fail("the container's first process has ended before it was started");
    if (nobody_waits)
        return fail("cannot start an already running container");
    auto started = [&]() -> Result<void> {
        if (answer.kind == perform::StartAnswer::Kind::failed)
            return Failure(std::move(answer.error));
        // It runs: other commands must get at it, however long the hooks take.
        TRY(directory.unlock());
        return run_poststart_hooks(container, spec);
    }();
    if (!started)
        (void)perform::kill_container(container.record, container.pidfd.get(), host.cgroup2_mount,
                                      kernel::Deadline::after(delete_limit));
    return started;
}

Result<int> delete_after_run(perform::Context& context, Result<int> result) {
    if (!result)
        (void)kernel::kill_and_reap(context.init_pidfd.get());
    auto const remove = [&]() -> Result<void> {
        if (!TRY(context.directory->lock_again(kernel::Deadline::after(lock_limit))))
            return {};
        return delete_container(*context.directory, context.record, -1, context.host);
    };
    auto removed = remove();
    if (!removed && result)
        return Failure(std::move(removed).error());
    return result;
}

perform::SeccompAgent seccomp_agent(spec::Spec const& spec, std::string state) {
    auto const& seccomp = spec.linux.seccomp;
    if (!seccomp || seccomp->listener_path.empty())
        return {};
    return {seccomp->listener_path, seccomp->listener_metadata, std::move(state)};
}

Result<spec::Spec> recorded_spec(state::ContainerDir const& directory) {
    std::vector<std::string> ignored; // they were logged by create
    return spec::parse_spec(TRY(directory.read_config()), ignored);
}

Result<std::optional<spec::Spec>> recorded_spec_with(state::ContainerDir const& directory,
                                                     std::initializer_list<std::string_view> members) {
    auto const config = TRY(directory.read_config());
    // A letter of a name may be escaped; a file without its end may have lost it.
    auto const has = [&](std::string_view word) { return config.find(word) != std::string::npos; };
    if (std::ranges::none_of(members, has) && !has("\\u") && trim(config).ends_with('}'))
        return std::nullopt;
    std::vector<std::string> ignored;
    return TRY(spec::parse_spec(config, ignored));
}

Result<void> delete_container(state::ContainerDir& directory, state::Record const& record, int init,
                              HostFacts const& host, perform::Ending ending) {
    TRY(perform::destroy(record, init, host.cgroup2_mount, kernel::Deadline::after(delete_limit)));
    TRY(perform::remove_unit(record, host, kernel::Deadline::after(delete_limit)));
    TRY(perform::remove_resctrl_groups(record, host, ending, kernel::Deadline::after(reaping_limit)));
    auto const spec = recorded_spec_with(directory, {"poststop"});
    // A create that failed early has not written it yet.
    if (!spec && spec.error().errno_value != ENOENT)
        log_warning(concat("delete ", record.id, ": no poststop hooks are run: ", spec.error().message));
    auto const hooks = spec && *spec ? plan::make_hooks(**spec, spec::HookKind::poststop) : std::nullopt;
    if (hooks) {
        auto const state = state::hook_state(record, (*spec)->oci_version, (*spec)->annotations, hooks->status, 0);
        // runtime.md#lifecycle step 13: a failure is a warning and the remaining hooks go on.
        for (auto const& hook : hooks->hooks)
            if (auto done = perform::run_hook(hook, record.bundle, state); !done)
                log_warning(concat("delete ", record.id, ": run poststop hook: ", done.error().message));
    }
    return directory.remove();
}

} // namespace oci::commands
