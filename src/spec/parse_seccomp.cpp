// SPDX-License-Identifier: Apache-2.0
// The seccomp object (config-linux.md#seccomp). System call names are not checked: unknown ones are left out later.
#include "readers.h"

#include <algorithm>

#include "spec/names.h"

namespace oci::spec {

namespace {

std::string read_action(Node const& node) {
    auto const known = seccomp_actions();
    std::string action = node.required().text();
    if (action.empty() || std::ranges::find(known, action) != known.end())
        return action;
    node.problem("must be a known seccomp action, is ", in_quotes(action));
    return {};
}

/// What the filter returns with the action: 16 bits in the kernel.
std::optional<std::uint32_t> read_errno(Node const& node, std::string const& action) {
    auto const value = node.number<std::uint32_t>(0, 65535);
    if (value && !action.empty() && action != "SCMP_ACT_ERRNO" && action != "SCMP_ACT_TRACE")
        node.problem("is not possible with an action other than SCMP_ACT_ERRNO and SCMP_ACT_TRACE");
    return value;
}

SeccompArgument read_argument(Node const& node) {
    constexpr unsigned last_argument = 5;
    SeccompArgument argument;
    argument.index = node["index"].required().number<unsigned>(0, last_argument).value_or(0);
    argument.value = node["value"].required().number<std::uint64_t>().value_or(0);
    argument.value_two = node["valueTwo"].number<std::uint64_t>().value_or(0);
    argument.op = node["op"].required().one_of(seccomp_operators(), "seccomp operator");
    return argument;
}

SeccompRule read_rule(Node const& node) {
    SeccompRule rule;
    rule.names = node["names"].required().texts();
    rule.action = read_action(node["action"]);
    rule.errno_return = read_errno(node["errnoRet"], rule.action);
    for (auto const& entry : node["args"].objects())
        rule.arguments.push_back(read_argument(entry));
    return rule;
}

void read_listener(Node const& node, Seccomp& seccomp) {
    constexpr std::string_view notify = "SCMP_ACT_NOTIFY";
    seccomp.listener_path = node["listenerPath"].absolute_path();
    seccomp.listener_metadata = node["listenerMetadata"].text();
    bool const notifies = seccomp.default_action == notify ||
                          std::ranges::find(seccomp.rules, notify, &SeccompRule::action) != seccomp.rules.end();
    if (notifies && node["listenerPath"].empty())
        node["listenerPath"].problem("is required with the action ", notify);
    if (!seccomp.listener_metadata.empty() && node["listenerPath"].empty())
        node["listenerMetadata"].problem("is not possible without listenerPath");
}

} // namespace

std::optional<Seccomp> read_seccomp(Node const& node) {
    if (!node.is_object())
        return std::nullopt;
    Seccomp seccomp;
    seccomp.default_action = read_action(node["defaultAction"]);
    seccomp.default_errno_return = read_errno(node["defaultErrnoRet"], seccomp.default_action);
    for (auto const& entry : node["architectures"].elements())
        seccomp.architectures.push_back(entry.required().one_of(seccomp_architectures(), "seccomp architecture"));
    for (auto const& entry : node["flags"].elements())
        seccomp.flags.push_back(entry.required().one_of(seccomp_flags(), "seccomp flag"));
    for (auto const& entry : node["syscalls"].objects())
        seccomp.rules.push_back(read_rule(entry));
    read_listener(node, seccomp);
    return seccomp;
}

} // namespace oci::spec
