# SPDX-License-Identifier: Apache-2.0
"""exec ID COMMAND: a further process in a running container."""

import os
import signal
import subprocess

import pytest

from harness import CGROUPS, NAMESPACE_LINKS, ALL_NAMESPACES, namespace, reap, status_fields, wait_for


def test_namespaces(container):
    kinds = [*ALL_NAMESPACES, "user", "time"]
    script = "; ".join(f"readlink /proc/self/ns/{NAMESPACE_LINKS[kind]}" for kind in kinds)
    out = container.exec("/bin/sh", "-c", script).succeeded().out.split()
    assert out == [namespace(kind, container.pid) for kind in kinds]


def test_namespaces_by_path(oci, bundle, holder):
    pid_path = holder("--pid", "--fork").path("pid")
    net_path = holder("--net").path("network")
    bundle.namespaces("ipc", "uts", "mount", "cgroup", ("pid", pid_path), ("network", net_path))
    container = oci.run_detached(bundle.sh("sleep 100000"))
    out = container.exec("/bin/sh", "-c", "readlink /proc/self/ns/pid; readlink /proc/self/ns/net").succeeded().out.split()
    assert out == [os.readlink(pid_path), os.readlink(net_path)]


def test_cgroup(container):
    assert container.exec("/bin/grep", "0::", "/proc/self/cgroup").succeeded().out == "0::/\n"


