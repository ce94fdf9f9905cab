#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
# The first process of the virtual machine: makes a root out of the host's own, read-only by 9p under an overlay in
# memory, and goes on with the init that the kernel's command line names (oci_run.init=).
set -e
PATH=/bin
/bin/busybox --install /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module; do
    insmod "/lib/$module"
done </lib/order
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro host /lower
mount -t tmpfs -o size=75% layers /layers
mkdir /layers/upper /layers/work
mount -t overlay -o lowerdir=/lower,upperdir=/layers/upper,workdir=/layers/work root /root

# The host may be a container: systemd must not believe that we are in one.
rm -f /root/.dockerenv
rm -f /root/etc/machine-id && echo 0123456789abcdef0123456789abcdef >/root/etc/machine-id
mount -t tmpfs -o mode=1777 tmp /root/tmp
mount -t tmpfs -o mode=755 run /root/run
# A checkout below a folder that is another one here.
repository=$(cat /request/repository)
if [ ! -e "/root$repository" ]; then
    mkdir -p "/root$repository"
    mount --bind "/lower$repository" "/root$repository"
fi
cp -r /request /root/run/oci-run-vm
sh /request/prepare
umount /proc /sys
mount --move /dev /root/dev
umount -l /lower
exec switch_root /root "$(cat /request/init)"
