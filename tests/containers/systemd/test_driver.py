# SPDX-License-Identifier: Apache-2.0
"""The systemd cgroup driver, with systemd as PID 1: what it knows of a container, and that limits hold when it reloads."""

import json
import pathlib
import socket
import subprocess

import pytest

from harness import CGROUPS, ENVIRONMENT, PROGRAM, SYSTEMD, wait_for

pytestmark = pytest.mark.skipif(not SYSTEMD, reason="systemd is not PID 1 here")

DRIVER = ("--systemd-cgroup",)
MIB = 1 << 20


def systemctl(*args):
    return subprocess.run(["systemctl", *args], check=True, capture_output=True, text=True).stdout


def properties(unit):
    """`systemctl show` as a dictionary; of properties that come more than once, the lines."""
    shown = {}
    for line in systemctl("show", unit).splitlines():
        name, _, value = line.partition("=")
        shown[name] = f"{shown[name]}\n{value}" if name in shown else value
    return shown


def is_loaded(unit):
    return systemctl("show", "--property=LoadState", unit).strip() != "LoadState=not-found"


def gone(unit):
    """systemd forgets a unit in its own time, once nothing refers to it."""
    return wait_for(lambda: not is_loaded(unit) and not cgroup_of(unit).exists(), f"the end of {unit}")


def cgroup_of(unit, *slices):
    return CGROUPS.joinpath(*(slices or ("system.slice",)), unit)


def unit_of(container):
    return f"oci-run-{container.id}.scope"


def read(folder, name):
    return (folder / name).read_text().strip()


@pytest.fixture
def limited(bundle):
    bundle.linux["resources"] = {
        "devices": [{"allow": False, "access": "rwm"}],
        "memory": {"limit": 100 * MIB, "reservation": 50 * MIB, "swap": 120 * MIB},
        "cpu": {"shares": 512, "quota": 12345, "period": 50000, "cpus": "0", "mems": "0"},
        "pids": {"limit": 100},
    }
    return bundle


LIMITS = {
    "memory.max": str(100 * MIB), "memory.low": str(50 * MIB), "memory.swap.max": str(20 * MIB), "pids.max": "100",
    "cpu.weight": "59", "cpu.max": "12345 50000", "cpuset.cpus": "0", "cpuset.mems": "0",
}
PROPERTIES = {
    "MemoryMax": str(100 * MIB), "MemoryLow": str(50 * MIB), "MemorySwapMax": str(20 * MIB), "TasksMax": "100",
    "CPUWeight": "59", "CPUQuotaPerSecUSec": "250ms", "CPUQuotaPeriodUSec": "50ms", "AllowedCPUs": "0",
    "AllowedMemoryNodes": "0", "DevicePolicy": "strict", "Delegate": "yes", "DefaultDependencies": "no",
    "MemoryAccounting": "yes", "CPUAccounting": "yes", "IOAccounting": "yes", "TasksAccounting": "yes",
    "Slice": "system.slice", "ActiveState": "active", "NeedDaemonReload": "no",
}


def test_limits_are_properties_and_files(oci, limited):
    container = oci.run_detached(limited.args("sleep", "1000"), before=DRIVER)
    unit = unit_of(container)
    shown = properties(unit)
    assert {name: shown[name] for name in PROPERTIES} == PROPERTIES
    assert shown["Description"] == f"oci-run container {container.id}"
    folder = cgroup_of(unit)
    assert {name: read(folder, name) for name in LIMITS} == LIMITS
    # Init alone: the process that stood in for it is gone.
    assert read(folder, "cgroup.procs") == str(container.pid)
    container.delete("--force")
    gone(unit)


def test_limits_and_devices_hold_after_a_reload(oci, limited):
    limited.linux["devices"] = [{"path": "/dev/kmsg2", "type": "c", "major": 1, "minor": 11}]
    container = oci.run_detached(limited.args("sleep", "1000"), before=DRIVER)
    # Exact after any change by systemd would be asking for more than it can say; it rounds the CPU quota up.
    rounded = {**LIMITS, "cpu.max": "12500 50000"}
    for _ in range(2):
        systemctl("daemon-reload")
        after = {name: read(cgroup_of(unit_of(container)), name) for name in LIMITS}
        assert after in (LIMITS, rounded)
        assert container.exec("/bin/sh", "-c", "echo x > /dev/null && head -c 1 /dev/zero | wc -c").out == "1\n"
        denied = container.exec("/bin/head", "-c", "1", "/dev/kmsg2")
        assert denied.rc == 1 and "Operation not permitted" in denied.err
    container.delete("--force")


