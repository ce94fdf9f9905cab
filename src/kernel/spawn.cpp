// SPDX-License-Identifier: Apache-2.0
#include "kernel/spawn.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <utility>

#include "kernel/file.h"
#include "kernel/socket.h"

namespace oci::kernel {

namespace {

constexpr std::string_view usual_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::vector<char*> pointers(std::vector<std::string> const& texts) {
    std::vector<char*> out;
    for (auto const& text : texts)
        out.push_back(const_cast<char*>(text.c_str()));
    out.push_back(nullptr);
    return out;
}

/// In the child. Returns errno of what failed.
int become_program(SpawnRequest const& request, int report) {
    // Whoever kills us shall not leave a hook behind.
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || (request.new_session && ::setsid() < 0))
        return errno;
    if (::chdir(request.working_directory.c_str()) != 0 && ::chdir("/") != 0)
        return errno;
    int const error_stream = request.standard_error < 0 ? request.standard_output : request.standard_error;
    if (::dup2(request.standard_input, STDIN_FILENO) < 0 || ::dup2(request.standard_output, STDOUT_FILENO) < 0 ||
        ::dup2(error_stream, STDERR_FILENO) < 0)
        return errno;
    auto const from = static_cast<unsigned>(STDERR_FILENO + 1);
    if (!mark_close_on_exec(from, ~0U) || !unblock_all_signals_and_reset_handlers())
        return errno;
    for (int const descriptor : request.kept)
        if (!keep_over_exec(descriptor))
            return errno;
    // The pipe end that reports a failed execve; it must have survived the dup2 calls above.
    if (report <= STDERR_FILENO)
        return EBADF;
    auto const arguments = pointers(request.arguments);
    if (!request.environment) {
        ::execv(request.path.c_str(), arguments.data());
    } else {
        auto const environment = pointers(*request.environment);
        ::execve(request.path.c_str(), arguments.data(), environment.data());
    }
    return errno;
}

} // namespace

Result<ClonedProcess> spawn(SpawnRequest const& request) {
    auto [ours, theirs] = TRY(sequenced_pair());
    auto child = TRY(clone3({0, request.cgroup}));
    if (child.pid == 0) {
        ours.close();
        int const failure = become_program(request, theirs.get());
        [[maybe_unused]] auto const ignored = ::write(theirs.get(), &failure, sizeof failure);
        ::_exit(127);
    }
    theirs.close();
    auto const answer = receive_message(ours.get(), Deadline::after(std::chrono::seconds(60)));
    if (answer && answer->empty())
        return child;
    TRY(kill_and_reap(child.pidfd.get()));
    int failure = answer ? EIO : answer.error().errno_value;
    if (answer && answer->size() == sizeof failure)
        answer->copy(reinterpret_cast<char*>(&failure), sizeof failure);
    return fail_errno(failure, "execve ", request.path);
}

Result<ClonedProcess> spawn_from_path(SpawnRequest request) {
    auto const name = std::exchange(request.path, {});
    char const* const variable = std::getenv("PATH");
    auto const path = variable == nullptr || *variable == '\0' ? usual_path : std::string_view(variable);
    for (auto const folder : split(path, ':')) {
        if (!folder.starts_with('/'))
            continue; // never from the current folder
        request.path = concat(folder, "/", name);
        auto child = spawn(request);
        bool const next = !child && (child.error().errno_value == ENOENT || child.error().errno_value == EACCES ||
                                     child.error().errno_value == ENOTDIR);
        if (!next)
            return child;
    }
    return Failure(Error{concat(name, ": executable file not found in $PATH"), ENOENT});
}

} // namespace oci::kernel
