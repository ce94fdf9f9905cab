# SPDX-License-Identifier: Apache-2.0
"""All six kinds of hooks: when they run, where, with what, and what happens when they fail."""

import json
import os
import signal

import pytest

from harness import PROGRAM, namespace

KINDS = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]
AT_CREATE = ["prestart", "createRuntime", "createContainer"]
IN_CONTAINER = ["createContainer", "startContainer"]


@pytest.fixture
def log(bundle):
    """A folder that hooks write to; the container sees it at the same place, for startContainer."""
    folder = bundle.path / "log"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    bundle.bind(folder, folder)
    return folder


def shell_hook(bundle, kind, script, **more):
    return bundle.hook(kind, "/bin/sh", "-c", script, **more)


def live(oci, bundle):
    """From create to delete."""
    container = oci.create(bundle.sh("true") if bundle.process["args"] == ["sh"] else bundle)
    container.start()
    container.wait()
    container.delete()
    return container


def all_hooks(bundle, script):
    """The same script for every kind; it writes to a file named after the kind."""
    for kind in KINDS:
        shell_hook(bundle, kind, script.replace("KIND", kind))


def test_order(oci, bundle, log):
    for kind in reversed(KINDS):
        for number in (1, 2):
            shell_hook(bundle, kind, f"echo {kind} {number} >> {log}/order")
    # poststart must not overtake the program, nor the program poststart: it waits until poststart was there
    bundle.sh(f"echo program >> {log}/order; while ! grep -q 'poststart 2' {log}/order; do sleep 0.01; done")
    container = oci.create(bundle)
    assert (log / "order").read_text().splitlines() == [f"{kind} {number}" for kind in AT_CREATE for number in (1, 2)]
    (log / "order").write_text("")
    container.start()
    container.wait()
    lines = (log / "order").read_text().splitlines()
    assert lines[:2] == ["startContainer 1", "startContainer 2"]
    assert sorted(lines[2:]) == ["poststart 1", "poststart 2", "program"]
    (log / "order").write_text("")
    container.delete()
    assert (log / "order").read_text() == "poststop 1\npoststop 2\n"


def test_state_on_standard_input(oci, bundle, log):
    bundle.config["annotations"] = {"org.example.key": "value"}
    all_hooks(bundle, f"cat > {log}/KIND")
    container = live(oci, bundle)
    states = {kind: json.loads((log / kind).read_text()) for kind in KINDS}
    for state in states.values():
        assert state["ociVersion"] == bundle.config["ociVersion"] and state["id"] == container.id
        assert state["bundle"] == str(bundle.path) and state["annotations"] == {"org.example.key": "value"}
    assert {kind: state["status"] for kind, state in states.items()} == {
        "prestart": "creating", "createRuntime": "creating", "createContainer": "creating",
        "startContainer": "created", "poststart": "running", "poststop": "stopped"}
    pids = {kind: state.get("pid", 0) for kind, state in states.items()}
    assert pids == {"prestart": container.pid, "createRuntime": container.pid, "createContainer": 1,
                    "startContainer": 1, "poststart": container.pid, "poststop": 0}


def test_namespaces(oci, bundle, log):
    all_hooks(bundle, f"for i in mnt pid uts ipc net; do readlink /proc/self/ns/$i; done > {log}/KIND")
    live(oci, bundle)
    ours = [namespace(kind) for kind in ("mount", "pid", "uts", "ipc", "network")]
    for kind in KINDS:
        theirs = (log / kind).read_text().split()
        if kind in IN_CONTAINER:
            assert not set(theirs) & set(ours), kind
        else:
            assert theirs == ours, kind


def test_container_hooks_see_the_containers_namespaces(oci, bundle, log):
    all_hooks(bundle, f"for i in mnt pid uts ipc net; do readlink /proc/self/ns/$i; done > {log}/KIND")
    container = oci.create(bundle.sh("sleep 1000")).start()
    theirs = [namespace(kind, container.pid) for kind in ("mount", "pid", "uts", "ipc", "network")]
    for kind in IN_CONTAINER:
        assert (log / kind).read_text().split() == theirs


