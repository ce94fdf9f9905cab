// SPDX-License-Identifier: Apache-2.0
#include "perform/finisher_request.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/names.h"
#include "base/text.h"
#include "finisher/protocol.h"

namespace oci::perform {

namespace {

using finisher::RecordKind;

/// The bytes of one plain value, appended.
template <typename Value>
void append_bytes(std::string& out, Value const& value) {
    out.append(reinterpret_cast<char const*>(&value), sizeof value);
}

/// Records and strings grow side by side; offsets of strings count from the start of the table until both are put
/// together.
class RequestWriter {
public:
    void begin(RecordKind kind, std::string_view description) {
        records_.push_back({.kind = kind, .description = add_text(description), .words = {}});
    }
    void number(std::uint64_t value) { records_.back().words.push_back({.value = value, .is_text = false}); }
    void text(std::string_view value) {
        finisher::Text const placed = add_text(value);
        std::uint64_t word = 0;
        std::memcpy(&word, &placed, sizeof placed);
        records_.back().words.push_back({.value = word, .is_text = true});
    }
    void texts(std::vector<std::string> const& values) {
        number(values.size());
        for (auto const& value : values)
            text(value);
    }
    std::string finish() const;

private:
    struct Word {
        std::uint64_t value;
        bool is_text;
    };
    struct Entry {
        RecordKind kind;
        finisher::Text description;
        std::vector<Word> words;
    };

    finisher::Text add_text(std::string_view value) {
        finisher::Text const placed{.offset = static_cast<std::uint32_t>(strings_.size()),
                                    .length = static_cast<std::uint32_t>(value.size())};
        strings_ += value;
        strings_ += '\0';
        return placed;
    }

    std::vector<Entry> records_;
    std::string strings_;
};

std::uint64_t moved(std::uint64_t word, std::uint32_t by) {
    finisher::Text text{};
    std::memcpy(&text, &word, sizeof text);
    text.offset += by;
    std::memcpy(&word, &text, sizeof text);
    return word;
}

std::string RequestWriter::finish() const {
    std::size_t size = sizeof(finisher::RequestHeader);
    for (auto const& entry : records_)
        size += sizeof(finisher::Record) + entry.words.size() * sizeof(std::uint64_t);
    auto const table = static_cast<std::uint32_t>(size);
    std::string out;
    out.reserve(size + strings_.size());
    append_bytes(out, finisher::RequestHeader{.magic = finisher::request_magic,
                                              .size = static_cast<std::uint32_t>(size + strings_.size()),
                                              .records = static_cast<std::uint32_t>(records_.size()),
                                              .reserved = 0});
    for (auto const& entry : records_) {
        append_bytes(out, finisher::Record{.kind = static_cast<std::uint32_t>(entry.kind),
                                           .words = static_cast<std::uint32_t>(entry.words.size()),
                                           .description = {.offset = entry.description.offset + table,
                                                           .length = entry.description.length}});
        for (auto const& word : entry.words)
            append_bytes(out, word.is_text ? moved(word.value, table) : word.value);
    }
    return out + strings_;
}

/// One overload for each step that the finisher does: its kind, and its arguments in the order of protocol.h.
class StepCompiler {
public:
    StepCompiler(RequestWriter& writer, std::span<int const> joined)
        : writer_(writer)
        , joined_(joined) {}

