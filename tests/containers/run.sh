#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the container tests in surroundings of their own: a private mount namespace, and a cgroup namespace whose root is a
# fresh cgroup with cgroup2 mounted on /sys/fs/cgroup. So the tests see the same machine everywhere (also on hosts with a
# hybrid cgroup layout), and the host's mounts, its cgroups and its init stay untouched. Whatever a test leaves behind is
# killed and removed at the end.
# usage: sudo [OCI_RUN=PROGRAM] tests/containers/run.sh [--systemd] [PYTEST ARGUMENT]...
#   --command COMMAND [ARGUMENT]...   runs that there instead of the tests
#   --systemd   in the host's own cgroups, where its service manager finds what is made: for a throw-away machine
# Without a test named: all that need neither controllers (limits, from_scratch), criu (checkpoint), a service manager
# (systemd) nor SELinux (selinux): those run in a virtual machine, see tests/vm/run.sh.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

run_tests() {
    unset PYTHONPATH PYTHONHOME PYTHONSTARTUP LISTEN_FDS LISTEN_PID NOTIFY_SOCKET
    export PYTHONDONTWRITEBYTECODE=1 PYTEST_DISABLE_PLUGIN_AUTOLOAD=1
    umask 022
    if [[ ${1:-} == --command ]]; then
        exec "${@:2}"
    fi
    cd "$here"
    local word named=()
    for word in "$@"; do
        [[ ! -e ${word%%::*} ]] || named=(yes)
    done
    [[ -n ${named:-} ]] || set -- "$@" --ignore=limits --ignore=from_scratch --ignore=checkpoint --ignore=systemd \
        --ignore=selinux
    exec /usr/bin/python3 -m pytest -p no:cacheprovider --rootdir="$here" "$@"
}

inside() {
    # The kernel refuses the same file system on the same place twice: something else goes between.
    mount -t tmpfs none /sys/fs/cgroup
    mount -t cgroup2 none /sys/fs/cgroup
    # Below a folder that everybody may pass through: users of containers must reach their rootfs.
    mount -t tmpfs -o mode=755 oci-run-tests "$OCI_RUN_TESTS_FOLDER"
    # A cgroup with processes cannot hand controllers to its children: the tests themselves live in a leaf.
    mkdir /sys/fs/cgroup/init
    echo $$ >/sys/fs/cgroup/init/cgroup.procs
    for controller in $(</sys/fs/cgroup/cgroup.controllers); do
        echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control || true
    done
    run_tests "$@"
}

inside_systemd() {
    mount -t tmpfs -o mode=755 oci-run-tests "$OCI_RUN_TESTS_FOLDER"
    run_tests "$@"
}

if [[ ${1:-} == --inside ]]; then
    shift
    inside "$@"
elif [[ ${1:-} == --inside-systemd ]]; then
    shift
    inside_systemd "$@"
fi

if [[ $EUID -ne 0 ]]; then
    echo "tests/containers/run.sh: containers with all features need root: run it with sudo" >&2
    exit 1
fi
# The tests run in another folder.
export OCI_RUN=${OCI_RUN:+$(realpath "$OCI_RUN")}
OCI_RUN_TESTS_FOLDER=$(mktemp --directory /tmp/oci-run-tests.XXXXXX)
export OCI_RUN_TESTS_FOLDER
if [[ ${1:-} == --systemd ]]; then
    shift
    export OCI_RUN_TESTS_SYSTEMD=1
    result=0
    unshare --mount bash "${BASH_SOURCE[0]}" --inside-systemd "$@" || result=$?
    rmdir "$OCI_RUN_TESTS_FOLDER"
    exit "$result"
fi
# The last mount is the one on top; field 5 is the mount point, the type follows the lone dash.
cgroup2=$(awk '{ for (i = 7; i <= NF; i++) if ($i == "-") { if ($(i + 1) == "cgroup2") print $5; break } }' \
    /proc/self/mountinfo | tail -n 1)
if [[ -z $cgroup2 ]]; then
    echo "tests/containers/run.sh: no cgroup2 mount: the tests need one" >&2
    exit 1
fi
session=$cgroup2/oci-run-tests.$$
enabled=()
clean_up() {
    rmdir "$OCI_RUN_TESTS_FOLDER"
    [[ -d $session ]] || return 0
    echo 1 >"$session/cgroup.kill"
    for _ in {1..100}; do
        grep -q '^populated 0' "$session/cgroup.events" && break
        sleep 0.05
    done
    find "$session" -depth -type d -exec rmdir {} \;
    local controller
    # EBUSY while somebody else's cgroup has come to use it: then it stays.
    for controller in "${enabled[@]}"; do
        echo "-$controller" 2>/dev/null >"$cgroup2/cgroup.subtree_control" || true
    done
}
trap clean_up EXIT
# What the host does not use yet is lent to the tests.
for controller in $(<"$cgroup2/cgroup.controllers"); do
    [[ " $(<"$cgroup2/cgroup.subtree_control") " != *" $controller "* ]] || continue
    ! echo "+$controller" 2>/dev/null >"$cgroup2/cgroup.subtree_control" || enabled+=("$controller")
done
mkdir "$session"
result=0
# The child joins the cgroup before it makes the namespace: a cgroup namespace is rooted where its maker is.
bash -c 'echo $$ >"$1/cgroup.procs" && shift && exec unshare --cgroup --mount "$@"' \
    -- "$session" bash "${BASH_SOURCE[0]}" --inside "$@" || result=$?
exit "$result"
