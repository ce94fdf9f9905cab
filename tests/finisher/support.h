// SPDX-License-Identifier: Apache-2.0
// Starts the real finisher as the set-up child does, and listens to it.
#pragma once

#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "finisher/protocol.h"
#include "kernel/credentials.h"
#include "kernel/sealed.h"
#include "kernel/socket.h"
#include "perform/finisher_image.h"
#include "perform/finisher_request.h"

namespace oci::perform {

using finisher::MessageKind;
using steps::Actor;

inline steps::Step finisher_step(steps::Operation operation) {
    return {Actor::finisher, std::move(operation)};
}
inline steps::Step runtime_step() {
    return {Actor::runtime, steps::SaveState{}};
}
inline bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}
inline steps::FindProgram find(std::string const& name) {
    return {.name = name};
}
inline steps::Execute execute(std::vector<std::string> arguments,
                              std::vector<std::string> environment = {"PATH=/usr/bin:/bin"}) {
    return {.arguments = std::move(arguments), .environment = std::move(environment)};
}
inline bool is_root() {
    return ::geteuid() == 0;
}

/// A plan of finisher's steps, then a turn, then closing and execution.
inline steps::Plan plan_of(std::vector<steps::Operation> identity, steps::Execute const& program) {
    steps::Plan plan;
    for (auto& operation : identity)
        plan.push_back(finisher_step(std::move(operation)));
    plan.push_back(finisher_step(find(program.arguments.front())));
    plan.push_back(runtime_step());
    plan.push_back(finisher_step(steps::CloseDescriptors{}));
    plan.push_back(finisher_step(program));
    return plan;
}

struct Heard {
    MessageKind kind{};
    int errno_value = 0;
    std::string text;
};

inline void say(int socket, MessageKind kind, std::string_view text = {}) {
    finisher::MessageHeader const header{.kind = static_cast<std::uint32_t>(kind), .errno_value = 0};
    std::string message(reinterpret_cast<char const*>(&header), sizeof header);
    message += text;
    (void)kernel::send_message(socket, message);
}

/// The next message; nothing at end of file. A finisher that keeps silent fails the test.
inline std::optional<Heard> hear(int socket) {
    auto const message = kernel::receive_message(socket, kernel::Deadline::after(std::chrono::seconds(20)));
    if (!message && message.error().errno_value != ECONNRESET) {
        ADD_FAILURE() << message.error().message;
        return std::nullopt;
    }
    finisher::MessageHeader header{};
    if (!message || message->size() < sizeof header)
        return std::nullopt;
    std::memcpy(&header, message->data(), sizeof header);
    return Heard{static_cast<MessageKind>(header.kind), header.errno_value, message->substr(sizeof header)};
}

/// The same at the gate, where the finisher's last word before execve(2) is `turn`.
inline std::optional<Heard> hear_at_gate(int socket) {
    auto message = hear(socket);
    if (message && message->kind == MessageKind::turn)
        message = hear(socket);
    return message;
}

struct StartOptions {
    int gate = -1;
    int request = -1; ///< instead of sealed memory with the request
    unsigned preserved = 0;
    std::function<void()> before_exec = [] {}; ///< in the child
    bool closed_wire = false;                  ///< the runtime's end is closed before the finisher runs
};

/// A finisher at work: the test is its runtime.
class RunningFinisher {
public:
    RunningFinisher(std::string const& request, StartOptions const& options = {}) {
        auto program = kernel::sealed_program("finisher", finisher_image());
        auto data = kernel::sealed_data("request", request);
        auto pair = kernel::sequenced_pair();
        int output[2];
        if (!program || !data || !pair || ::pipe2(output, O_CLOEXEC) != 0) {
            ADD_FAILURE() << "cannot prepare the finisher";
            return;
        }
        wire_ = std::move(pair->first);
        output_ = kernel::Fd(output[0]);
        kernel::Fd const output_in(output[1]);
        if (options.closed_wire)
            wire_.close();
        pid_ = ::fork();
        if (pid_ == 0)
            become(program->get(), options.request < 0 ? data->get() : options.request, pair->second.get(),
                   output_in.get(), options);
    }
    RunningFinisher(steps::Plan const& plan, StartOptions const& options = {})
        : RunningFinisher(compile_finisher_request(plan), options) {}
    RunningFinisher(RunningFinisher const&) = delete;
    RunningFinisher& operator=(RunningFinisher const&) = delete;
    ~RunningFinisher() {
        if (pid_ > 0)
            ::kill(pid_, SIGKILL);
        (void)status();
    }

