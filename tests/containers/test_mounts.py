# SPDX-License-Identifier: Apache-2.0
"""config.json "mounts": every option of the specification's table, the file system types, targets and order."""

import os
import pathlib
import stat
import subprocess

import pytest

from harness import parse_mountinfo


def mounts_in(oci, bundle):
    return parse_mountinfo(oci.output_of(bundle, "cat /proc/self/mountinfo"))


def at(mounts, target):
    found = [mount for mount in mounts if mount.target == target]
    assert len(found) == 1, f"{len(found)} mounts at {target}"
    return found[0]


def mounted(oci, bundle, target):
    return at(mounts_in(oci, bundle), target)


# ---- options of one mount

PRESENT = ["ro", "rw", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime", "nosymfollow"]
SUPER_BLOCK = ["sync", "dirsync", "lazytime"]
# (options, what must be missing among the mount's and its super block's options)
ABSENT = [
    (["nosuid", "suid"], "nosuid"), (["nodev", "dev"], "nodev"), (["noexec", "exec"], "noexec"),
    (["ro", "rw"], "ro"), (["noatime", "atime"], "noatime"), (["nodiratime", "diratime"], "nodiratime"),
    (["nosymfollow", "symfollow"], "nosymfollow"), (["sync", "async"], "sync"), (["lazytime", "nolazytime"], "lazytime"),
    (["strictatime"], "relatime"), (["strictatime"], "noatime"), (["ro", "defaults", "rw"], "ro"),
]
# Options that change nothing that can be seen (the kernel ignores or hides them), but must be understood.
ACCEPTED = ["defaults", "async", "atime", "dev", "diratime", "exec", "iversion", "loud", "mand", "noiversion",
            "nolazytime", "nomand", "norelatime", "nostrictatime", "silent", "suid", "symfollow"]


@pytest.mark.parametrize("option", PRESENT)
def test_option_sets_the_attribute(oci, bundle, option):
    bundle.mount("/mnt", "tmpfs", "tmpfs", [option])
    names = {"nosymfollow": "nosymfollow"}
    assert names.get(option, option) in mounted(oci, bundle, "/mnt").options


@pytest.mark.parametrize("option", SUPER_BLOCK)
def test_option_of_the_super_block(oci, bundle, option):
    bundle.mount("/mnt", "tmpfs", "tmpfs", [option])
    assert option in mounted(oci, bundle, "/mnt").super_options


@pytest.mark.parametrize("options, absent", ABSENT)
def test_of_contradicting_options_the_last_counts(oci, bundle, options, absent):
    bundle.mount("/mnt", "tmpfs", "tmpfs", options)
    mount = mounted(oci, bundle, "/mnt")
    assert absent not in mount.options + mount.super_options


@pytest.mark.parametrize("option", ACCEPTED)
def test_option_is_understood(oci, bundle, option):
    bundle.mount("/mnt", "tmpfs", "tmpfs", [option, "size=64k"])
    mount = mounted(oci, bundle, "/mnt")
    assert mount.type == "tmpfs" and "size=64k" in mount.super_options


def test_nostrictatime_takes_strictatime_back(oci, bundle):
    bundle.mount("/mnt", "tmpfs", "tmpfs", ["strictatime", "nostrictatime"])
    assert "relatime" in mounted(oci, bundle, "/mnt").options


def test_readonly_tmpfs_cannot_be_written(oci, bundle):
    bundle.mount("/mnt", "tmpfs", "tmpfs", ["ro"])
    assert "Read-only file system" in oci.output_of(bundle, "echo x 2>&1 > /mnt/f || true; touch /mnt/f 2>&1 || true")


def test_noexec_has_an_effect(oci, bundle):
    bundle.mount("/mnt", "tmpfs", "tmpfs", ["noexec"])
    assert "Permission denied" in oci.output_of(bundle, "cp /bin/busybox /mnt/x; /mnt/x true 2>&1 || true")


def test_remount_changes_the_mount_that_is_there(oci, bundle):
    bundle.mount("/mnt", "tmpfs", "tmpfs", ["size=64k", "nosuid"]).mount("/mnt", options=["remount", "ro", "nosuid"])
    mount = mounted(oci, bundle, "/mnt")
    assert {"ro", "nosuid"} <= set(mount.options) and "size=64k" in mount.super_options


def test_filesystem_specific_options_are_passed_on(oci, bundle):
    bundle.mount("/mnt", "tmpfs", "tmpfs", ["nr_inodes=17", "mode=1750", "uid=5", "gid=6"])
    assert "nr_inodes=17" in mounted(oci, bundle, "/mnt").super_options
    assert oci.output_of(bundle, "stat -c '%a %u %g' /mnt") == "1750 5 6\n"


def test_option_that_the_filesystem_does_not_know(oci, bundle):
    bundle.mount("/mnt", "tmpfs", "tmpfs", ["no_such_option=1"]).args("true")
    oci.run(bundle).failed("/mnt", "invalid argument")


# ---- bind mounts


@pytest.fixture
def source(bundle):
    """A folder on the host with a file and a folder `sub`."""
    folder = bundle.path / "source"
    (folder / "sub").mkdir(parents=True)
    (folder / "file").write_text("from the host\n")
    return folder


@pytest.fixture
def source_with_submount(source, host_mount):
    host_mount("-t", "tmpfs", "-o", "size=1m", "submount", source / "sub")
    (source / "sub/inner").write_text("from the submount\n")
    return source


def test_bind_of_a_folder(oci, bundle, source):
    bundle.bind(source, "/mnt")
    assert oci.output_of(bundle, "cat /mnt/file; echo changed > /mnt/file") == "from the host\n"
    assert (source / "file").read_text() == "changed\n"


def test_bind_of_a_file(oci, bundle, source):
    bundle.bind(source / "file", "/etc/bound/file")
    assert oci.output_of(bundle, "cat /etc/bound/file") == "from the host\n"
    assert (bundle.rootfs / "etc/bound/file").read_bytes() == b""


def test_bind_of_a_device_and_of_a_fifo(oci, bundle):
    os.mkfifo(bundle.path / "fifo")
    bundle.bind(bundle.path / "fifo", "/etc/fifo").bind("/dev/null", "/etc/null")
    assert oci.output_of(bundle, "stat -c %F /etc/fifo /etc/null") == "fifo\ncharacter special file\n"


def test_bind_with_type_none_or_without_type(oci, bundle, source):
    bundle.mount("/mnt/a", "none", str(source), ["rbind"]).mount("/mnt/b", source=str(source), options=["bind"])
    assert oci.output_of(bundle, "cat /mnt/a/file /mnt/b/file") == "from the host\n" * 2


def test_relative_source_is_relative_to_the_bundle(oci, bundle, source):
    bundle.bind("source", "/mnt")
    assert oci.output_of(bundle, "cat /mnt/file") == "from the host\n"


def test_relative_destination_is_relative_to_the_root(oci, bundle, source):
    bundle.bind(source, "mnt/deep")
    bundle.process["cwd"] = "/tmp"
    assert oci.output_of(bundle, "cat /mnt/deep/file") == "from the host\n"


def test_bind_ignores_options_of_file_systems(oci, bundle, source):
    completed = oci.run(bundle.bind(source, "/mnt", "mode=755", "ro").sh("cat /mnt/file; touch /mnt/file"))
    assert "Read-only file system" in completed.err
    assert 'level=warning msg="config.json: /mounts/' in completed.err and "mode=755" in completed.err


def test_readonly_bind(oci, bundle, source):
    bundle.bind(source, "/mnt", "ro")
    assert "Read-only file system" in oci.output_of(bundle, "rm /mnt/file 2>&1 || true")
    (source / "file").write_text("the host may\n")


def test_bind_keeps_the_sources_flags(oci, bundle, source, host_mount):
    host_mount("-t", "tmpfs", "-o", "nosuid,nodev,noexec,noatime", "flags", source / "sub")
    bundle.bind(source / "sub", "/mnt", "ro")
    assert {"ro", "nosuid", "nodev", "noexec", "noatime"} <= set(mounted(oci, bundle, "/mnt").options)


def test_bind_leaves_submounts_out_and_rbind_takes_them(oci, bundle, source_with_submount):
    bundle.bind(source_with_submount, "/mnt/a").mount("/mnt/b", "bind", str(source_with_submount), ["rbind"])
    assert oci.output_of(bundle, "ls /mnt/a/sub; ls /mnt/b/sub") == "inner\n"


def test_bind_of_a_folder_over_itself_in_the_container(oci, bundle, source):
    bundle.bind(source, "/mnt").bind(bundle.rootfs / "etc", "/mnt/sub")
    (bundle.rootfs / "etc/marker").write_text("x")
    assert oci.output_of(bundle, "ls /mnt/sub") == "marker\n"


def test_missing_source(oci, bundle):
    oci.run(bundle.bind("/no/such/source", "/mnt").args("true")).failed("/no/such/source", "no such file or directory")


# ---- recursive options: (option, present in both mounts) and, for those that take away, what the submount has at first

RECURSIVE_SET = {
    "rro": "ro", "rnosuid": "nosuid", "rnodev": "nodev", "rnoexec": "noexec", "rnoatime": "noatime",
    "rnodiratime": "nodiratime", "rrelatime": "relatime", "rnosymfollow": "nosymfollow",
}
RECURSIVE_CLEAR = {
    "rrw": ["ro"], "rsuid": ["nosuid"], "rdev": ["nodev"], "rexec": ["noexec"], "ratime": ["noatime"],
    "rdiratime": ["nodiratime"], "rsymfollow": ["nosymfollow"], "rstrictatime": ["relatime", "noatime"],
}


@pytest.mark.parametrize("option", RECURSIVE_SET)
def test_recursive_option_sets(oci, bundle, source_with_submount, option):
    bundle.mount("/mnt", "bind", str(source_with_submount), ["rbind", option])
    mounts = mounts_in(oci, bundle)
    for target in ("/mnt", "/mnt/sub"):
        assert RECURSIVE_SET[option] in at(mounts, target).options


@pytest.mark.parametrize("option", RECURSIVE_CLEAR)
def test_recursive_option_clears(oci, bundle, source, host_mount, option):
    absent = RECURSIVE_CLEAR[option]
    at_first = [name for name in absent if name != "relatime"]
    host_mount("-t", "tmpfs", "-o", ",".join(at_first), "submount", source / "sub")
    bundle.mount("/mnt", "bind", str(source), ["rbind", option])
    mounts = mounts_in(oci, bundle)
    for target in ("/mnt", "/mnt/sub"):
        assert not set(absent) & set(at(mounts, target).options)


@pytest.mark.parametrize("option", ["rnorelatime", "rnostrictatime"])
def test_recursive_option_is_understood(oci, bundle, source_with_submount, option):
    bundle.mount("/mnt", "bind", str(source_with_submount), ["rbind", option])
    assert at(mounts_in(oci, bundle), "/mnt/sub").type == "tmpfs"


def test_ro_is_not_recursive(oci, bundle, source_with_submount):
    bundle.mount("/mnt", "bind", str(source_with_submount), ["rbind", "ro"])
    mounts = mounts_in(oci, bundle)
    assert "ro" in at(mounts, "/mnt").options and "rw" in at(mounts, "/mnt/sub").options


def test_recursive_options_change_nothing_on_the_host(oci, bundle, source_with_submount):
    bundle.mount("/mnt", "bind", str(source_with_submount), ["rbind", "rro"])
    mounts_in(oci, bundle)
    (source_with_submount / "sub/inner").write_text("still writable")


# ---- propagation


@pytest.fixture
def shared_source(source, host_mount):
    """A mount of the host that is shared, with a shared submount."""
    host_mount("-t", "tmpfs", "shared", source)
    subprocess.run(["mount", "--make-shared", source], check=True)
    (source / "sub").mkdir()
    host_mount("-t", "tmpfs", "submount", source / "sub")
    return source


PROPAGATION = [
    ("private", None), ("rprivate", None), ("slave", "master:"), ("rslave", "master:"), ("shared", "shared:"),
    ("rshared", "shared:"), ("unbindable", "unbindable"), ("runbindable", "unbindable"),
]


@pytest.mark.parametrize("option, tag", PROPAGATION)
def test_propagation(oci, bundle, shared_source, option, tag):
    bundle.mount("/mnt", "bind", str(shared_source), ["rbind", option])
    mounts = mounts_in(oci, bundle)
    for target in ["/mnt"] + (["/mnt/sub"] if option.startswith("r") else []):
        tags = at(mounts, target).propagation
        if tag is None:
            assert tags == []
        else:
            assert any(one.startswith(tag) for one in tags), tags
            assert tag != "master:" or not any(one.startswith("shared:") for one in tags), tags


@pytest.mark.parametrize("option, arrives", [("rslave", True), ("rprivate", False)])
def test_mounts_made_later_on_the_host(oci, bundle, shared_source, host_mount, option, arrives):
    bundle.mount("/mnt", "bind", str(shared_source), ["rbind", option]).sh("read x; cat /proc/self/mountinfo")
    bundle.linux["rootfsPropagation"] = option
    reader, writer = os.pipe()
    with open(writer, "w") as trigger:
        container = oci.run_detached(bundle, stdin=reader)
        os.close(reader)
        host_mount("-t", "tmpfs", "later", shared_source / "sub")
        trigger.write("now\n")
    assert container.wait() == 0
    assert any(mount.source == "later" for mount in parse_mountinfo(container.output())) == arrives


def test_mounts_made_inside_a_shared_mount_reach_the_host(oci, bundle, shared_source):
    bundle.mount("/mnt", "bind", str(shared_source), ["rbind", "rshared"]).add_capabilities("CAP_SYS_ADMIN")
    bundle.linux["rootfsPropagation"] = "rshared"
    oci.output_of(bundle, "mkdir /mnt/new && mount -t tmpfs inside /mnt/new")
    assert " - tmpfs inside " in pathlib.Path("/proc/self/mountinfo").read_text()
    subprocess.run(["umount", shared_source / "new"], check=True)


def test_mounts_inside_do_not_reach_the_host(oci, bundle):
    subprocess.run(["mount", "--make-rshared", "/"], check=True)
    try:
        bundle.add_capabilities("CAP_SYS_ADMIN").sh("mount -t tmpfs inside /mnt && echo mounted && sleep 1000")
        container = oci.run_detached(bundle)
        container.wait_output("mounted")
        assert "inside" not in pathlib.Path("/proc/self/mountinfo").read_text()
        container.delete("--force")
    finally:
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)


