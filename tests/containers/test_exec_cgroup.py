# SPDX-License-Identifier: Apache-2.0
"""exec: the cgroup of the process, and paused containers."""

import subprocess

import pytest

from harness import CGROUPS, wait_for


def processes_in(folder):
    return [int(pid) for pid in (folder / "cgroup.procs").read_text().split()]


def exec_in(container, *options):
    """The cgroup of a process that exec makes, as the host sees it."""
    pid = container.exec_detached(*options, ..., "sleep", "1000")
    with open(f"/proc/{pid}/cgroup") as file:
        return next(line.strip()[3:] for line in file if line.startswith("0::"))


@pytest.fixture
def sub_cgroup(container):
    """A cgroup a/b in the container's."""
    folder = CGROUPS / container.id / "a/b"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("path", ["a/b", "/a/b", "a//b/", "./a/./b", "a/x/../b"])
def test_cgroup_below_the_containers(container, sub_cgroup, path):
    assert exec_in(container, "--cgroup", path) == f"/{container.id}/a/b"


@pytest.mark.parametrize("path", ["/", ".", ""])
def test_the_containers_own(container, path):
    assert exec_in(container, f"--cgroup={path}") == f"/{container.id}"


@pytest.mark.parametrize("path", ["..", "../init", "/..", "a/../..", "a/../../init", "a/b/../../../init"])
def test_cgroup_outside_of_the_containers(container, sub_cgroup, path):
    container.oci("exec", "--cgroup", path, container.id, "true").failed("--cgroup", "is not a sub cgroup path", rc=255)


def test_cgroup_that_does_not_exist(container):
    container.oci("exec", "--cgroup", "nowhere", container.id, "true").failed(
        "--cgroup", "nowhere", "no such file or directory", rc=255)


def test_controllers_before_the_path(container):
    container.oci("exec", "--cgroup", "cpu,memory:/a", container.id, "true").failed("--cgroup", "cgroup v2", rc=255)


def test_cgroup_option_where_there_is_no_cgroup(oci, bundle):
    container = oci.run_detached(bundle.sh("sleep 100000"), before=("--cgroup-manager", "disabled"))
    container.oci("exec", "--cgroup", "a", container.id, "true").failed("--cgroup", "no cgroup of its own", rc=255)
    container.exec("true").succeeded()
    container.kill("KILL")


def enable_a_controller(folder):
    available = (folder / "cgroup.controllers").read_text().split()
    if not available:
        pytest.skip("kernel: no controller of cgroup v2 is free here")
    (folder / "cgroup.subtree_control").write_text(f"+{available[0]}")


def test_where_only_leaves_have_processes_exec_goes_to_inits(container, sub_cgroup):
    (sub_cgroup / "cgroup.procs").write_text(str(container.pid))
    enable_a_controller(CGROUPS / container.id)
    assert exec_in(container) == f"/{container.id}/a/b"


def test_a_cgroup_that_is_asked_for_is_not_replaced(container, sub_cgroup):
    (sub_cgroup / "cgroup.procs").write_text(str(container.pid))
    enable_a_controller(CGROUPS / container.id)
    container.oci("exec", "--cgroup", "/", container.id, "true").failed("--cgroup", "controllers enabled", rc=255)


def test_frozen_cgroup_below_the_containers(container, sub_cgroup):
    (sub_cgroup / "cgroup.freeze").write_text("1")
    wait_for(lambda: "frozen 1" in (sub_cgroup / "cgroup.events").read_text())
    container.oci("exec", "--cgroup", "a/b", container.id, "true").failed("--cgroup", "frozen", rc=255)


# ---- paused


def test_paused(oci, container):
    oci("pause", container.id).succeeded()
    container.exec("true").failed("cannot exec in a paused container (use --ignore-paused to override)", rc=255)


def test_paused_is_ignored(oci, container):
    """The process runs when somebody resumes the container."""
    oci("pause", container.id).succeeded()
    process = oci.popen("exec", "--ignore-paused", container.id, "echo", "fine", stdout=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    assert processes_in(CGROUPS / container.id) == [container.pid]
    oci("resume", container.id).succeeded()
    assert process.wait() == 0 and process.stdout.read() == b"fine\n"
    process.stdout.close()


def test_paused_and_killed_while_exec_waits(oci, container):
    oci("pause", container.id).succeeded()
    process = oci.popen("exec", "--ignore-paused", container.id, "true", stderr=subprocess.PIPE)
    container.kill("KILL")
    assert process.wait() == 255 and b"cannot exec in a stopped container" in process.stderr.read()
    process.stderr.close()


def test_paused_is_ignored_where_nothing_is_paused(oci, container):
    assert oci("exec", "--ignore-paused", container.id, "echo", "fine").succeeded().out == "fine\n"
