# SPDX-License-Identifier: Apache-2.0
"""NOTIFY_SOCKET (sd_notify(3)): a container whose program tells a service manager that it is ready."""

import os
import socket
import subprocess

import pytest

from harness import DEADLINE, wait_for

SOCKET_IN_CONTAINER = "/run/notify/notify.sock"


class Manager:
    """The service manager's end."""

    def __init__(self, name):
        self.name = str(name)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + self.name[1:] if self.name.startswith("@") else self.name)
        self.socket.settimeout(DEADLINE)
        self.environment = {"NOTIFY_SOCKET": self.name}

    def receive(self):
        """One message; a barrier is answered by closing what came with it."""
        text, fds, _, _ = socket.recv_fds(self.socket, 4096, 4)
        for fd in fds:
            os.close(fd)
        assert (len(fds) == 1) == (text == b"BARRIER=1")
        return text.decode().strip()

    def heard_nothing(self):
        self.socket.settimeout(0)
        try:
            return not self.socket.recv(4096)
        except BlockingIOError:
            return True

    def close(self):
        self.socket.close()


@pytest.fixture
def manager(bundle):
    one = Manager(bundle.path / "manager.sock")
    yield one
    one.close()


def tells(*messages, then="sleep 100000"):
    """A script that sends messages to NOTIFY_SOCKET, then goes on."""
    return "; ".join([*(f"probe notify '{message}'" for message in messages), then])


def test_start_returns_when_the_program_is_ready(oci, bundle, manager):
    go = bundle.rootfs / "go"
    script = "until test -e /go; do sleep 0.01; done; " + tells("READY=1")
    container = oci.create(bundle.sh(script), env=manager.environment)
    process = oci.popen("start", container.id, env=manager.environment)
    wait_for(lambda: container.status == "running")
    assert process.poll() is None and manager.heard_nothing()
    manager.socket.settimeout(DEADLINE)
    go.write_text("")
    assert [manager.receive() for _ in range(3)] == ["READY=1", f"MAINPID={container.pid}", "BARRIER=1"]
    assert process.wait() == 0


def test_start_waits_until_the_manager_has_read_everything(oci, bundle, manager):
    container = oci.create(bundle.sh(tells("READY=1")), env=manager.environment)
    process = oci.popen("start", container.id, env=manager.environment)
    assert [manager.receive() for _ in range(2)] == ["READY=1", f"MAINPID={container.pid}"]
    text, fds, _, _ = socket.recv_fds(manager.socket, 4096, 4)
    assert text == b"BARRIER=1" and process.poll() is None
    os.close(fds[0])
    assert process.wait() == 0


def test_start_ends_with_a_program_that_never_gets_ready(oci, bundle, manager):
    container = oci.create(bundle.sh("exit 3"), env=manager.environment)
    oci("start", container.id, env=manager.environment).succeeded()
    assert container.wait() == 3
    assert manager.heard_nothing()


def test_only_readiness_is_passed_on(oci, bundle, manager):
    """What a container says about processes and the service is not believed."""
    messages = ["MAINPID=1", "STATUS=fine", "WATCHDOG=1", "FDSTORE=1", "READY=0", "READY=", " READY=1", "XREADY=1",
                "BARRIER=1", "", "x" * 4000, "MAINPID=1\nREADY=1\nMAINPID=1"]
    container = oci.create(bundle.sh(tells(*messages)), env=manager.environment)
    process = oci.popen("start", container.id, env=manager.environment)
    assert [manager.receive() for _ in range(3)] == ["READY=1", f"MAINPID={container.pid}", "BARRIER=1"]
    assert process.wait() == 0
    assert manager.heard_nothing()


def test_run_detached(oci, bundle, manager):
    id = oci.new_id()
    process = oci.popen("run", "--detach", "--bundle", bundle.sh(tells("READY=1")).write(), id,
                        env=manager.environment)
    ready, main, barrier = (manager.receive() for _ in range(3))
    assert process.wait() == 0
    pid = oci("state", id).succeeded().out.split('"pid": ')[1].split(",")[0]
    assert (ready, main, barrier) == ("READY=1", f"MAINPID={pid}", "BARRIER=1")


def test_run_in_the_foreground(oci, bundle, manager):
    """There oci-run itself is what the manager looks after."""
    script = tells("READY=1", then=tells("STATUS=more", "READY=1", then="cat >/dev/null; exit 4"))
    process = oci.popen("run", "--bundle", bundle.sh(script).write(), oci.new_id(), env=manager.environment,
                        stdin=subprocess.PIPE)
    assert [manager.receive() for _ in range(2)] == ["READY=1", f"MAINPID={process.pid}"]
    process.stdin.close()
    assert process.wait() == 4
    assert manager.heard_nothing()


