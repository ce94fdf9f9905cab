#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzz targets and runs them, as many at a time as there are processors; prints of each how many inputs were
# tried, how many branches they reached, and what was found. The last line has the counts.
# usage: tests/fuzz/run.sh [--full] [--seconds N] [TARGET...]
#   without options 12 seconds a target; --full: 10 minutes. Without TARGET: all.
# What was found lies in build/fuzz/found (an input as it is: run the target's program with it), what was learnt in
# build/fuzz/corpus, where the next run begins.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=build/fuzz

# Of one target: its line, and 0 if nothing was found. libFuzzer ends at the first thing that it finds.
run_target() { # TARGET SECONDS
    local target=$1 seconds=$2 log=$build/$1.log status=0
    mkdir -p "$build/corpus/$target" "$build/found"
    local options=(-max_total_time="$seconds" -timeout=60 -rss_limit_mb=2048 -print_final_stats=1
        -artifact_prefix="$build/found/$target-")
    local seeds=()
    [[ ! -d tests/fuzz/seeds/$target ]] || seeds+=("tests/fuzz/seeds/$target")
    case $target in
    config) seeds+=(tests/plans tests/schema) && options+=(-dict="$build/words.dict" -max_len=65536) ;;
    process | resources) options+=(-dict="$build/words.dict") ;;
    esac
    "$build/tests/fuzz/${target}_fuzz" "${options[@]}" "$build/corpus/$target" "${seeds[@]}" >"$log" 2>&1 || status=$?
    local runs branches found=nothing
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    branches=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    # A fuzzer that runs nothing finds nothing.
    if [[ $status -eq 0 && ! ${runs:-0} -gt 100 ]]; then
        found="hardly run at all" status=1
    elif [[ $status -ne 0 ]]; then
        found=$(grep -m 1 -o 'ERROR: .*\|runtime error: .*' "$log" || tail -n 1 "$log")
    fi
    printf '%-16s %10s %8s  %s\n' "$target" "${runs:-?}" "${branches:-?}" "$found"
    [[ $status -eq 0 ]] || grep -A 12 'ERROR: \|runtime error: ' "$log" | sed 's/^/    /' || true
    return "$status"
}

# The canary's faults: each must be reported, by itself and by its kind.
check_canary() {
    local word kind output
    for word in overflow:heap-buffer-overflow undefined:signed-integer-overflow leak:LeakSanitizer \
        expectation:does-not-hold; do
        kind=${word#*:}
        output=$("$build/tests/fuzz/canary_fuzz" "tests/fuzz/seeds/canary/${word%%:*}" 2>&1) && return 1
        grep -q "${kind//-/[- ]}" <<<"$output" || return 1
    done
    "$build/tests/fuzz/canary_fuzz" tests/fuzz/run.sh >/dev/null 2>&1
}

if [[ ${1:-} == --one ]]; then
    run_target "$2" "$3"
    exit
fi
seconds=12 targets=()
while [[ $# -gt 0 ]]; do
    case $1 in
    --full) seconds=600 ;;
    --seconds) seconds=$2 && shift ;;
    *) targets+=("$1") ;;
    esac
    shift
done
if [[ ${#targets[@]} -eq 0 ]]; then
    mapfile -t targets < <(cd tests/fuzz && ls -- *.cpp | sed '/^canary/d; s/\.cpp$//')
fi
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target fuzz_targets | tail -n 1
# The words of a configuration, for the fuzzer to put together.
jq -r '[paths[] | strings], [.. | strings] | unique[] | select(test("^[A-Za-z0-9_./:-]+$")) | "\"\(.)\""' \
    tests/schema/every_field.json tests/schema/other_choices.json | sort -u >"$build/words.dict"

passed=0 failed=0
if check_canary; then
    passed=1
else
    echo "the canary's faults are not reported"
    failed=1
fi
printf '%-16s %10s %8s  %s\n' target runs branches found
results=$(mktemp)
trap 'rm -f "$results"' EXIT
printf '%s\n' "${targets[@]}" |
    xargs -I TARGET -P "$(nproc)" bash -c '"$0" --one "$1" "$2" && echo + >>"$3" || echo - >>"$3"' \
        "${BASH_SOURCE[0]}" TARGET "$seconds" "$results"
passed=$((passed + $(grep -c '+' "$results" || true)))
failed=$((failed + ${#targets[@]} + 1 - passed - failed))
echo "$passed passed, $failed failed, 0 skipped"
[[ $failed -eq 0 ]]
