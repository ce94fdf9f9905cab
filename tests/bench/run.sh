#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# How long oci-run takes and what it needs, beside crun and runc and beside the kernel's part of the same work (floor.c).
# usage: sudo [OCI_RUN=PROGRAM] tests/bench/run.sh [--rounds N] [--growth] [--goals]      after the preset release is built
#   --rounds N   of each measurement, interleaved (50)
#   --growth     also with many mounts on the host and many containers alive: minutes
#   --goals      exit code 1 when a goal is missed
# Ratios of one run can be compared; milliseconds move from machine to machine, and with whatever else runs there.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)
"$repository/tests/packages.sh" build container bench
OCI_RUN=$(realpath "${OCI_RUN:-$repository/build/release/oci-run}")
export OCI_RUN
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
kernel_headers=(-idirafter /usr/include -idirafter "/usr/include/$(uname -m)-linux-gnu")
musl-gcc "${kernel_headers[@]}" -O2 -static -Wall -Wextra -Werror -o "$tools/floor" "$here/floor.c"
musl-gcc -O2 -static -Wall -Wextra -Werror -o "$tools/measure" "$here/measure.c"
"$here/payload.sh" "$tools/payload"
"$repository/tests/containers/run.sh" --command /usr/bin/python3 "$here/bench.py" "$tools" "$@"
