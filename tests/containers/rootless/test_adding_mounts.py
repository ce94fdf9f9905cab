# SPDX-License-Identifier: Apache-2.0
"""The command `mounts` of a normal user, and of root for a container of one."""

import json

import harness


def change(oci, verb, container, *mounts):
    return oci("mounts", verb, container.id, "-", input=json.dumps(list(mounts)))


def mounts(user):
    return [{"destination": "/mnt/file", "type": "bind", "source": str(user.home / "file"), "options": ["bind", "ro"]},
            {"destination": "/data", "type": "tmpfs", "source": "tmpfs"}]


def test_mounts_of_a_user(user, bundle):
    (user.home / "file").write_text("content\n")
    container = user.run_detached(bundle.args("sleep", "1000"))
    completed = change(user, "add", container, *mounts(user)).succeeded()
    assert (completed.out, completed.err) == ("", "")
    out = container.exec("/bin/sh", "-c", "cat /mnt/file; touch /mnt/file /data/x 2>&1; stat -c %u /data/x").succeeded().out
    assert out == "content\ntouch: /mnt/file: Read-only file system\n0\n"
    change(user, "remove", container, *mounts(user)).succeeded()
    assert not {"/mnt/file", "/data"} & {one.target for one in harness.parse_mountinfo(container.proc("mountinfo"))}
    (user.home / "file").unlink()


def test_root_adds_to_a_container_of_a_user(user, bundle):
    """What root has read-only stays so for the user."""
    (user.home / "file").write_text("content\n")
    container = user.run_detached(bundle.args("sleep", "1000"))
    as_root = harness.Oci(user.state_root.parent)
    as_root.state_root = user.state_root
    change(as_root, "add", container, *mounts(user)).succeeded()
    script = "cat /mnt/file; mount -o remount,bind,rw /mnt/file 2>/dev/null && echo writable; touch /mnt/file 2>&1; " \
        "touch /data/x; stat -c %u /data/x"
    out = user("exec", "--cap", "CAP_SYS_ADMIN", container.id, "/bin/sh", "-c", script).succeeded().out
    assert out == "content\ntouch: /mnt/file: Read-only file system\n0\n"
    (user.home / "file").unlink()