# ---- types


def test_tmpfs_size(oci, bundle):
    bundle.mount("/mnt", "tmpfs", "tmpfs", ["size=64k"])
    assert "No space left" in oci.output_of(bundle, "dd if=/dev/zero of=/mnt/f bs=1k count=100 2>&1 || true")


def test_proc_shows_the_containers_processes(oci, bundle):
    assert oci.output_of(bundle, "cd /proc; echo [0-9]*") == "1\n"


def test_sysfs_shows_the_containers_network(oci, bundle):
    assert oci.output_of(bundle, "ls /sys/class/net") == "lo\n"


def test_mqueue(oci, bundle):
    assert oci.output_of(bundle, "touch /dev/mqueue/q; ls /dev/mqueue") == "q\n"
    assert mounted(oci, bundle, "/dev/mqueue").type == "mqueue"


def test_devpts(oci, bundle):
    assert oci.output_of(bundle, "stat -c '%a %t' /dev/pts/ptmx; ls /dev/pts") == "666 5\nptmx\n"


def test_default_file_systems_of_the_example(oci, bundle):
    types = {mount.target: mount.type for mount in mounts_in(oci, bundle)}
    assert types["/proc"] == "proc" and types["/sys"] == "sysfs"
    assert types["/dev/pts"] == "devpts" and types["/dev/shm"] == "tmpfs"


