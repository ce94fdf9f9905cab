#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the container tests in surroundings of their own: a private mount namespace, and a cgroup namespace whose root is a
# fresh cgroup with cgroup2 mounted on /sys/fs/cgroup. So the tests see the same machine everywhere (also on hosts with a
# hybrid cgroup layout), and the host's mounts, its cgroups and its init stay untouched. Whatever a test leaves behind is
# killed and removed at the end.
# usage: sudo [OCI_RUN=PROGRAM] tests/containers/run.sh [PYTEST ARGUMENT]...
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

inside() {
    mount -t cgroup2 none /sys/fs/cgroup
    # Below a folder that everybody may pass through: users of containers must reach their rootfs.
    mount -t tmpfs -o mode=755 oci-run-tests "$OCI_RUN_TESTS_FOLDER"
    # A cgroup with processes cannot hand controllers to its children: the tests themselves live in a leaf.
    mkdir /sys/fs/cgroup/init
    echo $$ >/sys/fs/cgroup/init/cgroup.procs
    for controller in $(</sys/fs/cgroup/cgroup.controllers); do
        echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control || true
    done
    unset PYTHONPATH PYTHONHOME PYTHONSTARTUP LISTEN_FDS LISTEN_PID NOTIFY_SOCKET
    export PYTHONDONTWRITEBYTECODE=1 PYTEST_DISABLE_PLUGIN_AUTOLOAD=1
    umask 022
    cd "$here"
    exec /usr/bin/python3 -m pytest -p no:cacheprovider --rootdir="$here" "$@"
}

if [[ ${1:-} == --inside ]]; then
    shift
    inside "$@"
fi

if [[ $EUID -ne 0 ]]; then
    echo "tests/containers/run.sh: containers with all features need root: run it with sudo" >&2
    exit 1
fi
# The tests run in another folder.
export OCI_RUN=${OCI_RUN:+$(realpath "$OCI_RUN")}
# The last mount is the one on top; field 5 is the mount point, the type follows the lone dash.
cgroup2=$(awk '{ for (i = 7; i <= NF; i++) if ($i == "-") { if ($(i + 1) == "cgroup2") print $5; break } }' \
    /proc/self/mountinfo | tail -n 1)
if [[ -z $cgroup2 ]]; then
    echo "tests/containers/run.sh: no cgroup2 mount: the tests need one" >&2
    exit 1
fi
session=$cgroup2/oci-run-tests.$$
OCI_RUN_TESTS_FOLDER=$(mktemp --directory /tmp/oci-run-tests.XXXXXX)
export OCI_RUN_TESTS_FOLDER
clean_up() {
    rmdir "$OCI_RUN_TESTS_FOLDER"
    [[ -d $session ]] || return 0
    echo 1 >"$session/cgroup.kill"
    for _ in {1..100}; do
        grep -q '^populated 0' "$session/cgroup.events" && break
        sleep 0.05
    done
    find "$session" -depth -type d -exec rmdir {} \;
}
trap clean_up EXIT
mkdir "$session"
result=0
# The child joins the cgroup before it makes the namespace: a cgroup namespace is rooted where its maker is.
bash -c 'echo $$ >"$1/cgroup.procs" && shift && exec unshare --cgroup --mount "$@"' \
    -- "$session" bash "${BASH_SOURCE[0]}" --inside "$@" || result=$?
exit "$result"
