// SPDX-License-Identifier: Apache-2.0
// A /proc that nobody can have mounted over (threats: CVE-2019-16884, CVE-2025-52881).
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "kernel/fd.h"

namespace oci::kernel {

/// A detached procfs: fsopen("proc"), or, where a user namespace without its own pid namespace forbids that, a clone of
/// the mount at /proc alone; last, /proc itself, verified (magic, inode 1) and used with RESOLVE_NO_XDEV.
class ProcFd {
public:
    static Result<ProcFd> make();
    /// Writes `value` to "self/..." or "sys/..." with one write(2); no symbolic or magic link and no mount is crossed,
    /// except that "self" is resolved.
    Result<void> write(std::string const& path, std::string_view value) const;
    Result<std::string> read(std::string const& path) const;
    /// As write() would open it.
    Result<Fd> open(std::string const& path, int flags) const;
    int get() const { return root_.get(); }

private:
    explicit ProcFd(Fd root)
        : root_(std::move(root)) {}
    Fd root_;
};

} // namespace oci::kernel
