// SPDX-License-Identifier: Apache-2.0
#include "plan/plan.h"

#include "commands/common.h"
#include "kernel/host.h"
#include "state/container_dir.h"

namespace oci::commands {

Result<int> run_plan(Invocation const& invocation) {
    auto const format = TRY(output_format(invocation.options, OutputFormat::text));
    auto const bundle = TRY(load_bundle(TRY(bundle_path(invocation))));
    plan::CreateRequest request;
    request.bundle = bundle.path;
    request.id =
        invocation.arguments.empty() ? std::string(base_name(bundle.path)) : TRY(container_id(invocation.arguments[0]));
    TRY(state::check_id(request.id));
    if (invocation.global.cgroup_manager == CgroupManager::disabled)
        request.cgroup_driver = plan::CgroupDriver::disabled;
    auto const plan = TRY(plan::make_create_plan(bundle.spec, TRY(kernel::observe_host()), request));
    TRY(print(format == OutputFormat::json ? plan::plan_json(plan) : plan::plan_text(plan)));
    return 0;
}

} // namespace oci::commands
