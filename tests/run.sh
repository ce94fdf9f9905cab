#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs what the tests need, builds, and runs every test; the last line has the counts.
# usage: sudo tests/run.sh [--full] [GROUP...]
#   unit         the layers, without containers (dev build)
#   schema       the JSON Schemas against the parser and the samples of the specification's authors (dev build)
#   plans        what `oci-run plan` prints for the bundles in tests/plans
#   lint         layers, format, warnings of both compilers, clang-tidy, the shipped binary, the man page
#   containers   real containers, with the release build
#   faults       killed, starved and failing at sampled system calls: nothing is left behind
#   security     which test stands for which threat; containers below a seccomp filter
#   fuzz         everything that reads what others have written, by libFuzzer with both sanitizers
#   validation   the conformance suite of the specification's authors, and our programs for cgroup v2
#   asan         the container tests with AddressSanitizer and UndefinedBehaviorSanitizer
#   vm           containers with limits, from scratch, with criu and AppArmor, in a virtual machine with every controller
#   validation_vm  the conformance suite and our programs in the virtual machine
#   selinux      labels, and the program of the suite for them, in a virtual machine that enforces an SELinux policy
#   systemd      the systemd driver and rootless containers, in a virtual machine with systemd
#   engines      podman, Docker and others with oci-run and with another runtime, in a virtual machine with systemd
#   figures      system calls, memory and size, which may not grow
#   fields       the table of config.json's fields, out of what the groups before it have shown: not alone
# --full: the unit tests, too, with sanitizers; every point of the faults, longer fuzzing, more below filters. Without
# GROUP: all of them.
set -euo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$repository"
groups=(unit schema plans lint containers faults security fuzz validation asan vm validation_vm selinux systemd engines figures fields)

build() { # PRESET [TARGET...]
    local preset=$1
    shift
    cmake --preset "$preset" >/dev/null
    cmake --build --preset "$preset" ${1:+--target "$@"}
}

