// SPDX-License-Identifier: Apache-2.0
// The hooks object (config.md#posix-platform-hooks).
#include "readers.h"

#include "spec/names.h"

namespace oci::spec {

namespace {

Hook read_hook(Node const& node) {
    Hook hook;
    hook.path = node["path"].required().absolute_path();
    hook.args = node["args"].texts();
    if (auto const env = node["env"]; env.present())
        hook.env = env.texts();
    hook.timeout = node["timeout"].number<int>(1);
    return hook;
}

} // namespace

Hooks read_hooks(Node const& node) {
    Hooks hooks;
    if (!node.is_object())
        return hooks;
    auto const names = hook_names();
    for (std::size_t kind = 0; kind < names.size(); ++kind)
        for (auto const& entry : node[names[kind]].objects())
            hooks.lists[kind].push_back(read_hook(entry));
    return hooks;
}

} // namespace oci::spec
