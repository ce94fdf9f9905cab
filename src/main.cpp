// SPDX-License-Identifier: Apache-2.0
// oci-run: makes and runs containers from OCI bundles.
//
// config.json says what is asked; Spec is that, typed; Plan is everything that will be done, in order; perform does it;
// the state directory remembers it. A map of the code, in the order to read it:
//
//     src/main.cpp             this file: from the command line to one command
//     src/commands/create.cpp  the story of `create`; every other command has a file like it
//     src/plan/create.cpp      THE order of everything, as a list of steps; src/plan/ decides, without system calls
//     include/steps/           the steps: plain structs; src/steps/describe.cpp has a sentence for each
//     src/perform/             how each step is done; perform.cpp walks the list, in two processes that take turns
//     src/finisher/            the tiny program that the set-up child becomes: it waits for start and executes
//     src/spec/                config.json, typed and validated
//     src/state/               the state directory, and the status, derived from facts
//     src/kernel/              Linux calls as typed functions; nothing else calls the kernel to change something
//     src/base/                results, texts, log
//
// To see a plan without reading code: `oci-run plan --bundle DIR`.
// Each layer includes only those below it; tests/lint/ checks that, and that docs and options agree.
// Errors travel up as Result<T>; each layer adds its own words; they are logged here, once.
#include <array>
#include <cerrno>
#include <csignal>
#include <exception>
#include <fcntl.h>
#include <span>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/trace.h"
#include "commands/common.h"
#include "kernel/file.h"
#include "kernel/outer_filter.h"

namespace {

using namespace oci;
using namespace oci::commands;

struct Entry {
    std::string_view name;
    Result<int> (*run)(Invocation const&);
};

constexpr Entry table[] = {
    {"create", run_create},
    {"start", run_start},
    {"run", run_run},
    {"exec", run_exec},
    {"kill", run_kill},
    {"delete", run_delete},
    {"pause", run_pause},
    {"resume", run_resume},
    {"ps", run_ps},
    {"events", run_events},
    {"update", run_update},
    {"mounts", run_mounts},
    {"checkpoint", run_checkpoint},
    {"restore", run_restore},
    {"state", run_state},
    {"list", run_list},
    {"spec", run_spec},
    {"features", run_features},
    {"plan", run_plan},
    {"validate", run_validate},
    {"completion", run_completion},
    {"help", run_help},
};

/// Descriptors 0, 1 and 2 are always something: otherwise the next file that is opened becomes somebody's standard
/// output.
Result<void> open_standard_streams() {
    static std::array<kernel::Fd, 3> held; // until the end
    for (int number = 0; number < 3; ++number) {
        if (::fcntl(number, F_GETFD) >= 0)
            continue;
        auto& stream = held[static_cast<std::size_t>(number)];
        stream = TRY(kernel::openat(AT_FDCWD, "/dev/null", O_RDWR));
        ::fcntl(stream.get(), F_SETFD, 0); // the container's program inherits it like any other standard stream
    }
    return {};
}

unsigned count_inherited_descriptors() {
    unsigned count = 0;
    while (::fcntl(static_cast<int>(STDERR_FILENO + 1 + count), F_GETFD) >= 0)
        ++count;
    return count;
}

/// A filter around us is not what the kernel's text makes one think of.
std::string why_forbidden(Error const& error) {
    // By its text: from the container's process no number comes.
    auto const says = [&](int number) { return error.message.find(errno_text(number)) != std::string::npos; };
    if (!says(EPERM) && !says(ENOSYS))
        return {};
    auto const calls = kernel::calls_forbidden_by_outer_filter();
    if (calls.empty())
        return {};
    std::vector<std::string> const names(calls.begin(), calls.end());
    return concat(" (a seccomp filter around oci-run forbids ", join(names, ", "), ")");
}

int report(CommandLine const& command, std::vector<std::string> const& arguments, Error const& error) {
    auto what = std::string(command.name);
    std::size_t const container = command.verbs.empty() ? 0 : 1;
    if (container == 1 && !arguments.empty())
        what += concat(" ", arguments[0]);
    if (command.names_container && arguments.size() > container)
        what += concat(" ", container_id(arguments[container]).value_or(arguments[container]));
    log_error(concat(what, ": ", error.message, why_forbidden(error)));
    return command.failure_exit_code;
}

int run_command(CommandLine const& command, ParsedLine line, Invocation invocation) {
    auto arguments = line.arguments;
    invocation.options = std::move(line.options);
    invocation.arguments = std::move(line.arguments);
    for (auto const& [name, run] : table) {
        if (name != command.name)
            continue;
        TraceSpan const span(name);
        auto const exit_code = run(invocation);
        return exit_code ? *exit_code : report(command, arguments, exit_code.error());
    }
    return report(command, arguments, {"not in the table of main.cpp"});
}

/// From the words after the global options.
Result<int> dispatch(std::vector<std::string> const& words, Invocation invocation) {
    if (words.empty())
        return fail("no command given, see oci-run --help");
    auto const* const command = find_command(words[0]);
    if (command == nullptr)
        return fail("unknown command ", json_string(words[0]), ", see oci-run --help");
    auto line = parse_options(command->options, std::span(words).subspan(1), command->option_place);
    if (line && line->options.flag("help")) {
        TRY(print(command_help(*command)));
        return 0;
    }
    auto const counted = line ? check_argument_count(*command, line->arguments.size()) : Result<void>{};
    if (!line || !counted) {
        log_error(line ? counted.error().message : line.error().message);
        return command->failure_exit_code;
    }
    return run_command(*command, std::move(*line), std::move(invocation));
}

Result<int> run(std::vector<std::string> const& words) {
    if (::getauxval(AT_SECURE) != 0)
        return fail("must not be installed set-user-id, set-group-id or with file capabilities");
    // A caller that ignores it would have our children reaped behind our back (waitpid(2), NOTES).
    (void)std::signal(SIGCHLD, SIG_DFL);
    TRY(open_standard_streams());
    auto const inherited = count_inherited_descriptors();
    auto const program = words.empty() ? std::string("oci-run") : std::string(base_name(words[0]));
    auto const rest = std::span(words).subspan(words.empty() ? 0 : 1);
    auto const line = TRY(parse_options(global_options(), rest, OptionPlace::before_arguments));
    Invocation invocation{program, TRY(check_global_options(line.options)), {}, {}, inherited};
    static auto const log_file = TRY(set_up_log(invocation.global));
    static auto const trace_file =
        TRY(set_up_trace(invocation.global.trace, line.arguments.empty() ? "" : line.arguments[0]));
    if (line.options.flag("help"))
        return run_help(invocation);
    if (line.options.flag("version"))
        return run_version(invocation);
    return dispatch(line.arguments, std::move(invocation));
}

} // namespace

int main(int argc, char** argv) {
    try {
        auto const exit_code = run({argv, argv + argc});
        if (!exit_code)
            log_error(exit_code.error().message);
        return exit_code.value_or(1);
    } catch (std::exception const& exception) {
        // Nothing of ours throws; this is memory that ran out.
        log_error(exception.what());
        return 1;
    }
}
