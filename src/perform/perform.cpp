// SPDX-License-Identifier: Apache-2.0
#include "perform/perform.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <optional>
#include <unistd.h>

#include "base/log.h"
#include "base/trace.h"
#include "kernel/sealed.h"
#include "perform/exec_process.h"
#include "perform/finisher_image.h"
#include "perform/finisher_request.h"
#include "perform/operations.h"
#include "perform/turn.h"

namespace oci::perform {

namespace {

using finisher::MessageKind;
using steps::Actor;

/// Time that the other side may take for its steps, hooks not counted: far more than any machine needs, so that a wait
/// that never ends becomes an error.
constexpr std::chrono::seconds turn_limit{120};

/// Set-up child and finisher are one side of the wire: the first becomes the second.
bool is_runtime(Actor actor) {
    return actor == Actor::runtime;
}

/// The steps of the other side that begin at `first` end by then; never, if one is a hook without timeout.
kernel::Deadline other_side_deadline(steps::Plan const& plan, std::size_t first) {
    auto limit = turn_limit;
    for (auto i = first; i < plan.size() && !is_runtime(plan[i].actor); ++i)
        if (auto const* hooks = std::get_if<steps::RunHooks>(&plan[i].operation))
            for (auto const& hook : hooks->hooks) {
                if (!hook.timeout)
                    return kernel::Deadline::never();
                limit += std::chrono::seconds(*hook.timeout);
            }
    return kernel::Deadline::after(limit);
}

/// Operations of the finisher are compiled into its request; none of them is applied here.
template <typename Operation>
concept Applicable = requires(Operation const& operation, Context& context) {
    apply(operation, context);
};

/// The one place in config.json that asks for the operation, where there is one: "/mounts/3: ".
template <typename Operation>
std::string pointer_of(Operation const& operation) {
    if constexpr (requires { operation.target.pointer; })
        return concat(operation.target.pointer, ": ");
    return {};
}

Result<void> apply_step(steps::Operation const& operation, Context& context) {
    if (log_enabled(LogLevel::debug))
        log_debug(concat(steps::actor_name(context.self), ": ", steps::describe(operation)));
    TraceSpan const span(trace_enabled() ? steps::describe(operation) : "");
    auto result = std::visit(
        [&]<typename Operation>(Operation const& it) -> Result<void> {
            if constexpr (Applicable<Operation>)
                return apply(it, context);
            else
                return fail("is the finisher's");
        },
        operation);
    if (!result) {
        auto const pointer = std::visit([](auto const& it) { return pointer_of(it); }, operation);
        result.error().message = concat(steps::describe_briefly(operation), ": ", pointer, result.error().message);
    }
    return result;
}

Error init_is_gone(Context& context) {
    auto const status = kernel::kill_and_reap(context.init_pidfd.get());
    context.init_pidfd.close();
    if (context.container_mounts)
        return {"the process for the container's mounts ended unexpectedly", 0};
    if (!status)
        return {"the container's first process ended unexpectedly", 0};
    if (*status == 128 + SIGKILL)
        return {"the container's first process was killed (signal 9); is the memory limit too small to start?", 0};
    return {concat("the container's first process ended unexpectedly with status ", *status), 0};
}

/// The runtime waits until the container's side hands the turn back.
Result<void> await_turn_back(Context& context, kernel::Deadline deadline) {
    TraceSpan const span("wait for the container's side");
    while (true) {
        auto received = receive_message(context.wire.get(), deadline);
        // ECONNRESET: it ended with a message of ours unread.
        bool const gone = received ? !*received : received.error().errno_value == ECONNRESET;
        if (gone)
            return Failure(init_is_gone(context));
        auto message = TRY(in_context(std::move(received), "wait for the container"));
        switch (message->kind) {
        case MessageKind::turn:
            return {};
        case MessageKind::warning:
            context.warn(std::move(message->text));
            continue;
        case MessageKind::failed:
            return Failure(to_error(*message));
        case MessageKind::process:
            TRY(adopt_exec_process(context, message->text));
            continue;
        case MessageKind::start:
        case MessageKind::listener:
            break;
        }
        return fail("unexpected message from the container");
    }
}

Result<void> hand_over(Context& context) {
    auto sent = send_message(context.wire.get(), {MessageKind::turn, 0, std::exchange(context.handover, {})},
                             std::exchange(context.label_files, {}));
    if (!sent && sent.error().errno_value == EPIPE) {
        // It died; it may have told why before.
        TRY(await_turn_back(context, kernel::Deadline::after(turn_limit)));
        return Failure(init_is_gone(context));
    }
    return in_context(std::move(sent), "hand over to the container");
}

/// In the set-up child. The text has the kernel's words already.
[[noreturn]] void tell_and_end(Context const& context, Error const& error) {
    (void)send_message(context.wire.get(), {MessageKind::failed, 0, error.message});
    ::_exit(1);
}

/// The set-up child's walk, from the step after its birth. It is born waiting for its turn.
[[noreturn]] void walk_as_container(steps::Plan const& plan, std::size_t first, Context& context) {
    for (auto i = first; i < plan.size(); ++i) {
        bool const ours = !is_runtime(plan[i].actor);
        bool const ours_before = !is_runtime(plan[i - 1].actor);
        if (ours && !ours_before) {
            auto const message = receive_message(context.wire.get(), kernel::Deadline::never());
            // End of file: the runtime died before the container was complete. Nobody is left to tell.
            if (!message || !*message || (*message)->kind != MessageKind::turn)
                ::_exit(1);
        }
        if (!ours && ours_before && !send_message(context.wire.get(), {}))
            ::_exit(1);
        if (!ours)
            continue;
        if (auto done = apply_step(plan[i].operation, context); !done)
            tell_and_end(context, done.error());
    }
    ::_exit(1); // a plan's container part ends by becoming the finisher, or the runtime has the last turn
}

Result<void> prepare_finisher(steps::Plan const& plan, Context& context) {
    TraceSpan const span("prepare the finisher");
    context.finisher = TRY(in_context(kernel::sealed_program("finisher", finisher_image()), "prepare the finisher"));
    std::vector<int> joined;
    for (auto const& descriptor : context.joined)
        joined.push_back(descriptor.get());
    auto const request = compile_finisher_request(plan, joined);
    context.request = TRY(in_context(kernel::sealed_data("request", request), "prepare the finisher's request"));
    return {};
}

} // namespace

void Context::warn(std::string message) {
    if (self == Actor::runtime)
        warnings.push_back(std::move(message));
    else
        (void)send_message(wire.get(), {MessageKind::warning, 0, std::move(message)});
}

Result<void> perform(steps::Plan const& plan, Context& context) {
    if (std::ranges::find(plan, Actor::finisher, &steps::Step::actor) != plan.end())
        TRY(prepare_finisher(plan, context));
    for (std::size_t i = 0; i < plan.size(); ++i) {
        bool const ours = is_runtime(plan[i].actor);
        bool const ours_before = i == 0 || is_runtime(plan[i - 1].actor);
        if (ours && !ours_before) {
            auto first = i - 1;
            while (first > 0 && !is_runtime(plan[first - 1].actor))
                --first;
            TRY(await_turn_back(context, other_side_deadline(plan, first)));
        }
        if (!ours && ours_before)
            TRY(hand_over(context));
        if (!ours)
            continue;
        auto done = apply_step(plan[i].operation, context);
        if (context.self == Actor::container && !done)
            tell_and_end(context, done.error()); // what follows a failure is the runtime's
        if (context.self == Actor::container)
            walk_as_container(plan, i + 1, context);
        TRY(std::move(done));
    }
    return {};
}

Result<void> await_gate(Context& context) {
    return await_turn_back(context, kernel::Deadline::after(turn_limit));
}

Result<void> await_execution(Context& context, SeccompAgent const& agent) {
    TraceSpan const span("wait for the program to start");
    auto const deadline = kernel::Deadline::after(turn_limit);
    while (true) {
        std::vector<kernel::Fd> descriptors;
        auto message = TRY(
            in_context(receive_message(context.wire.get(), deadline, &descriptors), "wait for the program to start"));
        if (!message && !context.process_announced)
            return Failure(init_is_gone(context));
        if (!message)
            return {};
        if (message->kind == MessageKind::failed)
            return Failure(to_error(*message));
        if (message->kind == MessageKind::warning)
            context.warn(std::move(message->text));
        else if (message->kind == MessageKind::process)
            TRY(adopt_exec_process(context, message->text));
        else if (message->kind == MessageKind::listener)
            TRY(pass_listener(context.wire.get(), descriptors, agent, context.state.pid));
    }
}

} // namespace oci::perform
