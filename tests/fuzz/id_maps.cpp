// SPDX-License-Identifier: Apache-2.0
// Id maps: lines of /proc/PID/uid_map as the container's init has them, and mappings of a config.json.
#include "commands/exec_options.h"
#include "fuzz.h"
#include "plan/plan.h"
#include "spec/parse.h"

namespace {

using namespace oci;

std::string mappings(fuzz::Input& input) {
    std::vector<std::string> entries;
    while (!input.empty() && entries.size() < 400)
        entries.push_back(concat(R"({"containerID":)", input.number<std::uint32_t>(), R"(,"hostID":)",
                                 input.number<std::uint32_t>(), R"(,"size":)", input.number<std::uint32_t>(), "}"));
    return join(entries, ",");
}

} // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    auto const text = fuzz::as_text(data, size);
    for (std::uint32_t const id : {0U, 1U, 1000U, 0xfffffffeU})
        (void)commands::outside_id(text, id);
    fuzz::expect(commands::outside_id(concat("0 100000 65536\n", text), 5) == 100005,
                 "the first line that fits counts");

    fuzz::Input input(data, size);
    auto const list = mappings(input);
    auto const config = concat(
        R"({"ociVersion":"1.2.0","root":{"path":"rootfs"},"process":{"user":{"uid":0,"gid":0},"args":["/bin/true"],)",
        R"("cwd":"/"},"linux":{"namespaces":[{"type":"mount"},{"type":"user"}],"uidMappings":[)", list,
        R"(],"gidMappings":[)", list, "]}}");
    std::vector<std::string> warnings;
    auto const spec = spec::parse_spec(config, warnings);
    if (!spec)
        return 0;
    for (auto const& mapping : spec->linux.uid_mappings) {
        fuzz::expect(mapping.size > 0, "no mapping is empty");
        fuzz::expect(std::uint64_t{mapping.container_id} + mapping.size <= 0xffffffffU &&
                         std::uint64_t{mapping.host_id} + mapping.size <= 0xffffffffU,
                     "no mapping wraps or contains (uid_t)-1");
    }
    for (auto const& host : fuzz::hosts())
        if (auto const plan = plan::make_create_plan(*spec, host, {.id = "c1", .bundle = "/bundle"}))
            (void)plan::plan_text(*plan);
    return 0;
}
