// SPDX-License-Identifier: Apache-2.0
// `oci-run plan`: the plan for people and for programs.
#include "plan/plan.h"

namespace oci::plan {

namespace {

std::string padded(std::string_view text, std::size_t width) {
    std::string out(text);
    if (out.size() < width)
        out.append(width - out.size(), ' ');
    return out;
}

} // namespace

std::string plan_text(steps::Plan const& plan) {
    std::string out;
    for (std::size_t i = 0; i < plan.size(); ++i) {
        auto const number = std::to_string(i + 1);
        out +=
            concat(std::string(number.size() < 3 ? 3 - number.size() : 0, ' '), number, "  ",
                   padded(steps::actor_name(plan[i].actor), 10), printable(steps::describe(plan[i].operation)), "\n");
    }
    return out;
}

std::string plan_json(steps::Plan const& plan) {
    std::string out = "[";
    for (auto const& step : plan)
        out +=
            concat(&step == &plan.front() ? "\n" : ",\n", "  {\"actor\": ", json_string(steps::actor_name(step.actor)),
                   ", \"operation\": ", json_string(steps::operation_name(step.operation)),
                   ", \"description\": ", json_string(steps::describe(step.operation)), "}");
    return out + "\n]\n";
}

} // namespace oci::plan
