// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include "commands/common.h"
#include "kernel/file.h"
#include "kernel/sealed.h"
#include "kernel/spawn.h"
#include "perform/cgroup_folder.h"
#include "perform/cgroup_tree.h"
#include "state/status.h"

namespace oci::commands {

namespace {

constexpr std::size_t maximum_output = 64U << 20U;
constexpr std::chrono::seconds ps_limit{60};

Result<std::vector<pid_t>> processes_of(state::Container const& container, HostFacts const& host) {
    auto const cgroup = perform::open_cgroup_of(container.record, host.cgroup2_mount);
    if (!cgroup && perform::is_gone(cgroup.error()))
        return std::vector<pid_t>{}; // with the last process
    if (!cgroup)
        return Failure(cgroup.error());
    return perform::processes_of_tree(cgroup->get());
}

std::string as_json(std::vector<pid_t> const& pids) {
    std::vector<std::string> numbers;
    for (auto const pid : pids)
        numbers.push_back(std::to_string(pid));
    return concat("[", join(numbers, ","), "]\n");
}

Result<kernel::ClonedProcess> start_ps(std::vector<std::string> arguments, int output) {
    auto const input = TRY(kernel::openat(AT_FDCWD, "/dev/null", O_RDONLY));
    arguments.insert(arguments.begin(), "ps");
    auto child = kernel::spawn_from_path({"ps", arguments, std::nullopt, "/", input.get(), output});
    if (!child && child.error().errno_value == ENOENT)
        child.error().message += " (--format json needs none)";
    return child;
}

Result<std::string> output_of_ps(std::vector<std::string> const& arguments) {
    // Memory instead of a pipe: nobody has to read while it runs.
    auto const output = TRY(kernel::memory_file("ps"));
    auto const child = TRY(start_ps(arguments, output.get()));
    if (!TRY(kernel::wait_for_exit(child.pidfd.get(), kernel::Deadline::after(ps_limit)))) {
        TRY(kernel::kill_and_reap(child.pidfd.get()));
        return fail("ps: does not end");
    }
    auto const exit_code = TRY(kernel::reap(child.pidfd.get()));
    auto const size = TRY(kernel::fstat(output.get())).st_size;
    auto text = TRY(kernel::read_from_start(output.get(), std::min(maximum_output, static_cast<std::size_t>(size))));
    if (exit_code != 0)
        return fail("ps: exit status ", exit_code, ": ", printable(trim(text)));
    return text;
}

std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> words;
    for (auto const word : split(line, ' '))
        if (!word.empty())
            words.push_back(word);
    return words;
}

} // namespace

Result<std::string> rows_of_processes(std::string_view table, std::vector<pid_t> const& pids) {
    auto const lines = split(table, '\n');
    auto const titles = words_of(lines[0]);
    auto const column = static_cast<std::size_t>(std::ranges::find(titles, "PID") - titles.begin());
    if (column == titles.size())
        return fail("couldn't find PID field in ps output");
    auto out = concat(lines[0], "\n");
    for (std::size_t i = 1; i < lines.size(); ++i) {
        auto const words = words_of(lines[i]);
        if (words.empty())
            continue;
        auto const pid = parse_number<pid_t>(column < words.size() ? words[column] : std::string_view());
        if (!pid)
            return fail("unable to parse pid: a column before PID holds blanks: ", printable(lines[i]));
        if (std::ranges::binary_search(pids, *pid))
            out += concat(lines[i], "\n");
    }
    return out;
}

Result<int> run_ps(Invocation const& invocation) {
    auto const format = TRY(output_format(invocation.options, OutputFormat::table));
    auto const host = TRY(supported_host(NeedCgroup::no));
    auto const id = TRY(container_id(invocation.arguments[0]));
    auto const directory = TRY(state::ContainerDir::open(state_root(invocation.global, host), id));
    auto const container = TRY(state::look_at(directory, host.cgroup2_mount));
    auto const pids = TRY(processes_of(container, host));
    if (format == OutputFormat::json) {
        TRY(print(as_json(pids)));
        return 0;
    }
    std::vector<std::string> arguments(invocation.arguments.begin() + 1, invocation.arguments.end());
    if (arguments.empty())
        arguments = {"-ef"};
    TRY(print(TRY(rows_of_processes(TRY(output_of_ps(arguments)), pids))));
    return 0;
}

} // namespace oci::commands
