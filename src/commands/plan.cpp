// SPDX-License-Identifier: Apache-2.0
#include "plan/plan.h"

#include <sched.h>

#include "commands/common.h"
#include "kernel/host.h"
#include "perform/systemd.h"
#include "state/container_dir.h"

namespace oci::commands {

namespace {

/// What systemd would most probably answer: a plan asks nobody.
SystemdFacts assumed_systemd(HostFacts const& host) {
    SystemdFacts facts;
    facts.user = perform::uses_user_manager(host);
    if (facts.user)
        facts.control_group = concat("/user.slice/user-", host.euid, ".slice/user@", host.euid, ".service");
    return facts;
}

} // namespace

Result<int> run_plan(Invocation const& invocation) {
    auto const format = TRY(output_format(invocation.options, OutputFormat::text));
    auto const bundle = TRY(load_bundle(TRY(bundle_path(invocation))));
    plan::CreateRequest request;
    request.bundle = bundle.path;
    request.id =
        invocation.arguments.empty() ? std::string(base_name(bundle.path)) : TRY(container_id(invocation.arguments[0]));
    TRY(state::check_id(request.id));
    auto host = TRY(kernel::observe_host());
    // A bundle that only root can run is shown to everybody as root would run it.
    if (bundle.spec.linux.find(CLONE_NEWUSER) == nullptr && !host.has_capability(cap_sys_admin)) {
        host.euid = host.egid = 0;
        host.capabilities = HostFacts().capabilities;
        host.delegated_cgroup = HostFacts().delegated_cgroup;
    }
    request.cgroup_driver = cgroup_driver(invocation.global.cgroup_manager);
    request.systemd = assumed_systemd(host);
    request.cgroup_may_be_missing = invocation.global.rootless.value_or(!host.is_host_root());
    auto const plan = TRY(plan::make_create_plan(bundle.spec, host, request));
    TRY(print(format == OutputFormat::json ? plan::plan_json(plan) : plan::plan_text(plan)));
    return 0;
}

} // namespace oci::commands
