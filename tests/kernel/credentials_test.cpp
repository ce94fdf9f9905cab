// SPDX-License-Identifier: Apache-2.0
#include "kernel/credentials.h"

#include "support.h"

#include <array>
#include <grp.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>

#include "kernel/process.h"

namespace oci::kernel {
namespace {

/// "CapEff" and the like of the calling process.
std::uint64_t capability_set(std::string_view key) {
    auto const status = read_file(AT_FDCWD, "/proc/self/status", 1U << 16U).value();
    for (auto const line : split(status, '\n'))
        if (line.starts_with(concat(key, ":")))
            return parse_number<std::uint64_t>(trim(line.substr(key.size() + 1)), 16).value_or(0);
    return 0;
}

TEST(Become, changes_all_ids_and_keeps_the_capabilities) {
    NEEDS_ROOT();
    EXPECT_EQ("", in_child([]() -> std::string {
                  gid_t const groups[] = {5, 6};
                  REQUIRE(::setgroups(2, groups) == 0);
                  auto const permitted = capability_set("CapPrm");
                  REQUIRE(permitted != 0);
                  REQUIRE_GOOD(become(1234, 5678));
                  uid_t uids[3];
                  gid_t gids[3];
                  REQUIRE(::getresuid(&uids[0], &uids[1], &uids[2]) == 0 &&
                          ::getresgid(&gids[0], &gids[1], &gids[2]) == 0);
                  for (int i = 0; i < 3; ++i)
                      REQUIRE(uids[i] == 1234 && gids[i] == 5678);
                  REQUIRE(::setfsuid(static_cast<uid_t>(-1)) == 1234 && ::setfsgid(static_cast<gid_t>(-1)) == 5678);
                  REQUIRE(::getgroups(0, nullptr) == 0);
                  REQUIRE(capability_set("CapPrm") == permitted && capability_set("CapEff") == permitted);
                  return "";
              }));
}

TEST(Become, works_where_setgroups_is_denied) {
    auto const uid = ::getuid();
    auto const gid = ::getgid();
    auto const failure = in_child([&]() -> std::string {
        if (!unshare(CLONE_NEWUSER))
            return "skip";
        REQUIRE_GOOD(write_control_file(AT_FDCWD, "/proc/self/setgroups", "deny"));
        REQUIRE_GOOD(write_control_file(AT_FDCWD, "/proc/self/uid_map", concat("7 ", uid, " 1")));
        REQUIRE_GOOD(write_control_file(AT_FDCWD, "/proc/self/gid_map", concat("8 ", gid, " 1")));
        REQUIRE_GOOD(become(7, 8));
        REQUIRE(::getuid() == 7 && ::getegid() == 8);
        REQUIRE(capability_set("CapEff") == capability_set("CapPrm") && capability_set("CapEff") != 0);
        REQUIRE(errno_of(become(9, 8)) == EINVAL);
        return "";
    });
    if (failure == "skip")
        GTEST_SKIP() << "no user namespaces";
    EXPECT_EQ("", failure);
}

TEST(KeepCapabilities, survive_execve_as_another_user) {
    NEEDS_ROOT();
    EXPECT_EQ("", in_child([]() -> std::string {
                  auto const permitted = capability_set("CapPrm");
                  REQUIRE_GOOD(become(1234, 5678));
                  REQUIRE_GOOD(keep_capabilities_over_exec());
                  REQUIRE(capability_set("CapInh") == permitted && capability_set("CapAmb") == permitted);
                  auto const shell = openat(AT_FDCWD, "/bin/sh", O_PATH);
                  auto const process = clone3({});
                  REQUIRE_GOOD(process);
                  if (process->pid == 0) {
                      std::array<char, 17> hex{};
                      std::snprintf(hex.data(), hex.size(), "%016llx", static_cast<unsigned long long>(permitted));
                      execveat(shell->get(), {"sh", "-c", "grep -q \"CapEff:.*$0\" /proc/self/status", hex.data()},
                               {"PATH=/usr/bin:/bin"});
                      ::_exit(99);
                  }
                  REQUIRE(reap(process->pidfd.get()).value() == 0);
                  return "";
              }));
}

TEST(Bounding, set_is_what_proc_says) {
    EXPECT_EQ(capability_set("CapBnd"), bounding_capabilities());
    NEEDS_ROOT();
    EXPECT_EQ("", in_child([]() -> std::string {
                  REQUIRE(::prctl(PR_CAPBSET_DROP, 0UL, 0UL, 0UL, 0UL) == 0);
                  REQUIRE((bounding_capabilities() & 1U) == 0);
                  REQUIRE(capability_set("CapBnd") == bounding_capabilities());
                  return "";
              }));
}

} // namespace
} // namespace oci::kernel
