// SPDX-License-Identifier: Apache-2.0
#include "kernel/sealed.h"

#include <cerrno>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "kernel/file.h"
#include "kernel/mount.h"
#include "kernel/process.h"
#include "missing.h"

namespace oci::kernel {

namespace {

constexpr int content_seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
constexpr std::size_t largest_program = 256U << 20U;
/// Execute only: an image its user cannot read is opaque in /proc, also to a container's root (ptrace(2), would_dump).
constexpr mode_t program_mode = 0111;

std::string_view as_text(std::span<unsigned char const> bytes) {
    return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
}

/// memfd_create(2) with a flag of Linux 6.3, and without it where the kernel does not know it.
Result<Fd> new_memfd(std::string_view name, unsigned newer_flag) {
    std::string const label(name);
    constexpr unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    Fd memory(::memfd_create(label.c_str(), flags | newer_flag));
    if (!memory && errno == EINVAL)
        memory = Fd(::memfd_create(label.c_str(), flags));
    if (!memory)
        return fail_errno(errno, "memfd_create ", name);
    return memory;
}

Result<void> seal(int memory) {
    // F_SEAL_EXEC (Linux 6.3) freezes the mode. It is set on its own, so that an older kernel refuses only this one.
    if (::fcntl(memory, F_ADD_SEALS, F_SEAL_EXEC) != 0 && errno != EINVAL)
        return fail_errno(errno, "fcntl F_ADD_SEALS");
    if (::fcntl(memory, F_ADD_SEALS, F_SEAL_SEAL | content_seals) != 0)
        return fail_errno(errno, "fcntl F_ADD_SEALS");
    return {};
}

Result<Fd> program_in_memfd(std::string_view name, std::string_view image) {
    auto memory = TRY(new_memfd(name, MFD_EXEC));
    TRY(write_all(memory.get(), image));
    TRY(fchmod(memory.get(), program_mode));
    TRY(seal(memory.get()));
    return memory;
}

/// A file without a name on a tmpfs that is mounted nowhere and read-only: vm.memfd_noexec does not reach it.
Result<Fd> program_on_tmpfs(std::string_view image) {
    auto const mount = TRY(new_filesystem("tmpfs", "tmpfs", {{"mode", "0700"}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
    {
        auto const file = TRY(openat(mount.get(), "program", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0700));
        TRY(write_all(file.get(), image));
        TRY(fchmod(file.get(), program_mode));
    } // an open writer would make "read-only" EBUSY, and execve(2) ETXTBSY
    auto program = TRY(openat(mount.get(), "program", O_PATH | O_NOFOLLOW));
    TRY(unlinkat(mount.get(), "program", 0));
    TRY(mount_setattr(mount.get(), {.set = MOUNT_ATTR_RDONLY}, 0));
    return program;
}

} // namespace

Result<Fd> sealed_program(std::string_view name, std::span<unsigned char const> image) {
    auto memory = program_in_memfd(name, as_text(image));
    if (memory || memory.error().errno_value != EACCES) // EACCES: vm.memfd_noexec is 2
        return memory;
    return in_context(program_on_tmpfs(as_text(image)), "sealed program");
}

Result<Fd> sealed_data(std::string_view name, std::string_view data) {
    auto memory = TRY(new_memfd(name, MFD_NOEXEC_SEAL));
    TRY(write_all(memory.get(), data));
    if (::lseek(memory.get(), 0, SEEK_SET) < 0)
        return fail_errno(errno, "lseek");
    if (::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SEAL | content_seals) != 0)
        return fail_errno(errno, "fcntl F_ADD_SEALS");
    return memory;
}

Result<Fd> memory_file(std::string_view name) {
    return new_memfd(name, MFD_NOEXEC_SEAL);
}

bool running_sealed() {
    auto const own = openat(AT_FDCWD, "/proc/self/exe", O_PATH);
    if (!own || filesystem_type(own->get()) != TMPFS_MAGIC)
        return false;
    // Either kind has no name any more and nobody may read it; without the right to read it (rootless) that has to do.
    auto const status = fstat(own->get());
    if (!status || status->st_nlink != 0 || (status->st_mode & 07777U) != program_mode)
        return false;
    auto const readable = openat(AT_FDCWD, "/proc/self/exe", O_RDONLY);
    if (!readable)
        return readable.error().errno_value == EACCES;
    int const seals = ::fcntl(readable->get(), F_GET_SEALS);
    if (seals >= 0 && (seals & content_seals) == content_seals)
        return true;
    struct ::statvfs mount {};
    return ::fstatvfs(readable->get(), &mount) == 0 && (mount.f_flag & ST_RDONLY) != 0;
}

Error restart_sealed(std::vector<std::string> const& arguments) {
    auto const image = read_file(AT_FDCWD, "/proc/self/exe", largest_program);
    if (!image)
        return image.error();
    auto const program =
        sealed_program("oci-run", {reinterpret_cast<unsigned char const*>(image->data()), image->size()});
    if (!program)
        return program.error();
    std::vector<std::string> variables;
    for (char** variable = ::environ; *variable != nullptr; ++variable)
        variables.emplace_back(*variable);
    return execveat(program->get(), arguments, variables);
}

} // namespace oci::kernel
