# SPDX-License-Identifier: Apache-2.0
"""SCMP_ACT_NOTIFY: an agent gets the listener of the filter and answers for the kernel (config-linux.md#seccomp)."""

import array
import errno
import fcntl
import json
import os
import select
import signal
import socket
import struct
import threading
import time

import pytest

from test_seccomp import call, number, rule, seccomp

RECEIVE = 0xC0502100  # SECCOMP_IOCTL_NOTIF_RECV, linux/seccomp.h
SEND = 0xC0182101  # SECCOMP_IOCTL_NOTIF_SEND
STILL_WAITS = 0x40082102  # SECCOMP_IOCTL_NOTIF_ID_VALID
GO_ON = 1  # SECCOMP_USER_NOTIF_FLAG_CONTINUE


class Agent:
    """Listens at a socket; answers each notification with `value` or -`error`, or lets the kernel go on. With `signal`
    the calling process gets that first, and time to be interrupted by it."""

    def __init__(self, path, value=0, error=0, flags=0, signal=None):
        self.signal = signal
        self.answer = struct.pack("=qiI", value, -error, flags)
        self.path = str(path)
        self.states = []  # one JSON object a connection
        self.calls = []  # numbers of the system calls that were asked about
        self.failure = None
        self.server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.server.bind(self.path)
        self.server.listen()
        self.stop, self.stopped = os.pipe()
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        listeners = []
        try:
            while True:
                ready, _, _ = select.select([self.server, self.stop, *listeners], [], [])
                if self.stop in ready:
                    return
                if self.server in ready:
                    listeners.append(self._accept())
                for listener in set(ready) & set(listeners):
                    if not self._answer(listener):
                        listeners.remove(listener)
                        os.close(listener)
        except Exception as error:  # told to the test by close()
            self.failure = error
        finally:
            for listener in listeners:
                os.close(listener)

    def _accept(self):
        connection, _ = self.server.accept()
        with connection:
            text, control, _, _ = connection.recvmsg(65536, socket.CMSG_SPACE(16))
            while more := connection.recv(65536):
                text += more
        descriptors = array.array("i")
        for _, _, data in control:
            descriptors.frombytes(data)
        assert len(descriptors) == 1
        self.states.append(json.loads(text))
        return descriptors[0]

    def _answer(self, listener):
        notification = bytearray(80)
        try:
            fcntl.ioctl(listener, RECEIVE, notification)
        except OSError as error:
            if error.errno == errno.ENOENT:  # nobody is left under the filter, or the call was interrupted
                return False
            raise
        self.calls.append(struct.unpack_from("=i", notification, 16)[0])
        try:
            if self.signal:
                os.kill(struct.unpack_from("=i", notification, 8)[0], self.signal)
                for _ in range(20):
                    fcntl.ioctl(listener, STILL_WAITS, bytearray(notification[:8]))
                    time.sleep(0.01)
            fcntl.ioctl(listener, SEND, bytearray(notification[:8] + self.answer))
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
        return True

    def close(self):
        os.write(self.stopped, b"x")
        self.thread.join()
        self.server.close()
        os.close(self.stop)
        os.close(self.stopped)
        assert self.failure is None


@pytest.fixture
def agent(tmp_path):
    made = []

    def make(**answer):
        made.append(Agent(tmp_path / "agent", **answer))
        return made[-1]

    yield make
    for one in made:
        one.close()


def notify(bundle, agent, *names, others=(), **more):
    return seccomp(bundle, rule("SCMP_ACT_NOTIFY", *names), *others, listenerPath=agent.path, **more)


def test_agent_answers_for_the_kernel(oci, bundle, agent):
    asked = agent(value=4242)
    assert call(oci, notify(bundle, asked, "getpgid"), "getpgid", 0) == (4242, 0)
    assert asked.calls == [number("getpgid")]


def test_agent_refuses(oci, bundle, agent):
    asked = agent(error=errno.EXDEV)
    assert call(oci, notify(bundle, asked, "getpgid"), "getpgid", 0) == (-1, errno.EXDEV)


def test_container_process_state(oci, bundle, agent):
    asked = agent(value=1)
    notify(bundle, asked, "getpgid", listenerMetadata="for the agent").sh("sleep 1000")
    bundle.config["annotations"] = {"org.example.a": "b"}
    container = oci.create(bundle)
    assert asked.states == []  # the filter is loaded last, at start
    container.start()
    assert asked.states == [{
        "ociVersion": "1.3.0",
        "fds": ["seccompFd"],
        "pid": container.pid,
        "metadata": "for the agent",
        "state": {"ociVersion": "1.3.0", "id": container.id, "status": "created", "pid": container.pid,
                  "bundle": str(bundle.path), "annotations": {"org.example.a": "b"}},
    }]


