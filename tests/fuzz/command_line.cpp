// SPDX-License-Identifier: Apache-2.0
// The command line, one word a line, for every command; and the values that options take.
#include <chrono>

#include "base/names.h"
#include "commands/exec_options.h"
#include "commands/options.h"
#include "fuzz.h"
#include "state/container_dir.h"

namespace {

using namespace oci;

void read_value(std::string_view word) {
    if (auto const user = commands::parse_user_option(word)) {
        auto const digits = word.substr(0, word.find(':'));
        fuzz::expect(digits.find_first_not_of("0123456789") == std::string_view::npos && !digits.empty(),
                     "a user is a number");
        fuzz::expect(user->uid != 0 || digits.find_first_not_of('0') == std::string_view::npos,
                     "only 0 is root (CVE-2026-30892)");
        fuzz::expect(user->uid != ~std::uint32_t{0} && user->gid != ~std::uint32_t{0}, "never (uid_t)-1");
    }
    if (auto const folder = commands::parse_cgroup_option(word))
        fuzz::expect(*folder == "." || fuzz::is_clean_absolute(concat("/", *folder)), "a sub cgroup is below");
    if (state::check_id(word))
        fuzz::expect(word.find('/') == std::string_view::npos && !word.starts_with('.') && !word.empty(),
                     "an id is a name");
    if (auto const signal = signal_number(word))
        fuzz::expect(*signal >= 0 && *signal <= 64, "a signal is one");
    if (auto const capability = capability_number(word))
        fuzz::expect(*capability < 64, "a capability is one");
    (void)commands::parse_bytes(word);
    (void)parse_duration(word);
    (void)parse_bit_list(word);
    fuzz::expect(fuzz::is_clean_absolute(clean_path(word)), "a cleaned path is clean");
    for (char const c : printable(word))
        fuzz::expect(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f, "nothing drives the terminal");
}

} // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    std::vector<std::string> words;
    for (auto const word : split(fuzz::as_text(data, size), '\n')) {
        if (word.find('\0') != std::string_view::npos) // execve(2) passes none
            return 0;
        read_value(word);
        words.emplace_back(word);
    }
    for (auto const& command : commands::all_commands())
        if (auto const line = commands::parse_options(command.options, words, command.option_place))
            (void)commands::check_argument_count(command, line->arguments.size());
    (void)commands::parse_options(commands::global_options(), words, commands::OptionPlace::before_arguments);
    return 0;
}
