# SPDX-License-Identifier: Apache-2.0
"""exec: what the container can do to the process that joins it, and what of the caller gets in."""

import errno
import os
import platform
import re
import socket
import subprocess

import pytest

from harness import CGROUPS, wait_for

SEIZE, ATTACH = 0x4206, 16


class HeldExec:
    """An exec whose process has joined the container and waits: the socket that is to get its pidfd is busy."""

    def __init__(self, container, folder):
        path = str(folder / "busy.sock")
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(path)
        self.server.listen(0)
        self.first = socket.socket(socket.AF_UNIX)
        self.first.connect(path)  # the queue of one is full
        self.process = container.oci.popen("exec", "--pidfd-socket", path, container.id, "echo", "done",
                                           stdout=subprocess.PIPE)
        # It looks for the socket after the process in the container has handed over the turn.
        wait_for(lambda: path in self._files(self.process.pid), "exec at the socket")
        processes = (CGROUPS / container.id / "cgroup.procs").read_text().split()
        processes.remove(str(container.pid))
        [self.pid] = map(int, processes)

    @staticmethod
    def _files(pid):
        """What a process has open besides its standard streams."""
        found = []
        for number in os.listdir(f"/proc/{pid}/fd"):
            try:
                found += [os.readlink(f"/proc/{pid}/fd/{number}")] if int(number) > 2 else []
            except OSError:  # closed meanwhile
                pass
        return found

    def files(self):
        return self._files(self.pid)

    def pid_inside(self):
        with open(f"/proc/{self.pid}/status") as file:
            return re.search(r"^NSpid:.*\t(\d+)$", file.read(), re.MULTILINE).group(1)

    def finish(self):
        self.server.accept()[0].close()  # of the queue's first
        connection, _ = self.server.accept()
        _, [pidfd], _, _ = socket.recv_fds(connection, 100, 1)
        os.close(pidfd)
        for one in (connection, self.first, self.server):
            one.close()
        assert self.process.wait() == 0 and self.process.stdout.read() == b"done\n"
        self.process.stdout.close()


@pytest.fixture
def held(bundle):
    made = []

    def hold(container):
        made.append(HeldExec(container, bundle.path))
        return made[-1]

    yield hold
    for one in made:
        one.finish()


def attempts(container, pid):
    """What a process of the container can reach of process `pid` before it has become the container's program."""
    ptrace = {"x86_64": "101", "aarch64": "117"}[platform.machine()]
    script = f"""
        probe syscall {ptrace} {SEIZE} {pid} 0 0
        probe syscall {ptrace} {ATTACH} {pid} 0 0
        for file in mem environ maps auxv; do head -c 1 /proc/{pid}/$file >/dev/null 2>&1 && echo read $file; done
        for link in exe cwd root ns/mnt fd/0 fd/1 fd/2 fd/3 fd/4 fd/5 fd/6 fd/7; do readlink /proc/{pid}/$link; done
        true"""
    return container.exec("/bin/sh", "-c", script).succeeded().out


REFUSED = f"-1 {errno.EPERM}\n" * 2


def test_the_joining_process_cannot_be_looked_at(container, held):
    one = held(container)
    assert attempts(container, one.pid_inside()) == REFUSED


def test_the_joining_process_cannot_be_looked_at_in_a_user_namespace_with_all_rights(oci, bundle, held):
    bundle.user_namespace().add_capabilities("CAP_SYS_PTRACE", "CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE")
    container = oci.run_detached(bundle.sh("sleep 100000"))
    one = held(container)
    assert attempts(container, one.pid_inside()) == REFUSED


def test_the_joining_process_has_nothing_of_the_callers(oci, bundle, held):
    """Descriptors, program and folder of the process while it waits inside, as the host sees them."""
    container = oci.run_detached(bundle.sh("sleep 100000"))
    one = held(container)
    assert "oci-run" not in os.path.basename(os.readlink(f"/proc/{one.pid}/exe").removesuffix(" (deleted)"))
    [wire] = one.files()
    assert wire.startswith("socket:")
    assert os.readlink(f"/proc/{one.pid}/root") == os.readlink(f"/proc/{container.pid}/root")
    assert open(f"/proc/{one.pid}/environ", "rb").read() == b""


# ---- keyring


def keyring_in(container, **more):
    return container.oci("exec", container.id, "/bin/probe", "keyring", **more).succeeded().out.strip()


def callers_keyring(session):
    probe = [session.image / "bin/probe", "keyring"]
    return subprocess.run(probe, capture_output=True, text=True, check=True).stdout.strip()


def test_the_callers_session_keyring_stays_outside(container, session):
    ours = callers_keyring(session)
    inside = keyring_in(container)
    assert int(inside) > 0 and inside != ours


def test_a_container_with_the_callers_keyring_keeps_it_for_exec(oci, bundle, session):
    container = oci.run_detached(bundle.sh("sleep 100000"), "--no-new-keyring")
    assert keyring_in(container) == callers_keyring(session)


# ---- pid namespaces that others see


def test_in_a_shared_pid_namespace(oci, bundle, holder):
    bundle.namespaces("ipc", "uts", "mount", "network", "cgroup", ("pid", holder("--pid", "--fork").path("pid")))
    container = oci.run_detached(bundle.sh("sleep 100000"))
    assert container.exec("/bin/sh", "-c", "exit 5").rc == 5
    out = container.exec("/bin/cat", "/proc/self/comm").succeeded().out
    assert out == "cat\n"


def test_in_the_hosts_pid_namespace(oci, bundle):
    bundle.namespaces("ipc", "uts", "mount", "network", "cgroup")
    container = oci.run_detached(bundle.sh("sleep 100000"))
    assert container.exec("/bin/sh", "-c", "exit 5").rc == 5
    assert container.oci("exec", "-u", "1000", container.id, "id", "-u").succeeded().out == "1000\n"
    container.kill("KILL")
