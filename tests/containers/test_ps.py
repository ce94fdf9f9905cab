# SPDX-License-Identifier: Apache-2.0
"""ps and events --stats, as far as they need no controllers; the rest is in limits/."""

import json
import os
import subprocess

import pytest

from harness import CGROUPS, PROGRAM, wait_for


def pids_of(oci, container):
    return json.loads(oci("ps", "--format", "json", container.id).succeeded().out)


@pytest.fixture
def container(oci, bundle):
    container = oci.run_detached(bundle.sh("sleep 100001 & sleep 100002 & echo ready; wait"))
    container.wait_output("ready")
    return container


def test_json(oci, container):
    out = oci("ps", "-f", "json", container.id).succeeded().out
    pids = json.loads(out)
    assert out == "[" + ",".join(map(str, sorted(pids))) + "]\n"
    assert len(pids) == 3 and container.pid in pids
    assert pids == sorted(map(int, (CGROUPS / container.id / "cgroup.procs").read_text().split()))


def test_table(oci, container):
    lines = oci("ps", container.id).succeeded().out.splitlines()
    assert lines[0].split()[:3] == ["UID", "PID", "PPID"]
    assert sorted(int(line.split()[1]) for line in lines[1:]) == pids_of(oci, container)
    assert any("sleep 100001" in line for line in lines)


def test_options_of_ps(oci, container):
    lines = oci("ps", container.id, "-eo", "comm,pid").succeeded().out.splitlines()
    assert lines[0].split() == ["COMMAND", "PID"] and len(lines) == 4
    lines = oci("ps", "--format", "table", container.id, "ax", "--format", "pid").succeeded().out.splitlines()
    assert lines[0].split() == ["PID"] and len(lines) == 4


def test_errors(oci, container):
    oci("ps", container.id, "-eo", "comm").failed("couldn't find PID field in ps output")
    oci("ps", container.id, "--no-such-option").failed("ps: exit status 1")
    oci("ps", "--format", "yaml", container.id).failed('invalid format option "yaml"')
    oci("ps", "nothing").failed("container does not exist")
    oci("ps").failed('"ps" requires a minimum of 1 argument(s)')


def test_without_path(oci, container):
    command = [PROGRAM, "--root", str(oci.state_root), "ps", container.id]
    assert len(subprocess.run(command, env={}, capture_output=True, text=True, check=True).stdout.splitlines()) == 4
    done = subprocess.run(command, env={"PATH": "/nowhere"}, capture_output=True, text=True)
    assert done.returncode == 1 and "ps: executable file not found in $PATH" in done.stderr


def test_stopped(oci, bundle):
    container = oci.run_detached(bundle.sh("true"))
    container.wait()
    assert oci("ps", "--format", "json", container.id).succeeded().out == "[]\n"
    assert len(oci("ps", container.id).succeeded().out.splitlines()) == 1


def test_processes_in_cgroups_of_the_container(oci, container):
    own = CGROUPS / container.id
    inner = own / "a b/c"
    inner.mkdir(parents=True)
    foreign = subprocess.Popen(["sleep", "100000"])
    (inner / "cgroup.procs").write_text(str(foreign.pid))
    assert foreign.pid in pids_of(oci, container) and len(pids_of(oci, container)) == 4
    container.delete("--force")
    foreign.wait()


def test_processes_of_threaded_cgroups(oci, bundle):
    container = oci.run_detached(bundle.sh("sleep 100000"))
    threaded = CGROUPS / container.id / "threaded"
    threaded.mkdir()
    (threaded / "cgroup.type").write_text("threaded")
    (threaded / "cgroup.threads").write_text(str(container.pid))
    assert pids_of(oci, container) == [container.pid]
    container.kill("KILL")
    container.wait()
    container.delete()


def stats_of(oci, container):
    lines = oci("events", "--stats", container.id).succeeded().out.splitlines()
    assert len(lines) == 1
    return json.loads(lines[0])


def test_statistics_have_every_member(oci, container):
    """What a reader may count on whatever controllers there are; cpu.stat is always there."""
    event = stats_of(oci, container)
    assert list(event) == ["type", "id", "data"] and event["type"] == "stats" and event["id"] == container.id
    data = event["data"]
    assert list(data) == ["cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "intel_rdt", "network_interfaces"]
    usage = data["cpu"]["usage"]
    assert usage["total"] > 0 and usage["total"] >= usage["user"] and usage["total"] % 1000 == 0
    for entry in ("usage", "swap", "kernel", "kernelTCP"):
        assert {"limit", "failcnt"} <= set(data["memory"][entry])
    assert data["intel_rdt"] == {} and data["network_interfaces"] is None
    assert data["pids"]["current"] == 3
    assert {"cpu_exclusive", "mem_hardwall", "sched_relax_domain_level"} <= set(data["cpuset"])


def test_events_of_a_paused_container(oci, container):
    oci("pause", container.id).succeeded()
    assert stats_of(oci, container)["type"] == "stats"


def test_statistics_of_huge_pages(oci, bundle):
    if "hugetlb" not in (CGROUPS / "cgroup.controllers").read_text():
        pytest.skip("kernel: no hugetlb controller")
    bundle.linux["resources"]["hugepageLimits"] = [{"pageSize": "2MB", "limit": 2097152}]
    container = oci.run_detached(bundle.sh("sleep 100000"))
    assert stats_of(oci, container)["data"]["hugetlb"]["2MB"] == {"failcnt": 0}


def test_events_until_the_end(oci, container):
    process = oci.popen("events", "--interval", "20ms", container.id, stdout=subprocess.PIPE, text=True)
    for _ in range(3):
        assert json.loads(process.stdout.readline())["type"] == "stats"
    container.kill("KILL")
    assert process.wait(30) == 0
    process.stdout.close()


def watches_cgroup(pid):
    folder = f"/proc/{pid}/fd"
    try:
        return any(os.readlink(f"{folder}/{name}").endswith("/cgroup.events") for name in os.listdir(folder))
    except FileNotFoundError:  # closed between the two calls
        return False


def test_events_end_with_a_delete(oci, container):
    process = oci.popen("events", "--interval", "1h", container.id, stdout=subprocess.PIPE, text=True)
    wait_for(lambda: watches_cgroup(process.pid), "the watching of the cgroup")
    container.delete("--force")
    assert process.wait(30) == 0
    assert process.stdout.read() == ""
    process.stdout.close()


@pytest.mark.parametrize("interval, text", [("0", "greater than 0"), ("0s", "greater than 0"),
                                            ("-1s", "greater than 0"), ("x", "invalid value"), ("1d", "invalid value"),
                                            ("", "invalid value")])
def test_wrong_intervals(oci, container, interval, text):
    oci("events", f"--interval={interval}", container.id).failed(text)


def test_events_of_a_stopped_container(oci, bundle):
    container = oci.run_detached(bundle.sh("true"))
    container.wait()
    oci("events", "--stats", container.id).failed(f"container with id {container.id} is not running")
    oci("events", "nothing").failed("container does not exist")
