// SPDX-License-Identifier: Apache-2.0
#include "criu_files.h"

#include <fcntl.h>

#include "base/names.h"
#include "kernel/file.h"

namespace oci::perform {

std::string namespace_key(std::uint64_t type) {
    std::string name(namespace_file(type));
    if (!name.empty())
        name[0] = static_cast<char>(name[0] - 'a' + 'A');
    return concat("extRoot", name, "NS");
}

Result<kernel::Fd> make_folder(std::string const& path) {
    auto const root = TRY(kernel::openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY));
    auto const folder = TRY(kernel::make_directories_in_root(root.get(), path, 0700));
    return kernel::openat(folder.get(), ".", O_RDONLY | O_DIRECTORY);
}

} // namespace oci::perform
