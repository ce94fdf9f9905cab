#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs clang-tidy with .clang-tidy on the files given, or on all sources that a build folder knows.
# usage: tests/lint/tidy.sh BUILD [FILE...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=$1
shift
if [[ $# -eq 0 ]]; then
    mapfile -t files < <(jq -r '.[].file' "$build/compile_commands.json" | grep "^$PWD/src/" | sort -u)
else
    files=("$@")
fi
[[ ${#files[@]} -gt 0 ]]
# Each file in a process of its own, as many as there are processors. What is wrong in a header is said once.
printf '%s\0' "${files[@]}" |
    xargs -0 -n 1 -P "$(nproc)" clang-tidy --quiet -p "$build" 2> >(grep -v 'warnings\? generated' >&2) |
    awk '/: (error|warning): /{ shown = !seen[$0]++ } shown'
