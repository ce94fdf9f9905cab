#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the conformance suite of the specification's authors (github.com/opencontainers/runtime-tools) against oci-run and
# compares the results with expected.md; with it our own programs for cgroup v2, which the suite has none for.
# usage: sudo [OCI_RUN=PROGRAM] oci-validation/run.sh --build
#        sudo [OCI_RUN=PROGRAM] oci-validation/run.sh [PROGRAM]...
#   --build   only builds the suite, into build/oci-validation: the virtual machine has no network
#   PROGRAM   only these, as "pidfile" or "cgroup_v2/*"
# OCI_RUN: the program, build/release/oci-run without it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/.." && pwd)
suite=$repository/build/oci-validation
module=github.com/opencontainers/runtime-tools

build() {
    command -v go >/dev/null || "$repository/tests/packages.sh" validation
    mkdir -p "$suite/programs"
    cd "$here"
    export GOFLAGS=-buildvcs=false
    go build -o "$suite/programs/" "$module/validation/..."
    # It runs in the container.
    CGO_ENABLED=0 go build -o "$suite/runtimetest" "$module/cmd/runtimetest"
    install -m 0644 "$(go list -m -f '{{.Dir}}' "$module")/rootfs-$(go env GOARCH).tar.gz" "$suite"
    cd "$repository"
}

[[ -n ${OCI_RUN_VM:-} ]] || build
[[ ${1:-} != --build ]] || exit 0
export OCI_RUN=${OCI_RUN:-$repository/build/release/oci-run}
exec "$repository/tests/containers/run.sh" --command /usr/bin/python3 "$here/suite.py" "$suite" "$@"
