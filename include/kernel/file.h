// SPDX-License-Identifier: Apache-2.0
// Files and folders: opening, reading, writing, and walking a path that must stay inside a root.
//
// Functions named after a system call take what the call takes and fail with its errno; O_CLOEXEC is always added.
// `directory` is a descriptor or AT_FDCWD. Error messages name the call and the path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <sys/types.h>
#include <vector>

#include "base/result.h"
#include "kernel/fd.h"
#include "kernel/process.h"

namespace oci::kernel {

Result<Fd> openat(int directory, std::string const& path, int flags, mode_t mode = 0);
/// openat2(2); EAGAIN (a concurrent rename, RESOLVE_IN_ROOT) is tried again a bounded number of times.
/// Where the call is forbidden by an outer seccomp filter (ENOSYS, EPERM) a component-wise walk gives the same answer
/// for RESOLVE_IN_ROOT, RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS.
Result<Fd> openat2(int directory, std::string const& path, int flags, mode_t mode, std::uint64_t resolve);
/// The walk behind openat2's fallback; public for its tests, which compare the two.
Result<Fd> walk_openat2(int directory, std::string const& path, int flags, mode_t mode, std::uint64_t resolve);
/// `path` looked up as if `root` were "/": symbolic links and ".." stay inside, magic links are refused.
Result<Fd> open_in_root(int root, std::string const& path, int flags);
/// The folder `path` below `root`, opened O_PATH; what is missing is made with mkdirat, one component at a time, each
/// in its parent's descriptor (CVE-2024-45310). A dangling symbolic link is followed lexically inside the root.
Result<Fd> make_directories_in_root(int root, std::string const& path, mode_t mode);
/// A target to mount on below `root`, opened O_PATH: a folder, or (with `is_directory` false) anything else (ENOTDIR,
/// EISDIR otherwise); a missing one is made as a folder (0755) or an empty file (0644), parents as above, all whatever
/// the umask. A link in the last place is followed in the root, also a dangling one.
Result<Fd> make_mount_target(int root, std::string const& path, bool is_directory);

Result<void> mkdirat(int directory, std::string const& path, mode_t mode);
Result<void> mknodat(int directory, std::string const& path, mode_t mode, dev_t device);
Result<void> symlinkat(std::string const& target, int directory, std::string const& path);
Result<void> unlinkat(int directory, std::string const& path, int flags);
Result<void> renameat(int old_directory, std::string const& old_path, int new_directory, std::string const& new_path);
Result<std::string> readlinkat(int directory, std::string const& path);
Result<struct ::stat> fstat(int descriptor);
Result<struct ::stat> fstatat(int directory, std::string const& path, int flags);
/// statfs f_type of the descriptor.
Result<std::int64_t> filesystem_type(int descriptor);
Result<void> fchmod(int descriptor, mode_t mode);
/// fchmodat through /proc/self/fd for O_PATH descriptors is never needed: the parent's descriptor and a name are given.
Result<void> fchmodat(int directory, std::string const& path, mode_t mode);
Result<void> fchownat(int directory, std::string const& path, uid_t uid, gid_t gid, int flags);
Result<void> fchdir(int descriptor);
Result<std::string> getcwd();
/// Clears FD_CLOEXEC: the descriptor stays open over execve.
Result<void> keep_over_exec(int descriptor);
/// Sets O_NONBLOCK.
Result<void> set_nonblocking(int descriptor);
Result<void> flock(int descriptor, int operation);
/// flock(2) with LOCK_EX. ETIMEDOUT: somebody held it until the deadline.
Result<void> lock_exclusively(int descriptor, Deadline deadline);

/// Extended attributes (xattr(7)) of an open file. ENODATA: it has none of that name.
Result<void> fsetxattr(int descriptor, std::string const& name, std::string_view value);
Result<std::string> fgetxattr(int descriptor, std::string const& name);

/// Everything up to end of file; fails (EFBIG) when that is more than `limit` bytes.
Result<std::string> read_all(int descriptor, std::size_t limit);
/// Up to `limit` bytes from the beginning, wherever the descriptor's position is.
Result<std::string> read_from_start(int descriptor, std::size_t limit);
Result<std::string> read_file(int directory, std::string const& path, std::size_t limit);
/// All of `data`, also over short writes and EINTR.
Result<void> write_all(int descriptor, std::string_view data);
/// Writes to an existing file (control files of cgroup2, procfs) with one write(2): the kernel takes a value whole.
/// Below a descriptor the path stays below it and follows no link (EXDEV, ELOOP), so a key from outside does no harm.
Result<void> write_control_file(int directory, std::string const& path, std::string_view value);
/// Creates or replaces `name` so that a reader sees the old or the new content, never half: temporary file, rename(2).
/// Killed in between it leaves ".<name>.<number>" behind.
Result<void> write_file_atomically(int directory, std::string const& name, std::string_view content, mode_t mode);
/// Names in a folder without "." and "..", sorted.
Result<std::vector<std::string>> list_directory(int directory);
/// Only those that are folders themselves (not links to one).
Result<std::vector<std::string>> list_folders(int directory);
/// Copies the content of a folder tree (files, links, modes, owners, times; special files as nodes) for tmpcopyup.
Result<void> copy_tree(int source_directory, int target_directory);

} // namespace oci::kernel
