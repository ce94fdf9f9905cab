#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Container tests once more, below filters that forbid the system calls for which the runtime has something else; what
# it says where it has not is in tests/containers/test_filtered.py. The last line has the counts.
# usage: sudo OCI_RUN=PROGRAM tests/security/filtered.sh [--full]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
program=$(realpath "$OCI_RUN")
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0

# below ERROR CALLS TEST...
below() {
    local error=$1 calls=$2
    shift 2
    gcc -static -DERROR="$error" -DFORBIDDEN="SYS_${calls//,/,SYS_}" -DPROGRAM="\"$program\"" \
        tests/containers/filtered.c -o "$work/filtered"
    echo "$calls forbidden ($error)"
    # A container's processes inherit the filter, so this one sees it.
    OCI_RUN=$work/filtered tests/containers/run.sh --quiet "$@" \
        --deselect test_seccomp.py::test_without_seccomp_there_is_no_filter 2>&1 | tee "$work/all" || true
    grep "passed, .* failed, .* skipped$" "$work/all" >"$work/log" || true
    if [[ $(tail -n 1 "$work/log") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2])) skipped=$((skipped + BASH_REMATCH[3]))
    else
        failed=$((failed + 1))
    fi
}

if [[ ${1:-} == --full ]]; then
    # Without what needs other surroundings; what runs the program as another user, who may not install a filter, or as an
    # owner of it; and what counts filters.
    others=()
    for folder in limits from_scratch checkpoint systemd selinux rootless; do
        others+=("--ignore=$folder")
    done
    for test in test_commands.py::test_default_root_of_a_user_is_in_the_runtime_directory \
        test_commands.py::test_plan_is_for_everybody_and_changes_nothing \
        test_commands.py::test_validate_a_good_configuration test_seccomp.py::test_a_filter_is_loaded \
        test_threats.py::test_a_set_user_id_installation_is_refused; do
        others+=(--deselect "$test")
    done
    for error in EPERM ENOSYS; do
        below "$error" openat2 "${others[@]}"
        below "$error" close_range "${others[@]}"
    done
else
    below EPERM openat2,close_range test_exec_safety.py test_devices.py test_mounts.py test_run.py test_safety.py \
        test_terminal.py --deselect test_safety.py::test_create_killed_at_any_time_can_be_cleaned_up
fi
echo "$passed passed, $failed failed, $skipped skipped"
[[ $failed -eq 0 ]]
