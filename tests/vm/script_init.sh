#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# PID 1 of the virtual machine without systemd: mounts what a service manager would, then the command.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc -o nosuid,nodev,noexec proc /proc
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 /sys/fs/cgroup
for controller in $(</sys/fs/cgroup/cgroup.controllers); do
    echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control
done
ln -s /proc/self/fd /dev/fd
mkdir -p /dev/pts /dev/shm /dev/mqueue
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777,nosuid,nodev shm /dev/shm
mount -t mqueue mqueue /dev/mqueue
chmod 666 /dev/net/tun # as udev does
ip link set lo up
hostname oci-run-vm
if [[ -d /sys/fs/selinux ]]; then
    mount -t selinuxfs selinuxfs /sys/fs/selinux
    policy=/run/oci-run-vm/policy
    secilc --output=$policy --filecontext=/dev/null $policy.cil
    cat $policy >/sys/fs/selinux/load
    echo 1 >/sys/fs/selinux/enforce
fi
# While bash waits it reaps orphans, too.
/run/oci-run-vm/command.sh
# The command ends the machine; what comes here broke.
sleep 5
