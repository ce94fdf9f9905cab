# SPDX-License-Identifier: Apache-2.0
"""Fixtures of a normal user. No account is added to the machine: where the programs of uidmap need a name and ranges,
private copies of the files in /etc are mounted over them."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

import harness
from rootless_user import FIRST_SUBORDINATE, NAME, SUBORDINATES, UID, User


@pytest.fixture
def user(session, nothing_left):
    one = User(session)
    yield one
    one.cgroup = None
    one.delete_all()
    left = list(one.state_root.iterdir()) if one.state_root.exists() else []
    assert left == []


@pytest.fixture
def bundle(session, user, new_bundle):
    """What `spec --rootless` gives the user, for a process without a terminal."""
    bundle = new_bundle()
    os.chown(bundle.path, UID, UID)
    bundle.give_rootfs(UID)
    user("spec", "--rootless", "--bundle", bundle.path).succeeded()
    bundle.config = json.loads((bundle.path / "config.json").read_text())
    bundle.process["terminal"] = False
    bundle.config["root"]["readonly"] = False
    return bundle


@pytest.fixture
def account(tmp_path_factory):
    """A name for the user and subordinate ids, as adduser(8) would give them, seen by this test alone."""
    folder = tmp_path_factory.mktemp("etc")
    mounted = []
    lines = {
        "passwd": f"{NAME}:x:{UID}:{UID}::/:/bin/sh\n",
        "group": f"{NAME}:x:{UID}:\n",
        "subuid": f"{NAME}:{FIRST_SUBORDINATE}:{SUBORDINATES}\n",
        "subgid": f"{NAME}:{FIRST_SUBORDINATE}:{SUBORDINATES}\n",
    }
    for name, line in lines.items():
        target = pathlib.Path("/etc") / name
        if not target.exists():
            pytest.fail(f"{target} is missing: install the package uidmap")
        copy = folder / name
        shutil.copy(target, copy)
        copy.chmod(0o644)
        with open(copy, "a") as file:
            file.write(line)
        subprocess.run(["mount", "--bind", copy, target], check=True)
        mounted.append(target)
    yield NAME
    for target in mounted:
        subprocess.run(["umount", target], check=True)


@pytest.fixture
def delegated():
    """A cgroup that was given to the user as systemd gives user@.service, and a leaf of it for the user's processes."""
    top = harness.CGROUPS / "delegated"
    leaf = top / "session"
    leaf.mkdir(parents=True)
    for folder in (top, leaf):
        for name in (".", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"):
            os.chown(folder / name, UID, UID)
    yield top
    harness.wait_for(lambda: "populated 0" in (top / "cgroup.events").read_text(), "an empty cgroup")
    leaf.rmdir()
    top.rmdir()
