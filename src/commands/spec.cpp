// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include "commands/common.h"
#include "kernel/file.h"
#include "spec/example.h"

namespace oci::commands {

Result<int> run_spec(Invocation const& invocation) {
    auto const folder = TRY(kernel::openat(AT_FDCWD, TRY(bundle_path(invocation)), O_RDONLY | O_DIRECTORY));
    auto const config = spec::example_config(invocation.options.flag("rootless"), ::geteuid(), ::getegid());
    auto const file = kernel::openat(folder.get(), "config.json", O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (!file && file.error().errno_value == EEXIST)
        return fail("File config.json exists. Remove it first");
    if (!file)
        return Failure(file.error());
    if (auto written = kernel::write_all(file->get(), config); !written) {
        (void)kernel::unlinkat(folder.get(), "config.json", 0); // half a file is worse than none
        return Failure(in_context(std::move(written), "config.json").error());
    }
    return 0;
}

} // namespace oci::commands
