#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The shells complete what the program offers: each is asked with its own means.
# usage: tests/lint/completions.sh PROGRAM
set -euo pipefail
program=$(realpath "$1")
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
ln -s "$program" "$work/oci-run"
PATH=$work:$PATH
for shell in bash zsh fish; do
    oci-run completion "$shell" >"$work/$shell"
done

expect() { # SHELL WORDS EXPECTED FOUND
    [[ " $4 " == *" $3 "* ]] || { echo "$1 completes '$2' to '$4', without $3" && exit 1; }
}
in_bash() { # WORD...: the last one is being written
    # shellcheck source=/dev/null
    source "$work/bash"
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    compopt() { :; } # only while the shell itself completes
    _oci_run
    echo "${COMPREPLY[*]}"
}
in_fish() { HOME=$work fish --no-config -c "source $work/fish; complete -C '$1'" | cut -f 1 | tr '\n' ' '; }
# Functions of zsh's completion system run in its line editor only: here they print what they were given.
in_zsh() {
    zsh --no-rcs -c "_arguments() { print -- \"\$*\"; state=$1 line=(${2:-}); }; _describe() { print -- \${(P)2}; }
        source $work/zsh"
}

expect bash 'oci-run cr' create "$(in_bash oci-run cr)"
expect bash 'oci-run --systemd-c' --systemd-cgroup "$(in_bash oci-run --systemd-c)"
expect bash 'oci-run --root /x delete --f' --force "$(in_bash oci-run --root /x delete --f)"
expect bash 'oci-run help pa' pause "$(in_bash oci-run help pa)"
cd "$work" && touch a-file && mkdir a-folder
expect bash 'oci-run create --bundle a-' a-folder "$(in_bash oci-run create --bundle a-)"
expect bash 'oci-run create --pid-file a-' a-file "$(in_bash oci-run create --pid-file a-)"
expect bash 'oci-run mounts re' remove "$(in_bash oci-run mounts re)"
expect fish 'oci-run cr' create "$(in_fish 'oci-run cr')"
expect fish 'oci-run delete --f' --force "$(in_fish 'oci-run delete --f')"
expect fish 'oci-run mounts re' remove "$(in_fish 'oci-run mounts re')"
expect zsh 'oci-run' "create:Makes a container; its program waits for start" "$(in_zsh command | tr '\n' ' ')"
expect zsh 'oci-run delete -' "*--force[kill the container first; one that does not exist is no error]" \
    "$(in_zsh arguments delete | tr '\n' ' ')"
expect zsh 'oci-run mounts' "1:verb:(add remove list)" "$(in_zsh arguments mounts | tr '\n' ' ')"