def test_cgroup_in_a_cgroup_namespace(oci, bundle):
    bundle.without_mount("/sys/fs/cgroup").mount("/sys/fs/cgroup", "cgroup", "cgroup", ["ro", "nosuid"])
    assert "cgroup" in [entry["type"] for entry in bundle.linux["namespaces"]]
    assert oci.output_of(bundle, "cat /sys/fs/cgroup/cgroup.procs | head -n 1; grep ^0: /proc/self/cgroup") == "1\n0::/\n"
    mount = mounted(oci, bundle, "/sys/fs/cgroup")
    assert mount.type == "cgroup2" and mount.root == "/" and "ro" in mount.options


def test_cgroup_without_a_cgroup_namespace_shows_the_host_s(oci, bundle):
    bundle.without_mount("/sys/fs/cgroup").mount("/sys/fs/cgroup", "cgroup", "cgroup", ["ro"])
    bundle.namespaces("pid", "network", "ipc", "uts", "mount")
    bundle.linux["cgroupsPath"] = "/parent/own"
    script = "path=$(sed -n s/^0:://p /proc/self/cgroup); echo $path; head -n 1 /sys/fs/cgroup$path/cgroup.procs"
    assert oci.output_of(bundle, script) == "/parent/own\n1\n"


def test_writable_cgroup(oci, bundle):
    bundle.without_mount("/sys/fs/cgroup").mount("/sys/fs/cgroup", "cgroup", "cgroup", ["rw"])
    assert oci.output_of(bundle, "mkdir /sys/fs/cgroup/child; rmdir /sys/fs/cgroup/child") == ""


