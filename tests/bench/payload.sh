#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# usage: tests/bench/payload.sh OUTPUT: compiles payload.c
set -euo pipefail
gcc -O2 -static -nostdlib -ffreestanding -fno-stack-protector -Wall -Wextra -Werror -o "$1" "$(dirname "${BASH_SOURCE[0]}")/payload.c"