def test_only_our_filter_knows_the_order_of_device_rules(oci, bundle):
    bundle.linux["devices"] = [{"path": f"/dev/d{minor}", "type": "c", "major": 1, "minor": minor} for minor in (7, 11)]
    bundle.linux["resources"] = {"devices": [
        {"allow": True, "access": "rwm"}, {"allow": False, "type": "c", "major": 1, "minor": 11, "access": "rwm"}]}
    container = oci.run_detached(bundle.args("sleep", "1000"), before=DRIVER)
    assert properties(unit_of(container))["DevicePolicy"] == "auto"
    systemctl("daemon-reload")
    assert container.exec("/bin/head", "-c", "1", "/dev/d7").rc == 0
    assert container.exec("/bin/head", "-c", "1", "/dev/d11").rc == 1


def test_small_limits_are_given_when_init_is_ready(oci, bundle):
    bundle.linux["resources"] = {"memory": {"limit": 4 * MIB}, "pids": {"limit": 1},
                                 "cpu": {"quota": 12345, "period": 50000}}
    container = oci.run_detached(bundle.args("sleep", "1000"), before=DRIVER)
    shown = properties(unit_of(container))
    assert (shown["MemoryMax"], shown["TasksMax"]) == (str(4 * MIB), "1")
    folder = cgroup_of(unit_of(container))
    assert (read(folder, "memory.max"), read(folder, "pids.max")) == (str(4 * MIB), "1")
    assert read(folder, "cpu.max") == "12345 50000"
    container.delete("--force")


def test_update_changes_properties_and_files(oci, limited):
    container = oci.run_detached(limited.args("sleep", "1000"), before=DRIVER)
    oci("update", "--memory", "200M", "--memory-swap", "200M", "--pids-limit", "50", "--cpu-share", "1024",
        container.id).succeeded()
    shown = properties(unit_of(container))
    assert (shown["MemoryMax"], shown["MemorySwapMax"], shown["TasksMax"], shown["CPUWeight"]) == (
        str(200 * MIB), "0", "50", "100")
    assert read(cgroup_of(unit_of(container)), "cpu.max") == LIMITS["cpu.max"]  # not given, so not rounded either
    systemctl("daemon-reload")
    folder = cgroup_of(unit_of(container))
    assert [read(folder, name) for name in ("memory.max", "memory.swap.max", "pids.max", "cpu.weight", "memory.low")] == [
        str(200 * MIB), "0", "50", "100", LIMITS["memory.low"]]


def update(oci, container, resources):
    return oci("update", "--resources", "-", container.id, input=json.dumps(resources))


# What create and then update are given, and the property and the file that each makes.
RESOURCES = [
    ("pids.limit=0", {"pids": {"limit": 0}}, "TasksMax", "1", "pids.max", "0"),
    ("memory.limit=64M", {"memory": {"limit": 64 * MIB}}, "MemoryMax", str(64 * MIB), "memory.max", str(64 * MIB)),
    ("unified memory.high", {"unified": {"memory.high": "67108864"}}, "MemoryHigh", str(64 * MIB), "memory.high",
     str(64 * MIB)),
    ("unified cpuset.cpus=''", {"unified": {"cpuset.cpus": ""}}, "AllowedCPUs", "", "cpuset.cpus", ""),
    ("unified memory.oom.group", {"unified": {"memory.oom.group": "1"}}, None, None, "memory.oom.group", "1"),
    ("hugepageLimits 2MB", {"hugepageLimits": [{"pageSize": "2MB", "limit": 4 * MIB}]}, None, None, "hugetlb.2MB.max",
     str(4 * MIB)),
]


@pytest.mark.parametrize("how", ["create", "update"])
@pytest.mark.parametrize("asked,resources,name,shown,file,value", RESOURCES, ids=[one[0] for one in RESOURCES])
def test_property_and_file(oci, bundle, capsys, how, asked, resources, name, shown, file, value):
    bundle.linux["resources"] = resources if how == "create" else {}
    container = oci.run_detached(bundle.args("sleep", "1000"), before=DRIVER)
    if how == "update":
        update(oci, container, resources).succeeded()
    property = properties(unit_of(container)).get(name, "") if name else None
    in_file = read(cgroup_of(unit_of(container)), file)
    with capsys.disabled():
        print(f"\n    {how} {asked} -> {name or 'no property'} {property or ''}, {file} {in_file}", end="", flush=True)
    assert (property, in_file) == (shown, value)