def test_any_other_type_with_its_own_options(oci, bundle):
    for name in ("lower", "upper", "work"):
        (bundle.path / name).mkdir()
    (bundle.path / "lower/below").write_text("below\n")
    options = [f"lowerdir={bundle.path}/lower", f"upperdir={bundle.path}/upper", f"workdir={bundle.path}/work"]
    bundle.mount("/mnt", "overlay", "overlay", options)
    assert oci.output_of(bundle, "cat /mnt/below; echo above > /mnt/above") == "below\n"
    assert (bundle.path / "upper/above").read_text() == "above\n"


def test_unknown_type(oci, bundle):
    oci.run(bundle.mount("/mnt", "nosuchfs", "x").args("true")).failed("/mnt", "nosuchfs", "no such device")


def test_tmpcopyup(oci, bundle):
    folder = bundle.rootfs / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub/file").write_text("kept\n")
    (folder / "link").symlink_to("sub/file")
    os.chown(folder / "sub/file", 7, 8)
    (folder / "sub/file").chmod(0o640)
    folder.chmod(0o751)
    bundle.mount("/data", "tmpfs", "tmpfs", ["tmpcopyup"]).add_capabilities("CAP_DAC_OVERRIDE")
    script = "cat /data/link; stat -c '%a %u %g' /data/sub/file; stat -c %a /data; echo new > /data/sub/file"
    assert oci.output_of(bundle, script) == "kept\n640 7 8\n751\n"
    assert mounted(oci, bundle, "/data").type == "tmpfs"
    assert (folder / "sub/file").read_text() == "kept\n"


