# SPDX-License-Identifier: Apache-2.0
"""Containers of a normal user who maps the own id to root: what `spec --rootless` is for."""

import json
import os
import pathlib
import signal
import stat
import subprocess

import pytest

import harness
from harness import wait_for

from rootless_user import UID


def test_the_bundle_of_spec_rootless_runs_as_it_is(session, user, new_bundle):
    bundle = new_bundle()
    os.chown(bundle.path, UID, UID)
    user("spec", "--rootless", "--bundle", bundle.path).succeeded()
    config = bundle.path / "config.json"
    config.write_text(config.read_text().replace('"terminal": true', '"terminal": false').replace('"sh"', '"id"'))
    completed = user("run", "--bundle", bundle.path, user.new_id()).succeeded()
    assert (completed.out, completed.err) == ("uid=0 gid=0\n", "")


def test_the_user_is_root_inside_and_nobody_outside(user, bundle):
    out = user.output_of(bundle, "cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; touch /tmp/mine")
    assert [line.split() for line in out.splitlines()] == [["0", str(UID), "1"], ["0", str(UID), "1"], ["deny"]]
    assert (bundle.rootfs / "tmp/mine").stat().st_uid == UID


def test_life_cycle(user, bundle):
    container = user.create(bundle.args("sleep", "1000"))
    state = container.state()
    assert (state["status"], state["pid"]) == ("created", container.pid)
    assert container.start().status == "running"
    assert container.exec("id").succeeded().out == "uid=0 gid=0\n"
    listed = user("list", "--format", "json").succeeded().out
    assert [entry["id"] for entry in json.loads(listed)] == [container.id]
    container.kill("KILL")
    assert container.wait() == -signal.SIGKILL
    container.delete()
    assert list(user.state_root.iterdir()) == []


def test_a_running_container_is_deleted_by_force(user, bundle):
    container = user.run_detached(bundle.args("sleep", "1000"))
    container.delete("--force")
    assert container.wait() == -signal.SIGKILL


def test_files_are_not_shared_with_other_users(user, bundle):
    user.run_detached(bundle.args("sleep", "1000"))
    mode = user.state_root.stat()
    assert (stat.S_IMODE(mode.st_mode), mode.st_uid) == (0o1700, UID)


def test_every_mount_of_the_example_is_there(user, bundle):
    mounts = {mount.target: mount for mount in harness.parse_mountinfo(user.output_of(bundle, "cat /proc/self/mountinfo"))}
    types = {"/proc": "proc", "/dev": "tmpfs", "/dev/pts": "devpts", "/dev/shm": "tmpfs", "/dev/mqueue": "mqueue",
             "/sys": "sysfs", "/sys/fs/cgroup": "cgroup2"}
    assert {target: mounts[target].type for target in types} == types
    assert "ro" in mounts["/sys"].options and "ro" in mounts["/sys/fs/cgroup"].options


def test_devices_are_those_of_the_host(user, bundle):
    script = "for d in null zero full random urandom tty; do test -c /dev/$d && stat -c '%n %t:%T' /dev/$d; done; " \
             "echo x >/dev/null; head -c 2 /dev/zero | wc -c; echo x >/dev/full"
    completed = user.run(bundle.sh(script))
    assert completed.out.splitlines() == ["/dev/null 1:3", "/dev/zero 1:5", "/dev/full 1:7", "/dev/random 1:8",
                                          "/dev/urandom 1:9", "/dev/tty 5:0", "2"]
    assert "No space left" in completed.err


def test_read_only_root_and_masked_paths(user, bundle):
    bundle.config["root"]["readonly"] = True
    bundle.linux["maskedPaths"] = ["/proc/keys", "/proc/acpi"]
    bundle.linux["readonlyPaths"] = ["/proc/sys"]
    out = user.run(bundle.sh("touch /x; echo 1 >/proc/sys/kernel/ns_last_pid; cat /proc/keys | wc -c"))
    assert "Read-only file system" in out.err and out.out == "0\n"