def test_update_of_a_quota_keeps_the_period(oci, limited):
    container = oci.run_detached(limited.args("sleep", "1000"), before=DRIVER)
    oci("update", "--cpu-quota", "25000", container.id).succeeded()
    shown = properties(unit_of(container))
    assert (shown["CPUQuotaPerSecUSec"], shown["CPUQuotaPeriodUSec"]) == ("500ms", "50ms")
    assert read(cgroup_of(unit_of(container)), "cpu.max") == "25000 50000"


def test_update_changes_nothing_else(oci, bundle):
    bundle.linux["resources"] = {"pids": {"limit": 0}, "cpu": {"quota": 12345, "period": 50000}}
    container = oci.run_detached(bundle.args("sleep", "1000"), before=DRIVER)
    oci("update", "--memory", "64M", container.id).succeeded()
    folder = cgroup_of(unit_of(container))
    assert [read(folder, name) for name in ("pids.max", "cpu.max", "memory.max")] == ["0", "12345 50000", str(64 * MIB)]


def test_update_that_is_refused_changes_nothing(oci, limited):
    container = oci.run_detached(limited.args("sleep", "1000"), before=DRIVER)
    refused = [{"memory": {"limit": 4096, "checkBeforeUpdate": True}, "pids": {"limit": 5}},
               {"pids": {"limit": 5}, "unified": {"memory.high": "64M", "cpu.nonsense": "1"}}]
    for resources, text in zip(refused, ("below the current usage", "cpu.nonsense")):
        update(oci, container, resources).failed(text)
        shown = properties(unit_of(container))
        assert {name: shown[name] for name in PROPERTIES} == PROPERTIES
        assert {name: read(cgroup_of(unit_of(container)), name) for name in LIMITS} == LIMITS


def test_update_ends_idleness(oci, bundle):
    bundle.linux["resources"] = {"cpu": {"idle": 1}}
    container = oci.run_detached(bundle.args("sleep", "1000"), before=DRIVER)
    oci("update", "--cpu-idle", "0", container.id).succeeded()
    systemctl("daemon-reload")
    assert read(cgroup_of(unit_of(container)), "cpu.idle") == "0"


def test_ps_events_and_kill_all(oci, bundle):
    container = oci.run_detached(bundle.sh("sleep 1000 & sleep 1000"), before=DRIVER)
    wait_for(lambda: len(json.loads(oci("ps", "--format", "json", container.id).succeeded().out)) >= 2)
    stats = json.loads(oci("events", "--stats", container.id).succeeded().out)
    assert stats["data"]["pids"]["current"] >= 2
    oci("kill", "--all", container.id, "KILL").succeeded()
    container.wait()
    container.delete()
    gone(unit_of(container))


def test_delete_takes_nested_and_foreign_processes(oci, bundle):
    container = oci.run_detached(bundle.args("sleep", "1000"), before=DRIVER)
    folder = cgroup_of(unit_of(container))
    (folder / "inner").mkdir()
    foreign = [subprocess.Popen(["sleep", "1000"]) for _ in range(2)]
    for process, place in zip(foreign, (folder, folder / "inner")):
        (place / "cgroup.procs").write_text(str(process.pid))
    container.delete("--force")
    assert [process.wait() for process in foreign] == [-9, -9]
    gone(unit_of(container))


def test_a_bus_without_systemd_is_passed_over(oci, bundle, tmp_path):
    address = f"unix:path={tmp_path}/bus"
    bus = subprocess.Popen(["dbus-daemon", "--session", "--nofork", f"--address={address}"])
    wait_for(lambda: (tmp_path / "bus").exists())
    oci.run(bundle.args("true"), before=DRIVER, env={"DBUS_SYSTEM_BUS_ADDRESS": address}).succeeded()
    bus.kill()
    bus.wait()


def test_pause_and_resume(oci, bundle):
    container = oci.run_detached(bundle.args("sleep", "1000"), before=DRIVER)
    oci("pause", container.id).succeeded()
    assert container.status == "paused"
    oci("resume", container.id).succeeded()
    assert container.status == "running"


