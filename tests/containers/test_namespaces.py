# SPDX-License-Identifier: Apache-2.0
"""linux.namespaces (new, inherited, by path), id mappings, time offsets, sysctl."""

import os
import pathlib
import re

import pytest

from harness import ALL_NAMESPACES, NAMESPACE_LINKS, namespace, status_fields

UNSHARE_OPTIONS = {
    "pid": ["--pid", "--fork"], "network": ["--net"], "ipc": ["--ipc"], "uts": ["--uts"], "cgroup": ["--cgroup"],
    "time": ["--time", "--fork"], "mount": ["--mount"],
}


def inside(oci, bundle, kind):
    return oci.output_of(bundle, f"readlink /proc/self/ns/{NAMESPACE_LINKS[kind]}").strip()


@pytest.mark.parametrize("kind", ALL_NAMESPACES + ["time"])
def test_new_namespace(oci, bundle, kind):
    bundle.namespaces(*{*ALL_NAMESPACES, kind})
    assert inside(oci, bundle, kind) != namespace(kind)


@pytest.mark.parametrize("kind", ["network", "ipc", "uts", "cgroup", "time", "pid"])
def test_namespace_that_is_not_listed_is_the_runtimes(oci, bundle, kind):
    bundle.namespaces(*[one for one in ALL_NAMESPACES if one != kind])
    for entry in ("hostname", "domainname"):
        bundle.config.pop(entry, None)
    bundle.without_mount("/sys").without_mount("/sys/fs/cgroup").without_mount("/dev/mqueue")
    assert inside(oci, bundle, kind) == namespace(kind)


@pytest.mark.parametrize("kind", ["network", "ipc", "uts", "cgroup", "time"])
def test_namespace_by_path(oci, bundle, holder, kind):
    path = holder(*UNSHARE_OPTIONS[kind]).path(kind)
    bundle.namespaces(*[one for one in ALL_NAMESPACES if one != kind], (kind, path))
    assert inside(oci, bundle, kind) == os.readlink(path)


def test_pid_namespace_by_path(oci, bundle, holder):
    path = holder(*UNSHARE_OPTIONS["pid"]).path("pid")
    bundle.namespaces(*[one for one in ALL_NAMESPACES if one != "pid"], ("pid", path))
    link, pid = oci.output_of(bundle, "readlink /proc/self/ns/pid; echo $$").split()
    assert link == os.readlink(path) and int(pid) > 1


def without_mount_namespace(bundle):
    bundle.linux["namespaces"] = [one for one in bundle.linux["namespaces"] if one["type"] != "mount"]
    return bundle


def test_mount_namespace_that_is_not_listed_is_the_runtimes(oci, bundle):
    bundle.mount("/mnt", "tmpfs", "tmpfs", ["ro"])
    (bundle.rootfs / "etc/secret").write_text("secret")
    bundle.linux["maskedPaths"] = ["/etc/secret"]
    before = pathlib.Path("/proc/self/mountinfo").read_text()
    container = oci.run_detached(without_mount_namespace(bundle).args("sleep", "1000"))
    assert namespace("mount", container.pid) == namespace("mount")
    # Nothing of the container is mounted for others to see; it has all of its mounts, and nothing but its files.
    assert pathlib.Path("/proc/self/mountinfo").read_text() == before
    for run in (container.exec, lambda *args: oci.run(bundle.args(*args))):
        assert run("ls", "/").succeeded().out.split() == sorted(os.listdir(bundle.rootfs))
        assert run("readlink", "/proc/self/ns/mnt").succeeded().out.strip() == namespace("mount")
        assert "Read-only" in run("touch", "/mnt/file").err
        assert run("cat", "/etc/secret").succeeded().out == ""
        assert run("sh", "-c", "echo x >/dev/null; cd ../../..; pwd; ls -d ../bin").succeeded().out == "/\n../bin\n"
    container.kill("KILL")
    container.wait()
    assert pathlib.Path("/proc/self/mountinfo").read_text() == before


def test_no_namespaces_at_all(oci, bundle):
    for entry in ("hostname", "domainname"):
        bundle.config.pop(entry, None)
    bundle.namespaces()
    bundle.without_mount("/sys").without_mount("/sys/fs/cgroup").without_mount("/dev/mqueue")
    script = "; ".join(f"readlink /proc/self/ns/{link}" for link in NAMESPACE_LINKS.values())
    assert oci.output_of(bundle, script).split() == [namespace(kind) for kind in NAMESPACE_LINKS]


