# SPDX-License-Identifier: Apache-2.0
"""exec with a terminal: by console socket and in the foreground."""

import errno
import json
import os
import signal
import termios

import pytest

from terminals import Foreground, read_until, window_size


def in_terminal(container, console, script, *options):
    """What a script prints on a terminal that exec made for it."""
    container.exec_detached("--tty", "--console-socket", console.path, *options, ..., "/bin/sh", "-c",
                            script + "; echo END")
    return read_until(console.receive(), "END")


def at_a_terminal(container, script, *options):
    return Foreground(container.oci, "exec", "-t", *options, container.id, "/bin/sh", "-c", script)


def test_on_all_standard_streams(container, console):
    assert in_terminal(container, console, "for i in 0 1 2; do test -t $i && echo $i; done") == "0\n1\n2\nEND\n"


def test_it_is_one_of_the_containers_own(container, console):
    """The image's /dev/pts has it, and it is found by its name."""
    assert in_terminal(container, console, "tty; ls -1 /dev/pts") == "/dev/pts/0\n0\nptmx\nEND\n"


def test_it_is_the_controlling_terminal(container, console):
    out = in_terminal(container, console, "echo through tty >/dev/tty; cut -d' ' -f6,7 /proc/$$/stat; echo $$")
    through, session_and_terminal, pid, _ = out.split("\n", 3)
    session, terminal = session_and_terminal.split()
    assert (through, session, int(terminal) >> 8) == ("through tty", pid, 136)


def test_input(container, console):
    container.exec_detached("-t", "--console-socket", console.path, ..., "/bin/sh", "-c",
                            "read line; echo got $line; echo END")
    master = console.receive()
    os.write(master, b"hello\n")
    assert "got hello" in read_until(master, "END")


def test_interrupt_key(container, console):
    container.exec_detached(
        "-t", "--console-socket", console.path, ..., "/bin/sh", "-c",
        "trap 'echo interrupted; exit 9' INT; echo ready; while :; do sleep 1000 & wait $!; done")
    master = console.receive()
    read_until(master, "ready")
    os.write(master, b"\x03")
    assert "interrupted" in read_until(master, "interrupted")


@pytest.mark.parametrize("user", ["0", "1000"])
@pytest.mark.parametrize("user_namespace", [False, True])
def test_it_belongs_to_the_user(oci, bundle, console, user, user_namespace):
    if user_namespace:
        bundle.user_namespace()
    container = oci.run_detached(bundle.sh("sleep 100000"))
    out = in_terminal(container, console, "stat -c %u $(tty); echo open >$(tty)", "--user", user)
    assert out == f"{user}\nopen\nEND\n"


def test_size_by_the_process_file(container, bundle, console):
    path = bundle.path / "process.json"
    path.write_text(json.dumps({"terminal": True, "consoleSize": {"height": 25, "width": 80}, "cwd": "/",
                                "args": ["/bin/sh", "-c", "stty size; echo END"], "env": ["PATH=/bin"],
                                "user": {"uid": 0, "gid": 0}}))
    container.exec_detached("--process", path, "--console-socket", console.path, ...)
    assert read_until(console.receive(), "END") == "25 80\nEND\n"


