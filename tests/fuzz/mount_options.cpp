// SPDX-License-Identifier: Apache-2.0
// Mount options, one a line, after the destination: alone in a config.json.
#include <sys/mount.h>

#include "fuzz.h"
#include "plan/plan.h"
#include "spec/parse.h"

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace oci;
    auto const lines = split(fuzz::as_text(data, size), '\n');
    std::vector<std::string> options;
    for (std::size_t i = 2; i < lines.size(); ++i)
        options.push_back(json_string(lines[i]));
    auto const type = lines.size() > 1 ? lines[1] : "tmpfs";
    auto const config =
        concat(R"({"ociVersion":"1.2.0","root":{"path":"rootfs"},"linux":{"namespaces":[{"type":"mount"}]},)",
               R"("process":{"user":{"uid":0,"gid":0},"args":["/bin/true"],"cwd":"/"},"mounts":[{"destination":)",
               json_string(lines[0]), R"(,"type":)", json_string(type), R"(,"source":"x","options":[)",
               join(options, ","), "]}]}");
    std::vector<std::string> warnings;
    auto const spec = spec::parse_spec(config, warnings);
    if (!spec)
        return 0;
    auto const& mount = spec->mounts.at(0);
    constexpr std::uint64_t atime = MOUNT_ATTR__ATIME; // a field, not flags: setting one of it clears all of it
    fuzz::expect((mount.set & mount.clear & ~atime) == 0, "no attribute is set and cleared");
    fuzz::expect((mount.recursive_set & mount.recursive_clear & ~atime) == 0, "nor recursively");
    fuzz::expect(fuzz::is_clean_absolute(mount.destination) && mount.destination != "/", "below the root");
    fuzz::expect(!mount.bind || mount.data.empty(), "bind mounts have no options of a file system");
    for (auto const& host : fuzz::hosts())
        if (auto const plan = plan::make_create_plan(*spec, host, {.id = "c1", .bundle = "/bundle"}))
            (void)plan::plan_json(*plan);
    return 0;
}