# ---- targets and order


def test_missing_targets_are_created(oci, bundle, source):
    bundle.mount("/a/b/c", "tmpfs", "tmpfs").bind(source, "/x/y")
    assert oci.output_of(bundle, "stat -c '%F %u %a' /a/b /x") == "directory 0 755\n" * 2


def test_targets_are_resolved_inside_the_root(oci, bundle, source):
    (bundle.rootfs / "absolute").symlink_to("/etc")
    (bundle.rootfs / "climbing").symlink_to("../../../../etc")
    bundle.bind(source, "/absolute/one").bind(source / "file", "/climbing/two")
    assert oci.output_of(bundle, "cat /etc/one/file /etc/two") == "from the host\n" * 2


def test_a_dangling_link_as_target_stays_inside_the_root(oci, bundle, source):
    (bundle.rootfs / "etc/localtime").symlink_to("/usr/share/zoneinfo/Mars")
    bundle.bind(source / "file", "/etc/localtime")
    assert oci.output_of(bundle, "cat /etc/localtime") == "from the host\n"
    assert not pathlib.Path("/usr/share/zoneinfo/Mars").exists()


def test_mounts_are_made_in_the_listed_order(oci, bundle, source):
    bundle.mount("/mnt", "tmpfs", "tmpfs").bind(source, "/mnt/inner")
    assert oci.output_of(bundle, "ls /mnt") == "inner\n"


