#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs gcc -fanalyzer. It knows the language C and what is written like it, as the finisher is: of the C++ library's
# containers it believes that memory may be missing, so the other layers are none of its business.
# usage: tests/lint/analyzer.sh FILE...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
common=(-fanalyzer -Werror -Os -Iinclude -c -o /dev/null)
for file in "$@"; do
    case $file in
    *.c) gcc "${common[@]}" "$file" ;;
    *) g++ "${common[@]}" -std=c++20 -fno-exceptions -fno-rtti "$file" ;;
    esac
done
