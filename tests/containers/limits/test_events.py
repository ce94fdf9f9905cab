# SPDX-License-Identifier: Apache-2.0
"""events on a machine with all controllers: figures that can be true, memory that runs out, and the members of runc."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

from harness import CGROUPS, ENVIRONMENT, wait_for

MIB = 1 << 20
RUNC = shutil.which("runc")


def stats_of(oci, container):
    lines = oci("events", "--stats", container.id).succeeded().out.splitlines()
    assert len(lines) == 1
    return json.loads(lines[0])["data"]


def members(value, path=""):
    """The paths of all members that are objects or have a value; lists and figures by name of device or counter count
    as one."""
    if not isinstance(value, dict) or path in (".memory.raw", ".hugetlb"):
        return {path}
    return {path}.union(*(members(inner, f"{path}.{key}") for key, inner in value.items()))


WORK = "dd if=/dev/zero of=/tmp/file bs=1M count=2 2>/dev/null; i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done; echo ready; "


@pytest.fixture
def busy(oci, bundle):
    bundle.linux["resources"].update({
        "memory": {"limit": 64 * MIB, "swap": 64 * MIB}, "pids": {"limit": 20},
        "cpu": {"quota": 50000, "period": 100000, "cpus": "0"}, "hugepageLimits": [{"pageSize": "2MB", "limit": 4 * MIB}]})
    container = oci.run_detached(bundle.sh(WORK + "sleep 100000 & sleep 100000 & wait"))
    container.wait_output("ready")
    wait_for(lambda: len((CGROUPS / container.id / "cgroup.procs").read_text().split()) == 3)
    return container


def test_figures(oci, busy):
    data = stats_of(oci, busy)
    own = CGROUPS / busy.id
    usage = data["cpu"]["usage"]
    assert usage["total"] >= 1_000_000 and abs(usage["total"] - usage["user"] - usage["kernel"]) < usage["total"] / 10
    assert data["cpu"]["throttling"]["periods"] > 0
    assert data["cpuset"]["cpus"] == [0] and data["cpuset"]["mems"] == [0]
    memory = data["memory"]
    assert memory["usage"]["limit"] == 64 * MIB and 0 < memory["usage"]["usage"] <= memory["usage"]["limit"]
    assert memory["usage"].get("max", memory["usage"]["usage"]) <= memory["usage"]["limit"]
    assert memory["cache"] == memory["raw"]["file"]
    assert set(memory["raw"]) == {line.split()[0] for line in (own / "memory.stat").read_text().splitlines()}
    assert data["pids"] == {"current": 3, "limit": 20}
    assert data["hugetlb"]["2MB"] == {"failcnt": 0}


def test_pressure(oci, busy):
    data = stats_of(oci, busy)
    if not (CGROUPS / busy.id / "cpu.pressure").exists():
        pytest.skip("kernel: no pressure stall information")
    for part in ("cpu", "memory", "blkio"):
        for kind in ("some", "full"):
            assert set(data[part]["psi"][kind]) == {"avg10", "avg60", "avg300", "total"}
    assert data["cpu"]["psi"]["some"]["total"] > 0, "the quota has made it wait"


def test_without_limits(oci, bundle):
    container = oci.run_detached(bundle.sh("sleep 100000"))
    data = stats_of(oci, container)
    if "memory.max" in os.listdir(CGROUPS / container.id):
        assert data["memory"]["usage"]["limit"] == 2**64 - 1
    assert "limit" not in data["pids"]


def test_figures_of_a_disk(oci, bundle):
    disk = pathlib.Path("/sys/block/vda/dev")
    if not disk.exists():
        pytest.skip("kernel: no disk to read from")
    major, minor = map(int, disk.read_text().split(":"))
    bundle.linux["devices"] = [{"path": "/dev/disk", "type": "b", "major": major, "minor": minor, "fileMode": 0o600}]
    bundle.linux["resources"]["devices"] = [{"allow": True, "access": "rwm"}]
    bundle.linux["resources"]["blockIO"] = {"throttleReadBpsDevice": [{"major": major, "minor": minor, "rate": 1 << 30}]}
    bundle.sh("dd if=/dev/disk of=/dev/null bs=1M count=2 iflag=direct 2>/dev/null; echo ready; sleep 100000")
    container = oci.run_detached(bundle)
    container.wait_output("ready")
    data = stats_of(oci, container)["blkio"]
    entry = next(entry for entry in data["ioServiceBytesRecursive"]
                 if (entry["major"], entry.get("minor", 0), entry["op"]) == (major, minor, "Read"))
    assert entry["value"] >= 2 * MIB
    assert any(entry["op"] == "Read" and entry["value"] > 0 for entry in data["ioServicedRecursive"])


@pytest.mark.parametrize("dies", ["a child", "init"])
def test_memory_that_runs_out(oci, bundle, dies):
    bundle.linux["resources"]["memory"] = {"limit": 16 * MIB, "swap": 16 * MIB}
    hog = "head -c 200m /dev/zero | tail -c 190m > /dev/null"
    bundle.process["oomScoreAdj"] = 0
    bundle.sh(f"while [ ! -e /tmp/go ]; do sleep 0.05; done; {'exec' if dies == 'init' else ''} "
              + ("tail -c 190m /dev/zero" if dies == "init" else f"{hog}; echo survived; sleep 100000"))
    container = oci.run_detached(bundle)
    events = oci.popen("events", "--interval", "1h", container.id, stdout=subprocess.PIPE, text=True)
    # It listens once it has read the counts; before, nothing of the file would be open.
    wait_for(lambda: any("memory.events" in link for link in open_files(events.pid)))
    (bundle.rootfs / "tmp/go").write_text("")
    assert json.loads(events.stdout.readline()) == {"type": "oom", "id": container.id}
    if dies == "a child":
        container.wait_output("survived")
        container.kill("KILL")
    assert events.wait(30) == 0
    events.stdout.close()


def open_files(pid):
    folder = f"/proc/{pid}/fd"
    links = []
    for name in os.listdir(folder):
        try:
            links.append(os.readlink(f"{folder}/{name}"))
        except OSError:
            pass
    return links


def test_exec_at_the_limit_of_pids(oci, bundle):
    bundle.linux["resources"]["pids"] = {"limit": 2}
    container = oci.run_detached(bundle.sh("sleep 100000 & wait"))
    wait_for(lambda: (CGROUPS / container.id / "pids.current").read_text() == "2\n")
    completed = container.exec("/bin/true")
    # The process gets in, but inside it has to fork once more; the reason is told, and nothing is left.
    completed.failed("resource temporarily unavailable", rc=255)
    wait_for(lambda: (CGROUPS / container.id / "pids.current").read_text() == "2\n")


@pytest.mark.skipif(RUNC is None, reason="kernel: no runc to compare with")
def test_every_member_that_runc_has(oci, busy, new_bundle, tmp_path):
    theirs = new_bundle()
    theirs.linux["resources"] = json.loads(json.dumps(json.loads((oci.state_root / busy.id / "config.json").read_text())
                                                      ["linux"]["resources"]))
    theirs.linux["cgroupsPath"] = "/of-runc"
    theirs.sh(WORK + "sleep 100000 & sleep 100000 & wait").write()
    runc = [RUNC, "--root", str(tmp_path)]
    more = {"env": ENVIRONMENT, "check": True, "timeout": 60, "stdin": subprocess.DEVNULL}
    subprocess.run([*runc, "run", "--detach", "--bundle", theirs.path, "of-runc"], stdout=subprocess.DEVNULL, **more)
    try:
        out = subprocess.run([*runc, "events", "--stats", "of-runc"], stdout=subprocess.PIPE, text=True, **more).stdout
    finally:
        subprocess.run([*runc, "delete", "--force", "of-runc"], **more)
    ours = stats_of(oci, busy)
    # Figures that are 0 are left out, by both.
    sometimes = {".blkio.ioServiceBytesRecursive", ".blkio.ioServicedRecursive", ".cpu.throttling.throttledPeriods",
                 ".cpu.throttling.throttledTime"}
    missing = members(json.loads(out)["data"]) - members(ours) - sometimes
    assert not missing, missing
    assert set(json.loads(out)["data"]["memory"]["raw"]) <= set(ours["memory"]["raw"])
