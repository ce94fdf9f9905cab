# SPDX-License-Identifier: Apache-2.0
"""When and where the process runs: scheduler, ioPriority, execCPUAffinity, memoryPolicy, personality."""

import ctypes
import os
import platform
import re
import subprocess

import pytest

LIBC = ctypes.CDLL(None, use_errno=True)
IOPRIO_GET = {"x86_64": 252, "aarch64": 31}[platform.machine()]
CPUS = sorted(os.sched_getaffinity(0))
POLICIES = {"SCHED_OTHER": os.SCHED_OTHER, "SCHED_BATCH": os.SCHED_BATCH, "SCHED_IDLE": os.SCHED_IDLE,
            "SCHED_FIFO": os.SCHED_FIFO, "SCHED_RR": os.SCHED_RR}


def io_priority(pid):
    value = LIBC.syscall(IOPRIO_GET, 1, pid)
    assert value >= 0, os.strerror(ctypes.get_errno())
    return value >> 13, value & 7


def may_be_real_time():
    """Where realtime processes have a share of their own (cgroup v1, CONFIG_RT_GROUP_SCHED), it may be none at all."""
    child = os.fork()
    if child == 0:
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("user_namespace", [False, True])
@pytest.mark.parametrize("policy, more", [("SCHED_BATCH", {"nice": 5}), ("SCHED_IDLE", {}), ("SCHED_OTHER", {"nice": -7}),
                                          ("SCHED_FIFO", {"priority": 3}), ("SCHED_RR", {"priority": 7})])
def test_scheduler(oci, bundle, policy, more, user_namespace):
    if "priority" in more and not may_be_real_time():
        pytest.skip("kernel: no realtime processes here")
    if user_namespace:
        bundle.user_namespace()
    bundle.process["scheduler"] = {"policy": policy, **more}
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    container = oci.run_detached(bundle.args("sleep", "1000"))
    assert os.sched_getscheduler(container.pid) == POLICIES[policy]
    assert os.sched_getparam(container.pid).sched_priority == more.get("priority", 0)
    if "priority" not in more:
        assert os.getpriority(os.PRIO_PROCESS, container.pid) == more.get("nice", os.nice(0))
    # exec gets what init got; field 41 of proc_pid_stat(5) is the policy.
    fields = container.exec("cat", "/proc/self/stat").succeeded().out.rpartition(")")[2].split()
    assert int(fields[41 - 3]) == POLICIES[policy]
    assert int(fields[40 - 3]) == more.get("priority", 0)


def test_scheduler_flags(oci, bundle):
    bundle.process["scheduler"] = {"policy": "SCHED_BATCH", "nice": 3, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}
    container = oci.run_detached(bundle.args("sleep", "1000"))
    assert os.sched_getscheduler(container.pid) == os.SCHED_BATCH | os.SCHED_RESET_ON_FORK


def test_deadlines(oci, bundle):
    bundle.process["scheduler"] = {"policy": "SCHED_DEADLINE", "runtime": 1000000, "deadline": 20000000, "period": 40000000}
    container = oci.run_detached(bundle.args("sleep", "1000"))
    shown = subprocess.run(["chrt", "--pid", str(container.pid)], capture_output=True, text=True, check=True).stdout
    assert "SCHED_DEADLINE" in shown and "1000000/20000000/40000000" in shown


def test_a_scheduler_that_the_kernel_refuses(oci, bundle):
    bundle.process["scheduler"] = {"policy": "SCHED_DEADLINE", "runtime": 5, "deadline": 3, "period": 1}
    oci.run(bundle.args("true")).failed("/process/scheduler", "sched_setattr", "invalid argument")


@pytest.mark.parametrize("name, number", [("IOPRIO_CLASS_RT", 1), ("IOPRIO_CLASS_BE", 2), ("IOPRIO_CLASS_IDLE", 3)])
def test_io_priority(oci, bundle, name, number):
    bundle.process["ioPriority"] = {"class": name, "priority": 6}
    container = oci.run_detached(bundle.args("sleep", "1000"))
    assert io_priority(container.pid)[0] == number
    if number != 3:
        assert io_priority(container.pid)[1] == 6


def allowed(text):
    return re.search(r"Cpus_allowed_list:\s*(\S+)", text).group(1)


def test_cpu_affinity_of_exec(oci, bundle):
    one = str(CPUS[-1])
    bundle.process["execCPUAffinity"] = {"initial": str(CPUS[0]), "final": one}
    container = oci.run_detached(bundle.args("sleep", "1000"))
    assert os.sched_getaffinity(container.pid) == set(CPUS)  # not for init
    assert allowed(container.exec("cat", "/proc/self/status").succeeded().out) == one


def test_cpu_affinity_that_is_only_initial(oci, bundle):
    bundle.process["execCPUAffinity"] = {"initial": str(CPUS[0])}
    container = oci.run_detached(bundle.args("sleep", "1000"))
    assert allowed(container.exec("cat", "/proc/self/status").succeeded().out) == str(CPUS[0])


@pytest.mark.parametrize("which", ["initial", "final"])
def test_cpu_affinity_that_is_not_possible(oci, bundle, which):
    bundle.process["execCPUAffinity"] = {which: "4000"}
    container = oci.run_detached(bundle.args("sleep", "1000"))
    container.exec("true").failed(f"/process/execCPUAffinity/{which}", "sched_setaffinity", rc=255)


def policies(text):
    return {line.split()[1] for line in text.splitlines()}


@pytest.mark.parametrize("policy, shown", [
    ({"mode": "MPOL_BIND", "nodes": "0"}, "bind:0"),
    ({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}, "bind=static:0"),
    ({"mode": "MPOL_INTERLEAVE", "nodes": "0", "flags": ["MPOL_F_RELATIVE_NODES"]}, "interleave=relative:0"),
    ({"mode": "MPOL_PREFERRED", "nodes": "0"}, "prefer:0"), ({"mode": "MPOL_LOCAL"}, "local"),
    ({"mode": "MPOL_DEFAULT"}, "default")])
def test_memory_policy(oci, bundle, policy, shown):
    if not os.path.exists("/proc/self/numa_maps"):
        pytest.skip("kernel: no NUMA")
    bundle.linux["memoryPolicy"] = policy
    container = oci.run_detached(bundle.sh("cat /proc/self/numa_maps; echo end; exec sleep 1000"))
    container.wait_output("end")
    assert policies(container.output().replace("end\n", "")) == {shown}
    assert policies(container.exec("cat", "/proc/self/numa_maps").succeeded().out) == {shown}


def test_memory_policy_with_a_node_that_is_not_there(oci, bundle):
    bundle.linux["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "900"}
    oci.run(bundle.args("true")).failed("/linux/memoryPolicy", "set_mempolicy", "invalid argument")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="kernel: the machine's name for 32 bits is another")
def test_personality(oci, bundle):
    bundle.linux["personality"] = {"domain": "LINUX32"}
    container = oci.run_detached(bundle.sh("uname -m; exec sleep 1000"))
    container.wait_output("i686")
    assert container.exec("uname", "-m").succeeded().out == "i686\n"
    bundle.linux["personality"] = {"domain": "LINUX"}
    assert oci.output_of(bundle, "uname -m") == "x86_64\n"
