#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs a command in a virtual machine that has every cgroup v2 controller, and ends with its exit code. The machine's root
# is this one, with the checkout; what the command writes is gone afterwards.
# usage: sudo tests/vm/run.sh [--systemd] [--security MODULE] COMMAND
#   --systemd          systemd is PID 1; else a script
#   --security MODULE  the Linux security module: apparmor (default) or selinux, then with the policy in policy.cil
# OCI_RUN_VM_CACHE   where the kernel is kept (default /var/cache/oci-run-vm)
# OCI_RUN_VM_KERNEL  the Debian package with the kernel (default: what linux-image-amd64 depends on)
# OCI_RUN_VM_LIMIT   seconds for the whole (default 2400)
# OCI_RUN_VM_ACCELERATOR  "kvm" where /dev/kvm works (default: none is needed)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)
boot_limit=180
# What the command gets of our environment.
variables=(CI OCI_RUN)

init=script
security=apparmor
while [[ ${1:-} == --* ]]; do
    case $1 in
    --systemd) init=systemd ;;
    --security) security=${2:-} && shift ;;
    *) break ;;
    esac
    shift $(($# > 0))
done
if [[ $# -eq 0 || $1 == -* || ! $security =~ ^(apparmor|selinux)$ ]]; then
    sed -n 's/^# \{0,1\}//; 3,11p' "${BASH_SOURCE[0]}" >&2
    exit 1
fi
if [[ $(uname -m) != x86_64 ]]; then
    echo "tests/vm/run.sh: the virtual machine is made for x86_64 only" >&2
    exit 1
fi
machine=$("$here/prepare.sh")

work=$(mktemp --directory /tmp/oci-run-vm.XXXXXX)
qemu=
clean_up() {
    [[ -z $qemu ]] || kill "$qemu" 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT

# The request travels in a second archive behind the first: the kernel unpacks both.
mkdir -p "$work/tree/request"
for name in "${variables[@]}"; do
    [[ -z ${!name+set} ]] || printf 'export %s=%q\n' "$name" "${!name}"
done >"$work/tree/request/environment"
printf '%s\n' "$repository" >"$work/tree/request/repository"
printf '%s\n' "$*" >"$work/tree/request/command"
cp "$here/command.sh" "$work/tree/request/"
if [[ $init == systemd ]]; then
    cp "$here/systemd.sh" "$work/tree/request/prepare"
    echo /lib/systemd/systemd >"$work/tree/request/init"
else
    cp "$here/script_init.sh" "$here/policy.cil" "$work/tree/request/"
    : >"$work/tree/request/prepare"
    echo /run/oci-run-vm/script_init.sh >"$work/tree/request/init"
fi
(cd "$work/tree" && find . | cpio --quiet --create --format newc) | gzip -1 |
    cat "$machine/initramfs.gz" - >"$work/initramfs.gz"
truncate -s 256M "$work/disk" # for io limits

console=$work/console
# no_timer_check: on a busy host the kernel takes the emulated timer for broken.
timeout --kill-after 5 "${OCI_RUN_VM_LIMIT:-2400}" qemu-system-x86_64 \
    -M q35 -accel "${OCI_RUN_VM_ACCELERATOR:-tcg,thread=multi}" -cpu max -m 3072 -smp 2 -nographic -no-reboot -nodefaults \
    -kernel "$machine/vmlinux" -initrd "$work/initramfs.gz" \
    -append "console=ttyS0 quiet no_timer_check loglevel=3 panic=-1 security=$security audit=0 \
systemd.unified_cgroup_hierarchy=1 systemd.unit=oci-run-tests.target systemd.show_status=0 systemd.log_level=warning \
systemd.firstboot=no" \
    -serial "file:$console" -serial stdio \
    -fsdev local,id=host,path=/,security_model=none,multidevs=remap,readonly=on \
    -device virtio-9p-pci,fsdev=host,mount_tag=host \
    -drive "file=$work/disk,if=virtio,format=raw" \
    -device isa-debug-exit,iobase=0xf4,iosize=0x04 </dev/null &
qemu=$!
# A machine that hangs before the command is ended sooner.
(
    for ((second = 0; second < boot_limit; ++second)); do
        ! grep -q 'the command starts' "$console" 2>/dev/null || exit 0
        sleep 1
    done
    kill "$qemu"
) &
watcher=$!
status=0
wait "$qemu" || status=$?
qemu=
kill "$watcher" 2>/dev/null || true
if [[ $((status % 2)) -eq 1 && $status -gt 1 && $status -lt 256 ]] && grep -q 'the command starts' "$console"; then
    exit $((status / 2 - 1))
fi
{
    echo "tests/vm/run.sh: the virtual machine broke off (exit code $status of QEMU or timeout); its console:"
    tail -n 40 "$console"
} >&2
exit 125
