# SPDX-License-Identifier: Apache-2.0
"""linux.resources and `update` as far as one controller goes, hugetlb, which cgroup2 has also on hybrid hosts; the mount
and the ownership of the container's cgroup. With all controllers: limits/."""

import json
import os
import pathlib

import pytest

from harness import CGROUPS

HUGETLB = "hugetlb" in (CGROUPS / "cgroup.controllers").read_text().split()
needs_hugetlb = pytest.mark.skipif(not HUGETLB, reason="kernel: no hugetlb controller in cgroup2")
# One that this machine does not have; with all of them one that no machine has.
MISSING = [name for name in ("memory", "pids", "nonesuch")
           if name not in (CGROUPS / "cgroup.controllers").read_text().split()][0]
MIB = 1 << 20


def value(container, file):
    return (CGROUPS / container.id / file).read_text().strip()


def sleeper(oci, bundle, **resources):
    bundle.linux["resources"].update(resources)
    return oci.run_detached(bundle.sh("sleep 1000"))


def hugepages(limit, size="2MB"):
    return [{"pageSize": size, "limit": limit}]


# ---- create


@needs_hugetlb
@pytest.mark.parametrize("asked, read", [(8 * MIB, str(8 * MIB)), (0, "0"), ((1 << 64) - 1, "max")])
def test_hugepage_limit(oci, bundle, asked, read):
    container = sleeper(oci, bundle, hugepageLimits=hugepages(asked))
    assert [value(container, f"hugetlb.2MB.{kind}") for kind in ("max", "rsvd.max")] == [read, read]


@needs_hugetlb
def test_hugepages_of_a_size_that_the_machine_does_not_have(oci, bundle):
    bundle.linux["resources"]["hugepageLimits"] = hugepages(0) + hugepages(0, "3MB")
    oci.run(bundle.args("true")).failed("/linux/resources/hugepageLimits/1", "hugetlb.3MB.max",
                                        "no such file or directory", "this kernel has no such setting")


@needs_hugetlb
def test_unified(oci, bundle):
    """It comes last: it overrides the other fields."""
    container = sleeper(oci, bundle, hugepageLimits=hugepages(2 * MIB),
                        unified={"hugetlb.2MB.max": str(4 * MIB), "cgroup.max.depth": "3"})
    assert value(container, "hugetlb.2MB.max") == str(4 * MIB) and value(container, "cgroup.max.depth") == "3"
    assert value(container, "hugetlb.2MB.rsvd.max") == str(2 * MIB)


def test_unified_with_a_controller_that_is_missing(oci, bundle):
    bundle.linux["resources"]["unified"] = {f"{MISSING}.high": "1000"}
    oci.run(bundle.args("true")).failed(
        f"/linux/resources/unified/{MISSING}.high",
        f'unified resource "{MISSING}.high" can\'t be set: controller "{MISSING}" not available')


@needs_hugetlb
@pytest.mark.parametrize("file, words", [
    ("hugetlb.nonesuch", "no such file or directory"), ("hugetlb.2MB.current", "hugetlb.2MB.current"),
    ("cgroup.nonesuch", "no such file or directory")])
def test_unified_with_a_file_that_cannot_be_written(oci, bundle, file, words):
    bundle.linux["resources"]["unified"] = {file: "1"}
    oci.run(bundle.args("true")).failed(f"/linux/resources/unified/{file}", words)


@needs_hugetlb
def test_controllers_are_enabled_down_the_path(oci, bundle):
    bundle.linux["cgroupsPath"] = "/engine/pod/container"
    container = sleeper(oci, bundle, hugepageLimits=hugepages(2 * MIB))
    assert (CGROUPS / "engine/pod/container/hugetlb.2MB.max").read_text() == f"{2 * MIB}\n"
    container.delete("--force")


@needs_hugetlb
def test_usage_can_be_read_without_limits(oci, bundle):
    """All controllers are enabled: engines read the usage of every container."""
    bundle.linux["cgroupsPath"] = "/engine/container"
    container = sleeper(oci, bundle)
    assert (CGROUPS / "engine/container/hugetlb.2MB.current").read_text() == "0\n"
    container.delete("--force")


@needs_hugetlb
def test_a_cgroup_with_processes_cannot_hand_on_controllers(oci, bundle):
    bundle.linux["cgroupsPath"] = "/init/container"
    bundle.linux["resources"]["hugepageLimits"] = hugepages(2 * MIB)
    oci.run(bundle.args("true")).failed("/linux/resources/hugepageLimits/0", "enable controller hugetlb in cgroup /init",
                                        "(processes are in it")


