# SPDX-License-Identifier: Apache-2.0
"""kill, delete and exec where the container's cgroup has become a tree: nested, frozen, threaded, strange names, many."""

import os
import resource
import signal
import subprocess

import pytest

from harness import CGROUPS, wait_for

SLEEP = ["sleep", "100000"]


def put(pid, folder, file="cgroup.procs"):
    (folder / file).write_text(str(pid))


def foreign_in(folder):
    """A process that is not the container's, in one of its cgroups."""
    process = subprocess.Popen(SLEEP)
    put(process.pid, folder)
    return process


def few_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))


def freeze(folder):
    (folder / "cgroup.freeze").write_text("1")
    wait_for(lambda: "frozen 1" in (folder / "cgroup.events").read_text())


@pytest.fixture
def container(oci, bundle):
    """Without a pid namespace: its processes outlive init."""
    bundle.namespaces("mount", "ipc", "uts", "network", "cgroup")
    return oci.run_detached(bundle.sh("sleep 100000 & echo ready; wait"))


@pytest.fixture
def own(container):
    container.wait_output("ready")
    return CGROUPS / container.id


def nest(own, depth):
    folders = [own]
    for level in range(depth):
        folders.append(folders[-1] / f"level {level}")
        folders[-1].mkdir()
    return folders[1:]


def check_gone(container, own, *processes):
    for process in processes:
        assert process.wait() == -signal.SIGKILL
    assert not own.exists()


# ---- kill


def test_kill_reaches_nested_cgroups(container, own):
    processes = [foreign_in(folder) for folder in nest(own, 3)]
    freeze(own / "level 0/level 1")
    container.kill("KILL")
    for process in processes:
        assert process.wait() == -signal.SIGKILL
    wait_for(lambda: "populated 0" in (own / "cgroup.events").read_text())
    container.delete()
    check_gone(container, own)


@pytest.mark.parametrize("name", ["TERM", "HUP"])
def test_kill_all_with_another_signal(oci, container, own, name):
    processes = [foreign_in(folder) for folder in nest(own, 3)]
    outside = subprocess.Popen(SLEEP)
    oci("kill", "--all", container.id, name).succeeded()
    for process in processes:
        assert process.wait() == -getattr(signal, f"SIG{name}")
    assert container.wait() == -getattr(signal, f"SIG{name}")
    assert outside.poll() is None
    outside.kill()
    outside.wait()
    oci("kill", "--all", container.id, name).succeeded()


def test_kill_all_of_more_processes_than_descriptors(oci, bundle):
    bundle.namespaces("mount", "uts", "cgroup")
    container = oci.run_detached(bundle.sh("i=0; while [ $i -lt 700 ]; do sleep 100000 & i=$((i+1)); done; echo ready; wait"))
    container.wait_output("ready")
    folder = CGROUPS / container.id
    assert len((folder / "cgroup.procs").read_text().split()) == 701
    process = oci.popen("kill", "--all", container.id, "TERM", preexec_fn=few_descriptors)
    assert process.wait(30) == 0
    wait_for(lambda: "populated 0" in (folder / "cgroup.events").read_text())
    container.delete()


def test_kill_all_does_not_miss_what_is_forked_meanwhile(oci, bundle):
    """A chain of processes: each starts the next one and ends."""
    bundle.namespaces("mount", "uts", "cgroup")
    bundle.sh("chain() { (exec sleep 100000) & if [ $1 -lt 300 ]; then chain $(($1+1)) & fi; wait; }; chain 0 & "
              "echo ready; wait")
    container = oci.run_detached(bundle)
    container.wait_output("ready")
    oci("kill", "--all", container.id, "KILL").succeeded()
    wait_for(lambda: "populated 0" in (CGROUPS / container.id / "cgroup.events").read_text())
    container.delete()


def test_kill_where_only_strangers_are_left(oci, container, own):
    """As runc: SIGKILL of a container without a pid namespace works while anything is in its cgroup."""
    process = foreign_in(nest(own, 1)[0])
    os.kill(container.pid, signal.SIGKILL)
    container.wait()
    assert container.status == "stopped"
    container.kill("KILL")
    assert process.wait() == -signal.SIGKILL
    wait_for(lambda: "populated 0" in (own / "cgroup.events").read_text())
    oci("kill", container.id, "KILL").failed("container not running")
    oci("kill", "--all", container.id, "KILL").succeeded()


