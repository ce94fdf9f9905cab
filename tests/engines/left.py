# SPDX-License-Identifier: Apache-2.0
"""What containers can leave behind on a machine."""

import os
import pathlib
import re
import time

CGROUPS = "/sys/fs/cgroup"
# podman and conmon, containerd, Docker, replay.
STATES = ("run/oci-run/*", "run/user/*/oci-run/*", "run/containerd/runc/*/*", "tmp/engines/*/*/exec/runtime-*/*/*",
          "tmp/engines/replay/*/state/*")
# The service manager's own; the tests' service is not among them.
SERVICE = re.compile(r"\.(service|slice|socket|mount)$|/init\.scope$")
OURS = re.compile(r"oci-run-tests\.service$")


def cgroups():
    for folder, _, _ in os.walk(CGROUPS):
        if not SERVICE.search(folder):
            yield folder


def processes():
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            folder = pathlib.Path("/proc") / name
            state, parent, *more = (folder / "stat").read_text().rpartition(")")[2].split()
            cgroup = (folder / "cgroup").read_text().strip()
            arguments = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue  # has ended
        foreign = SERVICE.search(cgroup) and not OURS.search(cgroup)
        if state != "Z" and "2" not in (name, parent) and not foreign:
            yield f"{name} since {more[17]}: {arguments}"


def mounts():
    with open("/proc/self/mountinfo") as file:
        places = [line.split()[4] for line in file]
    # podman binds the folder of its storage onto itself, until it is told otherwise.
    return [place for place in places if not place.endswith("/root/overlay")]


def states():
    return (path for pattern in STATES for path in pathlib.Path("/").glob(pattern))


def network_devices():
    return os.listdir("/sys/class/net")


def snapshot():
    kinds = (cgroups, processes, mounts, network_devices, states)
    return {f"{kind.__name__}: {item}" for kind in kinds for item in kind()}


def left_since(before, seconds=20):
    """What is there and was not before; engines clean up in the background, for which they get some time."""
    deadline = time.monotonic() + seconds
    while (left := snapshot() - before) and time.monotonic() < deadline:
        time.sleep(0.2)
    return sorted(left)
