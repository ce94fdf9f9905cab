#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Checks how the shipped program is linked: one static, position-independent, hardened file.
# usage: tests/lint/elf.sh PROGRAM
set -euo pipefail
program=$1
headers=$(readelf --wide --file-header --program-headers --dynamic "$program")
problems=0

expect() { # WHAT PATTERN: a line must match
    grep -qE "$2" <<<"$headers" || { echo "$program: $1" && problems=1; }
}
refuse() { # WHAT PATTERN: no line may match
    ! grep -qE "$2" <<<"$headers" || { echo "$program: $1" && problems=1; }
}

expect "not position-independent (type is not DYN)" '^ *Type: +DYN'
refuse "asks for an interpreter, so it is not static" '^ *INTERP '
refuse "needs shared libraries" '\(NEEDED\)'
expect "no read-only relocations (GNU_RELRO)" '^ *GNU_RELRO '
expect "symbols are not bound at start (BIND_NOW)" 'BIND_NOW|FLAGS_1.* NOW'
refuse "relocations in code (TEXTREL)" 'TEXTREL'
expect "no statement on the stack (GNU_STACK)" '^ *GNU_STACK '
refuse "executable stack" '^ *GNU_STACK .* RWE '
refuse "a segment is writable and executable" '^ *LOAD .* RWE '
if readelf --wide --sections "$program" | grep -q ' \.symtab '; then
    echo "$program: not stripped"
    problems=1
fi
if [[ $problems -eq 0 ]]; then
    echo "static-pie, RELRO, NOW, no executable stack; $(stat --format=%s "$program") bytes"
fi
exit "$problems"
