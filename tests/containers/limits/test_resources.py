# SPDX-License-Identifier: Apache-2.0
"""Every field of linux.resources on a machine with all controllers: what is asked, what the control file has then, after
`create` and after `update`, and what it does. Prints a line for each field. Started in a virtual machine, which has a disk
of its own (tests/vm/run.sh tests/containers/run.sh limits)."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import time

import pytest

from harness import CGROUPS, wait_for

MIB = 1 << 20
DISK = pathlib.Path("/sys/block/vda")
needs_disk = pytest.mark.skipif(not DISK.exists(), reason="kernel: no disk to limit")


def disk():
    major, minor = (DISK / "dev").read_text().strip().split(":")
    return {"major": int(major), "minor": int(minor)}


def disk_key():
    return (DISK / "dev").read_text().strip()


@pytest.fixture
def say(capsys):
    """Prints past pytest: the lines are what the run is for."""
    def line(text):
        with capsys.disabled():
            print(f"\n    {text}", end="", flush=True)
    return line


def value(container, file):
    return (CGROUPS / container.id / file).read_text().strip()


def start(oci, bundle, resources, script="sleep 1000"):
    bundle.linux["resources"].update(resources)
    return oci.run_detached(bundle.sh(script))


def update(oci, container, resources):
    completed = oci("update", "--resources", "-", container.id, input=json.dumps(resources)).succeeded()
    assert completed.out == "" and completed.err == ""


def fields(resources, above=""):
    """{"cpu": {"shares": 5}} as "cpu.shares=5"."""
    if isinstance(resources, dict) and not above.endswith("unified"):
        return " ".join(fields(inner, f"{above}.{name}" if above else name) for name, inner in resources.items())
    return f"{above}={json.dumps(resources)}"


def memory(**more):
    return {"memory": more}


def cpu(**more):
    return {"cpu": more}


def hugepages(limit):
    return {"hugepageLimits": [{"pageSize": "2MB", "limit": limit}]}


# Each: what create is given and what is read then; the same for update.
VALUES = [
    (cpu(shares=1024), {"cpu.weight": "100"}, cpu(shares=2048), {"cpu.weight": "174"}),
    (cpu(shares=2), {"cpu.weight": "1"}, cpu(shares=262144), {"cpu.weight": "10000"}),
    (cpu(shares=512), {"cpu.weight": "59"}, cpu(shares=0), {"cpu.weight": "59"}),
    (cpu(quota=50000, period=100000), {"cpu.max": "50000 100000"}, cpu(quota=-1), {"cpu.max": "max 100000"}),
    (cpu(quota=50000), {"cpu.max": "50000 100000"}, cpu(period=200000), {"cpu.max": "50000 200000"}),
    (cpu(period=50000), {"cpu.max": "max 50000"}, cpu(quota=20000), {"cpu.max": "20000 50000"}),
    (cpu(quota=50000, burst=10000), {"cpu.max": "50000 100000", "cpu.max.burst": "10000"},
     cpu(quota=90000, burst=80000), {"cpu.max": "90000 100000", "cpu.max.burst": "80000"}),
    (cpu(quota=90000, burst=80000), {"cpu.max.burst": "80000"},
     cpu(quota=50000, burst=10000), {"cpu.max": "50000 100000", "cpu.max.burst": "10000"}),
    (cpu(idle=1), {"cpu.idle": "1"}, cpu(idle=0, shares=1024), {"cpu.idle": "0", "cpu.weight": "100"}),
    (cpu(cpus="0-1", mems="0"), {"cpuset.cpus": "0-1", "cpuset.mems": "0"}, cpu(cpus="1"), {"cpuset.cpus": "1"}),
    (memory(limit=64 * MIB), {"memory.max": str(64 * MIB), "memory.swap.max": "max"},
     memory(limit=32 * MIB), {"memory.max": str(32 * MIB), "memory.swap.max": "max"}),
    (memory(limit=64 * MIB, swap=96 * MIB), {"memory.max": str(64 * MIB), "memory.swap.max": str(32 * MIB)},
     memory(limit=128 * MIB, swap=128 * MIB), {"memory.max": str(128 * MIB), "memory.swap.max": "0"}),
    (memory(limit=64 * MIB, swap=64 * MIB), {"memory.swap.max": "0"},
     memory(limit=-1), {"memory.max": "max", "memory.swap.max": "max"}),
    (memory(limit=64 * MIB, swap=0), {"memory.max": str(64 * MIB), "memory.swap.max": "max"},
     memory(swap=80 * MIB), {"memory.max": str(64 * MIB), "memory.swap.max": str(16 * MIB)}),
    (memory(limit=64 * MIB, swap=-1), {"memory.swap.max": "max"}, memory(limit=0, swap=0),
     {"memory.max": str(64 * MIB), "memory.swap.max": "max"}),
    (memory(reservation=16 * MIB), {"memory.low": str(16 * MIB)}, memory(reservation=-1), {"memory.low": "max"}),
    (memory(disableOOMKiller=False, swappiness=0, useHierarchy=True), {"memory.max": "max"},
     memory(limit=64 * MIB, checkBeforeUpdate=True), {"memory.max": str(64 * MIB)}),
    ({"pids": {"limit": 100}}, {"pids.max": "100"}, {"pids": {"limit": -1}}, {"pids.max": "max"}),
    ({"pids": {"limit": 0}}, {"pids.max": "0"}, {"pids": {}}, {"pids.max": "0"}),
    ({"pids": {"limit": -1}}, {"pids.max": "max"}, {"pids": {"limit": 7}}, {"pids.max": "7"}),
    (hugepages(4 * MIB), {"hugetlb.2MB.max": str(4 * MIB), "hugetlb.2MB.rsvd.max": str(4 * MIB)},
     hugepages(0), {"hugetlb.2MB.max": "0", "hugetlb.2MB.rsvd.max": "0"}),
    ({"unified": {"memory.high": str(8 * MIB), "memory.max": str(16 * MIB), "cpu.weight": "7"},
      **memory(limit=64 * MIB)},
     {"memory.high": str(8 * MIB), "memory.max": str(16 * MIB), "cpu.weight": "7"},
     {"unified": {"memory.high": "max", "memory.oom.group": "1"}},
     {"memory.high": "max", "memory.oom.group": "1", "memory.max": str(16 * MIB)}),
]


@pytest.mark.parametrize("created, read, updated, read_after", VALUES, ids=[fields(one[0])[:60] for one in VALUES])
def test_value(oci, bundle, say, created, read, updated, read_after):
    container = start(oci, bundle, created)
    found = {file: value(container, file) for file in read}
    say(f"create {fields(created)} -> {found}")
    assert found == read
    update(oci, container, updated)
    found = {file: value(container, file) for file in read_after}
    say(f"update {fields(updated)} -> {found}")
    assert found == read_after


OPTIONS = [
    (("--cpu-share", "2048"), {"cpu.weight": "174"}),
    (("--cpu-quota", "50000", "--cpu-period", "200000", "--cpu-burst", "1000"),
     {"cpu.max": "50000 200000", "cpu.max.burst": "1000"}),
    (("--cpu-idle", "1"), {"cpu.idle": "1"}),
    (("--cpuset-cpus", "0", "--cpuset-mems", "0"), {"cpuset.cpus": "0", "cpuset.mems": "0"}),
    (("--memory", "64m"), {"memory.max": str(64 * MIB)}),
    (("--memory", "0.0625GiB", "--memory-swap", "100663296", "--memory-reservation", "32MB"),
     {"memory.max": str(64 * MIB), "memory.swap.max": str(32 * MIB), "memory.low": str(32 * MIB)}),
    (("--memory", "-1", "--memory-swap", "-1"), {"memory.max": "max", "memory.swap.max": "max"}),
    (("--pids-limit", "50"), {"pids.max": "50"}),
    (("--pids-limit=-1",), {"pids.max": "max"}),
    (("--kernel-memory", "-1", "--cpu-rt-runtime", "0", "--l3-cache-schema", ""), {}),
]


@pytest.mark.parametrize("options, read", OPTIONS, ids=[" ".join(options) for options, _ in OPTIONS])
def test_update_by_option(oci, bundle, say, options, read):
    container = start(oci, bundle, {})
    oci("update", *options, container.id).succeeded()
    found = {file: value(container, file) for file in read}
    say(f"update {' '.join(options)} -> {found}")
    assert found == read


def test_options_win_over_the_json(oci, bundle):
    container = start(oci, bundle, {})
    oci("update", "--resources", "-", "--pids-limit", "5", container.id,
        input=json.dumps({"pids": {"limit": 4}, **memory(limit=64 * MIB)})).succeeded()
    assert value(container, "pids.max") == "5" and value(container, "memory.max") == str(64 * MIB)


def test_update_of_nothing_changes_nothing(oci, bundle):
    container = start(oci, bundle, {**cpu(quota=50000, shares=512), **memory(limit=64 * MIB, swap=96 * MIB),
                                    "pids": {"limit": 9}})
    files = [path for path in (CGROUPS / container.id).iterdir() if path.name.endswith((".max", ".weight", ".low"))]
    before = {path.name: path.read_text() for path in files}
    update(oci, container, {"cpu": {"shares": 0, "quota": 0, "cpus": ""}, "memory": {"limit": 0, "swap": 0},
                            "pids": {}, "blockIO": {"weight": 0}})
    assert before == {path.name: path.read_text() for path in files}


def test_update_goes_back_when_a_value_is_refused(oci, bundle):
    container = start(oci, bundle, {**cpu(quota=50000, burst=40000), **memory(limit=64 * MIB), "pids": {"limit": 9}})
    oci("update", "--resources", "-", container.id,
        input=json.dumps({**cpu(shares=2048, quota=90000, burst=80000), **memory(limit=128 * MIB), "pids": {"limit": 5},
                          "unified": {"memory.high": "much"}})).failed("/unified/memory.high", "invalid argument")
    found = {file: value(container, file) for file in ("cpu.weight", "cpu.max", "cpu.max.burst", "memory.max", "pids.max")}
    assert found == {"cpu.weight": "100", "cpu.max": "50000 100000", "cpu.max.burst": "40000",
                     "memory.max": str(64 * MIB), "pids.max": "9"}


@pytest.mark.parametrize("resources, pointer", [
    (cpu(cpus="1000"), "/cpu/cpus"), (cpu(quota=1), "/cpu/quota"), (cpu(period=5), "/cpu/period"),
    ({"unified": {"memory.nonesuch": "1"}}, "/unified/memory.nonesuch"),
    ({"rdma": {"nonesuch": {"hcaHandles": 1}}}, "/rdma/nonesuch"),
    ({"blockIO": {"throttleReadBpsDevice": [{"major": 250, "minor": 250, "rate": 1}]}},
     "/blockIO/throttleReadBpsDevice/0"),
])
def test_a_value_that_the_kernel_refuses(oci, bundle, resources, pointer):
    container = start(oci, bundle, {})
    oci("update", "--resources", "-", container.id, input=json.dumps(resources)).failed(pointer)
    bundle.linux["resources"].update(resources)
    oci.run(bundle).failed(f"/linux/resources{pointer}")


# ---- block devices


@pytest.fixture
def bfq():
    scheduler = DISK / "queue/scheduler"
    before = re.search(r"\[(\S+)\]", scheduler.read_text()).group(1)
    try:
        scheduler.write_text("bfq")
    except OSError:
        pytest.skip("kernel: no BFQ scheduler")
    yield
    scheduler.write_text(before)


@needs_disk
def test_weight(oci, bundle, say, bfq):
    container = start(oci, bundle, {"blockIO": {"weight": 500, "weightDevice": [{**disk(), "weight": 200}]}})
    found = value(container, "io.bfq.weight").splitlines()
    say(f"create blockIO.weight=500, of {disk_key()} 200 -> {found}")
    assert found == ["default 500", f"{disk_key()} 200"]
    oci("update", "--blkio-weight", "1000", container.id).succeeded()
    found = value(container, "io.bfq.weight").splitlines()
    say(f"update --blkio-weight 1000 -> {found}")
    assert found[0] == "default 1000"


THROTTLES = {"throttleReadBpsDevice": ("rbps", 1048576), "throttleWriteBpsDevice": ("wbps", 2097152),
             "throttleReadIOPSDevice": ("riops", 100), "throttleWriteIOPSDevice": ("wiops", 200)}


def throttles(**rates):
    return {"blockIO": {field: [{**disk(), "rate": rate}] for field, rate in rates.items()}}


def io_max(container):
    lines = dict(line.split(" ", 1) for line in value(container, "io.max").splitlines())
    return dict(part.split("=") for part in lines.get(disk_key(), "rbps=max wbps=max riops=max wiops=max").split())


@needs_disk
@pytest.mark.parametrize("field", THROTTLES)
def test_throttle(oci, bundle, say, field):
    key, rate = THROTTLES[field]
    container = start(oci, bundle, throttles(**{field: rate}))
    found = io_max(container)
    say(f"create blockIO.{field}={rate} -> io.max {found}")
    assert found == {"rbps": "max", "wbps": "max", "riops": "max", "wiops": "max"} | {key: str(rate)}
    for asked, read in ((rate * 2, str(rate * 2)), (0, "max")):
        update(oci, container, throttles(**{field: asked}))
        say(f"update blockIO.{field}={asked} -> {key}={io_max(container)[key]}")
        assert io_max(container)[key] == read


@needs_disk
def test_update_takes_a_throttle_back_when_a_later_value_is_refused(oci, bundle):
    container = start(oci, bundle, throttles(throttleReadBpsDevice=5000))
    before = io_max(container)
    oci("update", "--resources", "-", container.id,
        input=json.dumps({**throttles(throttleReadBpsDevice=6000, throttleWriteBpsDevice=7000),
                          "unified": {"memory.high": "much"}})).failed("/unified/memory.high")
    assert io_max(container) == before


@needs_disk
def test_throttled_reads_take_their_time(oci, bundle, say):
    """2 MiB at 1 MiB a second: not before a second has passed."""
    device = disk()
    bundle.linux["devices"] = [{"path": "/dev/disk", "type": "b", **device}]
    bundle.linux["resources"] = {"devices": [{"allow": False}, {"allow": True, "type": "b", **device, "access": "r"}],
                                 **throttles(throttleReadBpsDevice=MIB)}
    bundle.sh("dd if=/dev/disk of=/dev/null bs=65536 count=32 iflag=direct 2>/dev/null; cat /sys/fs/cgroup/io.stat")
    began = time.monotonic()
    out = oci.output_of(bundle)
    took = time.monotonic() - began
    say(f"read 2 MiB at {MIB} bytes a second: {took:.1f} s; io.stat {out.strip()}")
    assert took > 1.0 and int(re.search(rf"{disk_key()} rbytes=(\d+)", out).group(1)) >= 2 * MIB


# ---- rdma


@pytest.fixture
def rdma_device():
    if not shutil.which("rdma") or "rdma" not in (CGROUPS / "cgroup.controllers").read_text().split():
        pytest.skip("kernel: no rdma controller")
    made = subprocess.run(["rdma", "link", "add", "rxe0", "type", "rxe", "netdev", "lo"], capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip(f"kernel: no soft RDMA device: {made.stderr.strip()}")
    yield "rxe0"
    subprocess.run(["rdma", "link", "delete", "rxe0"], check=True)


def test_rdma(oci, bundle, say, rdma_device):
    def limit(**more):
        return {"rdma": {rdma_device: more}}

    container = start(oci, bundle, limit(hcaHandles=3, hcaObjects=10000))
    for updated, read in ((None, "hca_handle=3 hca_object=10000"), (limit(hcaObjects=0), "hca_handle=3 hca_object=0")):
        if updated:
            update(oci, container, updated)
        found = value(container, "rdma.max").splitlines()
        say(f"{fields(updated or limit(hcaHandles=3, hcaObjects=10000))} -> {found}")
        assert f"{rdma_device} {read}" in found


# ---- checkBeforeUpdate

HOG = "head -c {0} /dev/zero | tail -c {0} > /dev/null"


def holding(oci, bundle, size, **more):
    """A container that keeps that much memory in files of a tmpfs."""
    container = start(oci, bundle, more, f"head -c {size} /dev/zero > /dev/shm/file; echo ready; sleep 1000")
    container.wait_output("ready")
    return container


def test_check_before_update(oci, bundle, say):
    for mount in bundle.config["mounts"]:
        if mount["destination"] == "/dev/shm":
            mount["options"] = ["nosuid", "noexec", "nodev", "mode=1777"]
    container = holding(oci, bundle, 24 * MIB, memory={"limit": 64 * MIB})
    completed = oci("update", "--resources", "-", container.id,
                    input=json.dumps({**memory(limit=8 * MIB, checkBeforeUpdate=True), "pids": {"limit": 9}})).failed(
                        "/memory/limit: memory.max", f"{8 * MIB} is below the current usage ")
    say(completed.err.strip())
    assert value(container, "memory.max") == str(64 * MIB) and value(container, "pids.max") == "max"
    update(oci, container, memory(limit=48 * MIB, checkBeforeUpdate=True))
    assert value(container, "memory.max") == str(48 * MIB) and container.status == "running"


def test_check_before_create(oci, bundle, tmp_path):
    """In a cgroup that is there already, and still pays for what a program left in a file system."""
    cgroup = CGROUPS / "used-before"
    cgroup.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", tmp_path], check=True)
    try:
        subprocess.run(["sh", "-c", 'echo 0 > "$0/cgroup.procs"; head -c 24M /dev/zero > "$1/file"', cgroup, tmp_path],
                       check=True)
        bundle.linux["cgroupsPath"] = "/used-before"
        bundle.linux["resources"].update(memory(limit=8 * MIB, checkBeforeUpdate=True))
        completed = oci("create", "--bundle", bundle.sh("true").write(), "c1")
        assert completed.rc == 1 and f"memory.max {8 * MIB} is below the current usage " in completed.err
        assert (cgroup / "memory.max").read_text() == "max\n"
    finally:
        subprocess.run(["umount", tmp_path], check=True)
        cgroup.rmdir()


# ---- what the limits do


def test_a_memory_hog_is_killed(oci, bundle, say):
    container = start(oci, bundle, memory(limit=16 * MIB, swap=16 * MIB), HOG.format(64 * MIB) + "; echo $?; sleep 1000")
    container.wait_output("137")
    events = dict(line.split() for line in value(container, "memory.events").splitlines())
    say(f"a hog of 64 MiB under memory.max 16 MiB: killed, memory.events {events}")
    assert int(events["oom_kill"]) >= 1


@pytest.mark.parametrize("limit", [4, 2])
def test_a_container_starts_with_little_memory(oci, bundle, say, limit):
    """The limit is set when the finisher waits, which needs next to nothing."""
    bundle.linux["resources"].update(memory(limit=limit * MIB, swap=limit * MIB))
    out = oci.output_of(bundle, "cat /sys/fs/cgroup/memory.max")
    say(f"memory.limit={limit} MiB: starts, memory.max {out.strip()}")
    assert out == f"{limit * MIB}\n"


def test_a_fork_bomb_is_contained(oci, bundle, say):
    container = start(oci, bundle, {"pids": {"limit": 20}}, "b() { b | b & }; b; sleep 1000")
    wait_for(lambda: "max 0" not in value(container, "pids.events"), "a fork that is refused")
    peak = int(value(container, "pids.current"))
    say(f"a fork bomb under pids.max 20: {peak} processes, {value(container, 'pids.events')} refused forks")
    assert peak <= 20
    container.delete("--force")


def test_pids_limit_0_allows_the_program_and_no_fork(oci, bundle, say):
    bundle.linux["resources"]["pids"] = {"limit": 0}
    completed = oci.run(bundle.sh("read a < /sys/fs/cgroup/pids.max; echo $a; (true) && echo forked"))
    say(f"pids.limit=0: pids.max {completed.out.strip()}, a fork: {completed.err.strip()}")
    assert completed.out == "0\n" and "fork" in completed.err


def test_a_busy_loop_is_throttled(oci, bundle, say):
    container = start(oci, bundle, cpu(quota=10000, period=100000), "while :; do :; done")

    def throttled():
        return int(re.search(r"nr_throttled (\d+)", value(container, "cpu.stat")).group(1))

    wait_for(lambda: throttled() > 3, "periods in which it is throttled")
    say(f"a busy loop under cpu.max {value(container, 'cpu.max')}: nr_throttled {throttled()}")
    first = throttled()
    wait_for(lambda: throttled() > first, "more such periods")


def test_cpuset_is_the_affinity(oci, bundle, say):
    container = start(oci, bundle, cpu(cpus="1"))
    assert os.sched_getaffinity(container.pid) == {1}
    oci("update", "--cpuset-cpus", "0", container.id).succeeded()
    say(f"cpu.cpus=1, then 0: affinity {os.sched_getaffinity(container.pid)}")
    assert os.sched_getaffinity(container.pid) == {0}


def test_a_device_is_denied_and_allowed(oci, bundle, say):
    deny = {"allow": False, "access": "rwm"}
    kmsg = {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"}
    bundle.add_capabilities("CAP_MKNOD", "CAP_SYSLOG")
    bundle.linux["resources"]["devices"] = [deny]
    container = oci.run_detached(bundle.sh("mknod /tmp/d c 1 11; echo ready; sleep 1000"))
    container.wait_output("ready")

    def may_read():
        return container.exec("/bin/sh", "-c", ": < /tmp/d").rc == 0

    assert not may_read()
    update(oci, container, {"devices": [deny, kmsg]})
    assert may_read()
    say("devices: 1:11 denied after create, allowed after update")
