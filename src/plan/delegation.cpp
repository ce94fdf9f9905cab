// SPDX-License-Identifier: Apache-2.0
// What becomes of the cgroup where the caller may not make one: normal users have only what was delegated to them.
#include "base/log.h"
#include "plan/cgroup.h"
#include "plan/plan.h"

namespace oci::plan {

std::string cgroup_base(HostFacts const& host) {
    // Beside the caller's own cgroup: that has processes in it, so it cannot hand controllers to cgroups below it
    // (cgroups(7), "no internal processes"). Inside of it where no more was delegated.
    auto const parent = std::string(parent_path(host.own_cgroup));
    bool const only_own = host.delegated_cgroup == host.own_cgroup && host.own_cgroup != "/";
    return only_own ? host.own_cgroup : parent;
}

Result<std::string> delegated_cgroup_path(spec::Spec const& spec, HostFacts const& host, CreateRequest const& request,
                                          std::vector<steps::CgroupSetting> const& settings) {
    auto path = TRY(cgroup_path(spec, host, request.id));
    if (!request.cgroup_may_be_missing || is_below(path, host.delegated_cgroup))
        return path;
    auto const reason = host.delegated_cgroup.empty()
                            ? concat("no delegated cgroup: this user may not make cgroups beside ", host.own_cgroup)
                            : concat("not below the delegated cgroup ", host.delegated_cgroup);
    if (!spec.linux.cgroups_path.empty())
        return fail("/linux/cgroupsPath: ", path, ": ", reason);
    if (!settings.empty())
        return fail(settings.front().pointer, ": ", reason, " (the user's systemd can help: --systemd-cgroup)");
    log_debug(concat("the container gets no cgroup and no limits: ", reason));
    return std::string();
}

} // namespace oci::plan
