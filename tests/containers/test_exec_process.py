# SPDX-License-Identifier: Apache-2.0
"""exec: who the process is, by the options of the command line and by --process."""

import json
import os

import pytest

from harness import status_fields

NET_RAW = 1 << 13
CHOWN = 1 << 0


def status_of(container, *options):
    return status_fields(container.oci("exec", *options, container.id, "cat", "/proc/self/status").succeeded().out)


def capability_sets(fields):
    return {name: int(fields[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}


def shell(container, script, *options, **more):
    return container.oci("exec", *options, container.id, "/bin/sh", "-c", script, **more)


@pytest.fixture
def process_file(bundle):
    """Writes a process object as engines do: process_file(args=[...], ...) gives its path."""
    def write(**members):
        path = bundle.path / "process.json"
        path.write_text(json.dumps({"args": ["true"], "cwd": "/", "user": {"uid": 0, "gid": 0}, **members}))
        return path
    return write


# ---- --user, --additional-gids


@pytest.mark.parametrize("option, ids", [
    ("0", "0 0"), ("1000", "1000 7"), ("01", "1 7"), ("1000:1001", "1000 1001"), ("0:4294967294", "0 4294967294"),
    ("4294967294:0", "4294967294 0")])
def test_user(oci, bundle, option, ids):
    bundle.process["user"] = {"uid": 0, "gid": 7 if ids.endswith(" 7") else 0}
    container = oci.run_detached(bundle.sh("sleep 100000"))
    assert shell(container, "echo $(id -u) $(id -g)", "--user", option).succeeded().out.strip() == ids


@pytest.mark.parametrize("option", [
    "", ":", ":1", "1:", "-1", "+1", "1x", "1 ", " 1", "0x1", "1:2:3", "root", "1:root", "4294967295", "1:4294967295",
    "4294967296", "99999999999", "1\n"])
def test_user_that_is_no_number(container, option):
    container.oci("exec", f"--user={option}", container.id, "true").failed("--user: must be a number", rc=255)


def test_a_number_is_never_a_name(oci, bundle):
    (bundle.rootfs / "etc/passwd").write_text("1000:x:0:0::/root:/bin/sh\n")
    container = oci.run_detached(bundle.sh("sleep 100000"))
    assert shell(container, "id -u", "-u", "1000").succeeded().out == "1000\n"


def test_home_of_the_user(oci, bundle):
    (bundle.rootfs / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n")
    container = oci.run_detached(bundle.sh("sleep 100000"))
    assert shell(container, "echo $HOME", "-u", "1000").succeeded().out == "/home/user\n"
    assert shell(container, "echo $HOME", "-u", "1000", "-e", "HOME=/elsewhere").succeeded().out == "/elsewhere\n"


@pytest.mark.parametrize("file", ["passwd", "group"])
@pytest.mark.parametrize("kind", ["huge", "one line", "fifo", "folder"])
def test_hostile_user_files_do_no_harm(oci, bundle, file, kind):
    path = bundle.rootfs / "etc" / file
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.write_text("x" * 2_000_000 if kind == "one line" else "x:x:1:1::/:\n" * 200_000)
        os.truncate(path, 200 << 20)
    container = oci.run_detached(bundle.sh("sleep 100000"))
    # Programs of BusyBox that read these files themselves would hang.
    assert "HOME=/\n" in oci("exec", "-u", "1000:1000", container.id, "/bin/env").succeeded().out
    assert status_of(container, "-u", "1000:1000")["Groups"] == ""


def test_additional_groups_come_to_those_of_the_container(oci, bundle):
    bundle.process["user"] = {"uid": 0, "gid": 0, "additionalGids": [5]}
    container = oci.run_detached(bundle.sh("sleep 100000"))
    fields = status_of(container, "--additional-gids", "10", "-g", "4294967294")
    assert fields["Groups"].split() == ["5", "10", "4294967294"]


@pytest.mark.parametrize("group", ["", "-1", "wheel", "4294967295"])
def test_additional_group_that_is_no_number(container, group):
    container.oci("exec", "-g", group, container.id, "true").failed("--additional-gids: must be a number", rc=255)


def test_user_that_the_user_namespace_does_not_map(oci, bundle):
    container = oci.run_detached(bundle.user_namespace(size=1000).sh("sleep 100000"))
    assert shell(container, "id -u", "-u", "999").succeeded().out == "999\n"
    container.oci("exec", "-u", "1000", container.id, "true").failed("user 1000 is not mapped", "uidMappings", rc=255)
    container.oci("exec", "-u", "1:1000", container.id, "true").failed("group 1000 is not mapped", rc=255)
    container.oci("exec", "-g", "1000", container.id, "true").failed("group 1000", rc=255)


# ---- --cap, --no-new-privs


def test_capability(oci, bundle):
    container = oci.run_detached(bundle.capabilities("CAP_CHOWN").sh("sleep 100000"))
    both = NET_RAW | CHOWN
    assert capability_sets(status_of(container, "--cap", "CAP_NET_RAW")) == {
        "CapInh": 0, "CapPrm": both, "CapEff": both, "CapBnd": both, "CapAmb": 0}
    assert capability_sets(status_of(container))["CapPrm"] == CHOWN


@pytest.mark.parametrize("name", ["CAP_NET_RAW", "net_raw", "cap_net_raw"])
def test_names_of_capabilities(oci, bundle, name):
    container = oci.run_detached(bundle.capabilities().sh("sleep 100000"))
    assert capability_sets(status_of(container, "-c", name))["CapEff"] == NET_RAW


def test_several_capabilities(oci, bundle):
    container = oci.run_detached(bundle.capabilities().sh("sleep 100000"))
    sets = capability_sets(status_of(container, "-c", "CAP_NET_RAW", "--cap=CAP_CHOWN"))
    assert sets["CapEff"] == sets["CapBnd"] == NET_RAW | CHOWN


def test_capability_is_ambient_where_it_is_inheritable_already(oci, bundle):
    bundle.capabilities("CAP_CHOWN", sets=("bounding", "effective", "permitted", "inheritable"))
    container = oci.run_detached(bundle.sh("sleep 100000"))
    sets = capability_sets(status_of(container, "-c", "CAP_CHOWN", "-c", "CAP_NET_RAW"))
    assert (sets["CapInh"], sets["CapAmb"]) == (CHOWN, CHOWN)


def test_capability_where_the_container_has_no_list(oci, bundle):
    del bundle.process["capabilities"]
    container = oci.run_detached(bundle.sh("sleep 100000"))
    assert capability_sets(status_of(container, "-c", "CAP_NET_RAW"))["CapPrm"] == NET_RAW


def test_capability_that_does_not_exist(container):
    container.oci("exec", "--cap", "CAP_FLY", container.id, "true").failed("--cap", "CAP_FLY", rc=255)


@pytest.mark.parametrize("configured, options, expected", [
    (False, [], "0"), (True, [], "1"), (False, ["--no-new-privs"], "1"), (True, ["--no-new-privs=false"], "0")])
def test_no_new_privileges(oci, bundle, configured, options, expected):
    bundle.process["noNewPrivileges"] = configured
    container = oci.run_detached(bundle.sh("sleep 100000"))
    assert status_of(container, *options)["NoNewPrivs"] == expected


# ---- --env, --cwd, labels


def test_environment(oci, bundle):
    bundle.process["env"] = ["PATH=/bin", "A=config", "B=config"]
    container = oci.run_detached(bundle.sh("sleep 100000"))
    out = container.oci("exec", "-e", "A=first", "--env", "C=a=b", "-e", "A=last", "--env=D=", container.id, "env").out
    assert sorted(out.split()) == ["A=last", "B=config", "C=a=b", "D=", "HOME=/", "PATH=/bin"]


def test_the_path_that_counts_is_the_one_given(oci, bundle):
    (bundle.rootfs / "somewhere").mkdir()
    (bundle.rootfs / "somewhere/greet").write_text("#!/bin/sh\necho hello\n")
    (bundle.rootfs / "somewhere/greet").chmod(0o755)
    container = oci.run_detached(bundle.sh("sleep 100000"))
    container.exec("greet").failed("executable file not found in $PATH", rc=255)
    assert oci("exec", "-e", "PATH=/somewhere:/bin", container.id, "greet").succeeded().out == "hello\n"


@pytest.mark.parametrize("variable", ["A", "=1", ""])
def test_variable_without_name_or_value(container, variable):
    container.oci("exec", "--env", variable, container.id, "true").failed("--env: must be of the form", rc=255)


def test_working_directory(container):
    assert shell(container, "pwd", "--cwd", "/tmp").succeeded().out == "/tmp\n"
    container.oci("exec", "--cwd", "tmp", container.id, "true").failed("--cwd: must be an absolute path", rc=255)
    container.oci("exec", "--cwd", "/nowhere", container.id, "true").failed("/nowhere", "no such file", rc=255)


@pytest.mark.parametrize("descriptor", range(3, 12))
def test_working_directory_outside_of_the_container(oci, container, descriptor):
    """CVE-2024-21626."""
    def leak():
        folder = os.open("/", os.O_RDONLY)
        for number in range(3, 12):
            os.dup2(folder, number, inheritable=True)
    completed = oci("exec", "--cwd", f"/proc/self/fd/{descriptor}", container.id, "ls", preexec_fn=leak, close_fds=False)
    completed.failed(f"/proc/self/fd/{descriptor}", rc=255)


@pytest.mark.parametrize("option, pointer, file", [
    ("--apparmor", "AppArmor", "/sys/module/apparmor/parameters/enabled"),
    ("--process-label", "SELinux", "/sys/fs/selinux/enforce")])
def test_label_that_the_machine_does_not_know(container, option, pointer, file):
    if os.path.exists(file) and open(file).read()[0] in "Y1":
        pytest.skip(f"kernel: {pointer} is enabled here")
    container.oci("exec", option, "label", container.id, "true").failed(f"{pointer} is not enabled", rc=255)


# ---- --process


def test_process_file(oci, bundle, process_file):
    bundle.process["env"] = ["PATH=/bin", "FROM_CONFIG=1"]
    container = oci.run_detached(bundle.sh("sleep 100000"))
    path = process_file(args=["/bin/sh", "-c", "id -u; id -g; pwd; umask; env | sort; grep Groups /proc/self/status"],
                        cwd="/tmp", env=["PATH=/bin", "A=b", "PWD="],
                        user={"uid": 1000, "gid": 1001, "additionalGids": [5, 6], "umask": 0o077})
    out = oci("exec", "--process", path, container.id).succeeded().out
    assert out.split() == ["1000", "1001", "/tmp", "0077", "A=b", "HOME=/", "PATH=/bin", "PWD=/tmp", "SHLVL=1",
                           "Groups:", "5", "6"]


def test_what_the_file_leaves_out_is_the_containers(oci, bundle, process_file):
    bundle.capabilities("CAP_CHOWN")
    bundle.process["user"]["umask"] = 0o027
    bundle.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 99, "hard": 100}]
    bundle.process["oomScoreAdj"] = 600
    bundle.process["scheduler"] = {"policy": "SCHED_BATCH", "nice": 3}
    container = oci.run_detached(bundle.sh("sleep 100000"))
    script = ("umask; ulimit -Sn; cat /proc/self/oom_score_adj; grep CapEff /proc/self/status;"
              "set -- $(cat /proc/self/stat); echo ${19} ${41}")
    path = process_file(args=["/bin/sh", "-c", script], env=["PATH=/bin"])
    out = oci("exec", "-p", path, container.id).succeeded().out
    assert out.split() == ["0027", "99", "600", "CapEff:", "0000000000000001", "3", "3"]


def test_what_the_file_has_wins(oci, bundle, process_file):
    bundle.capabilities("CAP_CHOWN")
    bundle.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 99, "hard": 100}]
    bundle.process["noNewPrivileges"] = True
    container = oci.run_detached(bundle.sh("sleep 100000"))
    path = process_file(
        args=["/bin/sh", "-c", "ulimit -Sn; grep -E 'CapEff|NoNewPrivs' /proc/self/status"], env=["PATH=/bin"],
        rlimits=[{"type": "RLIMIT_NOFILE", "soft": 50, "hard": 60}], noNewPrivileges=False, oomScoreAdj=300,
        capabilities={"bounding": ["CAP_NET_RAW"], "effective": ["CAP_NET_RAW"], "permitted": ["CAP_NET_RAW"]})
    out = oci("exec", "-p", path, container.id).succeeded().out
    assert out.split() == ["50", "CapEff:", "0000000000002000", "NoNewPrivs:", "0"]


