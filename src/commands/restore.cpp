// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>

#include "commands/common.h"
#include "commands/criu_options.h"
#include "commands/lifecycle.h"
#include "kernel/file.h"
#include "kernel/process.h"

namespace oci::commands {

namespace {

Result<plan::RestoreRequest> restore_request(Invocation const& invocation) {
    plan::RestoreRequest request;
    request.options = TRY(criu_options(invocation));
    request.lsm_profile = invocation.options.text("lsm-profile");
    request.lsm_mount_context = invocation.options.text("lsm-mount-context");
    if (!S_ISDIR(TRY(in_context(kernel::fstatat(AT_FDCWD, request.options.image_path, 0), "--image-path")).st_mode))
        return fail_errno(ENOTDIR, "--image-path: ", request.options.image_path);
    return request;
}

} // namespace

/// As `run` does it, with criu in place of create and start.
Result<int> run_restore(Invocation const& invocation) {
    bool const detach = invocation.options.flag("detach");
    auto request = TRY(restore_request(invocation));
    if (!detach && !invocation.options.flag("no-subreaper"))
        TRY(kernel::set_child_subreaper());
    auto const planner = [&](spec::Spec const& spec, HostFacts const& host, plan::CreateRequest const& create) {
        request.options.config_file = plan::criu_config_file(spec);
        return plan::make_restore_plan(spec, host, create, request);
    };
    auto created =
        TRY(create_container(invocation, detach ? Purpose::run_detached : Purpose::run_in_foreground, planner));
    if (detach)
        return 0;
    auto& context = created.context;
    TRY(context.directory->unlock());
    auto result = wait_in_foreground(context);
    return result && invocation.options.flag("keep") ? result : delete_after_run(context, std::move(result));
}

} // namespace oci::commands
