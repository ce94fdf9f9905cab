// SPDX-License-Identifier: Apache-2.0
// Everything execve(2) needs, made before a seccomp filter can forbid it: argv, environment with HOME, path of the
// program.
#include "process.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "line.h"
#include "memory.h"
#include "wire.h"

namespace oci::finisher {

namespace {

constexpr std::string_view default_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The value of a variable, or a null pointer.
char const* variable(char const* const* environment, std::string_view name) {
    for (; *environment != nullptr; ++environment)
        if (std::strncmp(*environment, name.data(), name.size()) == 0 && (*environment)[name.size()] == '=')
            return *environment + name.size() + 1;
    return nullptr;
}

/// 0 if execve(2) of `path` may work, else why not.
int executable(char const* path) {
    struct stat status {};
    if (::stat(path, &status) != 0)
        return errno;
    if (S_ISDIR(status.st_mode))
        return EISDIR;
    if (!S_ISREG(status.st_mode))
        return EACCES;
    // With the effective ids and capabilities, as execve(2) asks. Where an outer filter does not know the call,
    // access(2) is as good: real and effective ids are the same here.
    if (::syscall(SYS_faccessat2, AT_FDCWD, path, X_OK, AT_EACCESS) == 0)
        return 0;
    if (errno != ENOSYS && errno != EPERM)
        return errno;
    return ::access(path, X_OK) == 0 ? 0 : errno;
}

char const* remember(Line const& text) {
    std::size_t const size = text.view().size() + 1;
    return static_cast<char const*>(std::memcpy(allocate(size), text.c_str(), size));
}

/// As execvp(3): the first that can be executed; permission is an error only if there is no other.
char const* search(std::string_view name, std::string_view path) {
    bool forbidden = false;
    for (bool more = true; more;) {
        std::size_t const end = path.find(':');
        std::string_view const folder(path.data(), end == std::string_view::npos ? path.size() : end);
        more = end != std::string_view::npos;
        path.remove_prefix(more ? end + 1 : 0);
        Line const candidate(folder.empty() ? "." : folder, "/", name); // an empty part is the current folder
        if (!candidate.whole())
            continue;
        int const problem = executable(candidate.c_str());
        if (problem == 0)
            return remember(candidate);
        struct stat status {};
        if (problem == EACCES && ::stat(candidate.c_str(), &status) == 0)
            forbidden = true;
    }
    if (forbidden)
        fail(EACCES, "exec: \"", name, "\"");
    fail(0, "exec: \"", name, "\": executable file not found in $PATH"); // engines look for exactly this text
}

char const* check(char const* path) {
    struct stat status {};
    if (::stat(path, &status) != 0)
        fail(errno, "exec: \"", path, "\": stat ", path);
    int const problem = executable(path);
    // execve(2)'s own error, too: versions of Docker before 23 tell the exit code 126 by its text alone.
    if (problem == EISDIR)
        fail(EACCES, "exec: \"", path, "\": is a directory");
    if (problem != 0)
        fail(problem, "exec: \"", path, "\"");
    return path;
}

/// A missing one is put behind the others; an empty one counts as missing, as Docker relies on.
void set_home(Process& process, std::size_t& count) {
    char const** place = process.environment;
    while (*place != nullptr && std::strncmp(*place, "HOME=", 5) != 0)
        ++place;
    bool const missing = *place == nullptr;
    if (missing || (*place)[5] == '\0')
        *place = home_variable(::geteuid());
    count += missing ? 1 : 0;
}

} // namespace

void find_program(Arguments execute, Process& process) {
    enter_postponed_directory(process);
    process.arguments = string_array(execute).texts;
    if (process.arguments[0] == nullptr)
        refuse("no program");
    auto variables = string_array(execute);
    process.environment = variables.texts;
    set_home(process, variables.count);
    if (execute.flag())
        process.environment[variables.count++] = remember(Line("LISTEN_PID=", ::getpid()));

    char const* const name = process.arguments[0];
    char const* const path = variable(process.environment, "PATH");
    if (std::strchr(name, '/') != nullptr)
        process.program = check(name);
    else if (*name == '\0') // or every folder of PATH would be a candidate
        fail(0, "exec: \"\": executable file not found in $PATH");
    else
        process.program = search(name, path == nullptr ? default_path : std::string_view(path));
}

} // namespace oci::finisher