def test_roots(oci, bundle, log):
    """Before pivot_root createContainer still sees the host's files; startContainer sees the container's."""
    (bundle.rootfs / "in-the-container").write_text("")
    all_hooks(bundle, f"ls -d /in-the-container {bundle.rootfs} > {log}/KIND 2>/dev/null; true")
    live(oci, bundle)
    for kind in KINDS:
        expected = "/in-the-container\n" if kind == "startContainer" else f"{bundle.rootfs}\n"
        assert (log / kind).read_text() == expected, kind


def test_network_can_be_set_up_by_a_hook(oci, bundle, log):
    """As engines do: the hook finds the container's network namespace by the pid on its standard input."""
    script = f"""
        pid=$(sed 's/.*"pid": *\\([0-9]*\\).*/\\1/')
        nsenter --net=/proc/$pid/ns/net readlink /proc/self/ns/net > {log}/net"""
    shell_hook(bundle, "createRuntime", script)
    container = oci.create(bundle.sh("true"))
    assert (log / "net").read_text().strip() == namespace("network", container.pid)


def test_mounts_of_create_container_are_seen_inside(oci, bundle):
    shell_hook(bundle, "createContainer", f"mount -t tmpfs by-hook {bundle.rootfs}/mnt && touch {bundle.rootfs}/mnt/f")
    assert oci.output_of(bundle, "ls /mnt; grep -c by-hook /proc/self/mountinfo") == "f\n1\n"
    assert list((bundle.rootfs / "mnt").iterdir()) == []


def test_mounts_and_cgroup_are_there_for_create_runtime(oci, bundle, log):
    shell_hook(bundle, "createRuntime", f"""
        pid=$(sed 's/.*"pid": *\\([0-9]*\\).*/\\1/')
        grep -c ' /proc/* .* - proc ' /proc/$pid/mountinfo > {log}/mounts; grep 0:: /proc/$pid/cgroup > {log}/cgroup
        ls -d /proc/$pid/root{bundle.rootfs}/dev/null > {log}/null""")
    container = oci.create(bundle.sh("true"))
    assert (log / "cgroup").read_text() == f"0::/{container.id}\n"
    assert (log / "null").read_text() != ""


def test_environment(oci, bundle, log):
    bundle.process["env"] = ["PATH=/bin", "OF_THE_PROCESS=1"]
    for kind in KINDS:
        shell_hook(bundle, kind, f"/usr/bin/env > {log}/{kind} || /bin/env > {log}/{kind}")
    (bundle.rootfs / "usr/bin").mkdir(parents=True)
    (bundle.rootfs / "usr/bin/env").symlink_to("/bin/busybox")
    container = oci.create(bundle.sh("true"), env={"OF_THE_RUNTIME": "1"})
    oci("start", container.id, env={"OF_THE_RUNTIME": "1"}).succeeded()
    container.wait()
    oci("delete", container.id, env={"OF_THE_RUNTIME": "1"}).succeeded()
    for kind in KINDS:
        names = {line.split("=")[0] for line in (log / kind).read_text().split()} - {"PWD", "SHLVL", "_"}
        if kind == "createContainer":
            assert names <= {"PATH"}, kind  # a shell may add a PATH of its own
        elif kind == "startContainer":
            assert "OF_THE_PROCESS" in names and "OF_THE_RUNTIME" not in names, kind
        else:
            assert "OF_THE_RUNTIME" in names and "OF_THE_PROCESS" not in names, kind


def test_environment_of_its_own(oci, bundle, log):
    for kind in KINDS:
        shell_hook(bundle, kind, f"echo $ONLY $PATH > {log}/{kind}", env=["ONLY=this", "PATH=/bin"])
    container = oci.create(bundle.sh("true"), env={"OF_THE_RUNTIME": "1"}).start()
    container.wait()
    container.delete()
    for kind in KINDS:
        assert (log / kind).read_text() == "this /bin\n"


def test_arguments(oci, bundle, log):
    bundle.config["hooks"] = {"createRuntime": [
        {"path": "/bin/sh", "args": ["a name", "-c", f'printf "<%s>" "$0" "$@" > {log}/args', "zero", "a b", ""]}]}
    live(oci, bundle)
    assert (log / "args").read_text() == "<zero><a b><>"


