// SPDX-License-Identifier: Apache-2.0
// The compiled request as data, and requests that oci-run would never make: the finisher refuses them and never
// crashes.
#include <random>
#include <sys/mman.h>

#include "support.h"

namespace oci::perform {

namespace {

struct RecordView {
    finisher::Record record;
    std::size_t words; ///< where they begin
};

std::vector<RecordView> records_of(std::string const& request) {
    finisher::RequestHeader header{};
    std::memcpy(&header, request.data(), sizeof header);
    std::vector<RecordView> views;
    std::size_t position = sizeof header;
    for (std::uint32_t index = 0; index < header.records; ++index) {
        RecordView view{};
        std::memcpy(&view.record, request.data() + position, sizeof view.record);
        view.words = position + sizeof view.record;
        position = view.words + view.record.words * sizeof(std::uint64_t);
        views.push_back(view);
    }
    return views;
}

std::vector<finisher::RecordKind> kinds_of(std::string const& request) {
    std::vector<finisher::RecordKind> kinds;
    for (auto const& view : records_of(request))
        kinds.push_back(static_cast<finisher::RecordKind>(view.record.kind));
    return kinds;
}

TEST(FinisherRequest, HasARecordForEachStepAndATurnWhereOthersAct) {
    using finisher::RecordKind;
    steps::Plan const plan = {runtime_step(),
                              {Actor::container, steps::BecomeFinisher{}},
                              finisher_step(steps::SetUser{.groups = {}}),
                              finisher_step(find("a")),
                              runtime_step(),
                              runtime_step(),
                              finisher_step(steps::WaitForStart{}),
                              finisher_step(steps::CloseDescriptors{}),
                              finisher_step(execute({"a"})),
                              runtime_step()};
    std::vector<RecordKind> const expected = {
        RecordKind::set_user,       RecordKind::find_program,      RecordKind::turn,
        RecordKind::wait_for_start, RecordKind::close_descriptors, RecordKind::execute};
    EXPECT_EQ(kinds_of(compile_finisher_request(plan)), expected);
}

TEST(FinisherRequest, DescribesEachRecordAsThePlanDoes) {
    auto const plan = plan_of({steps::ChangeDirectory{"/usr"}}, execute({"a", "b"}));
    auto const request = compile_finisher_request(plan);
    auto const first = records_of(request).front();
    EXPECT_EQ(request.substr(first.record.description.offset, first.record.description.length),
              steps::describe(plan.front().operation));
    EXPECT_EQ(request.back(), '\0');
}

/// What the finisher makes of a request, whatever it is. Turns are answered.
int outcome_of(std::string const& request) {
    RunningFinisher running(request);
    running.serve();
    return running.status();
}

std::string harmless_request() {
    return compile_finisher_request(plan_of({steps::ChangeDirectory{"/"}}, execute({"true"}, {"PATH=/bin", "A=b"})));
}

TEST(FinisherRequest, IsRefusedWhenItIsCut) {
    auto const request = harmless_request();
    ASSERT_EQ(outcome_of(request), 0);
    for (std::size_t size = 1; size < request.size(); size += 3)
        EXPECT_EQ(outcome_of(request.substr(0, size)), 1) << "cut after " << size;
    EXPECT_EQ(outcome_of(request + "more"), 1);
}

TEST(FinisherRequest, IsRefusedWhenItIsCutAndItsSizeSaysSo) {
    auto const request = harmless_request();
    for (std::size_t size = sizeof(finisher::RequestHeader); size < request.size(); size += 3) {
        auto cut = request.substr(0, size);
        auto const size32 = static_cast<std::uint32_t>(size);
        std::memcpy(cut.data() + offsetof(finisher::RequestHeader, size), &size32, sizeof size32);
        EXPECT_EQ(outcome_of(cut), 1) << "cut after " << size;
    }
}

TEST(FinisherRequest, NeverCrashesTheFinisher) {
    // Every 32-bit word before the strings, replaced by values at the edges.
    auto const request = harmless_request();
    auto const records = records_of(request);
    auto const end = records.back().words + records.back().record.words * sizeof(std::uint64_t);
    for (std::size_t place = 0; place < end; place += sizeof(std::uint32_t)) {
        for (std::uint32_t const value : {0U, 1U, 15U, 0x7fffffffU, 0xfffffff0U, 0xffffffffU}) {
            auto changed = request;
            std::memcpy(changed.data() + place, &value, sizeof value);
            auto const status = outcome_of(changed);
            EXPECT_TRUE(status == 0 || status == 1) << "at " << place << " " << value << ": " << status;
        }
    }
}

TEST(FinisherRequest, NeverCrashesTheFinisherByChance) {
    auto const request = harmless_request();
    std::mt19937 random(1); // the same sequence in every run
    for (int round = 0; round < 400; ++round) {
        auto changed = request;
        for (unsigned count = random() % 4 + 1; count > 0; --count) {
            auto const place = random() % changed.size();
            changed[place] = static_cast<char>(static_cast<unsigned char>(changed[place]) ^ (1U << random() % 8U));
        }
        auto const status = outcome_of(changed);
        EXPECT_TRUE(status >= 0 && status < 99) << "round " << round << ": " << status;
    }
}

TEST(FinisherRequest, IsRefusedWhenItIsNotSealed) {
    auto const request = harmless_request();
    kernel::Fd const memory(::memfd_create("open", MFD_CLOEXEC));
    ASSERT_EQ(::write(memory.get(), request.data(), request.size()), static_cast<ssize_t>(request.size()));
    RunningFinisher running(request, {.request = memory.get()});
    running.serve();
    EXPECT_EQ(running.status(), 1);
    EXPECT_EQ(running.failure_text(), "malformed request: not sealed");
}

TEST(FinisherRequest, IsRefusedWhenNeededDescriptorsArePreservedOnes) {
    auto plan = plan_of({}, execute({"true"}));
    for (auto& step : plan)
        if (auto* const close = std::get_if<steps::CloseDescriptors>(&step.operation))
            close->preserved = 100;
    RunningFinisher running(plan);
    running.serve();
    EXPECT_EQ(running.status(), 1);
    EXPECT_TRUE(running.failure_text().find("among the preserved") != std::string::npos) << running.failure_text();
}

TEST(FinisherRequest, NeedsThreeNumbers) {
    auto program = kernel::sealed_program("finisher", finisher_image());
    ASSERT_TRUE(program);
    for (auto const& arguments : std::vector<std::vector<std::string>>{{"oci-run"},
                                                                       {"oci-run", "init", "3", "4"},
                                                                       {"oci-run", "init", "x", "4", "5"},
                                                                       {"oci-run", "init", "3", "", "-1"}}) {
        pid_t const pid = ::fork();
        if (pid == 0) {
            (void)kernel::execveat(program->get(), arguments, {});
            ::_exit(99);
        }
        int status = 0;
        ASSERT_EQ(::waitpid(pid, &status, 0), pid);
        EXPECT_EQ(status, 1 << 8);
    }
}

} // namespace

} // namespace oci::perform
