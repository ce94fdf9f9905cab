// SPDX-License-Identifier: Apache-2.0
// A linux.resources object, as `update --resources` gets it: read and planned, with both cgroup drivers.
#include "fuzz.h"
#include "plan/plan.h"
#include "spec/parse.h"

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace oci;
    auto const resources = spec::parse_resources(fuzz::as_text(data, size));
    if (!resources)
        return 0;
    plan::UpdateRequest request;
    request.resources = *resources;
    request.cgroup_path = "/c1";
    for (auto const* const unit : {"", "c1.scope"}) {
        request.systemd_unit = unit;
        auto const plan = plan::make_update_plan(request);
        if (!plan)
            continue;
        (void)plan::plan_json(*plan);
        for (auto const& step : *plan)
            if (auto const* const apply = std::get_if<steps::ApplyCgroupSettings>(&step.operation))
                for (auto const& setting : apply->settings)
                    fuzz::expect(!setting.file.empty() && setting.file.find('/') == std::string::npos,
                                 "a control file is one name");
    }
    return 0;
}