def test_hook_without_arguments(oci, bundle, log):
    script = bundle.path / "hook"
    script.write_text(f"#!/bin/sh\necho $# > {log}/count\n")
    script.chmod(0o755)
    bundle.config["hooks"] = {"createRuntime": [{"path": str(script)}]}
    live(oci, bundle)
    assert (log / "count").read_text() == "0\n"


@pytest.mark.parametrize("kind", KINDS)
def test_what_hooks_print_stays_off_standard_output(oci, bundle, kind):
    shell_hook(bundle, kind, "echo from the hook; echo oops >&2")
    container = oci.create(bundle.sh("true"))
    started = oci("start", container.id)
    container.wait()
    deleted = oci("delete", container.id)
    assert started.out == deleted.out == ""
    assert container.output() == container.errors() == ""


def test_hook_that_does_not_read_its_input(oci, bundle):
    bundle.config["annotations"] = {f"key{number}": "x" * 1000 for number in range(300)}
    for kind in KINDS:
        shell_hook(bundle, kind, "exec <&-; true")
    live(oci, bundle)


def test_hook_that_reads_a_large_state(oci, bundle, log):
    bundle.config["annotations"] = {f"key{number}": "x" * 1000 for number in range(300)}
    for kind in KINDS:
        shell_hook(bundle, kind, f"sleep 0.1; wc -c > {log}/{kind}")
    live(oci, bundle)
    assert all(int((log / kind).read_text()) > 300000 for kind in KINDS)


def test_hooks_may_call_the_runtime(oci, bundle, log):
    """state, list and kill take no lock: a hook that calls them does not wait for the command that runs the hook."""
    command = f"{PROGRAM} --root {oci.state_root}"
    shell_hook(bundle, "createRuntime", f"{command} state ID > {log}/state; {command} list -q > {log}/list".replace(
        "ID", "called"))
    oci.made.append("called")
    oci.create(bundle.sh("true"), id="called")
    assert json.loads((log / "state").read_text())["status"] == "creating"
    assert (log / "list").read_text() == "called\n"


# ---- timeouts and failures


def poststop_log(bundle, log):
    shell_hook(bundle, "poststop", f"cat > {log}/poststop")


def test_hook_within_its_timeout(oci, bundle):
    for kind in KINDS:
        shell_hook(bundle, kind, "true", timeout=20)
    live(oci, bundle)


@pytest.mark.parametrize("kind", AT_CREATE)
def test_timeout_at_create(oci, bundle, log, kind):
    shell_hook(bundle, kind, "exec sleep 1000", timeout=1)
    poststop_log(bundle, log)
    oci("create", "--bundle", bundle.sh("true").write(), oci.new_id()).failed(kind, "/bin/sh", "timeout")
    assert json.loads((log / "poststop").read_text())["status"] == "stopped"


def test_timeout_at_delete_is_a_warning(oci, bundle):
    shell_hook(bundle, "poststop", "exec sleep 1000", timeout=1)
    container = oci.create(bundle.sh("true")).start()
    container.wait()
    assert "timeout" in oci("delete", container.id).succeeded().err


@pytest.mark.parametrize("kind", ["startContainer", "poststart"])
def test_timeout_at_start(oci, bundle, kind):
    shell_hook(bundle, kind, "exec sleep 1000", timeout=1)
    container = oci.create(bundle.sh("sleep 1000"))
    oci("start", container.id).failed(kind, "/bin/sh", "timeout")
    assert container.wait() != 0
    assert container.status == "stopped"


def test_children_of_a_hook_that_timed_out_hold_nothing_up(oci, bundle, log):
    """They may keep the streams that the hook had open."""
    shell_hook(bundle, "createRuntime", f"sleep 1000 & echo $! > {log}/child; exec sleep 1000", timeout=1)
    oci("create", "--bundle", bundle.sh("true").write(), oci.new_id(), timeout=15).failed("createRuntime", "timeout")
    try:
        os.kill(int((log / "child").read_text()), signal.SIGKILL)
    except ProcessLookupError:
        pass  # ended together with the hook: just as well


FAILURES = [("exit 3", "3"), ("kill -9 $$", "9")]


