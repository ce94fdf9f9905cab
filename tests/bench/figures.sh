#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What oci-run needs of that which can be counted: system calls, programs, memory, its own size. Growth is a failure.
# usage: sudo [OCI_RUN=PROGRAM] tests/bench/figures.sh [--update]      after the preset release is built
#   --update   writes what was found to figures.txt
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)
"$repository/tests/packages.sh" build container figures
OCI_RUN=$(realpath "${OCI_RUN:-$repository/build/release/oci-run}")
export OCI_RUN
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
"$here/payload.sh" "$tools/payload"
"$repository/tests/containers/run.sh" --command /usr/bin/python3 "$here/figures.py" "$tools/payload" "$@"