def test_more_messages_than_a_socket_holds_do_not_stop_the_container(oci, bundle, manager):
    script = "for i in $(seq 100); do probe notify STATUS=$i; done; echo through"
    assert oci.run(bundle.sh(script), env=manager.environment).succeeded().out == "through\n"


@pytest.mark.parametrize("user_namespace", [False, True])
@pytest.mark.parametrize("user", [0, 1000])
def test_everybody_in_the_container_may_tell(oci, bundle, manager, user_namespace, user):
    if user_namespace:
        bundle.user_namespace()
    bundle.process["user"] = {"uid": user, "gid": user}
    container = oci.create(bundle.sh(tells("READY=1")), env=manager.environment)
    process = oci.popen("start", container.id, env=manager.environment, umask=0o077)
    assert manager.receive() == "READY=1" and manager.receive() == f"MAINPID={container.pid}"
    assert manager.receive() == "BARRIER=1" and process.wait() == 0


def test_what_the_container_gets(oci, bundle, manager):
    script = "echo $NOTIFY_SOCKET; ls /run/notify; touch /run/notify/x 2>&1; grep -o ' /run/notify [^ ]*' /proc/mounts"
    bundle.process["env"].append("NOTIFY_SOCKET=/wrong")
    mounts = open("/proc/self/mountinfo").read()
    out = oci.run(bundle.sh(script + "; grep /run/notify /proc/mounts"), env=manager.environment).out.splitlines()
    assert out[:2] == [SOCKET_IN_CONTAINER, "notify.sock"] and "Read-only file system" in out[2]
    options = out[-1].split()[3].split(",")
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(options)
    assert open("/proc/self/mountinfo").read() == mounts


def test_processes_of_exec_are_not_told(oci, bundle, manager):
    container = oci.create(bundle.sh("sleep 100000"), env=manager.environment)
    assert container.exec("/bin/sh", "-c", "echo ${NOTIFY_SOCKET-unset}", env=manager.environment).out == "unset\n"


def test_abstract_name_of_the_manager(oci, bundle):
    manager = Manager(f"@oci-run-test-{os.getpid()}")
    container = oci.create(bundle.sh(tells("READY=1")), env=manager.environment)
    process = oci.popen("start", container.id, env=manager.environment)
    assert manager.receive() == "READY=1" and manager.receive() == f"MAINPID={container.pid}"
    assert manager.receive() == "BARRIER=1" and process.wait() == 0
    manager.close()


def test_manager_that_is_not_there(oci, bundle, manager):
    """Known before the program runs."""
    container = oci.create(bundle.sh("true"), env=manager.environment)
    manager.close()
    oci("start", container.id, env=manager.environment).failed("NOTIFY_SOCKET", "connection refused")
    assert container.status == "created"
    oci("start", container.id).succeeded()
    container.wait()


def test_manager_that_goes_meanwhile(oci, bundle, manager):
    """The container runs all the same."""
    script = "until test -e /go; do sleep 0.01; done; " + tells("READY=1")
    container = oci.create(bundle.sh(script), env=manager.environment)
    process = oci.popen("start", container.id, env=manager.environment, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: container.status == "running")
    manager.close()
    (bundle.rootfs / "go").write_text("")
    _, errors = process.communicate()
    assert process.returncode == 0 and "level=warning" in errors and "NOTIFY_SOCKET" in errors
    assert container.status == "running"


@pytest.mark.parametrize("at_create, at_start", [(True, False), (False, True)])
def test_only_one_of_the_commands_has_a_manager(oci, bundle, manager, at_create, at_start):
    container = oci.create(bundle.sh("sleep 100000"), env=manager.environment if at_create else {})
    oci("start", container.id, env=manager.environment if at_start else {}).succeeded()
    assert container.status == "running" and manager.heard_nothing()


def test_empty_name(oci, bundle):
    assert oci.run(bundle.sh("echo ${NOTIFY_SOCKET-unset}"), env={"NOTIFY_SOCKET": ""}).succeeded().out == "unset\n"


def test_two_starts_one_after_the_other(oci, bundle, manager):
    """A start that was killed while it waited leaves nothing that is in the way of another container or delete."""
    container = oci.create(bundle.sh("sleep 100000"), env=manager.environment)
    process = oci.popen("start", container.id, env=manager.environment)
    wait_for(lambda: container.status == "running")
    process.terminate()
    assert process.wait() == -15
    oci("start", container.id, env=manager.environment).failed("cannot start an already running container")
    container.delete("--force")
