// SPDX-License-Identifier: Apache-2.0
// A config.json: read, and, if it is good, planned for three machines and shown.
#include "fuzz.h"
#include "plan/plan.h"
#include "spec/parse.h"

namespace {

using namespace oci;

void check_plan(spec::Spec const& spec, HostFacts const& host, plan::CgroupDriver driver) {
    plan::CreateRequest request;
    request.id = "c1";
    request.bundle = "/bundle";
    request.cgroup_driver = driver;
    request.cgroup_may_be_missing = host.euid != 0;
    auto const plan = plan::make_create_plan(spec, host, request);
    if (!plan) {
        fuzz::expect(!plan.error().message.empty(), "an error says something");
        return;
    }
    fuzz::expect(!plan::plan_text(*plan).empty() && !plan::plan_json(*plan).empty(), "a plan can be shown");
    auto const& last = plan->back().operation;
    fuzz::expect(std::holds_alternative<steps::Execute>(last) || !spec.process, "a plan ends with the program");
    for (auto const& step : *plan) {
        if (auto const* const mount = std::get_if<steps::MountFilesystem>(&step.operation))
            fuzz::expect(fuzz::is_clean_absolute(mount->target.destination), "mounts stay below the root");
        if (auto const* const cgroup = std::get_if<steps::CreateCgroup>(&step.operation))
            fuzz::expect(fuzz::is_clean_absolute(cgroup->path), "cgroups stay below the mount");
    }
    (void)plan::make_checkpoint_plan(spec, request.bundle, {});
    (void)plan::make_restore_plan(spec, host, request, {});
}

} // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    auto const report = spec::read_config(fuzz::as_text(data, size));
    std::vector<std::string> warnings;
    auto const spec = spec::parse_spec(fuzz::as_text(data, size), warnings);
    fuzz::expect(spec.has_value() == report.problems.empty(), "a configuration with problems is not taken");
    if (!spec)
        return 0;
    for (auto const& host : fuzz::hosts()) {
        check_plan(*spec, host, plan::CgroupDriver::cgroupfs);
        check_plan(*spec, host, plan::CgroupDriver::systemd);
    }
    for (auto const& mount : spec->mounts)
        fuzz::expect(mount.destination == "/" || fuzz::is_clean_absolute(mount.destination), "destinations are clean");
    return 0;
}
