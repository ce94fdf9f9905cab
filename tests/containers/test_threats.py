# SPDX-License-Identifier: Apache-2.0
"""Threats of tests/security/threats.txt that no other file has a place for."""

import ctypes
import errno
import json
import os
import stat
import struct
import subprocess

import pytest

from harness import ENVIRONMENT, PROGRAM
from terminals import Foreground, read_until


@pytest.mark.parametrize("name", ["cpuinfo", "meminfo", "stat", "uptime"])
def test_what_lxcfs_replaces_may_be_mounted_over_proc(oci, bundle, name):
    """Everything else below /proc is refused; these must work, or nobody keeps the rule."""
    source = bundle.path / "replaced"
    source.write_text("of lxcfs\n")
    assert oci.output_of(bundle.bind(source, f"/proc/{name}"), f"cat /proc/{name}") == "of lxcfs\n"


def test_no_keys_can_be_put_into_the_callers_terminal(oci, bundle):
    """TIOCSTI, by a container that was not given a terminal but has the caller's as its streams."""
    run = Foreground(oci, "run", "--bundle", bundle.args("/bin/probe", "push-key").write(), oci.new_id())
    text = read_until(run.master, "errno")
    assert run.finish() == 0
    assert text in (f"errno {errno.EPERM}\n", f"errno {errno.EIO}\n")


def abstract_sockets():
    with open("/proc/net/unix") as file:
        return {line.split()[7] for line in file if len(line.split()) > 7 and line.split()[7].startswith("@")}


def test_no_socket_is_reachable_by_name_from_the_hosts_network(oci, bundle):
    """Names in the abstract name space belong to the network namespace, which a container may share with the host."""
    before = abstract_sockets()
    container = oci.create(bundle.namespaces("pid", "ipc", "uts", "mount", "cgroup").sh("sleep 100000"))
    assert abstract_sockets() - before == set()
    container.start()
    assert abstract_sockets() - before == set()


@pytest.mark.parametrize("mode", [0o4755, 0o2755])
def test_a_set_user_id_installation_is_refused(bundle, mode):
    copy = bundle.path / "program"
    copy.write_bytes(open(PROGRAM, "rb").read())
    os.chmod(bundle.path, 0o755)
    copy.chmod(mode)
    done = subprocess.run([copy, "--version"], user=12345, group=12345, extra_groups=[], env=ENVIRONMENT,
                          capture_output=True, text=True)
    assert done.returncode == 1 and "must not be installed set-user-id" in done.stderr


@pytest.mark.parametrize("minor", [3, 5])
def test_devices_as_standard_streams_keep_their_owner(oci, bundle, minor):
    """/dev/null and the like are everybody's: only terminals, pipes and files become the user's."""
    device = bundle.path / "device"
    os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, minor))
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    with open(device, "r+b", buffering=0) as stream:
        process = oci.popen("run", "--bundle", bundle.sh("true").write(), oci.new_id(), stdin=stream, stdout=stream)
        assert process.wait() == 0
    assert (os.stat(device).st_uid, os.stat(device).st_gid) == (0, 0)


def test_the_example_hides_what_tells_of_the_hosts_power(oci, tmp_path):
    """What a processor draws tells what it computes (GHSA-7ww5-4wqc-m92c)."""
    oci("spec", "--bundle", tmp_path).succeeded()
    config = json.loads((tmp_path / "config.json").read_text())
    assert "/sys/devices/virtual/powercap" in config["linux"]["maskedPaths"]


class Opened:
    """Notices which files of these folders are opened, by inotify(7)."""

    IN_OPEN, IN_NONBLOCK, IN_ISDIR = 0x20, 0o4000, 0x40000000

    def __init__(self, folders):
        libc = ctypes.CDLL(None, use_errno=True)
        self.events = libc.inotify_init1(self.IN_NONBLOCK)
        for folder in folders:
            assert libc.inotify_add_watch(self.events, os.fsencode(folder), self.IN_OPEN) >= 0

    def names(self):
        """Since the last time."""
        found = set()
        try:
            data = os.read(self.events, 1 << 16)
        except BlockingIOError:
            return found
        while data:
            _, mask, _, length = struct.unpack_from("iIII", data)
            if not mask & self.IN_ISDIR:
                found.add(data[16:16 + length].rstrip(b"\0").decode())
            data = data[16 + length:]
        return found


@pytest.mark.parametrize("command", ["run", "exec"])
def test_nothing_of_the_image_is_read_but_its_users(oci, bundle, command):
    """No libraries, no name services, no locales: what lies there does not become a part of the runtime."""
    folders = ["etc", "lib", "lib/x86_64-linux-gnu", "usr", "usr/lib", "usr/share"]
    names = ["ld.so.preload", "ld.so.cache", "nsswitch.conf", "group", "localtime", "libnss_files.so.2", "libc.so.6", "x"]
    for folder in folders:
        (bundle.rootfs / folder).mkdir(parents=True, exist_ok=True)
        for name in names:
            (bundle.rootfs / folder / name).write_text("hostile\n")
    bundle.process["env"].append("TZ=/etc/localtime")
    if command == "exec":
        container = oci.run_detached(bundle.sh("echo ready; exec sleep 100000"))
        container.wait_output("ready")
    opened = Opened(bundle.rootfs / folder for folder in folders)
    if command == "exec":
        container.exec("/bin/probe", "descriptors").succeeded()
    else:
        oci.run(bundle.args("/bin/probe", "descriptors")).succeeded()
    assert opened.names() <= {"passwd"}
    (bundle.rootfs / "etc/nsswitch.conf").read_text()
    assert opened.names() == {"nsswitch.conf"}  # it would have been noticed
