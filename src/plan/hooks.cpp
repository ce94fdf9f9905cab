// SPDX-License-Identifier: Apache-2.0
#include "plan/plan.h"
#include "spec/names.h"

namespace oci::plan {

namespace {

/// The status in the state that hooks of a kind read (runtime.md#lifecycle).
std::string_view status_for(spec::HookKind kind) {
    switch (kind) {
    case spec::HookKind::prestart:
    case spec::HookKind::create_runtime:
    case spec::HookKind::create_container:
        return "creating";
    case spec::HookKind::start_container:
        return "created";
    case spec::HookKind::poststart:
        return "running";
    case spec::HookKind::poststop:
        return "stopped";
    }
    return "";
}

} // namespace

std::optional<steps::RunHooks> make_hooks(spec::Spec const& spec, spec::HookKind kind) {
    auto const& hooks = spec.hooks[kind];
    if (hooks.empty())
        return std::nullopt;
    steps::RunHooks operation;
    operation.kind = spec::hook_names()[static_cast<std::size_t>(kind)];
    operation.status = status_for(kind);
    for (auto const& hook : hooks)
        operation.hooks.push_back(
            {hook.path, hook.args.empty() ? std::vector{hook.path} : hook.args, hook.env, hook.timeout});
    return operation;
}

} // namespace oci::plan