def test_tmpfs_bind_and_overlay(user, bundle):
    folders = [bundle.path / name for name in ("shared", "lower", "upper", "work")]
    for folder in folders:
        folder.mkdir()
        os.chown(folder, UID, UID)
    (folders[0] / "file").write_text("shared\n")
    (folders[1] / "file").write_text("lower\n")
    os.chown(folders[1] / "file", UID, UID)
    bundle.bind(folders[0], "/mnt/shared", "ro").mount("/mnt/tmp", "tmpfs", "tmpfs", ["size=64k"])
    bundle.mount("/mnt/overlay", "overlay", "overlay",
                 [f"lowerdir={folders[1]}", f"upperdir={folders[2]}", f"workdir={folders[3]}", "userxattr"])
    out = user.output_of(bundle, "cat /mnt/shared/file /mnt/overlay/file; echo new >/mnt/overlay/file; echo x >/mnt/tmp/x; "
                                 "touch /mnt/shared/x 2>/dev/null || echo refused")
    assert out == "shared\nlower\nrefused\n"
    assert (folders[2] / "file").read_text() == "new\n"
    subprocess.run(["rm", "-rf", *folders], check=True)


def test_new_network_namespace_brings_its_own_sysfs(user, bundle):
    bundle.linux["namespaces"].append({"type": "network"})
    bundle.without_mount("/sys").mount("/sys", "sysfs", "sysfs", ["nosuid", "noexec", "nodev", "ro"])
    bundle.linux["sysctl"] = {"net.ipv4.ip_forward": "1", "kernel.msgmax": "4096"}
    out = user.output_of(bundle, "ls /sys/class/net; cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax")
    assert out == "lo\n1\n4096\n"


def test_a_terminal(user, bundle):
    """Without gid=5: that group is not mapped."""
    bundle.process["terminal"] = True
    bundle.sh("tty; test -t 1 && echo terminal; exit 3")
    master, slave = os.openpty()
    process = user.popen("run", "--bundle", bundle.write(), user.new_id(), stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    text = b""
    try:
        while chunk := os.read(master, 4096):
            text += chunk
    except OSError:  # EIO: the other end is closed
        pass
    os.close(master)
    assert process.wait(harness.DEADLINE) == 3
    assert text.decode().split() == ["/dev/pts/0", "terminal"]


def test_hooks_run_as_the_user_and_see_the_namespaces(user, bundle):
    seen = user.home / "seen"
    bundle.hook("createRuntime", "/bin/sh", "-c",
                f"pid=$(sed -E 's/.*\"pid\": *([0-9]+).*/\\1/' | tr -cd 0-9); {{ id -u; readlink /proc/$pid/ns/user; }} >{seen}")
    bundle.config["hooks"]["createRuntime"][0]["args"] = [
        "sh", *bundle.config["hooks"]["createRuntime"][0]["args"][1:]]
    container = user.run_detached(bundle.args("sleep", "1000"))
    assert seen.read_text().split() == [str(UID), harness.namespace("user", container.pid)]
    seen.unlink()


def test_seccomp_without_new_privileges(user, bundle):
    bundle.process["noNewPrivileges"] = False
    bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW",
                               "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}
    out = user.run(bundle.sh("mkdir /tmp/x; grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status"))
    assert "not implemented" in out.err
    assert out.out.split() == ["NoNewPrivs:", "0", "Seccomp:", "2"]


def test_exec_has_the_rights_of_the_configuration(user, bundle):
    container = user.run_detached(bundle.args("sleep", "1000"))
    status = harness.status_fields(container.exec("cat", "/proc/self/status").succeeded().out)
    assert status["CapEff"] == status["CapPrm"] == "0000000020000420"
    assert status["CapAmb"] == status["CapInh"] == "0000000000000000"
    assert container.exec("sh", "-c", "exit 7").rc == 7


def test_oom_score_may_be_raised_only(user, bundle):
    bundle.process["oomScoreAdj"] = 500
    assert user.output_of(bundle, "cat /proc/self/oom_score_adj") == "500\n"
    bundle.process["oomScoreAdj"] = -10
    user.run(bundle).failed("/process/oomScoreAdj", "permission denied", "only CAP_SYS_RESOURCE of the host may lower it")


def test_hard_limits_may_be_lowered_only(user, bundle):
    bundle.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 64, "hard": 100}]
    assert user.output_of(bundle, "ulimit -Sn; ulimit -Hn") == "64\n100\n"
    bundle.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 64, "hard": 1 << 30}]
    user.run(bundle).failed("/process/rlimits: RLIMIT_NOFILE", "may raise a hard limit")