def test_the_process_is_in_the_containers_cgroup(oci, container):
    process = oci.popen("exec", container.id, "/bin/probe", "wait-signal", stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    assert len((CGROUPS / container.id / "cgroup.procs").read_text().split()) == 2
    container.kill("KILL")
    assert process.wait() == 128 + signal.SIGKILL
    process.stdout.close()


def test_streams(container):
    completed = container.exec("/bin/sh", "-c", "cat; echo oops >&2", input="some input\n").succeeded()
    assert (completed.out, completed.err) == ("some input\n", "oops\n")


@pytest.mark.parametrize("code", [0, 1, 7, 255])
def test_exit_code(container, code):
    assert container.exec("/bin/sh", "-c", f"exit {code}").rc == code


def test_exit_code_of_a_signal(container):
    assert container.exec("/bin/sh", "-c", "kill -KILL $$").rc == 128 + 9


def test_options_of_the_command_are_its_own(container):
    assert container.exec("echo", "-n", "--root", "-d", "--", "x").succeeded().out == "--root -d -- x"


def test_program_is_looked_up_in_the_containers_path(oci, bundle):
    (bundle.rootfs / "somewhere").mkdir()
    (bundle.rootfs / "somewhere/greet").write_text("#!/bin/sh\necho hello\n")
    (bundle.rootfs / "somewhere/greet").chmod(0o755)
    bundle.process["env"] = ["PATH=/somewhere:/bin"]
    assert oci.run_detached(bundle.sh("sleep 100000")).exec("greet").succeeded().out == "hello\n"


@pytest.mark.parametrize("name, text", [
    ("no-such-program", "executable file not found in $PATH"), ("/no/such/program", "no such file or directory"),
    ("/etc", "is a directory: permission denied")])
def test_program_that_cannot_be_run(container, name, text):
    container.exec(name).failed(name.split("/")[-1], text, rc=255)


def test_user_groups_directory_umask_and_environment_are_the_containers(oci, bundle):
    bundle.process["user"] = {"uid": 1000, "gid": 1001, "additionalGids": [5], "umask": 0o027}
    bundle.process["cwd"] = "/tmp"
    bundle.process["env"] = ["PATH=/bin", "A=b"]
    container = oci.run_detached(bundle.sh("sleep 100000"))
    out = container.exec("/bin/sh", "-c", "id -u; id -g; pwd; umask; echo $A $SECRET; grep Groups /proc/self/status",
                         env={"SECRET": "1"}).succeeded().out
    assert out.split() == ["1000", "1001", "/tmp", "0027", "b", "Groups:", "5"]


def test_capabilities_and_no_new_privileges_are_the_containers(oci, bundle):
    bundle.capabilities("CAP_CHOWN")
    bundle.process["noNewPrivileges"] = True
    container = oci.run_detached(bundle.sh("sleep 100000"))
    fields = status_fields(container.exec("/bin/cat", "/proc/self/status").succeeded().out)
    assert [int(fields[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")] == [0, 1, 1, 1, 0]
    assert fields["NoNewPrivs"] == "1"


def test_limits_and_oom_score_are_the_containers(oci, bundle):
    bundle.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 99, "hard": 100}]
    bundle.process["oomScoreAdj"] = 600
    container = oci.run_detached(bundle.sh("sleep 100000"))
    out = container.exec("/bin/sh", "-c", "ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj").succeeded().out
    assert out.split() == ["99", "100", "600"]


def test_only_the_standard_streams_are_open(container):
    assert container.exec("/bin/probe", "descriptors").succeeded().out.split() == ["0", "1", "2"]


def test_signals_start_with_their_defaults(container):
    ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert container.exec("/bin/probe", "signals", preexec_fn=ignore).succeeded().out == ""


def test_a_session_of_its_own(container):
    pid, group, session = container.exec("/bin/sh", "-c", "cut -d' ' -f1,5,6 /proc/$$/stat").succeeded().out.split()
    assert pid == group == session


def test_in_a_user_namespace(oci, bundle):
    container = oci.run_detached(bundle.user_namespace().sh("sleep 100000"))
    out = container.exec("/bin/sh", "-c", "readlink /proc/self/ns/user; id -u; touch /made").succeeded().out.split()
    assert out == [namespace("user", container.pid), "0"]
    assert os.stat(bundle.rootfs / "made").st_uid == 100000


def test_in_a_user_namespace_without_root(oci, bundle):
    bundle.user_namespace(container_id=1000, host_id=301000, size=1)
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    container = oci.run_detached(bundle.sh("sleep 100000"))
    assert container.exec("/bin/id", "-u").succeeded().out == "1000\n"


def test_without_namespaces_of_its_own_but_mount(oci, bundle):
    bundle.config.pop("hostname", None)
    bundle.namespaces("mount").without_mount("/sys").without_mount("/sys/fs/cgroup").without_mount("/dev/mqueue")
    container = oci.run_detached(bundle.sh("sleep 100000"))
    assert container.exec("/bin/sh", "-c", "ls -d /bin").succeeded().out == "/bin\n"


def test_of_a_created_container(oci, bundle):
    container = oci.create(bundle.sh("true"))
    assert container.exec("/bin/echo", "early").succeeded().out == "early\n"
    assert container.status == "created"


def test_of_a_stopped_container(oci, bundle):
    container = oci.run_detached(bundle.sh("true"))
    container.wait()
    container.exec("/bin/true").failed("cannot exec in a stopped container", rc=255)


def test_signals_are_passed_on(oci, container):
    script = "trap 'echo got it; exit 43' TERM; echo ready; while :; do sleep 1000 & wait $!; done"
    process = oci.popen("exec", container.id, "/bin/sh", "-c", script, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 43
    process.stdout.close()


def test_children_that_outlive_the_command_stay_in_the_container(container):
    container.exec("/bin/sh", "-c", "sleep 1000 & exit 0").succeeded()
    assert len((CGROUPS / container.id / "cgroup.procs").read_text().split()) == 2


def test_many_at_once(oci, container):
    processes = [oci.popen("exec", container.id, "/bin/sh", "-c", f"exit {number}") for number in range(40)]
    assert [process.wait() for process in processes] == list(range(40))
    assert len((CGROUPS / container.id / "cgroup.procs").read_text().split()) == 1


def test_when_the_container_ends_meanwhile(oci, bundle):
    container = oci.run_detached(bundle.sh("sleep 100000"))
    process = oci.popen("exec", container.id, "/bin/sh", "-c", "echo ready; sleep 1000", stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    os.kill(container.pid, signal.SIGKILL)
    assert process.wait() == 128 + 9
    process.stdout.close()


def test_a_killed_exec_starts_nothing_and_breaks_nothing(oci, container):
    for _ in range(10):
        process = oci.popen("exec", container.id, "/bin/true")
        process.kill()
        process.wait()
    assert container.exec("/bin/echo", "fine").succeeded().out == "fine\n"
    wait_for(lambda: len((CGROUPS / container.id / "cgroup.procs").read_text().split()) == 1)
    reap()  # as conmon would: the end of a pid namespace waits for its zombies


def test_with_the_configuration_of_create(oci, bundle):
    bundle.process["env"] = ["PATH=/bin", "V=first"]
    container = oci.run_detached(bundle.sh("sleep 100000"))
    bundle.process["env"] = ["PATH=/bin", "V=second"]
    bundle.write()
    assert container.exec("/bin/sh", "-c", "echo $V").succeeded().out == "first\n"


def test_masked_proc_of_the_runtime(container):
    """While a process joins, nobody inside sees the runtime's own program."""
    out = container.exec("/bin/sh", "-c", "ls -l /proc/self/exe; cat /proc/self/comm").succeeded().out
    assert "busybox" in out and "oci-run" not in out
