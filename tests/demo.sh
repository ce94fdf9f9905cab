#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs what the build needs, builds the release binary, and runs a BusyBox container that shows where it is.
# usage: sudo tests/demo.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [[ $EUID -ne 0 ]]; then
    echo "tests/demo.sh: containers need root: sudo tests/demo.sh" >&2
    exit 1
fi
tests/packages.sh build container
cmake --preset release >/dev/null
cmake --build --preset release
oci_run=$PWD/build/release/oci-run

# A bundle is a folder with a root file system and config.json.
bundle=$(mktemp --directory)
trap 'rm -rf "$bundle"' EXIT
mkdir -p "$bundle/rootfs/bin"
cp "$(command -v busybox)" "$bundle/rootfs/bin/busybox"
for applet in $(busybox --list); do
    [[ $applet == busybox ]] || ln -s busybox "$bundle/rootfs/bin/$applet"
done
cat >"$bundle/config.json" <<'CONFIG'
{
    "ociVersion": "1.3.0",
    "root": { "path": "rootfs", "readonly": true },
    "hostname": "oci-run-demo",
    "process": {
        "user": { "uid": 0, "gid": 0 },
        "cwd": "/",
        "env": ["PATH=/bin"],
        "args": ["sh", "/show-where-i-am"],
        "capabilities": { "bounding": [], "effective": [], "permitted": [] },
        "noNewPrivileges": true
    },
    "mounts": [
        { "destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"] },
        { "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=64k"] },
        { "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"] },
        { "destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "size=1m"] }
    ],
    "linux": {
        "namespaces": [
            { "type": "pid" }, { "type": "network" }, { "type": "mount" }, { "type": "ipc" }, { "type": "uts" },
            { "type": "cgroup" }
        ],
        "resources": { "devices": [{ "allow": false, "access": "rwm" }] },
        "maskedPaths": ["/proc/kcore", "/proc/keys"],
        "readonlyPaths": ["/proc/sys"]
    }
}
CONFIG
mkdir -p "$bundle/rootfs"/{proc,dev,sys,tmp}
cat >"$bundle/rootfs/show-where-i-am" <<'SCRIPT'
for command in hostname id ps mount 'grep 0:: /proc/self/cgroup'; do
    echo
    echo "# $command"
    $command
done
SCRIPT

"$oci_run" --version
echo "# oci-run run --bundle $bundle demo-$$"
"$oci_run" run --bundle "$bundle" "demo-$$"
