// SPDX-License-Identifier: Apache-2.0
#include "perform/hooks.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <unistd.h>

#include "kernel/file.h"
#include "kernel/sealed.h"
#include "kernel/signals.h"
#include "kernel/spawn.h"
#include "perform/operations.h"
#include "state/status.h"

namespace oci::perform {

namespace {

constexpr std::size_t output_limit = 64U << 10U;
constexpr std::size_t output_shown = 1024;

/// What a hook printed, for the error message: the end of it, on one line.
std::string output_text(int descriptor) {
    auto const output = kernel::read_from_start(descriptor, output_limit);
    if (!output)
        return {};
    auto text = trim(*output);
    if (text.empty())
        return {};
    if (text.size() > output_shown)
        text.remove_prefix(text.size() - output_shown);
    std::string line(text);
    std::ranges::replace(line, '\n', ' ');
    return concat(": ", line);
}

std::string exit_text(int status) {
    if (status > 128)
        return concat("killed by signal ", status - 128);
    return concat("exit status ", status);
}

constexpr std::array ending_signals{SIGTERM, SIGINT, SIGHUP, SIGQUIT};

enum class HookEnd { exited, timed_out, peer_gone, interrupted };

Result<HookEnd> wait_for_hook(int hook, int peer, kernel::Deadline deadline) {
    // Where signals are blocked (create, run) they are looked at here: a hook without timeout must not hold up who
    // gives up.
    auto const signals = TRY(kernel::signal_descriptor());
    while (true) {
        std::array const sources{hook, peer, signals.get()};
        auto const ready = TRY(kernel::wait_for_any(sources, deadline));
        if (!ready)
            return HookEnd::timed_out;
        if (*ready == 0)
            return HookEnd::exited;
        if (*ready == 1)
            return HookEnd::peer_gone;
        auto const signal = TRY(kernel::next_signal(signals.get()));
        if (signal && std::ranges::find(ending_signals, *signal) != ending_signals.end())
            return HookEnd::interrupted;
    }
}

std::string end_text(HookEnd end, steps::HookProgram const& hook) {
    switch (end) {
    case HookEnd::exited:
        return "";
    case HookEnd::timed_out:
        return concat(" ran past specified timeout of ", hook.timeout.value_or(0), ".0s");
    case HookEnd::peer_gone:
        return " was ended because the process that it was run for is gone";
    case HookEnd::interrupted:
        return " was interrupted by a signal to oci-run";
    }
    return "";
}

} // namespace

Result<void> run_program(steps::HookProgram const& program, ProgramRun const& run) {
    // Memory instead of pipes: a program that does not read its input, or prints much, cannot stall us.
    auto const input = TRY(kernel::sealed_data("state", run.input));
    auto const output = TRY(kernel::memory_file("output"));
    auto const child = TRY(
        kernel::spawn({program.path, program.arguments, program.environment, run.folder, input.get(), output.get()}));
    auto const deadline =
        program.timeout ? kernel::Deadline::after(std::chrono::seconds(*program.timeout)) : kernel::Deadline::never();
    auto const end = TRY(wait_for_hook(child.pidfd.get(), run.peer, deadline));
    if (end != HookEnd::exited) {
        kernel::kill_process_group(child.pid); // before it is reaped: until then the number is its own
        TRY(kernel::kill_and_reap(child.pidfd.get()));
        return fail(run.noun, program.path, end_text(end, program));
    }
    auto const status = TRY(kernel::reap(child.pidfd.get()));
    if (status != 0)
        return fail(run.noun, program.path, ": ", exit_text(status), output_text(output.get()));
    return {};
}

Result<void> run_hook(steps::HookProgram const& hook, std::string const& folder, std::string const& state, int peer) {
    return run_program(hook, {"hook ", folder, state, peer});
}

Result<void> run_hooks(steps::RunHooks const& hooks, std::string const& folder, std::string const& state, int peer) {
    for (std::size_t i = 0; i < hooks.hooks.size(); ++i)
        TRY(in_context(run_hook(hooks.hooks[i], folder, state, peer), "/hooks/", hooks.kind, "/", i));
    return {};
}

Result<void> apply(steps::RunHooks const& operation, Context& context) {
    auto hooks = operation;
    pid_t pid = context.state.pid;
    if (context.self == steps::Actor::container) {
        // As the container sees itself (runtime.md#state), and without the runtime's environment.
        pid = ::getpid();
        for (auto& hook : hooks.hooks)
            if (!hook.environment)
                hook.environment.emplace();
    }
    auto const state =
        state::hook_state(context.record, context.state.oci_version, context.state.annotations, operation.status, pid);
    // In the child the wire stands for the runtime: nothing comes over it now but its end.
    auto const& peer = context.self == steps::Actor::runtime ? context.init_pidfd : context.wire;
    return run_hooks(hooks, context.record.bundle, state, peer.get());
}

} // namespace oci::perform