    int wire() const { return wire_.get(); }
    pid_t pid() const { return pid_; }
    /// After `process`: the inner half is what is waited for.
    void follow(pid_t pid) {
        (void)status();
        pid_ = pid;
    }
    std::optional<Heard> hear() const { return oci::perform::hear(wire()); }
    /// Answers turns until the end of the wire; the last failure, if any, and all warnings.
    void serve(std::string_view state = {}) {
        while (auto const message = hear()) {
            if (message->kind == MessageKind::turn)
                say(wire(), MessageKind::turn, state);
            else if (message->kind == MessageKind::warning)
                warnings_ += message->text + "\n";
            else if (message->kind == MessageKind::failed)
                failure_ = *message;
        }
    }
    std::optional<Heard> const& failure() const { return failure_; }
    std::string const& warnings() const { return warnings_; }
    std::string failure_text() const { return failure_ ? failure_->text : "(no failure)"; }
    void close_wire() { wire_.close(); }

    /// Everything that the program wrote.
    std::string output() {
        std::string text;
        char buffer[4096];
        for (ssize_t size = 0; (size = ::read(output_.get(), buffer, sizeof buffer)) > 0;)
            text.append(buffer, static_cast<std::size_t>(size));
        return text;
    }
    /// Whether the program neither writes nor ends.
    bool is_silent_for(int milliseconds) const {
        pollfd watched{.fd = output_.get(), .events = POLLIN, .revents = 0};
        return ::poll(&watched, 1, milliseconds) == 0;
    }
    /// Exit code, or -signal.
    int status() {
        if (pid_ <= 0)
            return last_status_;
        int status = 0;
        if (::waitpid(std::exchange(pid_, 0), &status, 0) > 0)
            last_status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
        return last_status_;
    }

private:
    /// What perform's set-up child does before it becomes the finisher.
    [[noreturn]] static void become(int program, int request, int wire, int output, StartOptions const& options) {
        int const first = static_cast<int>(10 + options.preserved);
        program = ::fcntl(program, F_DUPFD_CLOEXEC, first + 400);
        int const placed[] = {::fcntl(request, F_DUPFD, first), ::fcntl(wire, F_DUPFD, first),
                              options.gate < 0 ? -1 : ::fcntl(options.gate, F_DUPFD, first)};
        int const null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
        ::dup2(null, 0);
        ::dup2(output, 1);
        sigset_t all;
        ::sigfillset(&all);
        ::sigprocmask(SIG_SETMASK, &all, nullptr);
        if (is_root())
            (void)kernel::keep_capabilities_over_exec();
        options.before_exec();
        (void)kernel::execveat(
            program,
            {"oci-run", "init", std::to_string(placed[0]), std::to_string(placed[1]), std::to_string(placed[2])}, {});
        ::_exit(99);
    }

    kernel::Fd wire_;
    kernel::Fd output_;
    pid_t pid_ = 0;
    int last_status_ = -999;
    std::optional<Heard> failure_;
    std::string warnings_;
};

/// The usual case: turns are answered, the program runs to its end.
struct Outcome {
    int status = 0;
    std::string output;
    std::optional<Heard> failure;
    std::string warnings;
};
inline Outcome run(steps::Plan const& plan, StartOptions const& options = {}) {
    RunningFinisher running(plan, options);
    running.serve();
    auto output = running.output();
    int const status = running.status();
    return {status, std::move(output), running.failure(), running.warnings()};
}

class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string pattern = std::filesystem::temp_directory_path() / "oci-run-test-XXXXXX";
        path_ = ::mkdtemp(pattern.data());
        ::chmod(path_.c_str(), 0755);
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryFolder(TemporaryFolder const&) = delete;
    TemporaryFolder& operator=(TemporaryFolder const&) = delete;

    std::string const& path() const { return path_; }
    std::string file(std::string const& name, std::string const& content, mode_t mode = 0644) const {
        auto const path = concat(path_, "/", name);
        std::ofstream(path, std::ios::binary) << content;
        ::chmod(path.c_str(), mode);
        return path;
    }

private:
    std::string path_;
};

} // namespace oci::perform
