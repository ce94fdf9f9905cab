// SPDX-License-Identifier: Apache-2.0
#include "config.h"

namespace oci::spec {
namespace {

class HookProblem : public testing::TestWithParam<BadConfig> {};

TEST_P(HookProblem, IsFound) {
    expect_problem(GetParam());
}

constexpr auto section = "config.md#posix-platform-hooks";

INSTANTIATE_TEST_SUITE_P(
    Hooks, HookProblem,
    testing::Values(
        BadConfig{{{"/hooks", "[]"}}, "/hooks", "must be an object, is an array", section},
        BadConfig{{{"/hooks", R"({"poststop": {}})"}}, "/hooks/poststop", "must be an array, is an object", section},
        BadConfig{{{"/hooks", R"({"prestart": [null]})"}}, "/hooks/prestart/0", "must not be null", section},
        BadConfig{{{"/hooks", R"({"prestart": [{}]})"}}, "/hooks/prestart/0/path", "is required", section},
        BadConfig{{{"/hooks", R"({"createRuntime": [{"path": "bin/x"}]})"}},
                  "/hooks/createRuntime/0/path",
                  R"(must be an absolute path, is "bin/x")",
                  section},
        BadConfig{{{"/hooks", R"({"createContainer": [{"path": "/x", "timeout": 0}]})"}},
                  "/hooks/createContainer/0/timeout",
                  "must be an integer from 1 to",
                  section},
        BadConfig{{{"/hooks", R"({"startContainer": [{"path": "/x", "timeout": -3}]})"}},
                  "/hooks/startContainer/0/timeout",
                  "must be an integer from 1 to",
                  section},
        BadConfig{{{"/hooks", R"({"poststart": [{"path": "/x"}, {"path": "/y", "args": ["a", "b\u0000"]}]})"}},
                  "/hooks/poststart/1/args/1",
                  "NUL",
                  section},
        BadConfig{{{"/hooks", R"({"poststop": [{"path": "/x", "env": ["A=\u0000"]}]})"}},
                  "/hooks/poststop/0/env/0",
                  "NUL",
                  section}));

TEST(Hooks, AreReadByKind) {
    auto const hooks = good_spec({{"/hooks", R"({
        "prestart": [{"path": "/a"}],
        "createRuntime": [{"path": "/b", "args": ["b", "1"], "env": [], "timeout": 3}, {"path": "/b2"}],
        "createContainer": [{"path": "/c", "env": ["K=V"]}],
        "startContainer": [{"path": "/d"}],
        "poststart": [{"path": "/e"}],
        "poststop": [{"path": "/f"}],
        "later": "ignored"
    })"}}).hooks;
    EXPECT_EQ(hooks[HookKind::prestart], (std::vector<Hook>{{"/a", {}, {}, {}}}));
    EXPECT_EQ(hooks[HookKind::create_runtime],
              (std::vector<Hook>{{"/b", {"b", "1"}, std::vector<std::string>{}, 3}, {"/b2", {}, {}, {}}}));
    EXPECT_EQ(hooks[HookKind::create_container], (std::vector<Hook>{{"/c", {}, std::vector<std::string>{"K=V"}, {}}}));
    EXPECT_EQ(hooks[HookKind::start_container], (std::vector<Hook>{{"/d", {}, {}, {}}}));
    EXPECT_EQ(hooks[HookKind::poststart], (std::vector<Hook>{{"/e", {}, {}, {}}}));
    EXPECT_EQ(hooks[HookKind::poststop], (std::vector<Hook>{{"/f", {}, {}, {}}}));
}

} // namespace
} // namespace oci::spec
