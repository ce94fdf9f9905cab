#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Nothing left behind, whatever kills or starves the program: see faults.py. In surroundings of their own: those of the
# container tests (mounts, cgroups), and a pid namespace, several times side by side. The last line has the counts.
# usage: sudo [OCI_RUN=PROGRAM] [OCI_RUN_FAULT_INJECTOR=PROGRAM] tests/faults/run.sh [--full] [--seed N] [NAME...]
#   --full    every point, more than a hundred thousand, for an hour or two; otherwise every Kth, beginning where the
#             seed says
#   NAME      F1 ... F15, or the beginning of a test's line: "F4 inject create"
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
OCI_RUN=$(realpath "${OCI_RUN:-$here/../../build/release/oci-run}")
export OCI_RUN PYTHONDONTWRITEBYTECODE=1

part() { # NUMBER: PID 1 is a shell, which collects whatever loses its parent
    "$here/../containers/run.sh" --command unshare --pid --fork --kill-child --mount-proc \
        bash -c '/usr/bin/python3 "$@"; exit $?' -- "$here/faults.py" --part "$1/$parts" --counts "$counts/$1" "${@:2}"
}

parts=$(($(nproc) > 1 ? 4 : 2)) # much of the time is spent in waiting
counts=$(mktemp --directory)
trap 'rm -r "$counts"' EXIT
echo "faults: $* in $parts parts; the seed is 1 where none is given"
processes=()
for ((number = 0; number < parts; ++number)); do
    part "$number" "$@" &
    processes+=($!)
done
for process in "${processes[@]}"; do
    wait "$process" || true # it has told in its counts
done
passed=0 failed=0
for ((number = 0; number < parts; ++number)); do
    # Without counts it broke off, which is one failure.
    read -r good bad <"$counts/$number" || good=0 bad=1
    passed=$((passed + good)) failed=$((failed + bad))
done
echo "$passed passed, $failed failed, 0 skipped"
[[ $failed -eq 0 && $passed -gt 0 ]]