unit_tests() { # FOLDER: runs every unit test program in it
    local passed=0 failed=0 skipped=0 program report log
    report=$(mktemp)
    log=$(mktemp)
    for program in "$1"/*_tests; do
        echo '{}' >"$report"
        "$program" --gtest_output="json:$report" >"$log" 2>&1 || grep -v '^\[ RUN\|^\[       OK' "$log" || true
        read -r tests failures < <(jq -r '"\(.tests // 0) \(.failures // 1)"' "$report")
        # A program that died has no report: that is one failure.
        # Where and why something was skipped.
        grep -A 1 ': Skipped$' "$log" || true
        jq -r '.testsuites[]? | .testsuite[] | select(.failures | not) | "\(.classname).\(.name)" as $test | to_entries[]
            | select(.value == "works" or .value == "error") | "field \(.value) \(.key) \($test)"' "$report"
        local skips
        skips=$(jq '[.testsuites[]?.testsuite[] | select(.result == "SKIPPED")] | length' "$report")
        skipped=$((skipped + skips))
        failed=$((failed + failures))
        passed=$((passed + (tests > failures + skips ? tests - failures - skips : 0)))
    done
    rm -f "$report" "$log"
    echo "$passed passed, $failed failed, $skipped skipped"
    [[ $failed -eq 0 ]]
}

group_unit() {
    build dev
    unit_tests build/dev/tests
}
group_schema() {
    command -v go >/dev/null || tests/packages.sh validation
    build dev schema_tests
    local specification
    specification=$(cd tests/schema && go mod download && go list -m -f '{{.Dir}}' github.com/opencontainers/runtime-spec)
    OCI_RUNTIME_SPEC=$specification unit_tests build/dev/tests/schema
}
group_plans() {
    build dev oci-run
    tests/plans/run.sh build/dev/oci-run
}
group_lint() {
    build dev
    build release
    tests/lint/run.sh
}
group_containers() {
    build release
    OCI_RUN=build/release/oci-run tests/containers/run.sh --quiet --fields=/
}
group_faults() {
    build dev fault_injector
    build release
    OCI_RUN=build/release/oci-run tests/faults/run.sh ${FULL:+--full}
}
group_security() {
    build dev
    build release
    tests/security/run.sh ${FULL:+--full}
}
group_fuzz() {
    tests/packages.sh fuzz
    tests/fuzz/run.sh ${FULL:+--full}
}
group_validation() {
    build release
    OCI_RUN=$repository/build/release/oci-run oci-validation/run.sh
}
group_validation_vm() {
    build release
    oci-validation/run.sh --build
    OCI_RUN=$repository/build/release/oci-run tests/vm/run.sh tests/vm/nothing_left.sh oci-validation/run.sh
}
group_selinux() {
    build release
    oci-validation/run.sh --build
    OCI_RUN=$repository/build/release/oci-run tests/vm/run.sh --security selinux \
        tests/vm/nothing_left.sh tests/containers/run.sh --quiet --capture=no \
        --fields=/process/selinuxLabel,/linux/mountLabel selinux "&&" \
        tests/vm/nothing_left.sh oci-validation/run.sh linux_mount_label
}
group_asan() {
    build asan oci-run
    OCI_RUN=build/asan/oci-run tests/containers/run.sh --quiet
}
# What needs controllers, and where this kernel differs from a newer one.
group_vm() {
    build release
    OCI_RUN=$repository/build/release/oci-run tests/vm/run.sh tests/vm/nothing_left.sh \
        tests/containers/run.sh --quiet --capture=no --fields=/linux/resources,/process/apparmorProfile \
        limits from_scratch checkpoint rootless/test_delegation.py rootless/test_slirp4netns.py \
        test_cgroup_resources.py test_cgroup_trees.py test_pause.py test_labels.py \
        test_lifecycle.py::test_kill_still_reaches_processes_whose_init_is_dead \
        test_lifecycle.py::test_delete_ends_what_the_program_left_behind \
        --deselect test_cgroup_resources.py::test_update_names_the_option_of_a_controller_that_is_missing \
        --deselect test_labels.py::test_apparmor_profile_without_apparmor
}
group_systemd() {
    build release
    rm -f build/release/*.deb
    (cd build/release && cpack >/dev/null)
    OCI_RUN=$repository/build/release/oci-run tests/vm/run.sh --systemd tests/vm/nothing_left.sh \
        tests/containers/run.sh --systemd --quiet --capture=no systemd
}
group_engines() {
    build release
    tests/engines/run.sh
}
group_figures() {
    build release
    tests/bench/figures.sh
}
group_fields() { tests/field_table.py "$OCI_RUN_FIELD_LINES"; }
group_asan_unit() {
    build asan
    ASAN_OPTIONS=detect_leaks=0 unit_tests build/asan/tests
}

if [[ ${1:-} == --group ]]; then
    "group_$2"
    exit
fi

wanted=()
for word in "$@"; do
    case $word in
    --full) groups+=(asan_unit) && export FULL=yes ;;
    -*) sed -n 's/^# \{0,1\}//; 3,23p' "${BASH_SOURCE[0]}" && exit 1 ;;
    *)
        declare -F "group_$word" >/dev/null || { echo "tests/run.sh: no group named '$word'" >&2 && exit 1; }
        wanted+=("$word")
        ;;
    esac
done
[[ ${#wanted[@]} -gt 0 ]] || wanted=("${groups[@]}")
if [[ $EUID -ne 0 ]]; then
    echo "tests/run.sh: containers with all features need root: sudo tests/run.sh" >&2
    exit 1
fi
tests/packages.sh build container tests vm

passed=0 failed=0 skipped=0
log=$(mktemp)
OCI_RUN_FIELD_LINES=$(mktemp)
export OCI_RUN_FIELD_LINES
trap 'rm -f "$log" "$OCI_RUN_FIELD_LINES"' EXIT
for group in "${wanted[@]}"; do
    echo "==== $group"
    started=$SECONDS
    status=0
    # A process of its own, so that every error in it ends it.
    "${BASH_SOURCE[0]}" --group "$group" 2>&1 | tee "$log" || status=$?
    grep '^field ' "$log" >>"$OCI_RUN_FIELD_LINES" || true
    # Its own counts are its lines of that form; without them it broke off, which is one failure.
    counts=$(awk '/^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ { found = 1; passed += $1; failed += $3; skipped += $5 }
        END { if (found) printf "%d passed, %d failed, %d skipped", passed, failed, skipped }' "$log")
    if [[ $counts =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
        passed=$((passed + BASH_REMATCH[1]))
        failed=$((failed + BASH_REMATCH[2]))
        skipped=$((skipped + BASH_REMATCH[3]))
        [[ $status -eq 0 || ${BASH_REMATCH[2]} -gt 0 ]] || failed=$((failed + 1))
    else
        failed=$((failed + 1))
    fi
    echo "==== $group: $((SECONDS - started)) s$([[ $status -eq 0 ]] || echo ', FAILED')"
done
echo "$passed passed, $failed failed, $skipped skipped"
[[ $failed -eq 0 ]]
