// SPDX-License-Identifier: Apache-2.0
// Labels of the Linux security modules: AppArmor profile, SELinux labels (config.md#linux-process, config-linux.md
// #mount-label).
#include <algorithm>
#include <array>

#include "plan/topics.h"
#include "spec/names.h"

namespace oci::plan {

namespace {

/// mount(8), "FILESYSTEM-INDEPENDENT MOUNT OPTIONS".
constexpr std::array<std::string_view, 4> context_types{"context", "fscontext", "defcontext", "rootcontext"};

std::string_view context_type(spec::Spec const& spec) {
    auto const found = spec.annotations.find(std::string(spec::mount_context_annotation));
    return found == spec.annotations.end() || found->second.empty() ? context_types.front() : found->second;
}

bool is_context(std::string_view parameter) {
    return std::ranges::find(context_types, parameter.substr(0, parameter.find('='))) != context_types.end();
}

std::vector<steps::SetLabel> labels_of(spec::Process const& process, bool with_keyring) {
    std::vector<steps::SetLabel> labels;
    auto const add = [&](steps::Label label, std::string const& value) {
        if (!value.empty())
            labels.push_back({label, value, static_cast<unsigned>(labels.size())});
    };
    if (with_keyring)
        add(steps::Label::keyring, process.selinux_label);
    add(steps::Label::selinux_process, process.selinux_label);
    add(steps::Label::apparmor_process, process.apparmor_profile);
    return labels;
}

} // namespace

Result<void> check_labels(spec::Spec const& spec, spec::Process const* process, HostFacts const& host) {
    if (process != nullptr && !process->apparmor_profile.empty() && !host.apparmor)
        return fail("/process/apparmorProfile: AppArmor is not enabled on this machine");
    if (process != nullptr && !process->selinux_label.empty() && !host.selinux)
        return fail("/process/selinuxLabel: SELinux is not enabled on this machine");
    if (spec.linux.mount_label.empty())
        return {};
    if (!host.selinux)
        return fail("/linux/mountLabel: SELinux is not enabled on this machine");
    if (std::ranges::find(context_types, context_type(spec)) == context_types.end())
        return fail("/annotations/", spec::mount_context_annotation,
                    ": must be context, fscontext, defcontext or rootcontext, is ", "\"", context_type(spec), "\"");
    return {};
}

void append_label_files(spec::Process const& process, bool with_keyring, steps::Plan& plan) {
    steps::OpenLabelFiles files;
    for (auto const& label : labels_of(process, with_keyring))
        files.labels.push_back(label.label);
    if (files.labels.empty())
        return;
    plan.push_back({steps::Actor::runtime, std::move(files)});
    for (auto const& label : labels_of(process, with_keyring))
        if (label.label == steps::Label::keyring)
            plan.push_back({steps::Actor::finisher, label});
}

void append_labels(spec::Process const& process, bool with_keyring, steps::Plan& plan) {
    for (auto const& label : labels_of(process, with_keyring))
        if (label.label != steps::Label::keyring)
            plan.push_back({steps::Actor::finisher, label});
}

std::string without_context_quotes(std::string parameter) {
    if (is_context(parameter))
        std::erase(parameter, '"');
    return parameter;
}

void add_mount_label(spec::Spec const& spec, steps::MountFilesystem& mount) {
    // These have labels of their own kind for each file.
    static constexpr std::array<std::string_view, 3> unlabelled{"proc", "sysfs", "mqueue"};
    if (spec.linux.mount_label.empty() || std::ranges::find(unlabelled, mount.type) != unlabelled.end())
        return;
    if (std::ranges::any_of(mount.parameters, is_context))
        return;
    mount.parameters.push_back(concat(context_type(spec), "=", spec.linux.mount_label));
}

} // namespace oci::plan
