#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Inside the virtual machine, from either init: runs the command, its output to the second serial line, and ends the
# machine with its exit code.
stty -F /dev/ttyS1 raw
exec </dev/null >/dev/ttyS1 2>&1
echo "oci-run-vm: the command starts" >/dev/ttyS0
here=/run/oci-run-vm
# shellcheck source=/dev/null
source "$here/environment"
export OCI_RUN_VM=1 HOME=/root TERM=dumb SYSTEMD_PAGER=cat
cd "$(cat "$here/repository")" || exit
bash "$here/command"
code=$?
# isa-debug-exit: value v makes QEMU exit with 2v + 1; QEMU's own failures exit with 1.
value=$((code > 126 ? 127 : code + 1))
# Setting the line's modes waits until all output is sent.
stty -F /dev/ttyS1 raw
# shellcheck disable=SC2059
printf "\\x$(printf %x "$value")" | dd of=/dev/port bs=1 seek=$((0xf4)) conv=notrunc status=none