def test_by_the_process_file_and_the_option(container, bundle, console):
    """conmon's form."""
    path = bundle.path / "process.json"
    path.write_text(json.dumps({"terminal": True, "cwd": "/", "args": ["/bin/sh", "-c", "tty; echo END"],
                                "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}}))
    container.exec_detached("--process", path, "--tty", "--console-socket", console.path, ...)
    assert read_until(console.receive(), "END") == "/dev/pts/0\nEND\n"


def test_of_a_created_container(oci, bundle, console):
    container = oci.create(bundle.sh("true"))
    assert in_terminal(container, console, "test -t 0 && echo tty") == "tty\nEND\n"


def test_of_a_container_with_a_terminal_of_its_own(oci, bundle, console):
    bundle.process["terminal"] = True
    container = oci.run_detached(bundle.sh("sleep 100000"), "--console-socket", console.path)
    os.close(console.receive())
    assert in_terminal(container, console, "tty") == "/dev/pts/1\nEND\n"
    # Without the option exec has none, whatever the container has.
    assert container.exec("/bin/sh", "-c", "test -t 0 || echo none").succeeded().out == "none\n"


def test_flag_taken_back(container):
    out = container.oci("exec", "--tty", "--tty=false", container.id, "/bin/sh", "-c", "test -t 1 || echo none").out
    assert out == "none\n"


# ---- in the foreground


def test_foreground(container):
    run = at_a_terminal(container, "test -t 0 && echo tty; read x; echo got $x; exit 3")
    read_until(run.master, "tty")
    os.write(run.master, b"hello\n")
    read_until(run.master, "got hello")
    assert run.finish() == 3


def test_foreground_takes_over_the_size_and_its_changes(container):
    run = at_a_terminal(
        container, "stty size; trap 'stty size; exit 4' WINCH; echo ready; while :; do sleep 1000 & wait $!; done")
    read_until(run.master, "ready")
    window_size(run.master, 40, 120)
    run.process.send_signal(signal.SIGWINCH)
    read_until(run.master, "40 120")
    assert run.finish() == 4


def test_foreground_output_is_complete(container):
    run = at_a_terminal(container, "seq 1 20000; echo END")
    text = read_until(run.master, "END")
    assert text == "".join(f"{number}\n" for number in range(1, 20001)) + "END\n"
    assert run.finish() == 0


def test_input_that_is_no_terminal(container):
    """As in a script: `echo | oci-run exec -t`."""
    completed = container.oci("exec", "-t", container.id, "/bin/sh", "-c", "stty -echo; read x; echo got $x",
                              input="hello\n").succeeded()
    assert "got hello" in completed.out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_the_users_terminal_is_put_back_after_a_signal(container, number):
    """They go to the container's process; oci-run ends with it, after it has put back the terminal."""
    run = at_a_terminal(container, "echo ready; exec sleep 1000")
    read_until(run.master, "ready")
    assert termios.tcgetattr(run.slave) != run.saved
    run.process.send_signal(number)
    assert run.finish() == 128 + number


def test_the_users_terminal_is_put_back_when_the_container_is_killed(container):
    run = at_a_terminal(container, "echo ready; exec sleep 1000")
    read_until(run.master, "ready")
    container.kill("KILL")
    assert run.finish() == 128 + signal.SIGKILL


def test_the_users_terminal_is_put_back_after_an_error(container):
    run = Foreground(container.oci, "exec", "-t", container.id, "no-such-program")
    assert "executable file not found in $PATH" in read_until(run.master, "$PATH")
    assert run.finish() == 255


def test_the_callers_terminal_stays_the_callers(container):
    """Without a terminal of its own the process gets the caller's streams, but not the session, nor the terminal
    itself: its user may have the number of somebody on the host."""
    run = Foreground(container.oci, "exec", "--user", "1000", container.id, "/bin/sh", "-c",
                     "cut -d' ' -f7 /proc/$$/stat; echo END")
    assert read_until(run.master, "END") == "0\nEND\n"
    owner = os.fstat(run.slave).st_uid
    assert (run.finish(), owner) == (0, 0)


def test_no_keys_can_be_put_into_the_callers_terminal(container):
    """TIOCSTI (CVE-2017-5226)."""
    run = Foreground(container.oci, "exec", container.id, "/bin/probe", "push-key")
    text = read_until(run.master, "errno")
    assert run.finish() == 0
    assert text in (f"errno {errno.EPERM}\n", f"errno {errno.EIO}\n")


# ---- mistakes


def test_detached_without_a_socket(container):
    container.oci("exec", "-d", "-t", container.id, "true").failed("cannot allocate tty if", rc=255)


def test_socket_without_a_terminal(container, console):
    container.oci("exec", "-d", "--console-socket", console.path, container.id, "true").failed(
        "cannot use console socket if", rc=255)


def test_socket_that_is_not_there(container, bundle):
    path = bundle.path / "nobody.sock"
    container.oci("exec", "-d", "-t", "--console-socket", path, container.id, "true").failed(
        str(path), "no such file or directory", rc=255)


def test_container_without_terminals(oci, bundle):
    container = oci.run_detached(bundle.without_mount("/dev/pts").sh("sleep 100000"))
    container.oci("exec", "-t", container.id, "true").failed("/dev/pts", rc=255)


def test_the_images_own_pts_is_not_followed(oci, bundle, console, new_bundle):
    """CVE-2025-52565: /dev/pts leads elsewhere."""
    bundle.without_mount("/dev/pts").without_mount("/dev").without_mount("/dev/shm").without_mount("/dev/mqueue")
    (bundle.rootfs / "dev/pts").symlink_to("/proc/1/root/dev/pts")
    container = oci.run_detached(bundle.sh("sleep 100000"))
    container.oci("exec", "-t", container.id, "true").failed("/dev/pts must be an ordinary directory", rc=255)
