# SPDX-License-Identifier: Apache-2.0
"""The command `mounts`: mounts of a container that is there already are added, removed and listed."""

import json
import os
import pathlib
import stat
import subprocess
import threading

import pytest

from harness import parse_mountinfo

SLEEP = "echo ready; exec sleep 1000"


@pytest.fixture
def source(bundle):
    """A folder of the host, with a mount below."""
    folder = bundle.path / "source"
    (folder / "below").mkdir(parents=True)
    (folder / "file").write_text("content\n")
    (folder / "below/hidden").write_text("hidden\n")
    subprocess.run(["mount", "-t", "tmpfs", "none", folder / "below"], check=True)
    yield folder
    subprocess.run(["umount", folder / "below"], check=True)


def running(oci, bundle, script=SLEEP):
    container = oci.run_detached(bundle.sh(script))
    container.wait_output("ready")
    return container


def add(container, *mounts, verb="add", **more):
    return container.oci("mounts", verb, container.id, "-", input=json.dumps(list(mounts)), **more)


def remove(container, *destinations):
    return add(container, *({"destination": one} for one in destinations), verb="remove")


def mount(destination, type="tmpfs", source="tmpfs", options=()):
    return {"destination": destination, "type": type, "source": str(source), "options": list(options)}


def bind(source, destination, *options):
    return mount(destination, "bind", source, ["bind", *options])


def mounts_of(container):
    return parse_mountinfo(container.proc("mountinfo"))


def at(container, destination):
    """The topmost mount there, or None."""
    return ([one for one in mounts_of(container) if one.target == destination] or [None])[-1]


def output(container, script):
    return container.exec("/bin/sh", "-c", script).succeeded().out


# ---- add


def test_a_bind_and_a_tmpfs(oci, bundle, source):
    container = running(oci, bundle)
    completed = add(container, bind(source, "/mnt/new", "ro"), mount("/data", options=["size=64k", "noexec", "mode=711"]))
    assert (completed.succeeded().out, completed.err) == ("", "")
    assert output(container, "cat /mnt/new/file; ls /mnt/new/below; touch /mnt/new/x 2>&1; stat -c %a /data") == \
        "content\nhidden\ntouch: /mnt/new/x: Read-only file system\n711\n"
    options = at(container, "/data").options
    assert "noexec" in options and "rw" in options
    assert "ro" in at(container, "/mnt/new").options


def test_a_file_with_mounts_as_an_object(oci, bundle, source, tmp_path):
    container = running(oci, bundle)
    file = tmp_path / "mounts.json"
    file.write_text(json.dumps({"mounts": [bind(source / "file", "/etc/new/file")]}))
    oci("mounts", "add", container.id, file).succeeded()
    assert output(container, "cat /etc/new/file") == "content\n"
    oci("mounts", "remove", container.id, file).succeeded()
    assert output(container, "cat /etc/new/file") == ""


def test_recursive_attributes_and_propagation(oci, bundle, source):
    container = running(oci, bundle)
    add(container, mount("/mnt", "bind", source, ["rbind", "rro", "runbindable"])).succeeded()
    for place in ("/mnt", "/mnt/below"):
        line = next(line for line in container.proc("mountinfo").splitlines() if line.split()[4] == place)
        assert "ro," in line and "unbindable" in line, line


def test_a_relative_source_begins_at_the_bundle(oci, bundle, source):
    container = running(oci, bundle)
    add(container, bind("source/file", "/mnt/file"), cwd="/").succeeded()
    assert output(container, "cat /mnt/file") == "content\n"


def test_ids_are_mapped(oci, bundle, tmp_path):
    if tuple(int(part) for part in os.uname().release.split(".")[:2]) < (6, 3):
        pytest.skip("kernel: a tmpfs cannot be id-mapped before Linux 6.3")
    subprocess.run(["mount", "-t", "tmpfs", "none", tmp_path], check=True)
    try:
        (tmp_path / "file").touch()
        entry = bind(tmp_path, "/mnt")
        for kind in ("uidMappings", "gidMappings"):
            entry[kind] = [{"containerID": 0, "hostID": 7000, "size": 1}]
        container = running(oci, bundle)
        add(container, entry).succeeded()
        assert output(container, "stat -c %u:%g /mnt/file") == "7000:7000\n"
        oci.delete_all()
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_a_tmpfs_is_filled_and_read_only(oci, bundle):
    (bundle.rootfs / "home/file").write_text("content\n")
    (bundle.rootfs / "home").chmod(0o751)
    container = running(oci, bundle)
    add(container, mount("/home", options=["tmpcopyup", "ro"])).succeeded()
    assert output(container, "cat /home/file; stat -c %a /home; touch /home/x 2>&1; true") == \
        "content\n751\ntouch: /home/x: Read-only file system\n"