# ---- update


@needs_hugetlb
def test_update_from_standard_input(oci, bundle):
    container = sleeper(oci, bundle, hugepageLimits=hugepages(2 * MIB))
    completed = oci("update", "--resources", "-", container.id,
                    input=json.dumps({"hugepageLimits": hugepages(6 * MIB)})).succeeded()
    assert completed.out == "" and completed.err == ""
    assert value(container, "hugetlb.2MB.max") == value(container, "hugetlb.2MB.rsvd.max") == str(6 * MIB)


@needs_hugetlb
def test_update_from_a_file_before_start(oci, bundle, tmp_path):
    container = oci.create(bundle.sh("cat /sys/fs/cgroup/hugetlb.2MB.max"))
    (tmp_path / "limits").write_text(json.dumps({"unified": {"hugetlb.2MB.max": str(4 * MIB)}, "memory": None}))
    oci("update", "-r", tmp_path / "limits", container.id).succeeded()
    container.start().wait()
    assert container.output() == f"{4 * MIB}\n"


@needs_hugetlb
def test_update_leaves_what_is_not_given(oci, bundle):
    container = sleeper(oci, bundle, hugepageLimits=hugepages(2 * MIB))
    for text in ("{}", '{"cpu": {}, "memory": null, "blockIO": {"weight": 0}, "unified": {}}'):
        oci("update", "--resources", "-", container.id, input=text).succeeded()
    assert value(container, "hugetlb.2MB.max") == str(2 * MIB)


@needs_hugetlb
def test_update_enables_controllers(oci, bundle):
    """Also where nothing was limited before, below cgroups that had none enabled."""
    bundle.linux["cgroupsPath"] = "/engine/container"
    container = sleeper(oci, bundle)
    (CGROUPS / "engine/cgroup.subtree_control").write_text("-hugetlb")
    oci("update", "--resources", "-", container.id, input=json.dumps({"hugepageLimits": hugepages(2 * MIB)})).succeeded()
    assert (CGROUPS / "engine/container/hugetlb.2MB.max").read_text() == f"{2 * MIB}\n"
    container.delete("--force")


@needs_hugetlb
def test_update_is_all_or_nothing(oci, bundle):
    container = sleeper(oci, bundle, hugepageLimits=hugepages(2 * MIB))
    text = json.dumps({"hugepageLimits": hugepages(8 * MIB),
                       "unified": {"cgroup.max.depth": "5", "hugetlb.nonesuch": "1"}})
    oci("update", "--resources", "-", container.id, input=text).failed(
        f"update {container.id}: ", "/unified/hugetlb.nonesuch", "no such file or directory")
    assert value(container, "hugetlb.2MB.max") == value(container, "hugetlb.2MB.rsvd.max") == str(2 * MIB)
    assert value(container, "cgroup.max.depth") == "max"


@needs_hugetlb
def test_update_below_the_usage_tells_the_usage(oci, bundle):
    pool = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")
    before = pool.read_text()
    pool.write_text("2\n")
    try:
        if pool.read_text() != "2\n":
            pytest.skip("kernel: no huge pages to be had")
        container = sleeper(oci, bundle, hugepageLimits=hugepages(4 * MIB))
        import mmap
        MAP_HUGETLB = 0x40000
        # A process of the test's own in the container's cgroup.
        child = os.fork()
        if child == 0:
            try:
                (CGROUPS / container.id / "cgroup.procs").write_text("0")
                memory = mmap.mmap(-1, 4 * MIB, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | MAP_HUGETLB)
                memory[0] = memory[2 * MIB] = 1
                os.kill(os.getpid(), 19)  # SIGSTOP: it is there
            finally:
                os._exit(1)
        _, status = os.waitpid(child, os.WUNTRACED)
        try:
            assert os.WIFSTOPPED(status)
            oci("update", "--resources", "-", container.id,
                input=json.dumps({"hugepageLimits": hugepages(2 * MIB)})).failed(
                    "/hugepageLimits/0", "device or resource busy", f"current usage {4 * MIB}")
            assert value(container, "hugetlb.2MB.max") == str(4 * MIB)
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)
    finally:
        pool.write_text(before)