def test_unlimited_and_idle(oci, bundle):
    bundle.linux["resources"] = {"memory": {"limit": -1}, "pids": {"limit": -1}, "cpu": {"idle": 1}}
    container = oci.run_detached(bundle.args("sleep", "1000"), before=DRIVER)
    shown = properties(unit_of(container))
    assert (shown["MemoryMax"], shown["TasksMax"], shown["CPUWeight"]) == ("infinity", "infinity", "idle")
    assert read(cgroup_of(unit_of(container)), "cpu.idle") == "1"


def test_slice_prefix_and_name(oci, bundle):
    bundle.linux["cgroupsPath"] = "tests-inner.slice:engine:one"
    container = oci.run_detached(bundle.args("sleep", "1000"), before=DRIVER)
    folder = cgroup_of("engine-one.scope", "tests.slice", "tests-inner.slice")
    assert read(folder, "cgroup.procs") == str(container.pid)
    assert properties("engine-one.scope")["ControlGroup"] == "/tests.slice/tests-inner.slice/engine-one.scope"
    container.delete("--force")
    wait_for(lambda: not folder.exists())
    systemctl("stop", "tests.slice")
    wait_for(lambda: not (CGROUPS / "tests.slice").exists())


@pytest.mark.parametrize("path", ["/absolute", "two:parts", "no-slice:a:b", "a.slice:b:"])
def test_other_paths_are_refused(oci, bundle, path):
    bundle.linux["cgroupsPath"] = path
    oci.run(bundle, before=DRIVER).failed("/linux/cgroupsPath")


def test_annotations_are_properties(oci, bundle):
    bundle.config["annotations"] = {
        "org.systemd.property.KillSignal": "15", "org.systemd.property.TimeoutStopUSec": "uint64 12000000",
        "org.systemd.property.CollectMode": "'inactive-or-failed'",
        "org.systemd.property.After": "['basic.target', 'sysinit.target']",
    }
    container = oci.run_detached(bundle.args("sleep", "1000"), before=DRIVER)
    shown = properties(unit_of(container))
    assert (shown["KillSignal"], shown["TimeoutStopUSec"], shown["CollectMode"]) == ("15", "12s", "inactive-or-failed")
    assert {"basic.target", "sysinit.target"} <= set(shown["After"].split())


@pytest.mark.parametrize("name,value", [("KillSignal", "nonsense"), ("Conflicts", "['a.service']"),
                                        ("SuccessAction", "'reboot'"), ("TasksNonsense", "1")])
def test_annotations_that_are_no_good(oci, bundle, name, value):
    bundle.config["annotations"] = {f"org.systemd.property.{name}": value}
    id = oci.new_id()
    oci.run(bundle, id=id, before=DRIVER).failed(name)
    assert not is_loaded(f"oci-run-{id}.scope")


def test_life_needs_no_option(oci, bundle):
    container = oci.create(bundle.sh("sleep 1000 & sleep 1000"), before=DRIVER)
    unit = unit_of(container)
    assert container.start().status == "running"
    assert container.exec("/bin/true").rc == 0
    container.kill("KILL")
    container.wait()
    container.delete()
    gone(unit)


def test_a_container_that_was_killed_for_memory_leaves_no_failed_unit(oci, bundle):
    bundle.linux["resources"] = {"memory": {"limit": 8 * MIB, "swap": 8 * MIB}}
    container = oci.run_detached(bundle.sh("x=a; while true; do x=$x$x; done"), before=DRIVER)
    container.wait()
    container.delete()
    gone(unit_of(container))


def test_a_unit_that_is_in_use_is_left_alone(oci, bundle):
    bundle.linux["cgroupsPath"] = "system.slice:engine:taken"
    first = oci.run_detached(bundle.args("sleep", "1000"), before=DRIVER)
    second = oci.new_id()
    oci.run(bundle, id=second, before=DRIVER).failed("engine-taken.scope")
    oci("delete", "--force", second).succeeded()
    assert first.status == "running"
    first.delete("--force")


