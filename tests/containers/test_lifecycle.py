# SPDX-License-Identifier: Apache-2.0
"""create, start, state, kill, delete, run, list: the life of a container as its owner sees it."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess

import pytest

from harness import CGROUPS, ENVIRONMENT, PROGRAM, namespace, wait_for

SLEEP = "trap 'exit 42' TERM; echo ready; while :; do sleep 1000 & wait $!; done"


# ---- create and start


def test_create_makes_everything_but_does_not_run_the_program(oci, bundle):
    container = oci.create(bundle.sh("touch /was-here"))
    state = container.state()
    assert state["status"] == "created" and state["pid"] > 0
    assert namespace("mount", state["pid"]) != namespace("mount")
    assert not (bundle.rootfs / "was-here").exists()
    container.start()
    assert container.wait() == 0
    assert (bundle.rootfs / "was-here").exists()
    assert container.status == "stopped"


def test_statuses(oci, bundle):
    container = oci.create(bundle.sh(SLEEP))
    assert container.status == "created"
    container.start()
    assert container.status == "running"
    container.wait_output("ready")
    container.kill("TERM")
    assert container.wait() == 42
    assert container.status == "stopped"
    container.delete()
    oci("state", container.id).failed("container does not exist")


def test_state_document(oci, bundle):
    bundle.config["annotations"] = {"org.example.key": "value", "empty": ""}
    bundle.config["ociVersion"] = "1.0.2"
    container = oci.create(bundle.sh("true"))
    state = container.state()
    assert state["ociVersion"] == "1.0.2"
    assert state["id"] == container.id and state["bundle"] == str(bundle.path)
    assert state["rootfs"] == str(bundle.rootfs) and "owner" in state
    assert state["annotations"] == {"org.example.key": "value", "empty": ""}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", state["created"])
    container.start()
    container.wait()
    assert container.state()["pid"] == 0


def test_state_without_annotations_and_its_form(oci, bundle):
    bundle.config.pop("annotations", None)
    container = oci.create(bundle.sh("true"))
    text = oci("state", container.id).out
    assert not json.loads(text).get("annotations")
    assert text.startswith('{\n  "ociVersion": ')


def test_a_zombie_is_stopped(oci, bundle):
    """Nobody has waited for the container's process: it still has an entry in /proc."""
    container = oci.run_detached(bundle.sh("exit 0"))
    wait_for(lambda: container.proc("stat").split()[2] == "Z")
    assert container.status == "stopped"
    container.delete()


def test_start_twice(oci, bundle):
    container = oci.create(bundle.sh(SLEEP)).start()
    oci("start", container.id).failed("cannot start an already running container")
    assert container.status == "running"


def test_start_after_the_end(oci, bundle):
    container = oci.run_detached(bundle.sh("true"))
    container.wait()
    oci("start", container.id).failed("cannot start a container that has stopped")


def test_start_of_a_container_whose_init_died(oci, bundle):
    container = oci.create(bundle.sh("true"))
    os.kill(container.pid, signal.SIGKILL)
    container.wait()
    assert container.status == "stopped"
    oci("start", container.id).failed("cannot start a container that has stopped")
    container.delete()


def test_two_starts_at_once(oci, bundle):
    container = oci.create(bundle.sh("echo x >> /starts; sleep 1000"))
    starts = [oci.popen("start", container.id, stderr=subprocess.PIPE) for _ in range(4)]
    codes = [process.wait() for process in starts]
    for process in starts:
        process.stderr.close()
    assert sorted(codes) == [0, 1, 1, 1]
    assert wait_for(lambda: (bundle.rootfs / "starts").exists() and (bundle.rootfs / "starts").read_text()) == "x\n"


@pytest.mark.parametrize("command", ["create", "run"])
def test_an_id_is_used_once(oci, bundle, command):
    container = oci.create(bundle.sh("true"))
    oci(command, "--bundle", bundle.path, container.id).failed("container with given ID already exists")
    assert container.status == "created"


def test_an_id_can_be_used_again_after_delete(oci, bundle):
    for _ in range(2):
        container = oci.create(bundle.sh("true"), id="again")
        container.delete("--force")