    void operator()(steps::JoinContainer const& step) const {
        begin(RecordKind::join_namespaces, step);
        auto types = step.namespaces;
        if (step.enter_root)
            types.push_back(0);
        writer_.number(types.size());
        for (std::size_t index = 0; index < types.size(); ++index) {
            // A missing one (-1) is refused by the finisher: nothing runs in fewer namespaces than planned.
            int const descriptor = index < joined_.size() ? joined_[index] : -1;
            writer_.number(types[index]);
            writer_.number(static_cast<std::uint64_t>(descriptor));
        }
        writer_.number(step.terminal ? 1 : 0);
    }
    void operator()(steps::SetLabel const& step) const {
        begin(RecordKind::set_label, step);
        writer_.number(step.file);
        // AppArmor's files take commands.
        writer_.text(step.label == steps::Label::apparmor_process ? concat("exec ", step.value) : step.value);
    }
    void operator()(steps::JoinSessionKeyring const& step) const {
        begin(RecordKind::join_keyring, step);
        writer_.text(step.name);
    }
    void operator()(steps::SetUser const& step) const {
        begin(RecordKind::set_user, step);
        writer_.number(step.uid);
        writer_.number(step.gid);
        writer_.number(step.umask);
        writer_.number(step.own_streams ? 1 : 0);
        writer_.number(step.keep_groups ? 1 : 0);
        writer_.number(step.groups.size());
        for (auto const group : step.groups)
            writer_.number(group);
    }
    void operator()(steps::SetCapabilities const& step) const {
        begin(RecordKind::set_capabilities, step);
        writer_.number(step.bounding);
        writer_.number(step.effective);
        writer_.number(step.inheritable);
        writer_.number(step.permitted);
        writer_.number(step.ambient);
        writer_.number(step.keep_for_seccomp ? 1 : 0);
        capability_names(step.bounding | step.effective | step.inheritable | step.permitted | step.ambient);
    }
    void operator()(steps::SetNoNewPrivileges const& step) const { begin(RecordKind::no_new_privileges, step); }
    void operator()(steps::ChangeDirectory const& step) const {
        begin(RecordKind::change_directory, step);
        writer_.text(step.path);
    }
    void operator()(steps::FindProgram const& step) const { begin(RecordKind::find_program, step); }
    void operator()(steps::WaitForStart const& step) const { begin(RecordKind::wait_for_start, step); }
    void operator()(steps::RunHooks const& step) const {
        begin(RecordKind::run_hooks, step);
        writer_.text(step.kind);
        writer_.number(step.hooks.size());
        for (auto const& hook : step.hooks)
            hook_program(hook);
    }
    void operator()(steps::SetResourceLimits const& step) const {
        begin(RecordKind::set_resource_limits, step);
        writer_.number(step.limits.size());
        for (auto const& limit : step.limits) {
            writer_.number(static_cast<std::uint64_t>(limit.resource));
            writer_.number(limit.soft);
            writer_.number(limit.hard);
            writer_.text(rlimit_name(limit.resource));
        }
    }
    void operator()(steps::SetPersonality const& step) const {
        begin(RecordKind::set_personality, step);
        writer_.number(step.domain);
    }
    void operator()(steps::SetMemoryPolicy const& step) const {
        begin(RecordKind::set_memory_policy, step);
        writer_.number(step.mode | step.flags);
        auto mask = step.mask;
        mask.resize((mask.size() + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t) * sizeof(std::uint64_t));
        writer_.number(mask.size() / sizeof(std::uint64_t));
        for (std::size_t at = 0; at < mask.size(); at += sizeof(std::uint64_t)) {
            std::uint64_t word = 0;
            std::memcpy(&word, mask.data() + at, sizeof word);
            writer_.number(word);
        }
    }
    void operator()(steps::CloseDescriptors const& step) const {
        begin(RecordKind::close_descriptors, step);
        writer_.number(step.preserved);
    }
    void operator()(steps::LoadSeccomp const& step) const {
        begin(RecordKind::load_seccomp, step);
        writer_.number(step.flags);
        writer_.number(step.program.size());
        for (auto const instruction : step.program)
            writer_.number(instruction);
    }
    void operator()(steps::Execute const& step) const {
        begin(RecordKind::execute, step);
        writer_.texts(step.arguments);
        writer_.texts(step.environment);
        writer_.number(step.listens ? 1 : 0);
    }
    /// Steps of the runtime and of the set-up child: no plan gives them to the finisher (a unit test sees to that).
    template <typename Other>
    void operator()(Other const&) const {}

private:
    void begin(RecordKind kind, steps::Operation const& operation) const {
        writer_.begin(kind, steps::describe_briefly(operation));
    }
    void hook_program(steps::HookProgram const& hook) const {
        writer_.text(hook.path);
        writer_.number(static_cast<std::uint64_t>(std::max(hook.timeout.value_or(0), 0)));
        writer_.number(hook.environment ? 1 : 0);
        writer_.texts(hook.arguments);
        writer_.texts(hook.environment.value_or(std::vector<std::string>{}));
    }
    void capability_names(std::uint64_t set) const {
        auto const names = oci::capability_names();
        std::vector<unsigned> numbers;
        for (unsigned number = 0; number < 64; ++number)
            if ((set >> number & 1U) != 0)
                numbers.push_back(number);
        writer_.number(numbers.size());
        for (auto const number : numbers) {
            writer_.number(number);
            writer_.text(number < names.size() ? std::string(names[number]) : concat("capability ", number));
        }
    }

    RequestWriter& writer_;
    std::span<int const> joined_;
};

} // namespace

std::string compile_finisher_request(steps::Plan const& plan, std::span<int const> joined) {
    RequestWriter writer;
    bool begun = false;
    bool others_between = false;
    for (auto const& step : plan) {
        if (step.actor != steps::Actor::finisher) {
            begun = begun || std::holds_alternative<steps::BecomeFinisher>(step.operation);
            others_between = begun && step.actor == steps::Actor::runtime;
            continue;
        }
        if (others_between)
            writer.begin(RecordKind::turn, "wait for the runtime");
        begun = true;
        others_between = false;
        std::visit(StepCompiler(writer, joined), step.operation);
    }
    return writer.finish();
}

} // namespace oci::perform
