// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include "commands/common.h"
#include "kernel/file.h"
#include "spec/parse.h"
#include "spec/positions.h"

namespace oci::commands {

namespace {

/// What the parser cannot see: whether the root file system is there.
void check_rootfs(std::string const& bundle, spec::Report& report) {
    if (report.spec.root.path.empty())
        return; // the parser has said so
    auto const path = absolute_path(bundle, report.spec.root.path);
    auto const folder = kernel::openat(AT_FDCWD, path, O_PATH | O_DIRECTORY);
    if (!folder)
        report.problems.push_back(
            {"/root/path", "must be an existing folder: " + folder.error().message, "config.md#root"});
}

/// "config.json:12:7: /process/cwd: must be ...", as editors understand it.
std::string as_text(spec::Report const& report, spec::Positions const& positions) {
    std::string out;
    auto const append = [&](std::vector<spec::Problem> const& problems, std::string_view mark) {
        for (auto const& problem : problems) {
            auto const [line, column] = positions.find(problem.pointer);
            // What is wrong with the text as a whole names its place itself, if there is one.
            auto const place =
                problem.pointer.empty() ? "" : concat(":", line, ":", column, ": ", mark, printable(problem.pointer));
            out += concat("config.json", place, ": ", printable(problem.rule), " (", problem.section, ")\n");
        }
    };
    append(report.problems, "");
    append(report.warnings, "warning: ");
    return out;
}

std::string as_json(std::vector<spec::Problem> const& problems, spec::Positions const& positions) {
    std::vector<std::string> items;
    items.reserve(problems.size());
    for (auto const& problem : problems) {
        auto const [line, column] = positions.find(problem.pointer);
        items.push_back(concat("{\"pointer\":", json_string(problem.pointer), ",\"line\":", line,
                               ",\"column\":", column, ",\"rule\":", json_string(problem.rule),
                               ",\"section\":", json_string(problem.section), "}"));
    }
    return concat("[", join(items, ","), "]");
}

} // namespace

Result<int> run_validate(Invocation const& invocation) {
    auto const format = TRY(output_format(invocation.options, OutputFormat::text));
    auto const bundle = TRY(bundle_argument(invocation));
    auto const text = TRY(read_config(bundle));
    auto report = spec::read_config(text);
    check_rootfs(bundle, report);
    spec::Positions const positions(text);
    TRY(print(format == OutputFormat::json ? concat("{\"problems\":", as_json(report.problems, positions),
                                                    ",\"warnings\":", as_json(report.warnings, positions), "}\n")
                                           : as_text(report, positions)));
    return report.problems.empty() ? 0 : 1;
}

} // namespace oci::commands