def test_a_message_queue_is_that_of_the_container(oci, bundle):
    bundle.without_mount("/dev/mqueue")
    container = running(oci, bundle)
    add(container, mount("/mnt", "mqueue", "mqueue")).succeeded()
    name = f"queue-{os.getpid()}"
    output(container, f"touch /mnt/{name}")
    (bundle.path / "queues").mkdir()
    subprocess.run(["mount", "-t", "mqueue", "none", bundle.path / "queues"], check=True)
    found = os.listdir(bundle.path / "queues")
    subprocess.run(["umount", bundle.path / "queues"], check=True)
    assert name not in found


def test_created_and_paused_containers(oci, bundle, source):
    container = oci.create(bundle.sh("cat /mnt/file; echo ready; exec sleep 1000"))
    add(container, bind(source, "/mnt")).succeeded()
    container.start().wait_output("content\nready")
    oci("pause", container.id).succeeded()
    add(container, mount("/data")).succeeded()
    assert container.status == "paused"
    assert at(container, "/data")
    remove(container, "/data").succeeded()
    assert not at(container, "/data")


def test_all_or_nothing(oci, bundle, source):
    container = running(oci, bundle)
    before = container.proc("mountinfo")
    (bundle.rootfs / "home/file").touch()
    add(container, mount("/data"), bind(source / "file", "/mnt/file"), mount("/home/file")).failed(
        "/mounts/2", "mount tmpfs at /home/file", "not a directory")
    assert container.proc("mountinfo") == before
    add(container, mount("/data"), bind(source / "missing", "/mnt/file")).failed("/mounts/1/source", "no such file")
    add(container, mount("/data"), mount("/data/x", options=["size=many"])).failed("/mounts/1", "size")
    assert container.proc("mountinfo") == before


@pytest.mark.parametrize("entry, texts", [
    (mount("/mnt", options=["remount"]), ["/mounts/1/options", "remount"]),
    (mount("/mnt", "cgroup"), ["/mounts/1/type", "cgroup"]),
    (mount("/mnt", "proc"), ["/mounts/1/type", "proc", "masked"]),
    (mount("/mnt", "sysfs"), ["/mounts/1/type", "sysfs", "masked"]),
    (mount("/"), ["/mounts/1/destination", "root of the container"]),
    (mount("/proc"), ["/mounts/1/destination", "/proc"]),
    (mount("/proc/self"), ["/mounts/1/destination", "below /proc"]),
    (bind("/sys", "/sys"), ["/mounts/1/destination", "/sys"]),
    (mount("/dev"), ["/mounts/1/destination", "/dev"]),
    (mount("/sys/firmware"), ["/mounts/1/destination", "/sys/firmware", "masked"]),
    (mount("/secret"), ["/mounts/1/destination", "/secret/masked", "masked"]),
    ({"type": "tmpfs"}, ["/mounts/1/destination", "is required"]),
])
def test_what_cannot_be_added(oci, bundle, entry, texts):
    bundle.linux["maskedPaths"].append("/secret/masked")
    container = running(oci, bundle)
    before = container.proc("mountinfo")
    add(container, mount("/data"), entry).failed(*texts)
    assert container.proc("mountinfo") == before


@pytest.mark.parametrize("text, message", [
    ("", "not valid JSON"),
    ("[} ", "not valid JSON"),
    ("[] []", "not valid JSON"),
    ("{}", "/mounts: is required"),
    ('"x"', "must be a JSON object"),
    ('[{"destination": "/a", "destination": "/b"}]', "/mounts/0/destination: is given twice"),
])
def test_files_that_are_no_mounts(oci, bundle, text, message):
    container = running(oci, bundle)
    for verb in ("add", "remove"):
        oci("mounts", verb, container.id, "-", input=text).failed(f"mounts {verb} {container.id}", message)


def test_the_mounts_stay_in_the_container(oci, bundle, source):
    container = running(oci, bundle)
    before = pathlib.Path("/proc/self/mountinfo").read_text()
    add(container, bind(source, "/mnt"), mount("/data")).succeeded()
    assert pathlib.Path("/proc/self/mountinfo").read_text() == before


def test_containers_that_have_no_mounts_of_their_own(oci, bundle):
    bundle.namespaces("pid", "ipc", "uts", "network", "cgroup")
    container = running(oci, bundle)
    add(container, mount("/mnt")).failed("no mount namespace of its own")
    remove(container, "/tmp").failed("no mount namespace of its own")