@pytest.mark.parametrize("id", ["a", "A-b_c.d+9", "x" * 128])
def test_valid_ids(oci, bundle, id):
    oci.made.append(id)
    oci.create(bundle.sh("true"), id=id)


def test_the_bundle_is_the_current_folder_by_default(oci, bundle):
    bundle.args("echo", "here").write()
    assert oci("run", oci.new_id(), cwd=bundle.path).succeeded().out == "here\n"


def test_a_bundle_as_positional_argument(oci, bundle):
    bundle.sh("echo here").write()
    name = bundle.path.name
    oci.made.append(name)
    oci("create", f"./{name}", cwd=bundle.path.parent).succeeded()
    assert json.loads(oci("state", f"./{name}", cwd=bundle.path.parent).out)["id"] == name
    oci("delete", "--force", f"{bundle.path.parent}/{name}/").succeeded()


def test_later_changes_of_the_configuration_have_no_effect(oci, bundle):
    container = oci.create(bundle.sh("echo first"))
    bundle.sh("echo second").write()
    container.start()
    container.wait()
    assert container.output() == "first\n"


def test_the_configuration_is_not_needed_any_more(oci, bundle):
    log = bundle.path / "log"
    bundle.hook("poststart", "/bin/sh", "-c", f"echo poststart >> {log}")
    bundle.hook("poststop", "/bin/sh", "-c", f"echo poststop >> {log}")
    container = oci.create(bundle.sh("sleep 1000"))
    (bundle.path / "config.json").unlink()
    container.start()
    assert container.exec("/bin/echo", "still").succeeded().out == "still\n"
    container.delete("--force")
    assert log.read_text() == "poststart\npoststop\n"


def test_without_process_create_works_and_start_does_not(oci, bundle):
    del bundle.config["process"]
    container = oci.create(bundle)
    assert container.status == "created"
    oci("start", container.id).failed("process")


# ---- the program


@pytest.mark.parametrize("name, text", [
    ("no-such-program", 'exec: "no-such-program": executable file not found in $PATH'),
    ("/no/such/program", "no such file or directory"),
    ("/etc", "is a directory: permission denied"),
    ("/not-executable", "permission denied"),
])
@pytest.mark.parametrize("command", ["create", "run"])
def test_program_that_cannot_be_run(oci, bundle, command, name, text):
    (bundle.rootfs / "not-executable").write_text("x")
    bundle.args(name).write()
    oci(command, "--bundle", bundle.path, oci.new_id()).failed(name.split("/")[-1], text)


def test_program_in_an_unknown_format(oci, bundle):
    (bundle.rootfs / "garbage").write_bytes(b"\x01\x02\x03\x04")
    (bundle.rootfs / "garbage").chmod(0o755)
    container = oci.create(bundle.args("/garbage", "--password=secret"))
    failed = oci("start", container.id).failed("garbage", "exec format error")
    assert "secret" not in failed.err
    assert container.status == "stopped"


def test_interpreter_that_is_missing(oci, bundle):
    (bundle.rootfs / "script").write_text("#!/no/such/interpreter\n")
    (bundle.rootfs / "script").chmod(0o755)
    container = oci.create(bundle.args("/script"))
    oci("start", container.id).failed("script", "no such file or directory")


# ---- kill


@pytest.mark.parametrize("name, number", [
    ("TERM", 15), ("SIGTERM", 15), ("term", 15), ("sigterm", 15), ("15", 15), ("HUP", 1), ("1", 1), ("SIGUSR2", 12),
    ("usr1", 10), ("WINCH", 28), ("RTMIN+3", 37), ("SIGRTMIN+3", 37), ("RTMAX-2", 62), ("40", 40),
])
def test_signal_names(oci, bundle, name, number):
    container = oci.run_detached(bundle.args("/bin/probe", "wait-signal"))
    container.wait_output("ready")
    container.kill(name)
    assert container.wait() == 0
    assert container.output() == f"ready\n{number}\n"


def test_kill_sends_term_by_default(oci, bundle):
    container = oci.run_detached(bundle.args("/bin/probe", "wait-signal"))
    container.wait_output("ready")
    container.kill()
    container.wait()
    assert container.output() == "ready\n15\n"
    again = oci.run_detached(bundle)
    again.wait_output("ready")
    again.kill("")
    again.wait()
    assert again.output() == "ready\n15\n"


