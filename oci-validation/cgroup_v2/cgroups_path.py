#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""config-linux.md#cgroups-path and #cgroup-ownership"""

import os
import pathlib

from conformance import CGROUPS, Container, check, equal, program

PATH = "config-linux.md#cgroups-path"
OWNER = "config-linux.md#cgroup-ownership"
DELEGATE = pathlib.Path("/sys/kernel/cgroup/delegate")


def place(cgroups_path):
    with Container(cgroupsPath=cgroups_path) as container:
        return container.cgroup if container.created else container.output()


def test_path():
    wanted = CGROUPS / "oci-validation/some/path"
    with Container(script="cat /proc/self/cgroup", cgroupsPath="/oci-validation/some/path") as container:
        if not container.created:
            check(False, PATH, "an absolute path", error=container.output())
            return
        equal(container.cgroup, wanted, PATH, "an absolute path is below the mount point, and is made")
        check("0::/\n" in container.wait(), "config-linux.md#namespaces",
              "cgroup: it is the root that the container sees")
    check(not wanted.exists(), "runtime.md#delete", "the cgroup is deleted with the container")
    first = place("oci-validation-relative")
    check(isinstance(first, pathlib.Path) and first.name == "oci-validation-relative", PATH,
          "a relative path is below a place that the runtime chooses", found=first)
    equal(place("oci-validation-relative"), first, PATH, "the same value is the same place")
    with Container() as one, Container() as other:
        check(one.created and other.created and one.cgroup != other.cgroup, PATH, "unset: each container has its own")


def owners(options):
    """Who owns the cgroup of a container whose process is user 1000: {file: user}, "" for the folder."""
    def change(config):
        config["process"]["user"] = {"uid": 1000, "gid": 1000}
        config["mounts"][-1]["options"] = options

    with Container(change=change) as container:
        if not container.created:
            return {"": container.output()}
        folder = container.cgroup
        return {"": folder.stat().st_uid, **{name: (folder / name).stat().st_uid for name in os.listdir(folder)}}


def test_ownership():
    found = owners(["rw"])
    delegated = DELEGATE.read_text().split() if DELEGATE.exists() else [
        "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"]
    expected = {"", *delegated} & found.keys()
    equal({name for name, user in found.items() if user == 1000}, expected, OWNER,
          "mounted read/write: the folder and the files to delegate SHOULD be the user's, and no other")
    equal(set(owners(["ro"]).values()), {0}, OWNER, "mounted read-only: nothing SHOULD be")


def main():
    test_path()
    test_ownership()


if __name__ == "__main__":
    program(main)
