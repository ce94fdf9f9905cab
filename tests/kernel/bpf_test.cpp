// SPDX-License-Identifier: Apache-2.0
// Device programs on a cgroup made for the test.
#include "kernel/bpf.h"

#include "support.h"

#include <linux/bpf.h>
#include <sys/syscall.h>

#include "kernel/host.h"
#include "kernel/process.h"

namespace oci::kernel {
namespace {

// r0 = 0 (or 1); exit. struct bpf_insn: code, registers, offset, immediate, from the lowest byte.
constexpr std::uint64_t return_zero = 0x00000000000000b7;
constexpr std::uint64_t return_one = 0x00000001000000b7;
constexpr std::uint64_t leave = 0x0000000000000095;
constexpr std::uint64_t deny_all[] = {return_zero, leave};
constexpr std::uint64_t allow_all[] = {return_one, leave};

class DeviceProgram : public testing::Test {
protected:
    void SetUp() override {
        auto const facts = observe_host();
        if (::geteuid() != 0 || !facts || facts->cgroup2_mount.empty())
            GTEST_SKIP() << "needs root and cgroup2";
        path_ = concat(facts->cgroup2_mount, "/oci-run-test-", ::getpid());
        ASSERT_EQ(0, ::mkdir(path_.c_str(), 0755));
        cgroup_ = Fd(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        auto const query = attached_device_programs(cgroup_.get());
        if (!query)
            GTEST_SKIP() << query.error().message;
    }
    void TearDown() override {
        if (!path_.empty())
            ::rmdir(path_.c_str());
    }

    /// What a process in the cgroup gets for opening /dev/null: 0 or an errno value.
    int open_null() const {
        CloneRequest request;
        request.cgroup = cgroup_.get();
        auto const process = clone3(request);
        if (process && process->pid == 0)
            ::_exit(::open("/dev/null", O_RDWR | O_CLOEXEC) >= 0 ? 0 : errno);
        return reap(process->pidfd.get()).value();
    }

    std::size_t attached_count() const { return attached_device_programs(cgroup_.get())->size(); }

    std::string path_;
    Fd cgroup_;
};

void attach_one_more(int cgroup, int program, unsigned flags) {
    union ::bpf_attr attributes {};
    attributes.target_fd = static_cast<std::uint32_t>(cgroup);
    attributes.attach_bpf_fd = static_cast<std::uint32_t>(program);
    attributes.attach_type = BPF_CGROUP_DEVICE;
    attributes.attach_flags = flags;
    ASSERT_EQ(0, ::syscall(SYS_bpf, BPF_PROG_ATTACH, &attributes, sizeof attributes));
}

TEST_F(DeviceProgram, decides) {
    EXPECT_EQ(0, open_null());
    auto const program = load_device_program(deny_all);
    ASSERT_TRUE(good(program));
    EXPECT_EQ(FD_CLOEXEC, ::fcntl(program->get(), F_GETFD));
    ASSERT_TRUE(good(attach_device_program(cgroup_.get(), program->get())));
    EXPECT_EQ(EPERM, open_null());
    EXPECT_EQ(1U, attached_count());
    EXPECT_TRUE(good(attach_device_program(cgroup_.get(), program->get()))) << "once more is no error";
    EXPECT_EQ(1U, attached_count());
}

TEST_F(DeviceProgram, replaces_the_one_before) {
    auto const deny = load_device_program(deny_all);
    auto const allow = load_device_program(allow_all);
    ASSERT_TRUE(good(attach_device_program(cgroup_.get(), deny->get())));
    auto const before = attached_device_programs(cgroup_.get()).value();
    ASSERT_TRUE(good(attach_device_program(cgroup_.get(), allow->get())));
    EXPECT_EQ(1U, attached_count());
    EXPECT_NE(before, attached_device_programs(cgroup_.get()).value());
    EXPECT_EQ(0, open_null());
}

TEST_F(DeviceProgram, replaces_several) {
    auto const deny_one = load_device_program(deny_all);
    auto const deny_two = load_device_program(deny_all);
    attach_one_more(cgroup_.get(), deny_one->get(), BPF_F_ALLOW_MULTI);
    attach_one_more(cgroup_.get(), deny_two->get(), BPF_F_ALLOW_MULTI);
    EXPECT_EQ(2U, attached_count());
    auto const allow = load_device_program(allow_all);
    ASSERT_TRUE(good(attach_device_program(cgroup_.get(), allow->get())));
    EXPECT_EQ(1U, attached_count());
    EXPECT_EQ(0, open_null());
}

TEST_F(DeviceProgram, replaces_one_that_was_attached_exclusively) {
    auto const deny = load_device_program(deny_all);
    attach_one_more(cgroup_.get(), deny->get(), 0);
    auto const allow = load_device_program(allow_all);
    ASSERT_TRUE(good(attach_device_program(cgroup_.get(), allow->get())));
    EXPECT_EQ(1U, attached_count());
    EXPECT_EQ(0, open_null());
}

TEST_F(DeviceProgram, refusal_of_the_verifier_is_told) {
    std::uint64_t const endless[] = {return_zero};
    auto const refused = load_device_program(endless);
    ASSERT_FALSE(refused);
    EXPECT_EQ(EINVAL, refused.error().errno_value);
    EXPECT_TRUE(refused.error().message.starts_with("bpf BPF_PROG_LOAD: invalid argument ("))
        << refused.error().message;
    EXPECT_TRUE(contains(refused.error().message, "last insn")) << refused.error().message;
}

TEST_F(DeviceProgram, a_folder_that_is_no_cgroup_is_refused) {
    auto const program = load_device_program(allow_all);
    auto const folder = openat(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY);
    EXPECT_FALSE(attach_device_program(folder->get(), program->get()));
}

} // namespace
} // namespace oci::kernel
