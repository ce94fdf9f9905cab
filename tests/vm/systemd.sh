#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
# Before systemd starts as PID 1 of the virtual machine: one target, one service that runs the command, and nothing of
# the host's own services. Sourced by initramfs.sh; the machine's root is /root.
units=/root/etc/systemd/system
mkdir -p "$units"
# Slow over 9p, or for real hardware, or done by initramfs.sh.
for unit in systemd-tmpfiles-setup.service systemd-tmpfiles-setup-dev.service systemd-tmpfiles-clean.timer \
    systemd-timesyncd.service e2scrub_reap.service e2scrub_all.timer systemd-udevd.service systemd-udev-trigger.service \
    systemd-udevd-control.socket systemd-udevd-kernel.socket getty@tty1.service systemd-journal-flush.service \
    systemd-sysusers.service systemd-firstboot.service systemd-random-seed.service systemd-machine-id-commit.service \
    ldconfig.service systemd-update-done.service systemd-update-utmp.service systemd-pstore.service \
    systemd-binfmt.service modprobe@.service sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
    dev-hugepages.mount proc-sys-fs-binfmt_misc.automount systemd-remount-fs.service apparmor.service \
    systemd-networkd.service networking.service; do
    ln -sf /dev/null "$units/$unit"
done
rm -f /root/etc/fstab
touch /root/etc/fstab
cat >"$units/oci-run-tests.target" <<EOF
[Unit]
Requires=basic.target oci-run-tests.service
After=basic.target
AllowIsolate=yes
EOF
cat >"$units/oci-run-tests.service" <<EOF
[Unit]
Requires=basic.target
Wants=dbus.socket systemd-logind.service systemd-user-sessions.service
After=basic.target dbus.socket systemd-logind.service systemd-user-sessions.service
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
TimeoutStartSec=infinity
Delegate=yes
ExecStart=/run/oci-run-vm/command.sh
EOF