def test_containers_that_do_not_run(oci, bundle):
    container = oci.run_detached(bundle.args("true"))
    container.wait()
    add(container, mount("/mnt")).failed(f"mounts add {container.id}", "container not running")
    oci("mounts", "list", container.id).failed("container not running")
    oci("mounts", "list", "nobody").failed("container does not exist")


def test_command_lines(oci, bundle):
    container = running(oci, bundle)
    oci("mounts", "add", container.id).failed("FILE with mounts is needed")
    oci("mounts", "list", container.id, "-").failed("takes no FILE")
    oci("mounts", "change", container.id, "-").failed('"change" is none of add, remove and list')
    oci("mounts", "add", "--format", "json", container.id, "-").failed("--format belongs to list")


# ---- safety


def test_no_link_leads_out_of_the_container(oci, bundle, source, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (bundle.rootfs / "link").symlink_to(f"../../../../../../../../..{outside}")
    (bundle.rootfs / "root").rmdir()
    (bundle.rootfs / "root").symlink_to("/")
    (bundle.rootfs / "kernel").symlink_to("/proc/sys")
    container = running(oci, bundle)
    add(container, bind(source, "/link/deeper")).succeeded()
    assert at(container, f"{outside}/deeper") and os.listdir(outside) == []
    before = container.proc("mountinfo")
    add(container, mount("/root")).failed("/mounts/0", "root of the container")
    add(container, mount("/kernel")).failed("/mounts/0", "inside /proc")
    add(container, mount("/kernel", options=["tmpcopyup"])).failed("/mounts/0", "inside /proc")
    assert container.proc("mountinfo") == before


def test_a_target_that_changes_all_the_time(oci, bundle, source, tmp_path):
    """The container swaps a folder for a link to the host's path while it is mounted on."""
    outside = tmp_path / "outside"
    outside.mkdir()
    swap = f"mkdir /a /b; ln -s {outside} /a/x; mkdir /b/x; echo ready; while :; do mv /a /c; mv /b /a; mv /c /b; done"
    container = running(oci, bundle, swap)
    before = pathlib.Path("/proc/self/mountinfo").read_text()
    done = 0
    for _ in range(50):
        # A folder that is away is made again, and then the container's mv moves into it: all that is fine.
        done += add(container, bind(source, "/a/x/y")).rc == 0
    assert done > 0
    assert os.listdir(outside) == []
    assert pathlib.Path("/proc/self/mountinfo").read_text() == before


def test_the_helper_is_not_seen_and_not_touched(oci, bundle, source):
    """Where the container has the host's processes before it, it cannot look into the one that mounts."""
    bundle.namespaces("mount", "ipc", "uts", "network", "cgroup").user_namespace()
    look = """echo ready; while :; do for p in /proc/[0-9]*; do
        read name <$p/comm && [ "$name" = oci-run ] && { readlink $p/exe; ls $p/root/ >/dev/null && echo root; ls $p/fd/ >/dev/null && echo fd; } 2>/dev/null
        done; done"""
    bundle.add_capabilities("CAP_SYS_PTRACE", "CAP_SYS_ADMIN")
    bundle.without_mount("/proc").mount("/proc", "bind", "/proc", ["rbind"])
    container = running(oci, bundle, look)
    for number in range(10):
        add(container, bind(source, f"/mnt/{number}")).succeeded()
    assert container.output() == "ready\n"


REMOUNT = "mount -o remount,bind,rw /mnt 2>/dev/null && echo writable; touch /mnt/x 2>/dev/null && echo written; " \
    "umount /mnt/below 2>/dev/null && echo uncovered; ls /mnt/below; echo end"


@pytest.mark.parametrize("host_side", [True, False], ids=["read-only on the host", "read-only by its options"])
def test_a_user_namespace_cannot_unlock(oci, bundle, source, host_side):
    """process: capabilities in its own user namespace. The folder is one that only root of the host can enter."""
    bundle.path.chmod(0o711)
    private = bundle.path / "private"
    private.mkdir(mode=0o700)
    bundle.user_namespace().add_capabilities("CAP_SYS_ADMIN")
    os.chown(source, 100000, 100000)
    subprocess.run(["mount", "--rbind", source, private], check=True)
    try:
        if host_side:
            subprocess.run(["mount", "-o", "remount,bind,ro", private], check=True)
        container = running(oci, bundle)
        add(container, mount("/mnt", "bind", private, ["rbind", *([] if host_side else ["ro"])])).succeeded()
        assert output(container, f"cat /mnt/file; {REMOUNT}") == "content\nend\n"
        remove(container, "/mnt/below").failed("/mounts/0/destination", "locked")
        oci.delete_all()
    finally:
        subprocess.run(["umount", "--recursive", private], check=True)


def test_mounts_in_a_user_namespace(oci, bundle, source):
    container = running(oci, bundle.user_namespace())
    add(container, bind(source / "file", "/mnt/file"), mount("/data", options=["mode=700"]),
        mount("/queue", "mqueue", "mqueue")).succeeded()
    assert output(container, "cat /mnt/file; stat -c '%u %a' /data; touch /data/x; stat -c %u /data/x") == \
        "content\n0 700\n0\n"
    # What was made on the way belongs to the container's root.
    assert (bundle.rootfs / "data").stat().st_uid == 100000
    remove(container, "/data", "/mnt/file").succeeded()
    assert not at(container, "/data") and not at(container, "/mnt/file")
    assert stat.S_ISREG((bundle.rootfs / "mnt/file").stat().st_mode)


# ---- remove


def test_remove_takes_the_top_mount(oci, bundle, source):
    container = running(oci, bundle)
    add(container, mount("/mnt"), bind(source, "/mnt"), mount("/mnt/below")).succeeded()
    assert output(container, "ls /mnt") == "below\nfile\n"
    remove(container, "/mnt").succeeded()
    assert output(container, "ls /mnt") == ""
    remove(container, "/mnt").succeeded()
    assert not at(container, "/mnt")
    remove(container, "/mnt").failed("/mounts/0/destination", "nothing is mounted at /mnt")


def test_remove_nothing_unless_all_are_there(oci, bundle):
    container = running(oci, bundle)
    add(container, mount("/data"), mount("/data/below")).succeeded()
    remove(container, "/data", "/mnt").failed("/mounts/1/destination", "nothing is mounted")
    remove(container, "/data", "/missing").failed("/mounts/1/destination", "no such file")
    assert at(container, "/data")
    remove(container, "/data", "/data/below").succeeded()
    assert not at(container, "/data") and not at(container, "/data/below")


@pytest.mark.parametrize("destination, text", [
    ("/", "root of the container"),
    ("/proc", "/proc"),
    ("/proc/kcore", "below /proc"),
    ("/sys", "/sys"),
    ("/sys/firmware", "masked"),
    ("/sys/fs/cgroup", "needs"),
    ("/dev", "/dev"),
    ("/dev/pts", "needs"),
    ("/dev/null", "needs"),
    ("/masked", "masked"),
    ("/volume", "/volume/masked"),
    ("/real", "masked"),
])
def test_what_must_stay(oci, bundle, source, destination, text):
    for folder in ("masked", "real", "volume"):
        (bundle.rootfs / folder).mkdir()
    (bundle.rootfs / "alias").symlink_to("real")
    (source / "masked").mkdir()
    bundle.bind(source, "/volume")
    bundle.linux["maskedPaths"] += ["/masked", "/volume/masked", "/alias"]
    container = running(oci, bundle)
    before = container.proc("mountinfo")
    remove(container, destination).failed("/mounts/0/destination", text)
    assert container.proc("mountinfo") == before


def test_a_link_does_not_lead_to_another_mount(oci, bundle):
    (bundle.rootfs / "link").symlink_to("/dev")
    container = running(oci, bundle)
    remove(container, "/link/shm").failed("/mounts/0/destination", "symbolic link")
    assert at(container, "/dev/shm")


# ---- list


def test_list(oci, bundle, source):
    container = running(oci, bundle)
    add(container, mount("/a b\n", options=["ro", "nosuid"]), bind(source, "/mnt", "rshared")).succeeded()
    listed = json.loads(oci("mounts", "list", "--format", "json", container.id).succeeded().out)
    assert listed[0]["destination"] == "/"
    new, bound = ([one for one in listed if one["destination"] == where][0] for where in ("/a b\n", "/mnt"))
    assert (new["type"], new["source"]) == ("tmpfs", "tmpfs")
    assert {"ro", "nosuid", "private"} <= set(new["options"]) and "root" not in new
    assert "shared" in bound["options"] and bound["root"].endswith("/source")
    assert len(listed) == len(container.proc("mountinfo").splitlines())
    lines = oci("mounts", "list", container.id).succeeded().out.splitlines()
    assert lines[0].split() == ["DESTINATION", "TYPE", "SOURCE", "OPTIONS"]
    assert ["/proc", "proc", "proc"] in [line.split()[:3] for line in lines]
    assert any(line.startswith("/a b\\") for line in lines)
    assert len(lines) == len(listed) + 1