def test_signal_zero_only_asks(oci, bundle):
    container = oci.run_detached(bundle.sh(SLEEP))
    container.kill("0")
    assert container.status == "running"


@pytest.mark.parametrize("name", ["FOO", "99", "-1", "SIG", "RTMIN+99"])
def test_signals_that_do_not_exist(oci, bundle, name):
    container = oci.run_detached(bundle.sh(SLEEP))
    oci("kill", container.id, name).failed("signal")
    assert container.status == "running"


def test_kill_of_a_created_container(oci, bundle):
    container = oci.create(bundle.sh("true"))
    container.kill("KILL")
    assert container.wait() == -9
    assert container.status == "stopped"


def test_kill_of_a_stopped_container(oci, bundle):
    container = oci.run_detached(bundle.sh("true"))
    container.wait()
    oci("kill", container.id, "KILL").failed("container not running")
    oci("kill", "--all", container.id, "9").succeeded()
    oci("kill", "-a", container.id, "KILL").succeeded()


def test_kill_ends_all_processes_without_a_pid_namespace(oci, bundle):
    bundle.namespaces("mount", "network", "ipc", "uts", "cgroup").sh("sleep 1000 & sleep 1000 & echo ready; wait")
    container = oci.run_detached(bundle)
    container.wait_output("ready")
    procs = CGROUPS / container.id / "cgroup.procs"
    assert len(procs.read_text().split()) == 3
    container.kill("KILL")
    container.wait()
    wait_for(lambda: procs.read_text() == "")


def test_kill_still_reaches_processes_whose_init_is_dead(oci, bundle):
    bundle.namespaces("mount", "network", "ipc", "uts", "cgroup").sh("sleep 1000 & echo ready; exit 0")
    container = oci.run_detached(bundle)
    container.wait_output("ready")
    container.wait()
    procs = CGROUPS / container.id / "cgroup.procs"
    assert len(procs.read_text().split()) == 1
    container.kill("KILL")
    wait_for(lambda: procs.read_text() == "")


# ---- delete


def test_delete_of_a_running_container_is_refused(oci, bundle):
    container = oci.run_detached(bundle.sh(SLEEP))
    oci("delete", container.id).failed(f"cannot delete container {container.id} that is not stopped: running")
    assert container.status == "running"


def test_delete_of_a_created_container(oci, bundle):
    container = oci.create(bundle.sh("true"))
    container.delete()
    assert container.wait() == -9


@pytest.mark.parametrize("state", ["created", "running", "stopped"])
@pytest.mark.parametrize("flag", ["--force", "-f"])
def test_delete_force(oci, bundle, state, flag):
    container = oci.create(bundle.sh(SLEEP if state == "running" else "true"))
    if state != "created":
        container.start()
    if state == "stopped":
        container.wait()
    completed = oci("delete", flag, container.id).succeeded()
    assert completed.out == completed.err == ""
    assert list(oci.state_root.iterdir()) == []


def test_delete_of_what_does_not_exist(oci):
    oci("delete", "nothing").failed("container does not exist")
    completed = oci("delete", "--force", "nothing").succeeded()
    assert completed.out == completed.err == ""


def test_delete_ends_what_the_program_left_behind(oci, bundle):
    bundle.namespaces("mount", "network", "ipc", "uts", "cgroup").sh("sleep 1000 & exit 0")
    container = oci.run_detached(bundle)
    container.wait()
    container.delete()


def test_delete_of_a_container_with_cgroups_of_its_own(oci, bundle):
    bundle.without_mount("/sys/fs/cgroup").mount("/sys/fs/cgroup", "cgroup", "cgroup", ["rw"])
    container = oci.run_detached(bundle.sh("mkdir -p /sys/fs/cgroup/a/b /sys/fs/cgroup/c; echo ready; sleep 1000"))
    container.wait_output("ready")
    container.delete("--force")


def test_commands_on_a_container_that_does_not_exist(oci):
    for command in ("state", "start", "kill"):
        oci(command, "nothing").failed("container does not exist")
    oci("exec", "nothing", "true", timeout=10).failed("container does not exist", rc=255)


