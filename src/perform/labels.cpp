// SPDX-License-Identifier: Apache-2.0
// The runtime opens the files into which the finisher, and nobody else, can write its labels: the kernel compares the
// writer with the process that the file is of.
#include <cerrno>
#include <fcntl.h>

#include "perform/operations.h"

namespace oci::perform {

namespace {

Result<kernel::Fd> open_label_file(kernel::ProcFd const& procfs, pid_t pid, steps::Label label) {
    auto const open = [&](std::string_view file) { return procfs.open(concat(pid, "/attr/", file), O_WRONLY); };
    switch (label) {
    case steps::Label::keyring:
        return open("keycreate");
    case steps::Label::selinux_process:
        return open("exec");
    case steps::Label::apparmor_process:
        break;
    }
    // Its own folder is as old as Linux 5.8; before, the file belongs to the only such module.
    auto own = open("apparmor/exec");
    return own || own.error().errno_value != ENOENT ? std::move(own) : open("exec");
}

} // namespace

Result<void> apply(steps::OpenLabelFiles const& operation, Context& context) {
    auto const procfs = TRY(kernel::ProcFd::make());
    for (auto const label : operation.labels)
        context.label_files.push_back(TRY(open_label_file(procfs, context.state.pid, label)));
    return {};
}

} // namespace oci::perform
