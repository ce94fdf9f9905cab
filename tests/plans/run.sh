#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Golden plans: what `oci-run plan` prints for each NAME.json must be what NAME.plan has. A change of behaviour becomes a
# difference of text, to be read and then accepted with --update.
# usage: tests/plans/run.sh PROGRAM [--update]
set -euo pipefail
program=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")"
[[ ${2:-} == --update ]] && update=yes || update=no

# A plan says what would be done for this caller on this machine: the caller is made the same everywhere, and what
# remains (the bundle's path, the sizes of programs made by the installed libseccomp) is replaced.
umask 022
ulimit -c 0
if [[ $EUID -ne 0 ]]; then
    echo "tests/plans/run.sh: the plans are those of root: run it with sudo" >&2
    exit 1
fi
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bundle"

passed=0 failed=0
for config in *.json; do
    name=${config%.json}
    cp "$config" "$work/bundle/config.json"
    options=()
    [[ $name != systemd* ]] || options=(--systemd-cgroup)
    "$program" "${options[@]}" plan --bundle "$work/bundle" golden >"$work/plan" 2>&1 || true
    sed -i -E "s#$work/bundle#/bundle#g; s/[0-9]+ instructions/N instructions/g" "$work/plan"
    if [[ $update == yes ]]; then
        cp "$work/plan" "$name.plan"
    fi
    if diff -u "$name.plan" "$work/plan"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED  $name"
    fi
done
echo "$passed passed, $failed failed, 0 skipped"
[[ $failed -eq 0 ]]
