#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Real engines run their containers with oci-run and with another runtime, in a virtual machine with systemd; exit codes,
# outputs and what is left behind are compared.
# usage: sudo tests/engines/run.sh [--full] [--verbose] [ENGINE | ENGINE:WORD]...      after the preset release is built
#   --full        also what another engine, or another set-up of the same one, has shown already
#   --verbose     all outputs
#   ENGINE:WORD   only the blocks of actions that have the word in a name, as podman:update
# The engines are the modules beside this file, with their tables of actions; engine.py tells how an action is written.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)

inside() {
    install -m 755 "$repository/build/engines/bin/oci-run" /usr/bin/oci-run
    export EXAMPLES=$repository/build/engines/share/doc/oci-run/examples
    install -D -m 644 -t /etc/containers/containers.conf.d "$EXAMPLES/podman/oci-run.conf"
    # As podman's documentation tells for limits of CPUs without root.
    install -d /etc/systemd/system/user@.service.d
    printf '[Service]\nDelegate=cpu cpuset io memory pids\n' >/etc/systemd/system/user@.service.d/delegate.conf
    systemctl daemon-reload
    echo containers:1000000:1000000 | tee -a /etc/subuid >>/etc/subgid # for podman's --userns=auto
    ip netns add first && ip netns delete first # mounts /run/netns, for good
    chmod 666 /dev/net/tun # as udev does, for slirp4netns
    export PYTHONDONTWRITEBYTECODE=1
    exec "$repository/tests/vm/nothing_left.sh" /usr/bin/python3 "$here/compare.py" "$@"
}

if [[ ${1:-} == --inside ]]; then
    inside "${@:2}"
fi
"$repository/tests/packages.sh" vm engines
# What a user installs is what is tested, with its configuration files for the engines.
cmake --install "$repository/build/release" --prefix "$repository/build/engines" >/dev/null
[[ -z ${OCI_RUN:-} ]] || cp "$OCI_RUN" "$repository/build/engines/bin/oci-run"
exec "$repository/tests/vm/run.sh" --systemd "$here/run.sh" --inside "$@"
