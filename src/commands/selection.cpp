// SPDX-License-Identifier: Apache-2.0
// The containers that a command is for: one by its id, or all whose ids match a regular expression.
#include <array>
#include <regex.h>

#include "base/defer.h"
#include "commands/common.h"

namespace oci::commands {

namespace {

Result<std::vector<std::string>> matching(std::vector<std::string> const& ids, std::string const& pattern) {
    ::regex_t regex;
    if (int const error = ::regcomp(&regex, pattern.c_str(), REG_EXTENDED | REG_NOSUB); error != 0) {
        std::array<char, 256> text{};
        ::regerror(error, &regex, text.data(), text.size());
        return fail("--regex: ", json_string(pattern), ": ", text.data());
    }
    Defer const free_regex([&] { ::regfree(&regex); });
    std::vector<std::string> found;
    for (auto const& id : ids)
        if (::regexec(&regex, id.c_str(), 0, nullptr, 0) == 0)
            found.push_back(id);
    return found;
}

} // namespace

Result<int> for_each_named(std::string_view command, Invocation const& invocation, std::string const& root,
                           std::function<Result<void>(std::string const& id)> const& action) {
    auto const& argument = invocation.arguments[0];
    if (!invocation.options.flag("regex")) {
        TRY(action(TRY(container_id(argument))));
        return 0;
    }
    int exit_code = 0;
    for (auto const& id : TRY(matching(TRY(state::container_ids(root)), argument)))
        // One that is gone meanwhile does not match any more.
        if (auto const done = action(id); !done && !state::is_missing_container(done.error())) {
            log_error(concat(command, " ", id, ": ", done.error().message));
            exit_code = 1;
        }
    return exit_code;
}

} // namespace oci::commands