# ---- run


def test_run_in_the_foreground_removes_the_container(oci, bundle):
    completed = oci.run(bundle.sh("echo hello; exit 7"), id="once")
    assert (completed.rc, completed.out, completed.err) == (7, "hello\n", "")
    assert oci("list", "-q").out == ""


def test_run_keep(oci, bundle):
    assert oci.run(bundle.sh("exit 3"), "--keep", id="kept").rc == 3
    oci.made.append("kept")
    assert json.loads(oci("state", "kept").out)["status"] == "stopped"
    oci("delete", "kept").succeeded()


def test_run_detached(oci, bundle):
    container = oci.run_detached(bundle.sh("echo ready; sleep 1000"))
    assert container.status == "running"
    container.wait_output("ready")


def test_run_reports_the_signal_that_ended_the_program(oci, bundle):
    process = oci.popen("run", "--bundle", bundle.sh("echo ready; sleep 1000").write(), "signalled",
                        stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    oci("kill", "signalled", "KILL").succeeded()
    assert process.wait() == 128 + 9
    process.stdout.close()


def test_run_without_a_pid_namespace(oci, bundle):
    bundle.namespaces("mount", "network", "ipc", "uts", "cgroup")
    assert oci.run(bundle.sh("kill -USR1 $$")).rc == 128 + 10


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"])
def test_run_passes_signals_on(oci, bundle, name):
    script = f"trap 'echo got it; exit 43' {name[3:]}; echo ready; while :; do sleep 1000 & wait $!; done"
    process = oci.popen("run", "--bundle", bundle.sh(script).write(), oci.new_id(), stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(getattr(signal, name))
    assert process.wait() == 43
    assert process.stdout.read() == "got it\n"
    process.stdout.close()


def test_a_killed_run_can_be_cleaned_up(oci, bundle):
    process = oci.popen("run", "--bundle", bundle.sh("echo ready; sleep 1000").write(), oci.new_id(),
                        stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.kill()
    process.wait()
    process.stdout.close()
    oci("delete", "--force", oci.made[-1]).succeeded()


def test_the_first_process_is_not_waited_for_by_leftovers(oci, bundle):
    """A child that outlives the program does not keep a foreground run from ending."""
    assert oci.run(bundle.sh("sleep 1000 & exit 5")).rc == 5


# ---- pid file, streams, descriptors


@pytest.mark.parametrize("command", [("create",), ("run", "--detach")])
def test_pid_file(oci, bundle, command):
    id = oci.new_id()
    bundle.sh("sleep 1000").write()
    oci(*command, "--bundle", bundle.path, "--pid-file", bundle.path / "pid", id).succeeded()
    assert (bundle.path / "pid").read_text() == str(json.loads(oci("state", id).out)["pid"])
    assert sorted(path.name for path in bundle.path.iterdir()) == ["config.json", "pid", "rootfs"]


def test_pid_file_is_relative_to_the_callers_folder(oci, bundle, new_bundle):
    elsewhere = new_bundle().path
    id = oci.new_id()
    oci("create", "--bundle", bundle.sh("true").write(), "--pid-file", "the-pid", id, cwd=elsewhere).succeeded()
    assert (elsewhere / "the-pid").read_text() == str(json.loads(oci("state", id).out)["pid"])


def test_no_pid_file_after_a_failure(oci, bundle):
    bundle.args("no-such-program").write()
    oci("create", "--bundle", bundle.path, "--pid-file", bundle.path / "pid", oci.new_id()).failed("no-such-program")
    assert not (bundle.path / "pid").exists()


def test_create_keeps_no_copy_of_the_streams(oci, bundle):
    """Engines wait for the end of these pipes: it must come with the end of the container."""
    reader, writer = os.pipe()
    id = oci.new_id()
    process = oci.popen("run", "--detach", "--bundle", bundle.sh("echo hello").write(), id, stdout=writer, stderr=writer)
    os.close(writer)
    assert process.wait() == 0
    with open(reader) as pipe:
        assert pipe.read() == "hello\n"


def test_streams_without_reader_and_with_closed_descriptors(oci, bundle):
    id = oci.new_id()
    bundle.sh("true").write()
    command = ["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", PROGRAM, "--root", str(oci.state_root), "run",
               "--bundle", str(bundle.path), id]
    assert subprocess.run(command, env=ENVIRONMENT).returncode == 0


def test_preserved_descriptors(oci, bundle):
    (bundle.path / "three").write_text("3\n")
    (bundle.path / "four").write_text("4\n")
    bundle.sh("cat <&3; cat <&4; probe descriptors").write()
    command = ["/bin/sh", "-c", 'exec "$@" 3<three 4<four 5<three', "sh", PROGRAM, "--root", str(oci.state_root),
               "run", "--preserve-fds", "2", "--bundle", str(bundle.path), oci.new_id()]
    done = subprocess.run(command, env=ENVIRONMENT, cwd=bundle.path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "3\n4\n0 1 2 3 4 \n", "")


def test_descriptor_to_preserve_that_is_not_open(oci, bundle):
    oci.run(bundle.sh("true"), "--preserve-fds", "3").failed("preserved-fd")


def socket_activation(oci, bundle, listen_pid, *options):
    bundle.sh("echo fds $LISTEN_FDS pid $LISTEN_PID; probe descriptors").write()
    command = ["/bin/sh", "-c", f'LISTEN_FDS=2 LISTEN_PID={listen_pid} exec "$@" 3</dev/null 4</dev/null 5</dev/null',
               "sh", PROGRAM, "--root", str(oci.state_root), "run", *options, "--bundle", str(bundle.path), oci.new_id()]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True).stdout


def test_socket_activation(oci, bundle):
    assert socket_activation(oci, bundle, "$$") == "fds 2 pid 1\n0 1 2 3 4 \n"


def test_socket_activation_with_preserved_descriptors_after_it(oci, bundle):
    assert socket_activation(oci, bundle, "$$", "--preserve-fds", "1") == "fds 2 pid 1\n0 1 2 3 4 5 \n"


def test_socket_activation_meant_for_another_process(oci, bundle):
    assert socket_activation(oci, bundle, "1") == "fds pid\n0 1 2 \n"


def test_pidfd_socket(oci, bundle):
    path = bundle.path / "pidfd.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        container = oci.create(bundle.sh("true"), "--pidfd-socket", str(path))
        connection, _ = server.accept()
        with connection:
            payload, fds, _, _ = socket.recv_fds(connection, 100, 4)
    assert payload == b"standard" and len(fds) == 1
    info = pathlib.Path(f"/proc/self/fdinfo/{fds[0]}").read_text()
    os.close(fds[0])
    assert f"Pid:\t{container.pid}\n" in info


# ---- keyring


def test_a_session_keyring_of_its_own(oci, bundle, session):
    probe = [session.image / "bin/probe", "keyring"]
    ours = subprocess.run(probe, capture_output=True, text=True, check=True).stdout
    bundle.args("/bin/probe", "keyring")
    inside = oci.output_of(bundle)
    assert int(inside) > 0 and inside != ours
    assert oci.run(bundle, "--no-new-keyring").succeeded().out == ours


# ---- cgroup


def cgroup_of(pid):
    lines = pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    return next(line[3:] for line in lines if line.startswith("0::"))


def test_cgroup_is_named_after_the_container_by_default(oci, bundle):
    bundle.linux.pop("cgroupsPath", None)
    container = oci.create(bundle.sh("true"))
    assert cgroup_of(container.pid) == f"/{container.id}"


def test_absolute_cgroups_path(oci, bundle):
    bundle.linux["cgroupsPath"] = "/engine/pod/container"
    container = oci.create(bundle.sh("true"))
    assert cgroup_of(container.pid) == "/engine/pod/container"
    container.delete()
    assert not (CGROUPS / "engine").exists()


def test_relative_cgroups_path(oci, bundle):
    bundle.linux["cgroupsPath"] = "pod/container"
    container = oci.create(bundle.sh("true"))
    assert cgroup_of(container.pid) == "/pod/container"


def test_cgroups_that_were_there_before_stay(oci, bundle):
    (CGROUPS / "engine").mkdir()
    try:
        bundle.linux["cgroupsPath"] = "/engine/pod/container"
        container = oci.create(bundle.sh("true"))
        container.delete()
        assert (CGROUPS / "engine").exists() and not (CGROUPS / "engine/pod").exists()
    finally:
        (CGROUPS / "engine").rmdir()


def test_two_containers_below_one_parent(oci, new_bundle):
    containers = []
    for name in ("a", "b"):
        bundle = new_bundle().sh("sleep 1000")
        bundle.linux["cgroupsPath"] = f"/pod/{name}"
        containers.append(oci.run_detached(bundle))
    containers[1].delete("--force")
    assert cgroup_of(containers[0].pid) == "/pod/a" and containers[0].status == "running"
    containers[0].delete("--force")


def test_cgroup_with_processes_is_refused(oci, bundle):
    (CGROUPS / "taken").mkdir()
    sleeper = subprocess.Popen(["sleep", "1000"])
    try:
        (CGROUPS / "taken/cgroup.procs").write_text(str(sleeper.pid))
        bundle.linux["cgroupsPath"] = "/taken"
        oci.run(bundle.args("true")).failed("/taken", "not empty")
    finally:
        sleeper.kill()
        sleeper.wait()
        (CGROUPS / "taken").rmdir()


def test_frozen_cgroup_is_refused(oci, bundle):
    (CGROUPS / "frozen").mkdir()
    try:
        (CGROUPS / "frozen/cgroup.freeze").write_text("1")
        bundle.linux["cgroupsPath"] = "/frozen"
        oci.run(bundle.args("true"), timeout=10).failed("/frozen", "frozen")
    finally:
        (CGROUPS / "frozen").rmdir()


def test_cgroup_manager_disabled(oci, bundle):
    container = oci.create(bundle.sh("sleep 1000"), before=("--cgroup-manager", "disabled")).start()
    assert cgroup_of(container.pid) == "/init"
    assert not (CGROUPS / container.id).exists()
    assert container.exec("/bin/true").rc == 0
    container.delete("--force")


@pytest.mark.parametrize("option", [("--cgroup-manager", "systemd"), ("--systemd-cgroup",)])
def test_without_systemd_its_driver_is_refused_clearly(oci, bundle, host_mount, option):
    host_mount("-t", "tmpfs", "none", "/run")
    oci.run(bundle.args("true"), before=option).failed("--systemd-cgroup", "systemd is not running on this host")


def test_children_are_born_in_the_containers_cgroup(oci, bundle):
    container = oci.run_detached(bundle.sh("sleep 1000 & sleep 1000 & echo ready; wait"))
    container.wait_output("ready")
    assert len((CGROUPS / container.id / "cgroup.procs").read_text().split()) == 3


LIMITS = [
    ("pids", {"pids": {"limit": 100}}, "/linux/resources/pids/limit", "pids.max", "100"),
    ("memory", {"memory": {"limit": 1 << 29}}, "/linux/resources/memory/limit", "memory.max", str(1 << 29)),
    ("memory", {"memory": {"reservation": 1 << 28}}, "/linux/resources/memory/reservation", "memory.low", str(1 << 28)),
    ("cpu", {"cpu": {"shares": 1024}}, "/linux/resources/cpu/shares", "cpu.weight", "100"),
    ("cpu", {"cpu": {"quota": 50000, "period": 100000}}, "/linux/resources/cpu/", "cpu.max", "50000 100000"),
    ("cpuset", {"cpu": {"cpus": "0"}}, "/linux/resources/cpu/cpus", "cpuset.cpus", "0"),
]


@pytest.mark.parametrize("controller, resources, pointer, file, value", LIMITS)
def test_limit(oci, bundle, controller, resources, pointer, file, value):
    """Where the controller is missing (hybrid hosts), the error names it and the field."""
    bundle.linux["resources"].update(resources)
    bundle.sh("true").write()
    if controller in (CGROUPS / "cgroup.controllers").read_text().split():
        container = oci.create(bundle)
        assert (CGROUPS / container.id / file).read_text().strip() == value
    else:
        oci("create", "--bundle", bundle.path, oci.new_id()).failed(pointer, controller)


# ---- regular expressions


def test_kill_by_regular_expression(oci, new_bundle):
    first, second, other = (oci.run_detached(new_bundle().sh("sleep 1000"), id=id) for id in ("web1", "web2", "db-web"))
    oci.made += ["web1", "web2", "db-web"]
    completed = oci("kill", "--regex", "^web[0-9]+$", "KILL").succeeded()
    assert (completed.out, completed.err) == ("", "")
    assert (first.wait(), second.wait(), other.status) == (-9, -9, "running")
    # Those that have ended are errors, and do not stop the others.
    completed = oci("kill", "-r", "web|nobody", "KILL")
    assert (completed.rc, other.wait()) == (1, -9)
    assert "kill web1: " in completed.err and "kill web2: " in completed.err and "kill db-web" not in completed.err
    oci("kill", "--regex", "nobody").succeeded()
    oci("kill", "--regex", "a(").failed("--regex", "a(")
    oci("kill", "^web", "KILL").failed("invalid container ID format")


def test_delete_by_regular_expression(oci, new_bundle):
    stopped, running = (oci.run_detached(new_bundle().sh(script), id=id)
                        for id, script in (("a.1", "true"), ("a.2", "sleep 1000")))
    created = oci.create(new_bundle().sh("true"), id="b")
    oci.made += ["a.1", "a.2", "b"]
    stopped.wait()
    oci("delete", "-r", "nobody").succeeded()
    oci("delete", "--regex", r"a\.|b").failed("delete a.2: ", "not stopped: running")
    assert oci("list", "--quiet").out == "a.2\n"
    oci("delete", "-f", "-r", ".").succeeded()
    assert oci("list", "--quiet").out == ""
    assert (running.wait(), created.wait()) == (-9, -9)


# ---- list


def test_list(oci, new_bundle):
    second = oci.create(new_bundle().sh("true"), id="b2")
    first = oci.run_detached(new_bundle().sh("sleep 1000"), id="b1")
    oci.made += ["b1", "b2"]
    entries = json.loads(oci("list", "--format", "json").succeeded().out)
    assert [(entry["id"], entry["status"], entry["pid"]) for entry in entries] == \
        [("b1", "running", first.pid), ("b2", "created", second.pid)]
    assert oci("list", "--quiet").out == oci("list", "-q").out == "b1\nb2\n"
    header, *rows = oci("list").out.splitlines()
    assert header.split() == ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
    assert [row.split()[:4] for row in rows] == [
        ["b1", str(first.pid), "running", first.state()["bundle"]],
        ["b2", str(second.pid), "created", second.state()["bundle"]]]


def test_list_of_nothing(oci):
    oci.state_root.mkdir(exist_ok=True)
    assert oci("list", "-f", "json").succeeded().out == "null\n"
    assert oci("list", "-q").succeeded().out == ""
    assert oci("list").succeeded().out.split() == ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]


def test_list_goes_on_after_a_bad_entry(oci, bundle):
    container = oci.create(bundle.sh("true"))
    bad = oci.state_root / "a-bad-one"
    bad.mkdir()
    (bad / "record.json").write_text("{ not json")
    try:
        completed = oci("list", "-q").succeeded()
        assert container.id in completed.out.split()
        assert "a-bad-one" in oci("list").succeeded().err
    finally:
        (bad / "record.json").unlink()
        bad.rmdir()


def test_unreadable_record_is_not_removed(oci, bundle):
    """Without the record nobody knows what to undo: delete says so and leaves everything."""
    container = oci.run_detached(bundle.sh("sleep 1000"))
    record = oci.state_root / container.id / "record.json"
    good = record.read_bytes()
    for bad in (b"", b"{", b"[]", b"null", good[:-2], b"\xff" * 20):
        record.write_bytes(bad)
        completed = oci("delete", "--force", container.id)
        assert completed.rc == 1 and len(completed.err.splitlines()) == 1
        assert record.read_bytes() == bad
    record.write_bytes(good)


def test_state_directory_is_private(oci, bundle):
    container = oci.create(bundle.sh("true"), preexec_fn=lambda: os.umask(0))
    assert oci.state_root.stat().st_mode & 0o777 == 0o700
    folder = oci.state_root / container.id
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir() if not path.is_socket())