@pytest.mark.parametrize("options, words", [
    (["--memory", "lots"], ["invalid value for memory", '"lots" is not a size']),
    (["--memory", "-2"], ["invalid value for memory"]),
    (["--memory", "9223372036854775808"], ["invalid value for memory"]),
    (["--cpu-share", "many"], ["invalid value for cpu-share"]),
    (["--cpu-share", "-1"], ["--cpu-share: must be an integer from 0"]),
    (["--blkio-weight", "5"], ["--blkio-weight: must be from 10 to 1000"]),
    (["--cpuset-cpus", "0-"], ["--cpuset-cpus: must be a list of numbers"]),
    (["--cpu-quota", "10", "--cpu-burst", "11"], ["--cpu-burst: must not be greater than quota"]),
    (["--memory", "2m", "--memory-swap", "1m"], ["--memory-swap: must not be less than limit"]),
    (["--cpu-rt-runtime", "1"], ["--cpu-rt-runtime: has no equivalent on cgroup v2"]),
    (["--kernel-memory", "1m"], ["--kernel-memory: has no equivalent on cgroup v2"]),
    (["--l3-cache-schema", "L3:0=f"], ["--l3-cache-schema: the container has no resctrl group"]),
    (["--mem-bw-schema", "MB:0=20", "--l3-cache-schema", "L3:0=f"],
     ["--l3-cache-schema, --mem-bw-schema: the container has no resctrl group"]),
    (["--mem-bw-schema", "L3:0=f"], ["--mem-bw-schema: must be one line that begins with MB:"]),
    (["--resources", "/nonesuch"], ["--resources", "no such file"]),
    (["--nonesuch"], ["flag provided but not defined"]),
])
def test_update_with_wrong_options(oci, bundle, options, words):
    container = sleeper(oci, bundle)
    oci("update", *options, container.id).failed(*words)


@pytest.mark.parametrize("text, words", [
    ("", ["not valid JSON"]), ("[]", ["JSON"]), ('{"memory": 5}', ["/memory: must be an object"]),
    ('{"pids": {"limit": "5"}}', ["/pids/limit: must be an integer"]),
    ('{"memory": {"swappiness": 60}}', ["/memory/swappiness: has no equivalent on cgroup v2"]),
    ('{"unified": {"cgroup.freeze": "1"}}', ["/unified/cgroup.freeze: is for the runtime to write"]),
    ('{"unified": {"../x.max": "1"}}', ["/unified/..~1x.max: must be named by a file name (no slashes)"]),
])
def test_update_with_wrong_json(oci, bundle, text, words):
    container = sleeper(oci, bundle)
    oci("update", "--resources", "-", container.id, input=text).failed(*words)


def test_update_with_a_controller_that_is_missing(oci, bundle):
    container = sleeper(oci, bundle)
    oci("update", "--resources", "-", container.id, input=json.dumps({"unified": {f"{MISSING}.max": "5"}})).failed(
        f"/unified/{MISSING}.max: unified resource", f'controller "{MISSING}" not available')


@pytest.mark.skipif(MISSING != "memory", reason="kernel: all controllers are there, see limits/")
def test_update_names_the_option_of_a_controller_that_is_missing(oci, bundle):
    container = sleeper(oci, bundle)
    oci("update", "--memory", "512m", container.id).failed("--memory: unified resource \"memory.max\" can't be set")


def test_update_of_a_container_that_does_not_exist(oci):
    oci("update", "--pids-limit", "5", "nonesuch").failed("container does not exist")


def test_update_of_a_stopped_container(oci, bundle):
    container = oci.run_detached(bundle.args("true"))
    container.wait()
    oci("update", "--pids-limit", "5", container.id).failed("container not running")


def test_update_without_a_cgroup(oci, bundle):
    container = oci.create(bundle.sh("sleep 1000"), before=("--cgroup-manager", "disabled"))
    oci("update", "--pids-limit", "5", container.id).failed("has no cgroup")
    oci("update", container.id).succeeded()


# ---- device rules