def test_user_namespace_without_mount_namespace(oci, bundle):
    bundle.user_namespace()
    oci.run(without_mount_namespace(bundle)).failed(
        "/linux/namespaces: a mount namespace is required with a user namespace")


def test_mount_namespace_by_path(oci, bundle, holder):
    path = holder(*UNSHARE_OPTIONS["mount"]).path("mount")
    bundle.namespaces(*[one for one in ALL_NAMESPACES if one != "mount"], ("mount", path))
    assert inside(oci, bundle, "mount") == os.readlink(path)


def test_user_namespace_by_path(oci, bundle, holder):
    one = holder("--user")
    for name in ("uid_map", "gid_map"):
        pathlib.Path(f"/proc/{one.pid}/{name}").write_text("0 100000 65536")
    bundle.give_rootfs(100000)
    bundle.namespaces(*ALL_NAMESPACES, ("user", one.path("user")))
    out = oci.output_of(bundle, "readlink /proc/self/ns/user; cat /proc/self/uid_map; id -u").split()
    assert out == [os.readlink(one.path("user")), "0", "100000", "65536", "0"]


def test_user_and_network_namespace_by_path(oci, bundle, holder):
    """As pods do: the network namespace belongs to the user namespace."""
    one = holder("--user", "--net")
    for name in ("uid_map", "gid_map"):
        pathlib.Path(f"/proc/{one.pid}/{name}").write_text("0 100000 65536")
    bundle.give_rootfs(100000)
    rest = [kind for kind in ALL_NAMESPACES if kind != "network"]
    bundle.namespaces(*rest, ("user", one.path("user")), ("network", one.path("network")))
    out = oci.output_of(bundle, "readlink /proc/self/ns/user; readlink /proc/self/ns/net").split()
    assert out == [os.readlink(one.path("user")), os.readlink(one.path("network"))]


def test_network_namespace_by_path_with_a_new_user_namespace(oci, bundle, holder):
    path = holder("--net").path("network")
    rest = [kind for kind in ALL_NAMESPACES if kind != "network"]
    bundle.namespaces(*rest, ("network", path)).user_namespace()
    bundle.without_mount("/sys")
    bundle.without_mount("/sys/fs/cgroup")
    assert inside(oci, bundle, "network") == os.readlink(path)


def test_all_namespaces_of_another_container(oci, new_bundle):
    first = oci.run_detached(new_bundle().sh("sleep 1000"))
    kinds = [kind for kind in ALL_NAMESPACES if kind != "mount"]
    second = new_bundle()
    second.config.pop("hostname", None)
    second.namespaces("mount", *[(kind, f"/proc/{first.pid}/ns/{NAMESPACE_LINKS[kind]}") for kind in kinds])
    script = "for i in {}; do readlink /proc/self/ns/$i; done".format(" ".join(NAMESPACE_LINKS[kind] for kind in kinds))
    assert oci.output_of(second, script).split() == [namespace(kind, first.pid) for kind in kinds]
    assert first.status == "running"


def test_path_of_another_type_is_an_error(oci, bundle, holder):
    path = holder("--net").path("network")
    bundle.namespaces(*[one for one in ALL_NAMESPACES if one != "ipc"], ("ipc", path))
    oci.run(bundle.args("true")).failed(path)


def test_path_that_is_no_namespace_is_an_error(oci, bundle):
    bundle.namespaces(*[one for one in ALL_NAMESPACES if one != "ipc"], ("ipc", bundle.rootfs / "etc"))
    oci.run(bundle.args("true")).failed(str(bundle.rootfs / "etc"))


def test_path_that_does_not_exist_is_an_error(oci, bundle):
    bundle.namespaces(*[one for one in ALL_NAMESPACES if one != "ipc"], ("ipc", "/proc/1/ns/nothing"))
    oci.run(bundle.args("true")).failed("/proc/1/ns/nothing", "no such file or directory")


def test_a_new_network_namespace_is_empty(oci, bundle):
    assert oci.output_of(bundle, "ip -o link | wc -l; ip -o link") .startswith("1\n1: lo")


# ---- user namespaces


def test_user_namespace(oci, bundle):
    bundle.user_namespace()
    script = "readlink /proc/self/ns/user; cat /proc/self/uid_map /proc/self/gid_map; id -u; touch /made"
    link, *rest = oci.output_of(bundle, script).split()
    assert link != namespace("user")
    assert rest == ["0", "100000", "65536"] * 2 + ["0"]
    assert os.stat(bundle.rootfs / "made").st_uid == 100000


