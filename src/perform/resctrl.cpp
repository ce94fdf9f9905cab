// SPDX-License-Identifier: Apache-2.0
#include "perform/resctrl.h"

#include <cerrno>

#include "kernel/file.h"
#include "perform/operations.h"

namespace oci::perform {

namespace {

constexpr char field[] = "/linux/intelRdt";
constexpr std::size_t file_limit = 1U << 20U;

/// As recorded, or as it is: what was missing may be another container's by now, and then stays.
Result<void> find_or_make_group(int root, steps::SetUpResctrlGroup const& operation, Context& context) {
    auto const& path = operation.group.path;
    if (context.record.resctrl_created) {
        auto made = make_resctrl_group(root, path);
        if (made) {
            auto const group = TRY(in_context(open_resctrl_group(root, path), field));
            return write_schemata(root, group.get(), operation.schemata);
        }
        if (made.error().errno_value != EEXIST)
            return in_context(std::move(made), field);
        context.record.resctrl_created = false;
        TRY(context.directory->write_record(context.record));
    }
    return in_context(check_existing_group(root, operation), field);
}

Result<void> make_monitoring_group(int root, std::string const& path, Context& context) {
    if (path.empty())
        return {};
    auto made = make_resctrl_group(root, path);
    if (!made && made.error().errno_value == EEXIST) {
        context.record.resctrl_monitoring_group.clear(); // not ours to remove
        TRY(context.directory->write_record(context.record));
    }
    return in_context(std::move(made), field, "/enableMonitoring");
}

} // namespace

Result<void> set_up_resctrl_group(int root, steps::SetUpResctrlGroup const& operation, Context& context) {
    TRY(find_or_make_group(root, operation, context));
    TRY(make_monitoring_group(root, operation.group.monitoring_path, context));
    return in_context(join_resctrl_group(root, operation.group, context.state.pid), field);
}

Result<void> apply(steps::SetUpResctrlGroup const& operation, Context& context) {
    auto const root = TRY(in_context(open_resctrl(context.host.resctrl_mount), field));
    return set_up_resctrl_group(root.get(), operation, context);
}

Result<void> apply(steps::JoinResctrlGroup const& operation, Context& context) {
    auto const join = [&]() -> Result<void> {
        auto const root = TRY(open_resctrl(context.host.resctrl_mount));
        return join_resctrl_group(root.get(), operation.group, context.state.pid);
    };
    auto joined = join();
    if (joined || joined.error().errno_value != ENOENT)
        return joined;
    // Who took the group away took it from the whole container.
    context.warn(concat(steps::describe(operation), ": ", joined.error().message));
    return {};
}

Result<void> apply(steps::ChangeResctrlSchemata const& operation, Context& context) {
    auto const root = TRY(open_resctrl(context.host.resctrl_mount));
    auto const group = TRY(open_resctrl_group(root.get(), operation.path));
    auto before = TRY(kernel::read_file(group.get(), "schemata", file_limit));
    TRY(write_schemata(root.get(), group.get(), {operation.schema}));
    context.schemata_before = std::move(before);
    return {};
}

void take_back_schemata(Context const& context) {
    if (context.schemata_before.empty())
        return;
    auto const root = open_resctrl(context.host.resctrl_mount);
    if (!root)
        return;
    if (auto const group = open_resctrl_group(root->get(), context.record.resctrl_group))
        (void)write_schemata(root->get(), group->get(), {{context.schemata_before, ""}});
}

} // namespace oci::perform