DENY_ALL = {"allow": False, "access": "rwm"}
KMSG = {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"}


def device_container(oci, bundle):
    bundle.linux["resources"] = {"devices": [DENY_ALL]}
    bundle.add_capabilities("CAP_MKNOD", "CAP_SYSLOG")
    container = oci.run_detached(bundle.sh("mknod /tmp/d c 1 11; echo ready; sleep 1000"))
    container.wait_output("ready")
    return container


def may_read(container):
    return container.exec("/bin/sh", "-c", ": < /tmp/d").rc == 0


def test_update_replaces_the_device_rules(oci, bundle):
    container = device_container(oci, bundle)
    assert not may_read(container)
    for rules, allowed in (([DENY_ALL, KMSG], True), ([KMSG, DENY_ALL], False)):
        oci("update", "--resources", "-", container.id, input=json.dumps({"devices": rules})).succeeded()
        assert may_read(container) == allowed


def test_update_takes_a_device_back(oci, bundle):
    container = device_container(oci, bundle)
    for rules, readable in (([DENY_ALL, KMSG], True), ([], True), ([DENY_ALL], False), ([DENY_ALL, KMSG], True)):
        oci("update", "--resources", "-", container.id, input=json.dumps({"devices": rules})).succeeded()
        assert may_read(container) == readable, rules


# ---- the mount, and who owns the cgroup


WITH = ("pid", "network", "ipc", "uts", "mount", "cgroup")
WITHOUT = WITH[:-1]
SHOW = """grep ' /sys/fs/cgroup ' /proc/self/mountinfo; cat /sys/fs/cgroup/cgroup.procs | head -n 1
          mkdir /sys/fs/cgroup/inner 2>&1 && rmdir /sys/fs/cgroup/inner && echo writable; true"""


def cgroup_mount(bundle, namespaces, *options):
    bundle.namespaces(*namespaces)
    bundle.linux["cgroupsPath"] = "/parent/own"
    return bundle.without_mount("/sys/fs/cgroup").mount("/sys/fs/cgroup", "cgroup", "cgroup", list(options))


@pytest.mark.parametrize("namespaces, folder", [(WITH, ""), (WITHOUT, "/parent/own")], ids=["namespace", "no-namespace"])
@pytest.mark.parametrize("option", ["ro", "rw"])
def test_cgroup_mount(oci, bundle, namespaces, folder, option):
    cgroup_mount(bundle, namespaces, option, "nosuid", "noexec", "nodev", "relatime")
    line, first, last = oci.output_of(bundle, SHOW.replace("fs/cgroup/", f"fs/cgroup{folder}/")).splitlines()
    fields = line.split()
    assert fields[3] == "/" and " - cgroup2 " in line and first == "1"
    assert {option, "nosuid", "noexec", "nodev", "relatime"} <= set(fields[5].split(","))
    assert last == "writable" if option == "rw" else "Read-only file system" in last


def test_cgroup_mount_in_a_user_namespace_is_read_only_without_a_cgroup_namespace(oci, bundle):
    """CVE-2023-25809."""
    cgroup_mount(bundle, WITHOUT, "rw")
    bundle.user_namespace()
    line, *_, last = oci.output_of(bundle, SHOW).splitlines()
    assert line.split()[3] == "/parent/own"
    assert "ro" in line.split()[5].split(",") and "Read-only file system" in last


def owners(cgroup):
    return {path.name: path.stat().st_uid for path in cgroup.iterdir() if path.is_file()} | {".": cgroup.stat().st_uid}


def delegated(cgroup):
    listed = pathlib.Path("/sys/kernel/cgroup/delegate").read_text().split()
    return {".", *(name for name in listed if (cgroup / name).exists())}


def check_owner(container, uid):
    cgroup = CGROUPS / "parent/own"
    given = delegated(cgroup)
    assert {"cgroup.procs", "cgroup.threads", "cgroup.subtree_control"} <= given
    assert {name for name, owner in owners(cgroup).items() if owner == uid} == given
    assert all(owner in (0, uid) for owner in owners(cgroup).values())
    assert owners(CGROUPS / "parent")["."] == 0
    container.delete("--force")


def test_the_cgroup_is_delegated_to_the_user_of_a_user_namespace(oci, bundle):
    cgroup_mount(bundle, WITH, "rw")
    bundle.user_namespace()
    container = oci.run_detached(bundle.sh("mkdir /sys/fs/cgroup/inner && echo $$ > /sys/fs/cgroup/inner/cgroup.procs && "
                                           "echo done; sleep 1000"))
    container.wait_output("done")
    check_owner(container, 100000)


def test_the_cgroup_is_delegated_to_the_process_user(oci, bundle):
    cgroup_mount(bundle, WITH, "rw")
    bundle.user_namespace()
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    check_owner(oci.run_detached(bundle.sh("sleep 1000")), 101000)


def test_the_cgroup_is_delegated_without_a_user_namespace(oci, bundle):
    cgroup_mount(bundle, WITH, "rw")
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    check_owner(oci.run_detached(bundle.sh("sleep 1000")), 1000)


@pytest.mark.parametrize("namespaces, option", [(WITH, "ro"), (WITHOUT, "rw")])
def test_the_cgroup_is_not_delegated(oci, bundle, namespaces, option):
    cgroup_mount(bundle, namespaces, option)
    bundle.user_namespace()
    container = oci.run_detached(bundle.sh("sleep 1000"))
    assert set(owners(CGROUPS / "parent/own").values()) == {0}
    container.delete("--force")
