// SPDX-License-Identifier: Apache-2.0
// A process object, as `exec --process` gets it: read and planned.
#include "fuzz.h"
#include "plan/plan.h"
#include "spec/parse.h"

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace oci;
    std::vector<std::string> warnings;
    auto process = spec::parse_process(fuzz::as_text(data, size), warnings);
    if (!process)
        return 0;
    plan::ExecRequest request;
    request.id = "c1";
    request.process = *process;
    spec::Spec container;
    for (auto const& host : fuzz::hosts())
        if (auto const plan = plan::make_exec_plan(container, host, request))
            fuzz::expect(std::holds_alternative<steps::Execute>(plan->back().operation) &&
                             !plan::plan_text(*plan).empty() && !plan::plan_json(*plan).empty(),
                         "a plan ends with the program and can be shown");
    return 0;
}