def test_the_name_of_a_service_is_refused(oci, bundle):
    # Its cgroup is elsewhere, so only systemd can tell.
    subprocess.run(["systemd-run", "--scope", "--slice=other.slice", "--unit=engine-busy.scope", "--quiet", "true"], check=True)
    holder = subprocess.Popen(["systemd-run", "--scope", "--slice=other.slice", "--unit=engine-busy.scope", "--quiet",
                               "sleep", "1000"])
    wait_for(lambda: properties("engine-busy.scope")["ActiveState"] == "active")
    bundle.linux["cgroupsPath"] = "system.slice:engine:busy"
    oci.run(bundle, before=DRIVER).failed("engine-busy.scope", "exists already")
    assert holder.poll() is None
    holder.kill()
    holder.wait()
    gone("engine-busy.scope")
    systemctl("stop", "other.slice")
    wait_for(lambda: not (CGROUPS / "other.slice").exists())


def test_killed_at_any_moment_nothing_is_left(oci, bundle):
    bundle.write()
    for step in range(8):
        id = oci.new_id()
        process = oci.popen("--systemd-cgroup", "create", "--bundle", bundle.path, id)
        try:
            process.wait(0.02 + step * 0.12)
        except subprocess.TimeoutExpired:
            pass
        process.kill()
        process.wait()
        oci("delete", "--force", id)
        gone(f"oci-run-{id}.scope")


def test_a_silent_bus_ends_at_a_deadline(oci, bundle, tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "bus"))
        listener.listen()
        env = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={tmp_path}/bus"}
        oci.run(bundle, before=DRIVER, env=env).failed("--systemd-cgroup", f"{tmp_path}/bus", "connection timed out")


def test_the_bus_serves_as_well(oci, bundle):
    address = {"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/run/dbus/system_bus_socket"}
    container = oci.run_detached(bundle.args("sleep", "1000"), before=DRIVER, env=address)
    assert properties(unit_of(container))["ActiveState"] == "active"
    oci("delete", "--force", container.id, env=address).succeeded()
    gone(unit_of(container))


def test_record_tells_the_unit(oci, bundle):
    container = oci.create(bundle, before=DRIVER)
    record = json.loads((oci.state_root / container.id / "record.json").read_text())
    assert (record["cgroupDriver"], record["systemdUnit"]) == ("systemd", unit_of(container))
    assert record["cgroupPath"] == f"/system.slice/{unit_of(container)}"


def test_throttles_are_files_of_the_scope(oci, bundle):
    device = sorted(pathlib.Path("/sys/block").iterdir())[0].joinpath("dev").read_text().strip()
    major, minor = map(int, device.split(":"))
    throttle = {"major": major, "minor": minor, "rate": MIB}
    bundle.linux["resources"] = {"blockIO": {"throttleReadBpsDevice": [throttle]}}
    container = oci.run_detached(bundle.args("sleep", "1000"), before=DRIVER)
    folder = cgroup_of(unit_of(container))
    assert read(folder, "io.max") == f"{device} rbps={MIB} wbps=max riops=max wiops=max"
    update(oci, container, {"blockIO": {"throttleReadBpsDevice": [{**throttle, "rate": 2 * MIB}]},
                            "pids": {"limit": 50}}).succeeded()
    assert read(folder, "io.max") == f"{device} rbps={2 * MIB} wbps=max riops=max wiops=max"


def test_a_manager_in_another_pid_namespace_is_refused(oci, bundle):
    """It would take our process ids for those of others."""
    bundle.args("true").write()
    refused = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", PROGRAM, "--root", oci.state_root,
                              *DRIVER, "create", "--bundle", bundle.path, "strange"],
                             capture_output=True, text=True, env=ENVIRONMENT, stdin=subprocess.DEVNULL, timeout=60)
    assert refused.returncode == 1
    assert "another pid namespace" in refused.stderr
    assert not (oci.state_root / "strange").exists()


def test_a_unit_that_took_the_name_is_left_alone(oci, bundle):
    container = oci.run_detached(bundle.args("sleep", "1000"), before=DRIVER)
    unit = unit_of(container)
    container.kill("KILL")
    gone(unit)
    stranger = subprocess.Popen(["systemd-run", "--scope", "--quiet", "--slice=user.slice", f"--unit={unit}",
                                 "sleep", "1000"])
    try:
        wait_for(lambda: cgroup_of(unit, "user.slice").exists(), "the other unit")
        container.delete("--force")
        assert stranger.poll() is None and is_loaded(unit)
    finally:
        stranger.kill()
        stranger.wait()
