# SPDX-License-Identifier: Apache-2.0
"""exec: detached, pid files, sockets, and descriptors that are passed on."""

import os
import pathlib
import signal
import socket
import subprocess

import pytest

from harness import CGROUPS, ENVIRONMENT, PROGRAM, wait_for


def processes_of(container):
    return [int(pid) for pid in (CGROUPS / container.id / "cgroup.procs").read_text().split()]


@pytest.fixture
def pid_file(bundle):
    return bundle.path / "exec.pid"


# ---- detached


def test_detached(container):
    pid = container.exec_detached(..., "sleep", "1000")
    assert sorted(processes_of(container)) == sorted([container.pid, pid])
    assert pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x001000\x00"
    os.kill(pid, signal.SIGKILL)
    # It is the child of whoever adopts orphans, as conmon does, and nobody else has reaped it.
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def test_exit_code_of_a_detached_process_is_the_adopters(container):
    pid = container.exec_detached(..., "/bin/sh", "-c", "exit 7")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


def test_detached_streams_are_the_callers(container, pid_file):
    read_end, write_end = os.pipe()
    container.oci.popen("exec", "-d", "--pid-file", pid_file, container.id, "/bin/sh", "-c", "cat; echo over >&2",
                        stdin=subprocess.DEVNULL, stdout=write_end, stderr=write_end).wait()
    os.close(write_end)
    with open(read_end) as out:
        assert out.read() == "over\n"  # and the end of file comes: nobody keeps a copy
    os.waitpid(int(pid_file.read_text()), 0)


def test_the_program_runs_when_a_detached_exec_returns(container):
    for _ in range(10):
        container.oci("exec", "-d", container.id, "no-such-program").failed("executable file not found", rc=255)


# ---- pid file


def test_pid_file_in_the_foreground(oci, container, pid_file):
    process = oci.popen("exec", "--pid-file", pid_file, container.id, "/bin/probe", "wait-signal",
                        stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    text = pid_file.read_text()
    assert text == str(int(text)) and int(text) in processes_of(container)
    os.kill(int(text), signal.SIGKILL)
    assert process.wait() == 128 + 9
    process.stdout.close()


def test_pid_file_is_relative_to_the_callers_folder(container, bundle):
    container.oci("exec", "--pid-file", "here.pid", container.id, "true", cwd=bundle.path).succeeded()
    assert (bundle.path / "here.pid").exists()


@pytest.mark.parametrize("options, command", [
    ([], ["no-such-program"]), (["--cwd", "/nowhere"], ["true"]), (["--user", "x"], ["true"]), ([], ["/bin/garbage"]),
    ([], ["/bin/interpreted"])])
def test_no_pid_file_after_a_failure(container, bundle, pid_file, options, command):
    # The last two are found, and only execve(2) knows that they cannot be run.
    for name, content in (("garbage", b"\x7fELF garbage"), ("interpreted", b"#!/no/such/interpreter\n")):
        (bundle.rootfs / "bin" / name).write_bytes(content)
        (bundle.rootfs / "bin" / name).chmod(0o755)
    container.oci("exec", "--detach", "--pid-file", pid_file, *options, container.id, *command).failed(rc=255)
    assert not pid_file.exists() and not list(bundle.path.glob(".exec.pid*"))
    wait_for(lambda: processes_of(container) == [container.pid])


def test_nothing_runs_when_the_pid_file_cannot_be_written(container, bundle):
    container.oci("exec", "-d", "--pid-file", bundle.path / "nowhere/pid", container.id, "touch", "/tmp/made").failed(
        "write pid file", "no such file or directory", rc=255)
    wait_for(lambda: processes_of(container) == [container.pid])
    assert not (bundle.rootfs / "tmp/made").exists()


# ---- pidfd socket


def test_pidfd_socket(container, bundle):
    path = bundle.path / "pidfd.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        pid = container.exec_detached("--pidfd-socket", path, ..., "sleep", "1000")
        connection, _ = server.accept()
        with connection:
            payload, fds, _, _ = socket.recv_fds(connection, 100, 4)
            assert connection.recv(1) == b""
    assert payload == b"setns" and len(fds) == 1
    assert f"Pid:\t{pid}\n" in pathlib.Path(f"/proc/self/fdinfo/{fds[0]}").read_text()
    os.close(fds[0])


def test_pidfd_socket_that_is_not_there(container, bundle, pid_file):
    container.oci("exec", "-d", "--pidfd-socket", bundle.path / "nobody", "--pid-file", pid_file, container.id,
                  "true").failed("nobody", "no such file or directory", rc=255)
    assert not pid_file.exists()


# ---- descriptors


def with_descriptors(container, script, *options, environment=""):
    """Runs exec with the descriptors 3, 4 and 5 open."""
    command = ["/bin/sh", "-c", f'{environment} exec "$@" 3</dev/null 4</dev/zero 5</dev/full', "sh", PROGRAM, "--root",
               str(container.oci.state_root), "exec", *options, container.id, "/bin/sh", "-c", script]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)


def test_preserved_descriptors(container):
    done = with_descriptors(container, "probe descriptors; readlink /proc/self/fd/3; readlink /proc/self/fd/4",
                            "--preserve-fds", "2")
    assert done.stdout == "0 1 2 3 4 \n/dev/null\n/dev/zero\n"


def test_without_the_option_none_is_passed(container):
    assert with_descriptors(container, "probe descriptors").stdout == "0 1 2 \n"


def test_descriptor_to_preserve_that_is_not_open(container):
    done = with_descriptors(container, "true", "--preserve-fds", "4")
    assert done.returncode == 255 and "unable to stat preserved-fd 3 (of 4)" in done.stderr


def test_socket_activation(container):
    done = with_descriptors(container, "echo $LISTEN_FDS; test $LISTEN_PID = $$ && echo own; probe descriptors",
                            environment="LISTEN_FDS=2 LISTEN_PID=$$")
    assert done.stdout == "2\nown\n0 1 2 3 4 \n"


def test_socket_activation_with_preserved_descriptors_after_it(container):
    done = with_descriptors(container, "echo $LISTEN_FDS; probe descriptors", "--preserve-fds", "1",
                            environment="LISTEN_FDS=2 LISTEN_PID=$$")
    assert done.stdout == "2\n0 1 2 3 4 5 \n"


def test_socket_activation_meant_for_another_process(container):
    done = with_descriptors(container, "echo fds $LISTEN_FDS pid $LISTEN_PID; probe descriptors",
                            environment="LISTEN_FDS=2 LISTEN_PID=1")
    assert done.stdout == "fds pid\n0 1 2 \n"