# ---- delete


def test_delete_of_nested_cgroups_with_processes(container, own):
    folders = nest(own, 3)
    processes = [foreign_in(folder) for folder in folders]
    freeze(folders[1])
    container.delete("--force")
    check_gone(container, own, *processes)


def test_delete_ends_processes_that_outlive_init(oci, container, own):
    processes = [foreign_in(folder) for folder in nest(own, 2)]
    os.kill(container.pid, signal.SIGKILL)
    container.wait()
    assert container.status == "stopped"
    container.delete()
    check_gone(container, own, *processes)


def test_delete_does_not_kill_strangers_in_the_cgroup_of_a_pid_namespace(oci, bundle):
    container = oci.run_detached(bundle.sh("sleep 100000"))
    own = CGROUPS / container.id
    process = foreign_in(nest(own, 2)[1])
    container.kill("KILL")
    container.wait()
    oci("delete", container.id).failed("process of somebody else", str(process.pid))
    assert process.poll() is None
    container.delete("--force")
    check_gone(container, own, process)


def make_threaded(folder):
    (folder / "cgroup.type").write_text("threaded")


def test_delete_with_threaded_cgroups(oci, container, own):
    inner = nest(own, 2)
    for folder in inner:
        make_threaded(folder)
    put(container.pid, inner[1], "cgroup.threads")
    container.delete("--force")
    check_gone(container, own)


@pytest.mark.parametrize("force", [True, False])
def test_a_cgroup_that_was_made_threaded(oci, bundle, force):
    """cgroup.kill does not work there, and cgroup.procs cannot be read."""
    bundle.linux["cgroupsPath"] = "/domain/inner"
    bundle.namespaces("mount", "uts", "cgroup")
    container = oci.run_detached(bundle.sh("sleep 100000 & sleep 100000 & echo ready; wait"))
    container.wait_output("ready")
    own = CGROUPS / "domain/inner"
    pids = (own / "cgroup.procs").read_text().split()
    control = CGROUPS / "domain/cgroup.subtree_control"
    for controller in control.read_text().split():
        control.write_text(f"-{controller}")
    for pid in pids:
        put(pid, CGROUPS / "domain")
    make_threaded(own)
    for pid in pids:
        put(pid, own, "cgroup.threads")
    assert oci("ps", "-f", "json", container.id).succeeded().out == "[" + ",".join(pids) + "]\n"
    oci("kill", "--all", container.id, "WINCH").succeeded()
    oci("pause", container.id).succeeded()
    assert container.status == "paused"
    oci("resume", container.id).succeeded()
    assert container.exec("/bin/grep", "0::", "/proc/self/cgroup").succeeded().out == "0::/\n"
    if not force:
        container.kill("KILL")
        container.wait()
    container.delete(*(["--force"] if force else []))
    assert not (CGROUPS / "domain").exists()


@pytest.mark.parametrize("depth", [200, 1000])
def test_delete_of_a_very_deep_tree(oci, container, own, depth):
    folder = os.open(own, os.O_DIRECTORY)
    for _ in range(depth):
        os.mkdir("deeper than it looks", dir_fd=folder)
        below = os.open("deeper than it looks", os.O_DIRECTORY, dir_fd=folder)
        os.close(folder)
        folder = below
    process = subprocess.Popen(SLEEP)
    procs = os.open("cgroup.procs", os.O_WRONLY, dir_fd=folder)
    os.write(procs, str(process.pid).encode())
    os.close(procs)
    os.close(folder)
    assert str(process.pid) in oci("ps", "-f", "json", container.id).succeeded().out
    delete = oci.popen("delete", "--force", container.id, preexec_fn=few_descriptors)
    assert delete.wait(60) == 0
    check_gone(container, own, process)