def test_process_file_in_a_container_without_a_process(oci, bundle, process_file):
    process = bundle.config.pop("process")
    container = oci.create(bundle)
    oci("exec", container.id, "true").failed("/process", "--process can describe", rc=255)
    path = process_file(args=["/bin/echo", "fine"], capabilities=process["capabilities"])
    assert oci("exec", "-p", path, container.id).succeeded().out == "fine\n"


@pytest.mark.parametrize("text, message", [
    ("", "process.json"), ("[]", "process.json"), ('{"cwd": "/"}', "/args"), ('{"args": [], "cwd": "/"}', "/args"),
    ('{"args": ["true"], "cwd": "x"}', "/cwd"), ('{"args": ["true"]}', "/cwd"),
    ('{"args": ["true"], "cwd": "/", "user": {"uid": -1, "gid": 0}}', "/user/uid"),
    ('{"args": ["true"], "cwd": "/", "rlimits": [{"type": "RLIMIT_NONE", "soft": 1, "hard": 1}]}', "/rlimits/0/type"),
    ("{" * 200, "process.json")])
def test_bad_process_file(container, bundle, text, message):
    path = bundle.path / "process.json"
    path.write_text(text)
    container.oci("exec", "--process", path, container.id).failed("process.json", message, rc=255)


def test_missing_process_file(container):
    container.oci("exec", "--process", "/nowhere.json", container.id).failed("/nowhere.json", "no such file", rc=255)