def test_user_namespace_with_several_mappings(oci, bundle):
    bundle.user_namespace()
    bundle.linux["uidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 10},
                                   {"containerID": 1000, "hostID": 201000, "size": 5}]
    bundle.process["user"] = {"uid": 1001, "gid": 3}
    lines = oci.output_of(bundle, "cat /proc/self/uid_map; id -u; touch /tmp/made").splitlines()
    assert [line.split() for line in lines] == [["0", "100000", "10"], ["1000", "201000", "5"], ["1001"]]
    made = os.stat(bundle.rootfs / "tmp/made")
    assert (made.st_uid, made.st_gid) == (201001, 100003)


def test_user_namespace_without_a_mapping_of_root(oci, bundle):
    bundle.user_namespace(container_id=1000, host_id=301000, size=1)
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    out = oci.output_of(bundle, "id -u; cat /proc/self/uid_map; grep CapEff /proc/self/status; touch /dev/shm/x")
    assert out.split() == ["1000", "1000", "301000", "1", "CapEff:", "0000000000000000"]


def test_user_namespace_with_the_callers_own_id(oci, bundle):
    """One id mapped to root, as rootless containers have it."""
    bundle.user_namespace(host_id=0, size=1)
    assert oci.output_of(bundle, "id -u; cat /proc/self/uid_map").split() == ["0", "0", "0", "1"]


def test_user_of_the_process_in_a_user_namespace(oci, bundle):
    bundle.user_namespace()
    bundle.process["user"] = {"uid": 5, "gid": 6, "additionalGids": [7]}
    fields = status_fields(oci.output_of(bundle, "cat /proc/self/status; touch /dev/shm/x"))
    assert (fields["Uid"].split()[0], fields["Gid"].split()[0], fields["Groups"]) == ("5", "6", "7")


def test_capabilities_in_a_user_namespace(oci, bundle):
    bundle.user_namespace().capabilities("CAP_CHOWN", "CAP_KILL")
    fields = status_fields(oci.output_of(bundle, "cat /proc/self/status"))
    assert [int(fields[name], 16) for name in ("CapPrm", "CapEff", "CapBnd")] == [0b100001] * 3


def test_devices_in_a_user_namespace_are_the_hosts(oci, bundle):
    bundle.user_namespace()
    script = "stat -c %t:%T /dev/null /dev/zero /dev/tty; echo x > /dev/null; head -c 2 /dev/zero | xxd -p"
    assert oci.output_of(bundle, script) == "1:3\n1:5\n5:0\n0000\n"


def test_source_that_is_readonly_on_the_host_stays_so_in_a_user_namespace(oci, bundle, host_mount):
    source = bundle.path / "source"
    source.mkdir()
    os.chown(source, 100000, 100000)
    host_mount("--bind", "-o", "ro", source, source)
    bundle.user_namespace().bind(source, "/mnt").add_capabilities("CAP_SYS_ADMIN")
    script = "mount -o remount,bind,rw /mnt 2>/dev/null && echo remounted; touch /mnt/x 2>/dev/null && echo written; true"
    assert oci.output_of(bundle, script) == ""


def test_masked_and_readonly_paths_in_a_user_namespace(oci, bundle):
    bundle.user_namespace()
    bundle.linux["maskedPaths"] = ["/proc/uptime", "/etc"]
    bundle.linux["readonlyPaths"] = ["/proc/sys", "/home"]
    (bundle.rootfs / "etc/secret").write_text("hidden")
    assert oci.output_of(bundle, "cat /proc/uptime; ls /etc; touch /home/x 2>/dev/null || echo refused") == "refused\n"


def test_what_a_submount_hides_stays_hidden_in_a_user_namespace(oci, bundle, host_mount):
    source = bundle.path / "source"
    (source / "secret").mkdir(parents=True)
    (source / "secret/key").write_text("hidden by the host")
    host_mount("-t", "tmpfs", "cover", source / "secret")
    bundle.user_namespace().mount("/mnt", "bind", str(source), ["rbind"]).add_capabilities("CAP_SYS_ADMIN")
    assert oci.output_of(bundle, "umount /mnt/secret 2>/dev/null; ls /mnt/secret") == ""


