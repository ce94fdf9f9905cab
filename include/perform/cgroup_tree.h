// SPDX-License-Identifier: Apache-2.0
// A cgroup with all that is below it. A container may have made its folders: their number, depth and names are its
// choice, so nothing here recurses or holds a descriptor for each.
#pragma once

#include <functional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "base/result.h"
#include "kernel/process.h"

namespace oci::perform {

/// Gets a folder as its parent's descriptor and its name.
using CgroupVisit = std::function<Result<void>(int parent, std::string const& name)>;

/// Visits every cgroup below `top` (not itself), children before their parent. One that goes meanwhile is left out; an
/// error of the visit ends the walk, and so does the deadline (ETIMEDOUT): a tree may grow faster than it is walked.
Result<void> visit_below(int top, kernel::Deadline deadline, CgroupVisit const& visit);

/// The processes of one cgroup (`name` "." for `folder` itself), sorted. A threaded cgroup (cgroups(7)) does not list
/// processes: there they are those of its threads. A cgroup that is gone has none; a process that our pid namespace
/// does not show is left out.
Result<std::vector<pid_t>> processes_in(int folder, std::string const& name);

/// Those of `top` and of all below it, sorted, each once. ETIMEDOUT as above, after half a minute.
Result<std::vector<pid_t>> processes_of_tree(int top);

} // namespace oci::perform
