// SPDX-License-Identifier: Apache-2.0
// Groups of the resctrl file system (Documentation/arch/x86/resctrl.rst of the kernel). `root` is its root as a
// descriptor; paths are as in steps/resctrl.h.
#pragma once

#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "base/result.h"
#include "kernel/fd.h"
#include "kernel/process.h"
#include "perform/context.h"
#include "state/container_dir.h"
#include "steps/resctrl.h"

namespace oci::perform {

/// The root, checked to be of that file system, and locked against other programs that change groups until it is
/// closed. ENOENT: none is mounted.
Result<kernel::Fd> open_resctrl(std::string const& mount);

/// Fills the record's part: what SetUpResctrlGroup is going to make. Errors: a group that has to be there is not, the
/// monitoring group is there already.
Result<void> record_resctrl_group(int root, steps::ResctrlGroup const& group, state::Record& record);

/// EEXIST: it exists, whatever it is.
Result<void> make_resctrl_group(int root, std::string const& path);
/// ENOENT: it does not exist. Anything else that has that name ("/info") is an error.
Result<kernel::Fd> open_resctrl_group(int root, std::string const& path);

/// One after the other. Errors begin with the pointer and end with what info/last_cmd_status says.
Result<void> write_schemata(int root, int group, std::vector<steps::ResctrlSchema> const& schemata);
/// Whether the group has what is asked for. What the kernel writes in other words (blanks, leading zeros, order,
/// bandwidths rounded up to what the hardware can do) is the same; what is not asked for may be anything.
Result<void> check_schemata(int root, int group, std::vector<steps::ResctrlSchema> const& schemata);

/// A group that was there before the container: as config.json says, and one with the container's id is nobody else's.
Result<void> check_existing_group(int root, steps::SetUpResctrlGroup const& operation);

/// The process, and the children that it will have.
Result<void> join_resctrl_group(int root, steps::ResctrlGroup const& group, pid_t pid);

/// All of the operation, by the record. The record changes with what another container has made meanwhile.
Result<void> set_up_resctrl_group(int root, steps::SetUpResctrlGroup const& operation, Context& context);

/// How a container ends: deleted, or not made at all. In the second case nothing that create made stays, not even what
/// is named by closID, unless it is in use.
enum class Ending { deleted, undone };
/// What the record says was made. Converges when run again.
Result<void> remove_resctrl_groups(int root, state::Record const& record, Ending ending, kernel::Deadline deadline);
/// The same where it is mounted: with the file system its groups are gone.
Result<void> remove_resctrl_groups(state::Record const& record, HostFacts const& host, Ending ending,
                                   kernel::Deadline deadline);

/// After a later step of `update` failed: the group gets back what it had.
void take_back_schemata(Context const& context);

} // namespace oci::perform