def test_source_in_a_folder_that_the_containers_root_may_not_enter(oci, bundle):
    private = bundle.path / "private"
    (private / "source").mkdir(parents=True)
    (private / "source/file").write_text("reached\n")
    private.chmod(0o700)
    bundle.user_namespace().bind(private / "source", "/mnt")
    assert oci.output_of(bundle, "cat /mnt/file") == "reached\n"


def test_rootfs_in_a_folder_that_the_containers_root_may_not_enter(oci, bundle):
    bundle.user_namespace()
    bundle.path.chmod(0o700)
    assert oci.output_of(bundle, "echo reached") == "reached\n"


def test_hostname_and_sysctl_in_a_user_namespace(oci, bundle):
    bundle.user_namespace()
    bundle.config["hostname"] = "mapped"
    bundle.linux["sysctl"] = {"net.ipv4.ip_forward": "1"}
    assert oci.output_of(bundle, "hostname; cat /proc/sys/net/ipv4/ip_forward") == "mapped\n1\n"


# ---- time


def test_time_offsets(oci, bundle):
    bundle.namespaces(*ALL_NAMESPACES, "time")
    bundle.linux["timeOffsets"] = {"boottime": {"secs": 864000, "nanosecs": 5}, "monotonic": {"secs": 3600}}
    out = oci.output_of(bundle, "cat /proc/uptime /proc/self/timens_offsets")
    host = float(pathlib.Path("/proc/uptime").read_text().split()[0])
    assert 0 <= host + 864000 - float(out.split()[0]) < 60
    assert re.search(r"monotonic\s+3600\s+0\n", out) and re.search(r"boottime\s+864000\s+5\n", out)


def test_negative_time_offset(oci, bundle):
    bundle.namespaces(*ALL_NAMESPACES, "time")
    bundle.linux["timeOffsets"] = {"monotonic": {"secs": -1, "nanosecs": 500000000}}
    assert re.search(r"monotonic\s+-1\s+500000000\n", oci.output_of(bundle, "cat /proc/self/timens_offsets"))


def test_the_runtime_stays_in_its_own_time(oci, bundle):
    """Hooks run after the runtime made a time namespace for the container, and must not be in it."""
    bundle.namespaces(*ALL_NAMESPACES, "time")
    bundle.linux["timeOffsets"] = {"boottime": {"secs": 864000}}
    log = bundle.path / "log"
    bundle.hook("createRuntime", "/bin/sh", "-c", f"readlink /proc/self/ns/time > {log}")
    oci.output_of(bundle, "true")
    assert log.read_text().strip() == namespace("time")


# ---- sysctl


@pytest.mark.parametrize("key, value", [
    ("net.ipv4.ip_forward", "1"), ("net/ipv4/ip_forward", "1"), ("net.ipv4.ip_local_port_range", "2000\t3000"),
    ("kernel.shm_rmid_forced", "1"), ("kernel.msgmax", "9000"), ("fs.mqueue.msg_max", "11"),
])
def test_sysctl(oci, bundle, key, value):
    bundle.linux["sysctl"] = {key: value}
    path = "/proc/sys/" + key.replace(".", "/")
    before = pathlib.Path(path).read_text()
    assert oci.output_of(bundle, f"cat {path}") == value + "\n"
    assert pathlib.Path(path).read_text() == before


def test_sysctl_with_a_dot_in_an_interface_name(oci, bundle):
    bundle.linux["sysctl"] = {"net/ipv4/conf/lo/forwarding": "1"}
    assert oci.output_of(bundle, "cat /proc/sys/net/ipv4/conf/lo/forwarding") == "1\n"


@pytest.mark.parametrize("key", ["kernel.panic", "vm.swappiness", "fs.file-max", "kernel.core_pattern"])
def test_sysctl_of_the_whole_machine_is_refused(oci, bundle, key):
    before = pathlib.Path("/proc/sys/" + key.replace(".", "/")).read_text()
    bundle.linux["sysctl"] = {key: "1"}
    oci.run(bundle.args("true")).failed(key)
    assert pathlib.Path("/proc/sys/" + key.replace(".", "/")).read_text() == before


@pytest.mark.parametrize("key, kind", [("net.ipv4.ip_forward", "network"), ("kernel.shm_rmid_forced", "ipc")])
def test_sysctl_of_a_shared_namespace_is_refused(oci, bundle, key, kind):
    bundle.namespaces(*[one for one in ALL_NAMESPACES if one != kind]).without_mount("/sys").without_mount("/dev/mqueue")
    bundle.linux["sysctl"] = {key: "1"}
    oci.run(bundle.args("true")).failed(key)