def test_without_user_namespace_it_is_refused(user, bundle):
    bundle.linux["namespaces"] = [entry for entry in bundle.linux["namespaces"] if entry["type"] != "user"]
    del bundle.linux["uidMappings"], bundle.linux["gidMappings"]
    user.run(bundle).failed("/linux/namespaces: a user without privileges needs a user namespace", "spec --rootless")


def test_groups_cannot_be_set_with_one_id(user, bundle):
    bundle.process["user"]["additionalGids"] = [0]
    user.run(bundle).failed("/process/user/additionalGids", "user_namespaces(7)")


@pytest.mark.parametrize("field", ["uid", "gid"])
def test_a_user_that_is_not_mapped_is_refused(user, bundle, field):
    bundle.process["user"][field] = 1000
    user.run(bundle).failed(f"/process/user/{field}", "must be mapped", "1000")


def test_no_runtime_folder_and_no_root(user, bundle):
    for environment in ({}, {"XDG_RUNTIME_DIR": ""}):
        for words in (("run", "--bundle", bundle.write(), "c1"), ("state", "c1"), ("list",)):
            user(*words, root=False, env=environment).failed("XDG_RUNTIME_DIR", "--root")


def test_root_takes_the_place_of_the_runtime_folder(user, bundle):
    folder = user.home / "elsewhere"
    completed = user("--root", folder, "run", "--bundle", bundle.args("id").write(), "c1", root=False).succeeded()
    assert completed.out == "uid=0 gid=0\n"
    assert list(folder.iterdir()) == []
    folder.rmdir()


def test_a_killed_create_leaves_nothing_that_runs(user, bundle):
    """At some points of its life; what is left is the state directory, for delete."""
    for delay in (0, 0.002, 0.005, 0.01, 0.02, 0.04):
        id = user.new_id()
        process = user.popen("create", "--bundle", bundle.write(), id, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            process.kill()
        process.wait()
        if (user.state_root / id).exists():
            user("delete", "--force", id).succeeded()
        assert not (user.state_root / id).exists()


def test_other_namespace_limits_are_named(user, bundle):
    limit = pathlib.Path("/proc/sys/user/max_user_namespaces")
    before = limit.read_text()
    holder = harness.Holder("--user", "--map-root-user", "--mount", "--propagation", "private")
    try:
        # In a user namespace of its own the limit is that namespace's, and the host is left alone.
        words = ["nsenter", f"--user={holder.path('user')}", f"--mount={holder.path('mount')}", "--preserve-credentials", "sh", "-c",
                 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"', "sh", harness.PROGRAM, "--root",
                 str(user.runtime_folder / "limited"), "--cgroup-manager", "disabled", "run", "--bundle"]
        for kind in ("uidMappings", "gidMappings"):
            bundle.linux[kind] = [{"containerID": 0, "hostID": 0, "size": 1}]
        bundle.give_rootfs(0)
        os.chown(user.runtime_folder, 0, 0)
        completed = subprocess.run([*words, bundle.write(), "c1"], env=harness.ENVIRONMENT, capture_output=True, text=True)
    finally:
        os.chown(user.runtime_folder, UID, UID)
        holder.close()
    assert completed.returncode == 1 and "sysctl user.max_user_namespaces is 0" in completed.stderr, completed.stderr
    assert limit.read_text() == before
    (user.runtime_folder / "limited").rmdir()


@pytest.mark.parametrize("namespaces", [["--user"], ["--user", "--mount"]], ids=["user", "user and mount"])
def test_by_root_of_a_user_namespace(user, bundle, namespaces):
    """Without a mount namespace of its own, that root may not clone mounts."""
    for kind in ("uidMappings", "gidMappings"):
        bundle.linux[kind] = [{"containerID": 0, "hostID": 0, "size": 1}]
    data = user.home / "data"
    data.mkdir(exist_ok=True)
    (data / "file").write_text("content\n")
    bundle.bind(data, "/mnt").sh("id -u; cat /mnt/file").write()
    process = user.popen("--root", user.state_root, "--cgroup-manager", "disabled", "run", "--bundle", bundle.path,
                         user.new_id(), wrap=["unshare", *namespaces, "--map-root-user", "--"], text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.communicate(timeout=60) == ("0\ncontent\n", "")
