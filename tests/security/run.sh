#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Shows that what the threat model forbids does not happen: runs the tests of threats.txt and prints which one stands for
# which threat; then containers below filters that take system calls away (filtered.sh). The last line has the counts.
# usage: sudo tests/security/run.sh [--full] [threats] [filtered]
#   after the presets dev (unit tests) and release are built, or with OCI_RUN=PROGRAM and OCI_UNIT_TESTS=FOLDER
#   --full: every container test below every filter, not only those that go through all that is filtered
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."
export OCI_RUN=${OCI_RUN:-build/release/oci-run}
unit_tests=${OCI_UNIT_TESTS:-build/dev/tests}
results=$(mktemp --directory)
trap 'rm -rf "$results"' EXIT

rows() { sed -n 's/^[^#|]* | .* | \([^| ]*\) |.*/\1/p' "$here/threats.txt" | sort -u; }

threats() {
    local layer filter tests
    for layer in $(rows | sed -n 's/^\([a-z]*\):.*/\1/p' | sort -u); do
        filter=$(rows | sed -n "s/^$layer://p" | paste -s -d :)
        "$unit_tests/${layer}_tests" --gtest_filter="$filter" --gtest_output="json:$results/$layer.json" \
            >"$results/$layer.log" 2>&1 || grep -v '^\[ RUN\|^\[       OK' "$results/$layer.log" || true
    done
    mapfile -t tests < <(rows | grep '::')
    tests/containers/run.sh --quiet --junitxml="$results/containers.xml" "${tests[@]}" >"$results/containers.log" 2>&1 ||
        cat "$results/containers.log"
    /usr/bin/python3 "$here/table.py" "$here/threats.txt" "$results"
}

passed=0 failed=0 skipped=0 options=() parts=()
for word in "$@"; do
    case $word in
    --full) options=(--full) ;;
    threats | filtered) parts+=("$word") ;;
    *) sed -n 's/^# \{0,1\}//; 3,7p' "${BASH_SOURCE[0]}" && exit 1 ;;
    esac
done
[[ ${#parts[@]} -gt 0 ]] || parts=(threats filtered)
for part in "${parts[@]}"; do
    if [[ $part == threats ]]; then
        threats | tee "$results/counts" || true
    else
        "$here/filtered.sh" "${options[@]}" | tee "$results/counts" || true
    fi
    if [[ $(tail -n 1 "$results/counts") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2])) skipped=$((skipped + BASH_REMATCH[3]))
    else
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[[ $failed -eq 0 ]]
