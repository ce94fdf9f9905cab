// SPDX-License-Identifier: Apache-2.0
// linux.cgroupsPath, as a path and as the name of a systemd scope.
#include "fuzz.h"
#include "plan/plan.h"
#include "plan/systemd.h"

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace oci;
    auto const text = fuzz::as_text(data, size);
    if (text.find('\0') != std::string_view::npos) // the parser takes none
        return 0;
    spec::Spec spec;
    spec.linux.cgroups_path = std::string(text);
    for (auto const& host : fuzz::hosts())
        if (auto const path = plan::cgroup_path(spec, host, "c1"))
            fuzz::expect(fuzz::is_clean_absolute(*path) && *path != "/", "a cgroup is below the mount");
    for (bool const user : {false, true})
        if (auto const scope = plan::scope_name(spec, {.user = user, .control_group = user ? "/user" : "/"}, "c1")) {
            fuzz::expect(fuzz::is_clean_absolute(scope->path) && (!user || is_below(scope->path, "/user")),
                         "a scope is below its manager");
            fuzz::expect(scope->slice.ends_with(".slice") && scope->unit.ends_with(".scope"), "units have their kind");
            fuzz::expect(scope->unit.find('/') == std::string::npos && scope->slice.find('/') == std::string::npos,
                         "units are one name");
        }
    return 0;
}