def test_a_process_file_describes_everything(container, process_file):
    path = process_file()
    for options in (["--user", "1"], ["--cap", "CAP_CHOWN"], ["-e", "A=b"], ["--cwd", "/"]):
        container.oci("exec", "-p", path, *options, container.id).failed("besides --process", rc=255)
    container.oci("exec", "-p", path, container.id, "true").failed("--process", "another command", rc=255)


def test_no_command(container):
    container.oci("exec", container.id).failed('"exec" requires a minimum of 2 argument(s)', rc=255)


# ---- what init got is got again


def test_seccomp(oci, bundle, process_file):
    bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 74}]}
    container = oci.run_detached(bundle.sh("sleep 100000"))
    assert "Bad message" in shell(container, "mkdir /tmp/x").err
    path = process_file(args=["/bin/mkdir", "/tmp/x"])
    assert "Bad message" in oci("exec", "-p", path, container.id).err
    assert status_of(container)["Seccomp"] == "2"


def test_io_priority_and_personality(oci, bundle):
    bundle.process["ioPriority"] = {"class": "IOPRIO_CLASS_BE", "priority": 6}
    bundle.linux["personality"] = {"domain": "LINUX32"}
    container = oci.run_detached(bundle.sh("sleep 100000"))
    out = shell(container, "ionice -p $$; uname -m").succeeded().out
    assert "best-effort: prio 6" in out and "x86_64" not in out


def test_cpu_affinity(oci, bundle):
    bundle.process["execCPUAffinity"] = {"initial": "0", "final": "0"}
    container = oci.run_detached(bundle.sh("sleep 100000"))
    assert status_of(container)["Cpus_allowed_list"] == "0"
    assert status_fields(container.proc("status"))["Cpus_allowed_list"] == \
        status_fields(open("/proc/self/status").read())["Cpus_allowed_list"]