def test_a_later_mount_covers_an_earlier_one(oci, bundle, source):
    bundle.bind(source, "/mnt/inner").mount("/mnt", "tmpfs", "tmpfs")
    assert oci.output_of(bundle, "ls /mnt") == ""


def test_targets_below_a_readonly_tmpfs_are_still_made(oci, bundle, source):
    bundle.mount("/mnt", "tmpfs", "tmpfs", ["ro"]).bind(source, "/mnt/inner")
    assert oci.output_of(bundle, "cat /mnt/inner/file; mkdir /mnt/x 2>/dev/null || echo refused") == \
        "from the host\nrefused\n"


def test_a_folder_cannot_cover_a_file(oci, bundle, source):
    (bundle.rootfs / "etc/file").write_text("x")
    oci.run(bundle.bind(source, "/etc/file").args("true")).failed("/etc/file", "not a directory")


def test_a_rootfs_without_mount_points(oci, bundle):
    for name in ("dev", "proc", "sys"):
        (bundle.rootfs / name).rmdir()
    assert oci.output_of(bundle, "stat -c %F /dev/null /proc/self") == "character special file\nsymbolic link\n"


def test_nothing_of_the_host_is_mounted(oci, bundle):
    folder = str(bundle.path)
    allowed = {"/", "/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/sys/fs/cgroup"}
    bundle.linux["maskedPaths"] = bundle.linux["readonlyPaths"] = []
    mounts = mounts_in(oci, bundle)
    assert {mount.target for mount in mounts} <= allowed
    assert not any(folder in mount.target for mount in mounts)


# ---- the root itself


@pytest.mark.parametrize("absolute", [True, False])
def test_root_path(oci, bundle, absolute):
    (bundle.rootfs / "marker").write_text("here\n")
    bundle.config["root"]["path"] = str(bundle.rootfs) if absolute else "rootfs"
    assert oci.output_of(bundle, "cat /marker") == "here\n"


def test_root_with_another_name(oci, bundle):
    bundle.rootfs.rename(bundle.path / "image")
    bundle.config["root"]["path"] = "image/"
    assert oci.output_of(bundle, "ls -d /bin") == "/bin\n"


def test_readonly_root(oci, bundle):
    bundle.config["root"]["readonly"] = True
    assert oci.output_of(bundle, "touch /x 2>/dev/null || echo refused; touch /dev/shm/x && echo ok") == "refused\nok\n"
    assert "ro" in mounted(oci, bundle, "/").options
    (bundle.rootfs / "x").write_text("the host may")


def test_readonly_root_with_targets_to_create(oci, bundle, source):
    bundle.config["root"]["readonly"] = True
    bundle.process["cwd"] = "/new/cwd"
    bundle.bind(source, "/new/mount")
    assert oci.output_of(bundle, "cat /new/mount/file; pwd") == "from the host\n/new/cwd\n"


@pytest.mark.parametrize("value, tag", [
    ("private", None), ("rprivate", None), ("slave", "master:"), ("rslave", "master:"), ("shared", "shared:"),
    ("rshared", "shared:"), ("unbindable", "unbindable"), ("runbindable", "unbindable")])
