# SPDX-License-Identifier: Apache-2.0
"""process.terminal: by console socket, and in the foreground."""

import os
import signal

import pytest

from terminals import Console, Foreground, read_until, window_size


@pytest.fixture
def terminal_bundle(bundle):
    bundle.process["terminal"] = True
    return bundle


def in_terminal(oci, bundle, console, script):
    """What a script prints on the container's terminal."""
    container = oci.run_detached(bundle.sh(script + "; echo END"), "--console-socket", console.path)
    text = read_until(console.receive(), "END")
    container.wait()
    return text


def test_terminal_on_all_standard_streams(oci, terminal_bundle, console):
    out = in_terminal(oci, terminal_bundle, console, "for i in 0 1 2; do test -t $i && echo $i; done")
    assert out == "0\n1\n2\nEND\n"


def test_input(oci, terminal_bundle, console):
    container = oci.run_detached(terminal_bundle.sh("read line; echo got $line"), "--console-socket", console.path)
    master = console.receive()
    os.write(master, b"hello\n")
    assert "got hello" in read_until(master, "got hello")
    assert container.wait() == 0


def test_console_device(oci, terminal_bundle, console):
    out = in_terminal(oci, terminal_bundle, console,
                      "stat -L -c %t:%T /dev/console /proc/self/fd/0; tty; ls /dev/pts; echo hi > /dev/console")
    first, second, *rest = out.split()
    assert first == second and rest == ["/dev/pts/0", "0", "ptmx", "hi", "END"] or rest[0] == "/dev/console"


def test_controlling_terminal(oci, terminal_bundle, console):
    assert in_terminal(oci, terminal_bundle, console, "echo through tty > /dev/tty") == "through tty\nEND\n"


def test_interrupt_key(oci, terminal_bundle, console):
    script = "trap 'echo interrupted; exit 9' INT; echo ready; while :; do sleep 1000 & wait $!; done"
    container = oci.run_detached(terminal_bundle.sh(script), "--console-socket", console.path)
    master = console.receive()
    read_until(master, "ready")
    os.write(master, b"\x03")
    read_until(master, "interrupted")
    assert container.wait() == 9


def test_console_size(oci, terminal_bundle, console):
    terminal_bundle.process["consoleSize"] = {"height": 25, "width": 80}
    assert in_terminal(oci, terminal_bundle, console, "stty size") == "25 80\nEND\n"


def test_console_size_without_a_terminal_is_ignored(oci, bundle):
    bundle.process["consoleSize"] = {"height": 25, "width": 80}
    assert oci.output_of(bundle, "echo fine") == "fine\n"


def test_the_terminal_belongs_to_the_user(oci, terminal_bundle, console):
    terminal_bundle.process["user"] = {"uid": 1000, "gid": 1000}
    out = in_terminal(oci, terminal_bundle, console, "stat -L -c %u /proc/self/fd/0; echo ok > /dev/console")
    assert out == "1000\nok\nEND\n"


def test_terminal_in_a_user_namespace(oci, terminal_bundle, console):
    terminal_bundle.user_namespace()
    assert in_terminal(oci, terminal_bundle, console, "test -t 0 && echo tty") == "tty\nEND\n"


def test_long_socket_path(oci, terminal_bundle):
    folder = terminal_bundle.path / ("long" * 30)
    folder.mkdir()
    console = Console(folder / "console.sock")
    try:
        assert in_terminal(oci, terminal_bundle, console, "test -t 0 && echo tty") == "tty\nEND\n"
    finally:
        console.close()


def test_create_with_a_terminal(oci, terminal_bundle, console):
    """The terminal is there before start."""
    container = oci.create(terminal_bundle.sh("echo started"), "--console-socket", console.path)
    master = console.receive()
    assert container.status == "created"
    container.start()
    assert "started" in read_until(master, "started")
    container.wait()


def test_the_images_own_console_is_not_followed(oci, terminal_bundle, console, new_bundle):
    victim = new_bundle().path / "victim"
    victim.write_text("")
    terminal_bundle.without_mount("/dev").without_mount("/dev/shm").without_mount("/dev/mqueue")
    (terminal_bundle.rootfs / "dev/console").symlink_to(victim)
    terminal_bundle.sh("stat -L -c %t:%T /dev/console /proc/self/fd/0; echo END").write()
    completed = oci("run", "--detach", "--bundle", terminal_bundle.path, "--console-socket", console.path, oci.new_id())
    assert completed.rc == 0, completed.err
    first, second, _ = read_until(console.receive(), "END").split()
    assert first == second
    assert victim.read_text() == ""


# ---- mistakes


def test_detached_with_a_terminal_but_no_socket(oci, terminal_bundle):
    terminal_bundle.sh("true").write()
    for command in (["create"], ["run", "--detach"]):
        oci(*command, "--bundle", terminal_bundle.path, oci.new_id()).failed("cannot allocate tty if")


def test_socket_without_a_terminal(oci, bundle, console):
    oci("create", "--bundle", bundle.sh("true").write(), "--console-socket", console.path, oci.new_id()).failed(
        "cannot use console socket if")


def test_socket_that_is_not_there(oci, terminal_bundle):
    path = terminal_bundle.path / "nobody.sock"
    oci("create", "--bundle", terminal_bundle.sh("true").write(), "--console-socket", path, oci.new_id()).failed(
        str(path), "no such file or directory")


def test_socket_that_nobody_listens_at(oci, terminal_bundle, console):
    console.listener.close()
    oci("create", "--bundle", terminal_bundle.sh("true").write(), "--console-socket", console.path,
        oci.new_id()).failed(console.path, "connection refused")


# ---- in the foreground


def run_in_foreground(oci, bundle):
    return Foreground(oci, "run", "--bundle", bundle.write(), oci.new_id())


def test_foreground(oci, terminal_bundle):
    run = run_in_foreground(oci, terminal_bundle.sh("test -t 0 && echo tty; read x; echo got $x; exit 3"))
    read_until(run.master, "tty")
    os.write(run.master, b"hello\n")
    read_until(run.master, "got hello")
    assert run.finish() == 3


def test_foreground_takes_over_the_size_and_its_changes(oci, terminal_bundle):
    script = "stty size; trap 'stty size; exit 4' WINCH; echo ready; while :; do sleep 1000 & wait $!; done"
    run = run_in_foreground(oci, terminal_bundle.sh(script))
    assert "30 100" in read_until(run.master, "ready")
    window_size(run.master, 40, 120)
    run.process.send_signal(signal.SIGWINCH)
    read_until(run.master, "40 120")
    assert run.finish() == 4


def test_keys_of_the_foreground_go_to_the_container(oci, terminal_bundle):
    script = "trap 'echo interrupted; exit 9' INT; echo ready; while :; do sleep 1000 & wait $!; done"
    run = run_in_foreground(oci, terminal_bundle.sh(script))
    read_until(run.master, "ready")
    os.write(run.master, b"\x03")
    read_until(run.master, "interrupted")
    assert run.finish() == 9


def test_foreground_output_is_complete(oci, terminal_bundle):
    run = run_in_foreground(oci, terminal_bundle.sh("seq 1 20000; echo END"))
    text = read_until(run.master, "END")
    assert text == "".join(f"{number}\n" for number in range(1, 20001)) + "END\n"
    assert run.finish() == 0
