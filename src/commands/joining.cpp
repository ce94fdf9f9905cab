// SPDX-License-Identifier: Apache-2.0
#include "commands/joining.h"

#include <algorithm>
#include <fcntl.h>
#include <utility>

#include "base/names.h"
#include "kernel/file.h"
#include "kernel/process.h"

namespace oci::commands {

Result<std::vector<OpenNamespace>> namespaces_of(pid_t init) {
    std::vector<OpenNamespace> opened;
    for (auto const name : namespace_names()) {
        auto const type = namespace_flag(name).value_or(0);
        auto const file = namespace_file(type);
        auto theirs = TRY(kernel::openat(AT_FDCWD, concat("/proc/", init, "/ns/", file), O_RDONLY));
        auto const ours = TRY(kernel::openat(AT_FDCWD, concat("/proc/self/ns/", file), O_RDONLY));
        if (!TRY(kernel::same_namespace(theirs.get(), ours.get())))
            opened.push_back({type, std::move(theirs)});
    }
    return opened;
}

std::vector<std::uint64_t> types_of(std::vector<OpenNamespace> const& namespaces) {
    std::vector<std::uint64_t> types;
    for (auto const& entry : namespaces)
        types.push_back(entry.type);
    return types;
}

kernel::Fd take_namespace(std::vector<OpenNamespace>& namespaces, std::uint64_t type) {
    return std::move(std::ranges::find(namespaces, type, &OpenNamespace::type)->descriptor);
}

} // namespace oci::commands
