# SPDX-License-Identifier: Apache-2.0
"""Containers from scratch: each classic building block as one bundle and one test. All run in the virtual machine, which
has the controllers."""

import json
import os
import pathlib
import signal
import socket

from harness import CGROUPS, namespace, wait_for

MEGABYTE = 1 << 20


def keyed(path):
    """A flat keyed file of a cgroup: {"nr_throttled": 3}."""
    return {key: int(value) for key, value in (line.split() for line in path.read_text().splitlines())}


def test_own_hostname(oci, bundle):
    bundle.config["hostname"] = "from-scratch"
    assert oci.output_of(bundle, "hostname") == "from-scratch\n"
    assert socket.gethostname() != "from-scratch"


def test_own_process_ids(oci, bundle):
    """The shell is process 1, and a fresh /proc shows nobody else."""
    out = oci.output_of(bundle, "echo $$; echo /proc/[0-9]*")
    assert out == "1\n/proc/1\n"


def test_user_mapped_to_root(oci, bundle):
    """Root inside is user 100000 outside."""
    bundle.user_namespace().sh("id -u; touch /tmp/mine; echo ready; sleep 1000")
    container = oci.run_detached(bundle)
    container.wait_output("ready")
    assert container.output().startswith("0\n")
    assert container.proc("status").split("Uid:")[1].split()[:4] == ["100000"] * 4
    assert (bundle.rootfs / "tmp/mine").stat().st_uid == 100000
    assert namespace("user", container.pid) != namespace("user")
    container.kill("KILL")
    container.wait()


def test_pivot_root_into_busybox(oci, bundle):
    """The root is BusyBox's folder; nothing of the host's tree is mounted or reachable."""
    out = oci.output_of(bundle, "ls /; busybox | head -n 1; cat /proc/1/mountinfo; ls -d /../../bin/busybox")
    assert "BusyBox v" in out and "/bin/busybox" in out
    assert str(bundle.path.parent) not in [line.split()[4] for line in out.splitlines() if len(line.split()) > 9]
    host_only = {entry.name for entry in pathlib.Path("/").iterdir()} - {entry.name for entry in bundle.rootfs.iterdir()}
    assert host_only and not host_only & set(out.split("BusyBox")[0].split())


def test_memory_hog_is_killed(oci, bundle):
    """memory.max 2 MiB: the hog dies, init lives on, and `events` says oom."""
    bundle.linux["resources"] = {"memory": {"limit": 2 * MEGABYTE, "swap": 2 * MEGABYTE}}
    # tail keeps what may be the last line: all of it.
    bundle.sh("echo ready; read line; tail /dev/zero; echo hog ended $?; exec sleep 1000")
    read_end, write_end = os.pipe()
    container = oci.create(bundle, stdin=read_end).start()
    os.close(read_end)
    container.wait_output("ready")
    assert (CGROUPS / container.id / "memory.max").read_text() == f"{2 * MEGABYTE}\n"
    events, errors = oci.state_root.parent / "events", oci.state_root.parent / "events-errors"
    with open(events, "wb") as out, open(errors, "wb") as err:
        watcher = oci.popen("events", "--interval", "1s", container.id, stdout=out, stderr=err)
    wait_for(lambda: '"stats"' in events.read_text(), f"the first statistics {errors.read_text()}")
    os.write(write_end, b"go\n")
    os.close(write_end)
    container.wait_output("hog ended 137")
    assert keyed(CGROUPS / container.id / "memory.events")["oom_kill"] >= 1
    wait_for(lambda: '"oom"' in events.read_text(), "the oom event")
    assert {"type": "oom", "id": container.id} in [
        {key: line.get(key) for key in ("type", "id")} for line in map(json.loads, events.read_text().splitlines())]
    assert container.status == "running"
    container.kill("KILL")
    container.wait()
    assert watcher.wait(60) == 0, errors.read_text()
    events.unlink()
    errors.unlink()


def test_fork_bomb_is_contained(oci, bundle, new_bundle):
    """pids.max 20 against a fork bomb: contained, the host unharmed, the container killable."""
    bundle.linux["resources"] = {"pids": {"limit": 20}}
    container = oci.run_detached(bundle.sh("bomb() { bomb | bomb & }; echo ready; bomb; exec sleep 1000"))
    container.wait_output("ready")
    cgroup = CGROUPS / container.id
    wait_for(lambda: keyed(cgroup / "pids.events")["max"] > 0, "a fork that is refused")
    assert (cgroup / "pids.max").read_text() == "20\n"
    assert int((cgroup / "pids.current").read_text()) <= 20
    assert oci.output_of(new_bundle(), "echo the host still forks") == "the host still forks\n"
    container.kill("KILL")
    assert container.wait() == -signal.SIGKILL
    container.delete()
    assert not cgroup.exists()


def test_freeze_and_resume(oci, bundle):
    """A frozen program does nothing; resumed it goes on where it was."""
    container = oci.run_detached(bundle.sh("n=0; while :; do n=$((n + 1)); echo $n >/tmp/n; done"))
    counter = bundle.rootfs / "tmp/n"
    wait_for(lambda: counter.exists() and counter.read_text().strip(), "the first number")
    oci("pause", container.id).succeeded()
    assert container.status == "paused"
    assert keyed(CGROUPS / container.id / "cgroup.events")["frozen"] == 1
    frozen_at = counter.read_text()
    cpu_time = keyed(CGROUPS / container.id / "cpu.stat")["usage_usec"]
    # A paused container runs no instruction, however long one looks: other work goes on meanwhile.
    oci("state", container.id).succeeded()
    assert counter.read_text() == frozen_at
    assert keyed(CGROUPS / container.id / "cpu.stat")["usage_usec"] == cpu_time
    oci("resume", container.id).succeeded()
    assert container.status == "running"
    wait_for(lambda: counter.read_text() not in ("", frozen_at), "the next number")
    container.kill("KILL")
    container.wait()


def test_cpu_quota_throttles(oci, bundle):
    """cpu.max reads `50000 100000`, and nr_throttled grows under a busy loop."""
    bundle.linux["resources"] = {"cpu": {"quota": 50000, "period": 100000}}
    container = oci.run_detached(bundle.sh("while :; do :; done"))
    cgroup = CGROUPS / container.id
    assert (cgroup / "cpu.max").read_text() == "50000 100000\n"
    wait_for(lambda: keyed(cgroup / "cpu.stat")["nr_throttled"] >= 3, "throttling")
    container.kill("KILL")
    container.wait()
