#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs cppcheck on the files given, or on all sources that a build folder knows. What it knows stays in BUILD/cppcheck.
# usage: tests/lint/cppcheck.sh BUILD [FILE...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=$1
shift
mkdir -p "$build/cppcheck"
what=("$@")
[[ $# -gt 0 ]] || what=("--project=$build/compile_commands.json")
cppcheck --quiet --error-exitcode=1 -j "$(nproc)" --cppcheck-build-dir="$build/cppcheck" \
    --enable=warning,portability,performance --suppressions-list=tests/lint/cppcheck_wrong.txt \
    --template='{file}:{line}: {severity}: {message} [{id}]' "${what[@]}"
