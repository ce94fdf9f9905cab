# SPDX-License-Identifier: Apache-2.0
"""pause and resume: what stands still, what is refused meanwhile, and what can still be done."""

import ctypes
import os
import signal
import subprocess
import threading

import pytest

from harness import CGROUPS, wait_for

COUNT = "i=0; while true; do i=$((i+1)); echo $i > /tmp/count; done"


def frozen(folder):
    return "frozen 1" in (folder / "cgroup.events").read_text()


def test_processes_stand_still_and_run_on(oci, bundle):
    container = oci.run_detached(bundle.sh(COUNT))
    count = bundle.rootfs / "tmp/count"
    wait_for(lambda: count.exists() and count.read_text())
    completed = oci("pause", container.id).succeeded()
    assert (completed.out, completed.err) == ("", "")
    assert container.status == "paused" and container.state()["pid"] == container.pid
    assert container.id in oci("list").out and "paused" in oci("list").out
    assert frozen(CGROUPS / container.id)
    before = count.read_text()
    ticks = container.proc("stat").split()[13:15]
    for _ in range(20):
        oci("state", container.id).succeeded()
    assert count.read_text() == before and container.proc("stat").split()[13:15] == ticks
    oci("resume", container.id).succeeded()
    assert container.status == "running"
    wait_for(lambda: count.read_text() not in ("", before))
    container.delete("--force")  # it writes into the bundle, which is removed first


def test_a_created_container_can_be_paused(oci, bundle):
    container = oci.create(bundle.sh("sleep 100000"))
    oci("pause", container.id).succeeded()
    assert container.status == "paused"
    oci("start", container.id).failed("cannot start a paused container")
    oci("resume", container.id).succeeded()
    assert container.status == "created"
    container.start()


def test_what_is_refused(oci, bundle):
    container = oci.run_detached(bundle.sh("sleep 100000"))
    oci("resume", container.id).failed("container not paused")
    oci("pause", container.id).succeeded()
    oci("pause", container.id).failed("container not running", "paused already")
    container.exec("/bin/true").failed("cannot exec in a paused container", rc=255)
    oci("delete", container.id).failed("cannot delete", "not stopped: paused")
    oci("resume", container.id).succeeded()
    container.kill("KILL")
    container.wait()
    oci("pause", container.id).failed("container not running")
    oci("resume", container.id).failed("container not paused")
    oci("pause", "nothing").failed("container does not exist")


def test_without_a_cgroup(oci, bundle):
    container = oci.run_detached(bundle.sh("sleep 100000"), before=("--cgroup-manager", "disabled"))
    oci("pause", container.id).failed("no cgroup of its own", "cgroup manager disabled")
    oci("ps", container.id).failed("no cgroup of its own")
    oci("events", "--stats", container.id).failed("no cgroup of its own")
    assert container.status == "running"


@pytest.mark.parametrize("own_pids", [True, False])
def test_kill_of_a_paused_container(oci, bundle, own_pids):
    if not own_pids:
        bundle.namespaces("mount", "ipc", "uts", "network")
    container = oci.run_detached(bundle.sh("sleep 100000 & sleep 100000"))
    oci("pause", container.id).succeeded()
    container.kill("KILL")
    assert container.wait() == -signal.SIGKILL
    assert container.status == "stopped"
    container.delete()


def test_other_signals_wait_for_resume(oci, bundle):
    container = oci.run_detached(bundle.sh("trap 'exit 7' TERM; echo ready; while true; do sleep 0.01; done"))
    container.wait_output("ready")
    oci("pause", container.id).succeeded()
    container.kill("TERM")
    assert container.status == "paused"
    oci("resume", container.id).succeeded()
    assert container.wait() == 7


def test_delete_force_of_a_paused_container(oci, bundle):
    container = oci.run_detached(bundle.sh("sleep 100000"))
    oci("pause", container.id).succeeded()
    container.delete("--force")
    assert not (CGROUPS / container.id).exists()


def test_cgroups_that_a_container_freezes_itself_do_not_pause_it(oci, bundle):
    container = oci.run_detached(bundle.sh("sleep 100000"))
    inner = CGROUPS / container.id / "inner"
    inner.mkdir()
    foreign = subprocess.Popen(["sleep", "100000"])
    (inner / "cgroup.procs").write_text(str(foreign.pid))
    (inner / "cgroup.freeze").write_text("1")
    wait_for(lambda: frozen(inner))
    assert container.status == "running"
    oci("pause", container.id).succeeded()
    oci("resume", container.id).succeeded()
    assert container.status == "running" and frozen(inner), "an inner freeze is the container's own"
    container.delete("--force")
    assert foreign.wait() == -signal.SIGKILL


def test_frozen_from_above(oci, bundle):
    bundle.linux["cgroupsPath"] = "/above/inner"
    container = oci.run_detached(bundle.sh("sleep 100000"))
    (CGROUPS / "above/cgroup.freeze").write_text("1")
    wait_for(lambda: frozen(CGROUPS / "above"))
    assert container.status == "paused"
    oci("resume", container.id, timeout=30).failed("a cgroup above is frozen")
    (CGROUPS / "above/cgroup.freeze").write_text("0")
    wait_for(lambda: container.status == "running")


def test_pause_waits_for_no_other_command_for_ever(oci, bundle):
    """Pauses and resumes at once: each either works or says why not, and the end is a sound state."""
    container = oci.run_detached(bundle.sh("sleep 100000"))
    results = []
    threads = [threading.Thread(target=lambda word=word: results.append(oci(word, container.id)))
               for word in ["pause", "resume"] * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        assert result.rc == 0 or "container not paused" in result.err or "container not running" in result.err
    assert container.status in ("running", "paused")


class Blocker:
    """A process in an uninterruptible wait: it opens a file whose fanotify listener does not answer."""

    FAN_CLASS_CONTENT, FAN_OPEN_PERM, FAN_MARK_ADD = 4, 0x10000, 1

    def __init__(self, path, cgroup):
        libc = ctypes.CDLL(None, use_errno=True)
        self.listener = libc.fanotify_init(self.FAN_CLASS_CONTENT, os.O_RDONLY)
        mark = libc.fanotify_mark(self.listener, self.FAN_MARK_ADD, ctypes.c_uint64(self.FAN_OPEN_PERM), -100,
                                  str(path).encode()) if self.listener >= 0 else -1
        if mark != 0:
            pytest.skip("kernel: no fanotify permission events")
        self.process = subprocess.Popen(["sh", "-c", f"echo $$ > {cgroup}/cgroup.procs; cat {path}"],
                                        stdout=subprocess.DEVNULL)
        wait_for(lambda: "(cat) D" in self.stat())

    def stat(self):
        children = open(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read().split()
        return "".join(open(f"/proc/{pid}/stat").read() for pid in children)

    def close(self):
        os.close(self.listener)
        self.process.wait()


def test_what_does_not_freeze_is_named_and_all_run_on(oci, bundle):
    container = oci.run_detached(bundle.sh("sleep 100000"))
    file = bundle.path / "blocked"
    file.write_text("")
    blocker = Blocker(file, CGROUPS / container.id)
    try:
        oci("pause", container.id).failed("unable to freeze", "(cat)", "uninterruptible")
        assert container.status == "running"
        assert (CGROUPS / container.id / "cgroup.freeze").read_text() == "0\n"
    finally:
        blocker.close()
    oci("pause", container.id).succeeded()
