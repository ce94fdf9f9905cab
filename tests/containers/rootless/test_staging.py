# SPDX-License-Identifier: Apache-2.0
"""Root makes containers with user namespaces whose files lie where only others may go: those of engines do."""

import os
import pathlib
import shutil
import subprocess

import pytest

import harness


@pytest.fixture
def oci_bundle(oci, session, nothing_left):
    """The bundle in a folder of another user that nobody else may enter."""
    private = session.folder / "private"
    private.mkdir(mode=0o700)
    bundle = session.bundle()
    os.rename(bundle.path, private / "bundle")
    bundle.path = private / "bundle"
    bundle.rootfs = bundle.path / "rootfs"
    os.chown(private, 3000, 3000)
    bundle.user_namespace()
    yield bundle
    oci.delete_all()
    shutil.rmtree(private)


def test_rootfs_and_sources_in_a_private_folder(oci, oci_bundle):
    data = oci_bundle.path / "data"
    data.mkdir()
    (data / "file").write_text("content\n")
    oci_bundle.bind(data, "/mnt").bind(data / "file", "/tmp/one")
    assert oci.output_of(oci_bundle, "cat /mnt/file /tmp/one; touch /tmp/x; stat -c %u /tmp/x") == "content\ncontent\n0\n"


def test_root_that_is_not_mapped(oci, session, oci_bundle):
    for kind in ("uidMappings", "gidMappings"):
        oci_bundle.linux[kind] = [{"containerID": 1000, "hostID": 100000, "size": 1}]
    for mount in oci_bundle.config["mounts"]:
        mount["options"] = [option for option in mount.get("options", []) if option != "gid=5"]
    oci_bundle.process["user"] = {"uid": 1000, "gid": 1000}
    assert oci.output_of(oci_bundle, "id -u") == "1000\n"


def test_a_joined_user_namespace(oci, oci_bundle, holder):
    one = holder("--user")
    for name in ("uid_map", "gid_map"):
        pathlib.Path(f"/proc/{one.pid}/{name}").write_text("0 100000 65536")
    oci_bundle.linux["namespaces"] = [entry for entry in oci_bundle.linux["namespaces"] if entry["type"] != "user"]
    oci_bundle.linux["namespaces"].append({"type": "user", "path": one.path("user")})
    del oci_bundle.linux["uidMappings"], oci_bundle.linux["gidMappings"]
    data = oci_bundle.path / "data"
    data.mkdir()
    (data / "file").write_text("content\n")
    assert oci.output_of(oci_bundle.bind(data, "/mnt"), "cat /mnt/file; id -u") == "content\n0\n"


REMOUNT = "mount -o remount,bind,rw /mnt 2>/dev/null && echo writable; touch /mnt/x 2>/dev/null && echo written; echo end"


@pytest.mark.parametrize("host_side", [True, False], ids=["read-only on the host", "read-only by its options"])
def test_read_only_sources_stay_read_only(oci, oci_bundle, host_mount, host_side):
    data = oci_bundle.path / "data"
    data.mkdir()
    os.chown(data, 100000, 100000)
    if host_side:
        host_mount("--bind", data, data)
        subprocess.run(["mount", "-o", "remount,bind,ro", data], check=True)
    oci_bundle.bind(data, "/mnt", *([] if host_side else ["ro"])).add_capabilities("CAP_SYS_ADMIN")
    out = oci.output_of(oci_bundle, REMOUNT)
    oci.delete_all()
    assert out == "end\n"
    assert not (data / "x").exists()


def test_what_a_mount_covers_stays_covered(oci, oci_bundle, host_mount):
    data = oci_bundle.path / "data"
    (data / "below").mkdir(parents=True)
    (data / "below/secret").write_text("secret\n")
    host_mount("-t", "tmpfs", "none", data / "below")
    oci_bundle.bind(data, "/mnt", "rbind").add_capabilities("CAP_SYS_ADMIN")
    out = oci.output_of(oci_bundle, "umount /mnt/below 2>/dev/null && echo uncovered; ls /mnt/below")
    assert out == ""


def test_a_bind_without_what_is_mounted_below(oci, oci_bundle, host_mount):
    data = oci_bundle.path / "data"
    (data / "below").mkdir(parents=True)
    (data / "file").write_text("content\n")
    host_mount("-t", "tmpfs", "none", data / "below")
    assert oci.output_of(oci_bundle.bind(data, "/mnt"), "cat /mnt/file; grep -c /mnt/below /proc/self/mountinfo || true") == \
        "content\n0\n"


def test_hooks_find_the_root_at_its_path(oci, oci_bundle):
    os.chmod(oci_bundle.path.parent, 0o755)
    oci_bundle.hook("createContainer", "/bin/sh", "-c", f"echo hook >{oci_bundle.rootfs}/tmp/from-hook; ls {oci_bundle.rootfs}/proc/self >/dev/null")
    os.chmod(oci_bundle.rootfs / "tmp", 0o1777)
    assert oci.output_of(oci_bundle, "cat /tmp/from-hook") == "hook\n"


def test_the_runtime_stays_where_it_was(oci, oci_bundle):
    """Relative names on the command line, and hooks of the runtime, after it has been in the staging namespace."""
    seen = oci_bundle.path / "seen"
    oci_bundle.hook("createRuntime", "/bin/sh", "-c", f"readlink /proc/self/ns/mnt >{seen}; pwd >>{seen}")
    oci_bundle.args("true").write()
    completed = oci("run", "--pid-file", "relative.pid", oci.new_id(), cwd=oci_bundle.path).succeeded()
    assert completed.err == ""
    assert (oci_bundle.path / "relative.pid").exists()
    assert seen.read_text().split() == [harness.namespace("mount"), str(oci_bundle.path)]


def test_shared_sources_do_not_leak_to_the_host(oci, oci_bundle, host_mount):
    data = oci_bundle.path / "data"
    data.mkdir()
    host_mount("-t", "tmpfs", "none", data)
    subprocess.run(["mount", "--make-shared", data], check=True)
    (data / "dir").mkdir()
    oci_bundle.bind(data, "/mnt", "rbind", "rslave").add_capabilities("CAP_SYS_ADMIN")
    assert oci.output_of(oci_bundle, "mount -t tmpfs none /mnt/dir && grep -c /mnt/dir /proc/self/mountinfo") == "1\n"
    assert f"{data}/dir" not in pathlib.Path("/proc/self/mountinfo").read_text()


def test_a_missing_source_names_its_field(oci, oci_bundle):
    oci_bundle.bind("/no/such/thing", "/mnt")
    oci.run(oci_bundle).failed(f"/mounts/{len(oci_bundle.config['mounts']) - 1}/source", "/no/such/thing", "no such file")
