// SPDX-License-Identifier: Apache-2.0
#include "spec/names.h"

#include <gtest/gtest.h>
#include <set>
#include <string>

namespace oci::spec {
namespace {

TEST(MountOptions, EachOneIsFoundByItsName) {
    std::set<std::string_view> names;
    for (auto const& option : mount_options()) {
        EXPECT_EQ(find_mount_option(option.name), &option) << option.name;
        EXPECT_TRUE(names.insert(option.name).second) << option.name;
    }
}

TEST(MountOptions, OthersAreNot) {
    for (auto const* const name : {"", "a", "size=1", "RO", "ro ", "zzz", "idmap=", "mode"})
        EXPECT_EQ(find_mount_option(name), nullptr) << name;
}

TEST(MountOptions, AreThoseOfTheSpecification) {
    // config.md, Linux mount options; rnodev is in its mount_setattr family and in its example of the features
    // document.
    std::set<std::string_view> const expected = {"async",       "atime",         "bind",
                                                 "defaults",    "dev",           "diratime",
                                                 "dirsync",     "exec",          "iversion",
                                                 "lazytime",    "loud",          "mand",
                                                 "noatime",     "nodev",         "nodiratime",
                                                 "noexec",      "noiversion",    "nolazytime",
                                                 "nomand",      "norelatime",    "nosuid",
                                                 "nosymfollow", "nostrictatime", "private",
                                                 "ratime",      "rbind",         "rdev",
                                                 "rdiratime",   "relatime",      "remount",
                                                 "rexec",       "rnoatime",      "rnodev",
                                                 "rnodiratime", "rnoexec",       "rnorelatime",
                                                 "rnosuid",     "rnosymfollow",  "rnostrictatime",
                                                 "ro",          "rprivate",      "rrelatime",
                                                 "rro",         "rrw",           "rshared",
                                                 "rslave",      "rstrictatime",  "rsuid",
                                                 "rsymfollow",  "runbindable",   "rw",
                                                 "shared",      "silent",        "slave",
                                                 "strictatime", "suid",          "symfollow",
                                                 "sync",        "tmpcopyup",     "unbindable",
                                                 "idmap",       "ridmap"};
    std::set<std::string_view> names;
    for (auto const& option : mount_options())
        names.insert(option.name);
    EXPECT_EQ(names, expected);
}

TEST(MountOptions, EachNegativeTakesAwayItsPositive) {
    for (auto const* const pair :
         {"ro/rw", "nosuid/suid", "nodev/dev", "noexec/exec", "nodiratime/diratime", "nosymfollow/symfollow", "rro/rrw",
          "rnosuid/rsuid", "rnodev/rdev", "rnoexec/rexec", "rnodiratime/rdiratime", "rnosymfollow/rsymfollow",
          "sync/async", "lazytime/nolazytime", "mand/nomand", "iversion/noiversion", "silent/loud"}) {
        std::string const text = pair;
        auto const* const positive = find_mount_option(text.substr(0, text.find('/')));
        auto const* const negative = find_mount_option(text.substr(text.find('/') + 1));
        ASSERT_NE(positive, nullptr) << pair;
        ASSERT_NE(negative, nullptr) << pair;
        EXPECT_NE(positive->set, 0U) << pair;
        EXPECT_EQ(positive->set, negative->clear) << pair;
        EXPECT_EQ(positive->kind, negative->kind) << pair;
        EXPECT_EQ(positive->superblock_flag, negative->superblock_flag) << pair;
    }
}

TEST(Names, ListsOfSeccomp) {
    EXPECT_EQ(seccomp_actions().size(), 9U);
    EXPECT_EQ(seccomp_operators().size(), 7U);
    EXPECT_EQ(seccomp_architectures().size(), 19U);
    EXPECT_EQ(seccomp_flags().size(), 4U);
    EXPECT_EQ(hook_names().size(), 6U);
}

} // namespace
} // namespace oci::spec
