#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every check that only reads: rules of the sources, format, warnings, the shipped binary. The last line has the counts.
# usage: tests/lint/run.sh [CHECK...]      after the presets dev and release are built
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

mapfile -t all < <(git ls-files --cached --others --exclude-standard)
files() { # PATTERN: files of the repository
    local file
    for file in "${all[@]}"; do
        [[ ! $file =~ $1 || ! -f $file ]] || printf '%s\n' "$file"
    done
}

check_layers() { tests/lint/sources.py layers; }
check_calls() { tests/lint/sources.py calls; }
check_licence() { tests/lint/sources.py licence; }
check_words() { tests/lint/sources.py words; }
check_format() { files '\.(cpp|h|c)$' | xargs clang-format --dry-run -Werror; }
check_shell() { files '(\.sh|^\.ci/run)$' | xargs shellcheck --severity=warning; }
check_python() {
    local file
    for file in $(files '\.py$'); do
        /usr/bin/python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])' "$file"
    done
}
# The dev build is g++'s, with warnings as errors; this is the other compiler's.
check_clang() {
    cmake -S . -B build/clang -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_COMPILER=clang++ -DOCI_RUN_WERROR=ON \
        -DCMAKE_EXPORT_COMPILE_COMMANDS=ON
    cmake --build build/clang
}
check_tidy() { tests/lint/tidy.sh build/clang; }
check_cppcheck() { tests/lint/cppcheck.sh build/clang; }
check_analyzer() { tests/lint/analyzer.sh src/finisher/*.cpp tests/containers/probe.c; }
check_binary() { tests/lint/elf.sh build/release/oci-run; }
check_completions() { tests/lint/completions.sh build/release/oci-run; }
check_man() { /usr/bin/python3 tests/lint/man_test.py build/dev/oci-run man/oci-run.8; }
check_self_test() { tests/lint/self_test.sh; }

if [[ ${1:-} == --one ]]; then
    "check_$2"
    exit
fi
checks=("$@")
[[ $# -gt 0 ]] || checks=(layers calls licence words format shell python clang tidy cppcheck analyzer binary man completions self_test)
passed=0 failed=0
for check in "${checks[@]}"; do
    started=$SECONDS
    # A process of its own, so that every error in it ends it.
    if output=$(tests/lint/run.sh --one "$check" 2>&1); then
        passed=$((passed + 1))
        echo "ok      $check ($((SECONDS - started)) s)"
        [[ $check != binary ]] || echo "        $output"
    else
        failed=$((failed + 1))
        echo "FAILED  $check ($((SECONDS - started)) s)"
        tail -n 60 <<<"$output"
    fi
done
echo "$passed passed, $failed failed, 0 skipped"
[[ $failed -eq 0 ]]
