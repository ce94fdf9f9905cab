# SPDX-License-Identifier: Apache-2.0
"""Damaged files, dying processes, and strangers: what must not be reached, killed or left behind."""
import fcntl
import os
import signal
import subprocess

import pytest

from harness import CGROUPS, DEADLINE, wait_for


def alive(marker):
    """Whether a process has this word in its command line."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if marker.encode() in file.read():
                    return True
        except OSError:
            pass
    return False


def test_mount_namespace_of_the_host_is_refused(oci, bundle):
    """Pivoting in there would take the host's root away."""
    bundle.namespaces("pid", "ipc", "uts", ("mount", "/proc/self/ns/mnt"))
    oci("create", "--bundle", bundle.sh("true").write(), oci.new_id()).failed("is the mount namespace of the host")
    assert os.path.exists("/proc/self/status")


def test_strangers_in_a_joined_pod_cannot_look_into_the_set_up(oci, new_bundle):
    """A process with CAP_SYS_PTRACE in the pod sees the set-up child from its birth, but not the host through it."""
    watcher = new_bundle()
    watcher.user_namespace().add_capabilities("CAP_SYS_PTRACE")
    # The host's root has this folder; the container's rootfs does not.
    seen = "/oci-run-host-marker"
    os.mkdir(seen)
    try:
        first = oci.run_detached(watcher.sh(
            f"while :; do for p in /proc/[0-9]*; do test -d $p/root{seen} && echo SEEN; done; done"))
        joining = new_bundle()
        joining.user_namespace()
        joining.linux.pop("uidMappings")
        joining.linux.pop("gidMappings")
        joining.config.pop("hostname", None)
        namespaces = [(kind, f"/proc/{first.pid}/ns/{name}") for kind, name in
                      (("user", "user"), ("pid", "pid"), ("ipc", "ipc"), ("network", "net"))]
        joining.namespaces("mount", "uts", *namespaces)
        for _ in range(10):
            oci.run(joining.sh("true")).succeeded()
        assert "SEEN" not in first.output()
    finally:
        os.rmdir(seen)


def test_damaged_state_does_not_keep_delete_force_from_its_work(oci, bundle):
    container = oci.run_detached(bundle.sh("sleep 100000"))
    (oci.state_root / container.id / "state.json").write_text("{")
    oci("delete", container.id).failed("state.json")
    oci("delete", "--force", container.id)
    container.wait()
    assert not (CGROUPS / container.id).exists() and not (oci.state_root / container.id).exists()


def test_ignored_sigchld_of_the_caller(oci, bundle):
    bundle.hook("createRuntime", "/bin/true")
    ignore = lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    assert oci.run(bundle.sh("exit 7"), preexec_fn=ignore).rc == 7


def test_start_of_an_init_that_dies_in_its_hooks(oci, bundle):
    bundle.hook("startContainer", "/bin/sleep", "100000")
    container = oci.create(bundle.sh("true"))
    process = oci.popen("start", container.id, stderr=subprocess.PIPE)
    wait_for(lambda: len((CGROUPS / container.id / "cgroup.procs").read_text().split()) == 2)
    container.kill("KILL")
    assert process.wait(DEADLINE) == 1
    assert b"ended before it ran the program" in process.stderr.read()
    process.stderr.close()


def test_failed_second_start_leaves_the_container_alone(oci, bundle, tmp_path):
    """The first start is killed while hooks run; the second must not end what the first has begun."""
    (bundle.rootfs / "go").unlink(missing_ok=True)
    bundle.hook("startContainer", "/bin/sh", "-c", "until test -e /go; do sleep 0.01; done")
    container = oci.create(bundle.sh("sleep 100000"))
    first = oci.popen("start", container.id)
    wait_for(lambda: len((CGROUPS / container.id / "cgroup.procs").read_text().split()) >= 2)
    first.kill()
    first.wait()
    second = oci.popen("start", container.id, stderr=subprocess.DEVNULL)
    (bundle.rootfs / "go").touch()
    second.wait(DEADLINE)
    wait_for(lambda: container.status == "running")


@pytest.mark.parametrize("kind", ["createRuntime", "createContainer"])
def test_hook_ends_with_the_killed_create(oci, bundle, kind):
    bundle.hook(kind, "/bin/sleep", "77701")
    id = oci.new_id()
    process = oci.popen("create", "--bundle", bundle.sh("true").write(), id, stderr=subprocess.DEVNULL)
    wait_for(lambda: alive("77701"))
    process.kill()
    process.wait()
    wait_for(lambda: not alive("77701"))
    oci("delete", "--force", id).succeeded()


def test_hook_past_its_timeout_takes_its_children_along(oci, bundle):
    bundle.hook("createRuntime", "/bin/sh", "-c", "sleep 77702 & sleep 77702", timeout=1)
    oci("create", "--bundle", bundle.sh("true").write(), oci.new_id()).failed("/hooks/createRuntime/0", "timeout of 1")
    wait_for(lambda: not alive("77702"))


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer", "poststart", "poststop"])
def test_hooks_run_in_the_bundle(oci, bundle, tmp_path, kind):
    bundle.hook(kind, "/bin/sh", "-c", f"pwd > {tmp_path}/where")
    oci.run(bundle.sh("true")).succeeded()
    assert (tmp_path / "where").read_text() == f"{bundle.path}\n"


def test_delete_while_a_poststart_hook_hangs(oci, bundle):
    bundle.hook("poststart", "/bin/sleep", "77703")
    container = oci.create(bundle.sh("sleep 100000"))
    process = oci.popen("start", container.id, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: alive("77703"))
        container.delete("--force")
        container.wait()
    finally:
        process.kill()
        process.wait()
    wait_for(lambda: not alive("77703"))


def is_unlocked(folder):
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)


def test_run_does_not_delete_another_container_of_its_name(oci, bundle):
    id = oci.new_id()
    process = oci.popen("run", "--bundle", bundle.sh("sleep 100000").write(), id, stderr=subprocess.DEVNULL)
    wait_for(lambda: "running" in oci("state", id).out)
    wait_for(lambda: is_unlocked(oci.state_root / id))
    process.send_signal(signal.SIGSTOP)
    stopper = oci.popen("delete", "--force", id, stderr=subprocess.DEVNULL)
    # Its end is seen by the stopped parent only, which does not matter to delete.
    assert stopper.wait(DEADLINE) == 0
    second = oci.run_detached(bundle, id=id)
    process.send_signal(signal.SIGCONT)
    process.wait(DEADLINE)
    assert second.status == "running"


def test_delete_spares_strangers_in_the_cgroup(oci, bundle):
    container = oci.run_detached(bundle.sh("true"))
    container.wait()
    stranger = subprocess.Popen(["sleep", "100000"])
    try:
        (CGROUPS / container.id / "cgroup.procs").write_text(str(stranger.pid))
        oci("delete", container.id).failed(str(stranger.pid))
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
    container.delete()


def test_create_that_is_told_to_end_while_a_hook_hangs(oci, bundle):
    bundle.hook("createRuntime", "/bin/sleep", "77704")
    id = oci.new_id()
    process = oci.popen("create", "--bundle", bundle.sh("true").write(), id, stderr=subprocess.PIPE)
    wait_for(lambda: alive("77704"))
    process.terminate()
    assert process.wait(DEADLINE) == 1
    assert b"interrupted by a signal" in process.stderr.read()
    process.stderr.close()
    assert not (CGROUPS / id).exists() and not (oci.state_root / id).exists()
    wait_for(lambda: not alive("77704"))