@pytest.mark.parametrize("kind", AT_CREATE)
@pytest.mark.parametrize("script, text", FAILURES)
def test_failure_at_create_leaves_nothing(oci, bundle, log, kind, script, text):
    shell_hook(bundle, kind, script)
    shell_hook(bundle, kind, f"touch {log}/not-reached")
    poststop_log(bundle, log)
    oci("create", "--bundle", bundle.sh("true").write(), "--pid-file", bundle.path / "pid", oci.new_id()).failed(
        kind, "/bin/sh", text)
    assert not (bundle.path / "pid").exists() and not (log / "not-reached").exists()
    assert json.loads((log / "poststop").read_text())["status"] == "stopped"
    assert oci("list", "-q").out == ""


@pytest.mark.parametrize("kind", AT_CREATE)
def test_failure_of_a_hook_in_run(oci, bundle, kind):
    shell_hook(bundle, kind, "exit 3")
    oci.run(bundle.sh("true")).failed(kind, "/bin/sh")


@pytest.mark.parametrize("kind", AT_CREATE + ["startContainer"])
def test_hook_that_does_not_exist(oci, bundle, kind):
    bundle.hook(kind, "/no/such/hook")
    bundle.sh("true").write()
    if kind == "startContainer":
        container = oci.create(bundle)
        oci("start", container.id).failed(kind, "/no/such/hook", "no such file or directory")
        assert container.status == "stopped"
    else:
        oci("create", "--bundle", bundle.path, oci.new_id()).failed(kind, "/no/such/hook", "no such file or directory")


@pytest.mark.parametrize("script, text", FAILURES)
def test_failure_of_start_container_stops_the_container(oci, bundle, log, script, text):
    shell_hook(bundle, "startContainer", script)
    container = oci.create(bundle.sh(f"touch {log}/ran"))
    oci("start", container.id).failed("startContainer", "/bin/sh", text)
    assert container.output() == container.errors() == ""
    container.wait()
    assert container.status == "stopped" and not (log / "ran").exists()
    oci("start", container.id).failed("stopped")


def test_failure_of_poststart_stops_the_container(oci, bundle):
    shell_hook(bundle, "poststart", "exit 3")
    container = oci.create(bundle.sh("sleep 1000"))
    oci("start", container.id).failed("poststart", "/bin/sh", "3")
    assert container.wait() == -9
    assert container.status == "stopped"


def test_failure_of_poststart_in_a_foreground_run(oci, bundle, log):
    shell_hook(bundle, "poststart", "exit 3")
    poststop_log(bundle, log)
    oci.run(bundle.sh("sleep 1000")).failed("poststart", "/bin/sh")
    assert (log / "poststop").exists()


def test_failure_of_poststop_is_a_warning(oci, bundle, log):
    shell_hook(bundle, "poststop", "exit 3")
    bundle.hook("poststop", "/no/such/hook")
    shell_hook(bundle, "poststop", f"touch {log}/still-run")
    container = oci.run_detached(bundle.sh("true"))
    container.wait()
    completed = oci("delete", container.id).succeeded()
    assert completed.out == "" and "warning" in completed.err and "poststop" in completed.err
    assert (log / "still-run").exists()
    assert oci("list", "-q").out == ""


def test_poststop_runs_after_everything_is_gone(oci, bundle, log):
    shell_hook(bundle, "poststop", f"ls -d /sys/fs/cgroup/ID > {log}/cgroup 2>/dev/null; true".replace("ID", "gone"))
    oci.made.append("gone")
    oci.create(bundle.sh("true"), id="gone").delete("--force")
    assert (log / "cgroup").read_text() == ""


def test_hooks_run_as_the_runtimes_user(oci, bundle, log):
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    all_hooks(bundle, f"id -u > {log}/KIND")
    live(oci, bundle)
    for kind in set(KINDS) - {"startContainer"}:
        assert (log / kind).read_text() == "0\n", kind


def test_hooks_leave_no_descriptors_to_each_other(oci, bundle, log, session):
    for kind in KINDS:
        program = "/bin/probe" if kind == "startContainer" else session.image / "bin/probe"
        shell_hook(bundle, kind, f"{program} descriptors > {log}/{kind}")
    reader, writer = os.pipe()
    try:
        live(oci, bundle)
    finally:
        os.close(reader)
        os.close(writer)
    for kind in KINDS:
        assert (log / kind).read_text().split() == ["0", "1", "2"], kind