def test_exec_has_a_listener_of_its_own(oci, bundle, agent):
    asked = agent(value=7)
    notify(bundle, asked, "getpgid").sh("sleep 1000")
    container = oci.run_detached(bundle)
    assert container.exec("/bin/probe", "syscall", str(number("getpgid")), "0").succeeded().out == "7 0\n"
    first, second = asked.states
    assert first["pid"] == container.pid
    assert second["pid"] not in (0, container.pid)
    assert second["state"]["status"] == "running"
    assert second["state"]["pid"] == container.pid


@pytest.mark.parametrize("action", ["SCMP_ACT_KILL_PROCESS", "SCMP_ACT_ERRNO"])
def test_filter_that_forbids_what_sends_the_listener(oci, bundle, agent, action):
    asked = agent(value=4242)
    forbidden = rule(action, "sendmsg", "recvmsg", "recvfrom", "nanosleep", "sched_yield", "futex", "clone")
    assert call(oci, notify(bundle, asked, "getpgid", others=[forbidden]), "getpgid", 0) == (4242, 0)


def test_every_call_is_asked_about(oci, bundle, agent):
    asked = agent(flags=GO_ON)
    seccomp(bundle, default="SCMP_ACT_NOTIFY", listenerPath=asked.path).args("/bin/only_exit")
    assert oci.run(bundle).rc == 42
    assert asked.calls == [number("execve"), number("exit_group")]


def test_sending_is_asked_about(oci, bundle, agent):
    asked = agent(flags=GO_ON)
    notify(bundle, asked, "sendmsg", "write", "execve").sh("echo written")
    assert oci.output_of(bundle) == "written\n"
    assert {number("execve"), number("write")} <= set(asked.calls)


def test_nothing_of_the_runtime_stays(oci, bundle, agent):
    asked = agent(value=0)
    # Not by pipes: the shell itself has their ends for a moment.
    notify(bundle, asked, "getpgid").sh("""ls /proc >/tmp/processes; ls /proc/self/task >/tmp/tasks; ls /proc/1/fd >/tmp/fds
        grep -c '^[0-9]' /tmp/processes; wc -l </tmp/tasks; wc -l </tmp/fds""")
    with_agent = oci.output_of(bundle)
    del bundle.linux["seccomp"]
    assert with_agent == oci.output_of(bundle)


@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_in_a_user_namespace(oci, bundle, agent, no_new_privileges):
    asked = agent(value=4242)
    notify(bundle, asked, "getpgid").user_namespace()
    bundle.process["noNewPrivileges"] = no_new_privileges
    assert call(oci, bundle, "getpgid", 0) == (4242, 0)


def test_wait_killable(oci, bundle, agent):
    asked = agent(value=4242, signal=signal.SIGUSR1)
    notify(bundle, asked, "getpgid", flags=["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"])
    assert call(oci, bundle, "getpgid", 0) == (4242, 0)
    assert asked.calls == [number("getpgid")]  # a call that was interrupted would have been made again


def test_real_time_process_on_one_cpu(oci, bundle, agent):
    if os.sched_getscheduler(0) != os.SCHED_OTHER:
        pytest.skip("the tests themselves run with a real-time policy")
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    except PermissionError:
        pytest.skip("real-time policies are not permitted here")
    asked = agent(value=4242)
    notify(bundle, asked, "getpgid")
    bundle.process["scheduler"] = {"policy": "SCHED_FIFO", "priority": 1}
    assert call(oci, bundle, "getpgid", 0) == (4242, 0)


def test_without_an_agent(oci, bundle, tmp_path):
    path = str(tmp_path / "nobody")
    seccomp(bundle, rule("SCMP_ACT_NOTIFY", "getpgid"), listenerPath=path).sh("echo ran")
    result = oci.run(bundle).failed("/linux/seccomp/listenerPath", path, "no such file or directory")
    assert result.out == ""


def test_start_without_an_agent_stops_the_container(oci, bundle, tmp_path):
    seccomp(bundle, rule("SCMP_ACT_NOTIFY", "getpgid"), listenerPath=str(tmp_path / "nobody")).sh("echo ran")
    container = oci.create(bundle)
    oci("start", container.id).failed("/linux/seccomp/listenerPath")
    container.wait()
    assert container.status == "stopped"


def test_exec_without_an_agent(oci, bundle, agent):
    asked = agent(value=4242)
    notify(bundle, asked, "getpgid").sh("sleep 1000")
    container = oci.run_detached(bundle)
    os.unlink(asked.path)
    container.exec("true").failed("/linux/seccomp/listenerPath", rc=255)
    assert container.status == "running"


def test_listener_without_notify_is_not_used(oci, bundle, tmp_path):
    seccomp(bundle, rule("SCMP_ACT_ERRNO", "getpgid", errno_ret=77), listenerPath=str(tmp_path / "nobody"))
    assert call(oci, bundle, "getpgid", 0) == (-1, 77)
