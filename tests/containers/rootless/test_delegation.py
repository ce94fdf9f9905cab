# SPDX-License-Identifier: Apache-2.0
"""What becomes of the cgroup of a normal user's container, with and without delegation."""

import json
import os
import pathlib

import pytest

import harness
from rootless_user import UID


def cgroup_of_process(pid):
    lines = pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    return next(line[3:] for line in lines if line.startswith("0::"))


def cgroup_of(container):
    return cgroup_of_process(container.pid)


def test_without_delegation_there_is_no_cgroup_and_a_debug_line(user, bundle):
    container = user.create(bundle.args("sleep", "1000"), before=("--debug",))
    assert "no delegated cgroup" in container.errors()
    assert cgroup_of(container) == cgroup_of_process("self")
    container.start()
    assert container.exec("id", "-u").succeeded().out == "0\n"
    container.delete("--force")


def test_limits_without_delegation_are_refused(user, bundle):
    bundle.linux["resources"] = {"pids": {"limit": 10}}
    user.run(bundle).failed("/linux/resources/pids/limit", "no delegated cgroup")


def test_device_rules_alone_are_no_limits(user, bundle):
    bundle.linux["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}
    assert user.output_of(bundle, "id -u") == "0\n"


def test_a_path_that_may_not_be_made_is_refused(user, bundle):
    bundle.linux["cgroupsPath"] = "/c1"
    user.run(bundle).failed("/linux/cgroupsPath: /c1", "no delegated cgroup")


def test_rootless_false_insists_on_a_cgroup(user, bundle):
    user.run(bundle, before=("--rootless=false",)).failed("create cgroup", "permission denied")


def test_a_delegated_cgroup_is_used(user, bundle, delegated):
    user.cgroup = delegated / "session"
    container = user.run_detached(bundle.args("sleep", "1000"))
    assert cgroup_of(container) == f"/delegated/{container.id}"
    record = json.loads((user.state_root / container.id / "record.json").read_text())
    assert json.dumps(record).count("/delegated/") >= 1
    assert container.exec("cat", "/proc/self/cgroup").succeeded().out.splitlines()[-1] == "0::/"
    container.delete("--force")
    assert not (delegated / container.id).exists()


def test_paths_below_the_delegated_cgroup(user, bundle, delegated):
    user.cgroup = delegated / "session"
    bundle.linux["cgroupsPath"] = "/delegated/deep/er"
    container = user.run_detached(bundle.args("sleep", "1000"))
    assert cgroup_of(container) == "/delegated/deep/er"
    container.delete("--force")
    assert not (delegated / "deep").exists()
    bundle.linux["cgroupsPath"] = "/beside"
    user.run(bundle).failed("/linux/cgroupsPath: /beside", "not below the delegated cgroup /delegated")


def test_where_only_the_own_cgroup_is_delegated(user, bundle, delegated):
    """The container's goes inside of it then."""
    os.chown(delegated / "cgroup.procs", 0, 0)
    user.cgroup = delegated / "session"
    container = user.run_detached(bundle.args("sleep", "1000"))
    assert cgroup_of(container) == f"/delegated/session/{container.id}"
    container.delete("--force")


def test_limits_hold_in_a_delegated_cgroup(user, bundle, delegated):
    if "pids" not in (delegated / "cgroup.controllers").read_text():
        pytest.skip("kernel: no controller pids here")
    user.cgroup = delegated / "session"
    bundle.linux["resources"] = {"pids": {"limit": 5}}
    container = user.run_detached(bundle.args("sleep", "1000"))
    assert (delegated / container.id / "pids.max").read_text() == "5\n"
    container.delete("--force")


def test_kill_reaches_every_process_of_a_delegated_cgroup(user, bundle, delegated):
    user.cgroup = delegated / "session"
    bundle.linux["namespaces"] = [entry for entry in bundle.linux["namespaces"] if entry["type"] != "pid"]
    bundle.without_mount("/proc").bind("/proc", "/proc", "rbind")
    container = user.run_detached(bundle.sh("sleep 1000 & sleep 1000"))
    container.delete("--force")
    assert not (delegated / container.id).exists()


def test_the_cgroup_manager_may_be_disabled(user, bundle, delegated):
    user.cgroup = delegated / "session"
    container = user.run_detached(bundle.args("sleep", "1000"), before=("--cgroup-manager", "disabled"))
    assert cgroup_of(container) == "/delegated/session"
    container.delete("--force")


def test_a_cgroup_with_processes_hands_on_no_controllers(user, bundle, delegated):
    """And is not turned into a threaded one, in which nothing starts."""
    os.chown(delegated / "cgroup.procs", 0, 0)
    user.cgroup = delegated / "session"
    if not (delegated / "session/cgroup.controllers").read_text().split():
        # where the tests run they have not been enabled
        (delegated / "cgroup.subtree_control").write_text(
            " ".join("+" + name for name in (delegated / "cgroup.controllers").read_text().split()))
    controllers = (delegated / "session/cgroup.controllers").read_text().split()
    if "pids" not in controllers:
        pytest.skip("kernel: no controller pids here")
    bundle.linux["resources"] = {"pids": {"limit": 5}}
    user.run(bundle).failed("/linux/resources/pids/limit", "enable controller pids in cgroup /delegated/session", "processes are in it")
    assert (delegated / "session/cgroup.type").read_text() == "domain\n"