def test_delete_of_many_siblings_with_strange_names(oci, container, own):
    for name in ("a b", " ", "-rf", "..x", "$(reboot)", "\x1b[2J", "\xff", "n" * 255, "ä\t"):
        (own / name).mkdir()
    for number in range(1500):
        (own / f"sibling{number}").mkdir()
    delete = oci.popen("delete", "--force", container.id, preexec_fn=few_descriptors)
    assert delete.wait(60) == 0
    check_gone(container, own)


def test_delete_of_a_container_that_makes_cgroups_all_the_time(oci, bundle):
    bundle.linux["namespaces"] = [{"type": kind} for kind in ("mount", "uts", "cgroup")]
    mount = next(mount for mount in bundle.config["mounts"] if mount["type"] == "cgroup")
    mount["options"] = [option for option in mount["options"] if option != "ro"]
    bundle.sh("echo ready; i=0; while true; do i=$((i+1)); mkdir -p /sys/fs/cgroup/a$i/b/c; done")
    container = oci.run_detached(bundle)
    container.wait_output("ready")
    wait_for(lambda: (CGROUPS / container.id / "a20").exists())
    container.delete("--force")
    assert not (CGROUPS / container.id).exists()


# ---- parents


def test_a_parent_goes_with_its_last_container(oci, new_bundle):
    containers = []
    for name in ("one", "two", "three"):
        bundle = new_bundle().sh("sleep 100000")
        bundle.linux["cgroupsPath"] = f"/shared/by all/{name}"
        containers.append(oci.run_detached(bundle))
    for container in containers:
        assert (CGROUPS / "shared/by all").exists()
        container.delete("--force")
    assert not (CGROUPS / "shared").exists()


def test_a_parent_that_others_made_or_use_stays(oci, bundle):
    (CGROUPS / "theirs").mkdir()
    bundle.linux["cgroupsPath"] = "/theirs/ours/inner"
    container = oci.run_detached(bundle.sh("sleep 100000"))
    (CGROUPS / "theirs/ours/more").mkdir()
    container.delete("--force")
    assert (CGROUPS / "theirs/ours/more").exists()
    (CGROUPS / "theirs/ours/more").rmdir()
    bundle.linux["cgroupsPath"] = "/theirs/ours/inner"
    oci.run_detached(bundle).delete("--force")
    assert not (CGROUPS / "theirs/ours").exists() and (CGROUPS / "theirs").exists()
    (CGROUPS / "theirs").rmdir()


# ---- exec


def test_exec_where_the_container_has_controllers_for_its_children(oci, container, own):
    leaf = own / "leaf"
    leaf.mkdir()
    for pid in (own / "cgroup.procs").read_text().split():
        put(pid, leaf)
    controllers = (own / "cgroup.controllers").read_text().split()
    if not controllers:
        pytest.skip("kernel: no controller")
    (own / "cgroup.subtree_control").write_text(f"+{controllers[0]}")
    out = container.exec("/bin/grep", "0::", "/proc/self/cgroup").succeeded().out
    assert out == "0::/leaf\n"
    oci("pause", container.id).succeeded()
    oci("resume", container.id).succeeded()
    container.delete("--force")
    assert not own.exists()


def test_exec_does_not_follow_an_init_that_left(oci, container, own):
    leaf = own / "leaf"
    leaf.mkdir()
    pids = (own / "cgroup.procs").read_text().split()
    elsewhere = CGROUPS / f"{container.id}-not"
    elsewhere.mkdir()
    for pid in pids:
        put(pid, leaf if pid != str(container.pid) else elsewhere)
    controllers = (own / "cgroup.controllers").read_text().split()
    (own / "cgroup.subtree_control").write_text(f"+{controllers[0]}")
    container.exec("/bin/true").failed("has left its cgroup", f"/{container.id}-not", rc=255)
    assert (elsewhere / "cgroup.procs").read_text().split() == [str(container.pid)]
    container.delete("--force")
    wait_for(lambda: "populated 0" in (elsewhere / "cgroup.events").read_text())
    elsewhere.rmdir()


def test_exec_where_init_has_threads_in_a_threaded_cgroup(container, own):
    threaded = own / "threaded"
    threaded.mkdir()
    make_threaded(threaded)
    put(container.pid, threaded, "cgroup.threads")
    assert container.exec("/bin/grep", "0::", "/proc/self/cgroup").succeeded().out == "0::/\n"
