#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs a command inside the virtual machine, and says afterwards what it has left: cgroups, scopes, mounts, processes.
# What the service manager itself starts meanwhile (services, slices) does not count.
# usage: tests/vm/nothing_left.sh COMMAND [ARGUMENT]...
set -uo pipefail

cgroups() { find /sys/fs/cgroup -type d | grep -vE '\.(service|slice|socket|mount)(/|$)|/init\.scope'; }
scopes() {
    [[ -d /run/systemd/system ]] || return 0
    systemctl list-units --all --plain --no-legend --type=scope | awk '$1 != "init.scope" { print $1 }'
}
mounts() { awk '{ print $5 }' /proc/self/mountinfo | grep -v '^/run/user/'; }
processes() { ps -e -o ppid=,pid=,args= | awk '$1 == 1 && $3 !~ /systemd|dbus|agetty/ { print $2, $3 }'; }

what=(cgroups scopes mounts processes)
declare -A before
for kind in "${what[@]}"; do
    before[$kind]=$($kind | sort)
done
"$@"
code=$?
summary=
for kind in "${what[@]}"; do
    left=$(comm -13 <(echo "${before[$kind]}") <($kind | sort))
    count=$(grep -c . <<<"$left")
    summary+=" $count $kind"
    [[ $count -eq 0 ]] || { echo "left behind: $kind: $left" && code=1; }
done
echo "left at the end of this boot:$summary"
exit "$code"
