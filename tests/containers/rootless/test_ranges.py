# SPDX-License-Identifier: Apache-2.0
"""Ranges of ids for a normal user, through newuidmap(1) and newgidmap(1)."""

import os
import pathlib
import subprocess

import pytest

import harness
from rootless_user import FIRST_SUBORDINATE, SUBORDINATES, UID, map_range


def entry(container_id, host_id, size):
    return {"containerID": container_id, "hostID": host_id, "size": size}


def test_a_range_is_mapped(user, account, bundle):
    map_range(bundle)
    out = user.output_of(bundle, "cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; id")
    maps = [["0", str(UID), "1"], ["1", str(FIRST_SUBORDINATE), str(SUBORDINATES)]]
    assert [line.split() for line in out.splitlines()] == [*maps, *maps, ["allow"], ["uid=0", "gid=0"]]


def test_another_user_with_groups(user, account, bundle):
    map_range(bundle).process["user"] = {"uid": 5, "gid": 6, "additionalGids": [7, 8]}
    out = user.output_of(bundle, "id -u; id -g; id -G; touch /tmp/file")
    assert out == "5\n6\n6 7 8\n"
    status = (bundle.rootfs / "tmp/file").stat()
    assert (status.st_uid, status.st_gid) == (FIRST_SUBORDINATE + 4, FIRST_SUBORDINATE + 5)


def test_the_user_keeps_the_own_id(user, account, bundle):
    """As `podman --userns=keep-id` maps it: root is a subordinate id."""
    for kind in ("uidMappings", "gidMappings"):
        bundle.linux[kind] = [entry(0, FIRST_SUBORDINATE, 1000), entry(1000, UID, 1),
                              entry(1001, FIRST_SUBORDINATE + 1000, 1000)]
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    bundle.bind(bundle.path, "/mnt")
    container = user.run_detached(bundle.sh("touch /mnt/mine; id -u; sleep 1000"))
    container.wait_output("1000\n")
    assert (bundle.path / "mine").stat().st_uid == UID
    assert container.exec("id", "-u").succeeded().out == "1000\n"


def test_hooks_see_the_namespaces_of_a_root_that_is_not_the_user(user, account, bundle):
    for kind in ("uidMappings", "gidMappings"):
        bundle.linux[kind] = [entry(0, FIRST_SUBORDINATE, 1000)]
    bundle.give_rootfs(FIRST_SUBORDINATE)
    os.chmod(bundle.path, 0o755)
    seen = user.home / "seen"
    bundle.hook("createRuntime", "/bin/sh", "-c", f"""pid=$(tr ',' '\\n' | sed -n 's/.*"pid": *//p'); readlink /proc/$pid/ns/user >{seen}""")
    container = user.run_detached(bundle.args("sleep", "1000"))
    assert seen.read_text().strip() == harness.namespace("user", container.pid)
    seen.unlink()


def test_tmpfs_devpts_and_terminals_with_the_group_of_terminals(user, account, bundle):
    map_range(bundle)
    for mount in bundle.config["mounts"]:
        if mount["type"] == "devpts":
            mount["options"].append("gid=5")
    assert "gid=" + str(FIRST_SUBORDINATE + 4) in user.output_of(bundle, "grep /dev/pts /proc/self/mountinfo")


@pytest.mark.parametrize("kind,table", [("uidMappings", "/etc/subuid"), ("gidMappings", "/etc/subgid")])
def test_ids_of_others_are_refused(user, account, bundle, kind, table):
    map_range(bundle).linux[kind][1]["hostID"] = FIRST_SUBORDINATE - 1000
    helper = "newuidmap" if kind == "uidMappings" else "newgidmap"
    user.run(bundle).failed(f"/linux/{kind}: /usr/bin/{helper}: exit status 1", "not allowed", table, str(UID))


def test_without_the_programs_the_error_names_the_package(user, account, bundle, host_mount):
    map_range(bundle)
    for folder in ("/usr/bin", "/bin"):
        program = pathlib.Path(folder) / "newuidmap"
        if program.exists() and not pathlib.Path(folder).is_symlink():
            empty = user.home / "not-a-program"
            empty.touch(mode=0o644)
            host_mount("--bind", empty, program)
            user.run(bundle).failed("/linux/uidMappings", "execve /usr/bin/newuidmap: permission denied", "/etc/subuid")
            empty.unlink(missing_ok=True)
            return


def test_no_new_privileges_of_the_caller_are_named(user, account, bundle):
    map_range(bundle)
    user.run(bundle, wrap=["setpriv", "--no-new-privs"]).failed("/linux/uidMappings", "no_new_privs is set")


def test_path_and_environment_do_not_choose_the_program(user, account, bundle):
    trap = user.home / "newuidmap"
    trap.write_text(f"#!/bin/sh\ntouch {user.home}/trapped\n")
    trap.chmod(0o755)
    out = user.output_of(map_range(bundle), "id -u", env={"PATH": f"{user.home}:/usr/bin:/bin"})
    assert out == "0\n" and not (user.home / "trapped").exists()
    trap.unlink()


def test_root_in_a_user_namespace_writes_the_maps_itself(session, user, account, bundle):
    """As engines work that are rootless themselves: they have a namespace of many ids, and make another one in it."""
    for kind in ("uidMappings", "gidMappings"):
        bundle.linux[kind] = [entry(0, 1000, 10), entry(10, 0, 1)]
    bundle.give_rootfs(FIRST_SUBORDINATE + 999)
    script = f"""
        exec {harness.PROGRAM} --root {user.runtime_folder}/nested run --bundle {bundle.sh("id -u; cat /proc/self/setgroups").write()} nested
    """
    completed = subprocess.run(
        user.as_user("unshare", "--user", "--mount", "--map-root-user", "--map-auto", "sh", "-c", script),
        env=harness.ENVIRONMENT, capture_output=True, text=True)
    assert completed.returncode == 0, completed.stderr
    assert completed.stdout == "0\nallow\n"
    (user.runtime_folder / "nested").rmdir()
