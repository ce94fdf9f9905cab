// SPDX-License-Identifier: Apache-2.0
// The finisher: becomes the container's process. It does the records of its request one after the other (see
// finisher/protocol.h, which also says how it is started) and ends in execve(2).
//
// It is the only code of ours that ever runs where a container's processes can see it, so it is small, sealed, holds
// nothing but its few descriptors, and allocates no memory but whole mappings.
#include <cerrno>
#include <csignal>
#include <sys/prctl.h>
#include <unistd.h>

#include "process.h"
#include "wire.h"

namespace oci::finisher {

namespace {

/// A descriptor number or -1; anything else ends the program, nobody is there to be told.
int descriptor_number(std::string_view text) {
    if (text == "-1")
        return -1;
    int number = 0;
    for (char const digit : text) {
        if (digit < '0' || digit > '9' || number > 100000000)
            leave(1);
        number = number * 10 + (digit - '0');
    }
    if (number < 3)
        leave(1);
    return number;
}

/// The descriptors that are still needed, ascending, each above those of the container's process.
class Needed {
public:
    void add(int descriptor, unsigned preserved) {
        if (descriptor < 3 || static_cast<unsigned>(descriptor) - 3 < preserved)
            refuse("a descriptor that is needed lies among the preserved ones");
        if (count_ == most)
            refuse("too many descriptors");
        std::size_t place = count_++;
        for (; place > 0 && descriptors_[place - 1] > descriptor; --place)
            descriptors_[place] = descriptors_[place - 1];
        descriptors_[place] = descriptor;
    }
    std::span<int const> list() const { return {descriptors_, count_}; }

private:
    static constexpr std::size_t most = 16; // wire, gate and a namespace of each of eight kinds
    int descriptors_[most]{};
    std::size_t count_ = 0;
};

void close_everything_else(Request const& request, Process& process) {
    Arguments close_record;
    if (request.find(RecordKind::close_descriptors, close_record))
        process.preserved = close_record.number32();
    Needed needed;
    needed.add(process.wire, process.preserved);
    if (process.gate >= 0)
        needed.add(process.gate, process.preserved);
    Arguments join_record;
    if (request.find(RecordKind::join_namespaces, join_record)) {
        std::size_t const count = join_record.count(2);
        for (std::size_t index = 0; index < count; ++index) {
            (void)join_record.number();
            needed.add(static_cast<int>(join_record.number32() & 0x7fffffffU), process.preserved);
        }
    }
    close_strangers(process.preserved, needed.list());
}

void take_turns(Process& process) {
    if (process.wire < 0)
        refuse("a turn after the gate");
    std::string_view const text = exchange_turns(process.wire, process.label_files);
    if (!text.empty())
        process.state = text;
}

void perform(Task const& task, Process& process) {
    switch (task.kind) {
    case RecordKind::turn:
        return take_turns(process);
    case RecordKind::join_namespaces:
        return join_namespaces(task.arguments, process);
    case RecordKind::join_keyring:
        return join_keyring(task.arguments);
    case RecordKind::set_user:
        return set_user(task.arguments, process);
    case RecordKind::set_capabilities:
        return set_capabilities(task.arguments);
    case RecordKind::no_new_privileges:
        return set_no_new_privileges();
    case RecordKind::change_directory:
        return change_directory(task.arguments, process);
    case RecordKind::find_program:
        return; // needs the arguments of `execute`: see main
    case RecordKind::wait_for_start:
        return wait_for_start(process);
    case RecordKind::run_hooks:
        return run_hooks(task.arguments, process);
    case RecordKind::set_resource_limits:
        return set_resource_limits(task.arguments);
    case RecordKind::set_personality:
        return set_personality(task.arguments);
    case RecordKind::set_memory_policy:
        return set_memory_policy(task.arguments);
    case RecordKind::set_label:
        return set_label(task.arguments, process);
    case RecordKind::close_descriptors:
        return close_descriptors(process); // the argument was read at the start
    case RecordKind::load_seccomp:
        return load_seccomp(task.arguments, process);
    case RecordKind::execute:
        execute(process);
    }
}

} // namespace

} // namespace oci::finisher

int main(int argc, char** argv) {
    using namespace oci::finisher;
    if (argc != 5)
        leave(1);
    int const descriptor = descriptor_number(argv[2]);
    Process process;
    process.wire = descriptor_number(argv[3]);
    process.gate = descriptor_number(argv[4]);
    speak_to(process.wire);
    hide_from_others(); // execve(2) has set it anew
    if (::prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) != 0)
        fail(errno, "prctl PR_SET_PDEATHSIG");
    (void)::prctl(PR_SET_NAME, "oci-run:init", 0, 0, 0);
    block_signals();

    Request const request(map_request(descriptor));
    (void)::close(descriptor);
    close_everything_else(request, process);
    Arguments execute_record;
    bool const has_program = request.find(RecordKind::execute, execute_record);

    std::size_t position = request.begin();
    for (std::uint32_t index = 0; index < request.records(); ++index) {
        Task const task = request.next(position);
        set_task(task.description);
        if (task.kind == RecordKind::find_program && !has_program)
            refuse("a program to find, but none to run");
        else if (task.kind == RecordKind::find_program)
            find_program(execute_record, process);
        else
            perform(task, process);
    }
    fail(0, "there is no program to run"); // `execute` does not return
}