def test_rootfs_propagation(oci, bundle, host_mount, value, tag):
    host_mount("--bind", bundle.path, bundle.path)
    subprocess.run(["mount", "--make-shared", bundle.path], check=True)
    bundle.linux["rootfsPropagation"] = value
    tags = mounted(oci, bundle, "/").propagation
    if tag is None:
        assert tags == []
    else:
        assert any(one.startswith(tag) for one in tags), tags


def test_masked_and_readonly_paths(oci, bundle):
    (bundle.rootfs / "secret").mkdir()
    (bundle.rootfs / "secret/inside").write_text("hidden")
    (bundle.rootfs / "secret-file").write_text("hidden")
    (bundle.rootfs / "fixed").mkdir()
    bundle.linux["maskedPaths"] = ["/secret", "/secret-file", "/proc/uptime", "/not/there"]
    bundle.linux["readonlyPaths"] = ["/fixed", "/proc/sys", "/etc/not-there"]
    out = oci.output_of(bundle, """
        ls -A /secret; cat /secret-file /proc/uptime
        stat -c '%F %t:%T' /secret-file /proc/uptime
        touch /secret/x 2>/dev/null || echo refused
        touch /fixed/x 2>/dev/null || echo refused
        echo 1 2>/dev/null > /proc/sys/kernel/domainname || echo refused
        echo visible > /dev/null""")
    assert out == "character special file 1:3\n" * 2 + "refused\n" * 3


def test_a_file_as_readonly_path_keeps_its_content(oci, bundle):
    (bundle.rootfs / "etc/fixed").write_text("content\n")
    bundle.linux["readonlyPaths"] = ["/etc/fixed"]
    assert oci.output_of(bundle, "cat /etc/fixed; echo x 2>/dev/null >> /etc/fixed || echo refused") == \
        "content\nrefused\n"


def test_readonly_paths_keep_the_flags_of_their_mount(oci, bundle):
    bundle.linux["readonlyPaths"] = ["/proc/sys"]
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(mounted(oci, bundle, "/proc/sys").options) or \
        "nosuid" not in mounted(oci, bundle, "/proc").options


def test_the_root_as_readonly_path(oci, bundle):
    bundle.linux["readonlyPaths"] = ["/"]
    assert oci.output_of(bundle, "touch /x 2>/dev/null || echo refused; touch /dev/shm/x && echo written") == \
        "refused\nwritten\n"


def test_what_is_mounted_below_a_readonly_path_stays_writable(oci, bundle):
    (bundle.rootfs / "data").mkdir()
    bundle.mount("/data/volume", "tmpfs", "tmpfs")
    bundle.linux["readonlyPaths"] = ["/data"]
    assert oci.output_of(bundle, "touch /data/x 2>/dev/null || echo refused; touch /data/volume/x && echo written") == \
        "refused\nwritten\n"


@pytest.mark.parametrize("member", ["maskedPaths", "readonlyPaths"])
def test_a_path_through_a_file_is_not_protected_by_saying_nothing(oci, bundle, member):
    bundle.linux[member] = ["/etc/passwd/"]
    (bundle.rootfs / "etc/passwd").write_text("secret\n")
    oci.run(bundle.sh("cat /etc/passwd")).failed("/etc/passwd/", "not a directory")


def test_no_pivot(oci, bundle):
    (bundle.rootfs / "marker").write_text("here\n")
    completed = oci.run(bundle.sh("cat /marker; ls -d /../../marker; stat -c %F /dev/null"), "--no-pivot").succeeded()
    assert completed.out == "here\n/../../marker\ncharacter special file\n"


def test_special_bits_and_types_of_sources_stay(oci, bundle, source):
    (source / "file").chmod(0o4755)
    bundle.bind(source / "file", "/etc/suid")
    assert stat.S_IMODE(os.stat(source / "file").st_mode) == 0o4755
    assert oci.output_of(bundle, "stat -c %a /etc/suid") == "4755\n"
