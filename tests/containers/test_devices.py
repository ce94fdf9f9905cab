# SPDX-License-Identifier: Apache-2.0
"""Default devices, linux.devices, and the device rules of linux.resources: what may be opened and what may not."""

import os
import stat

import pytest

DEFAULT = {"null": "1:3", "zero": "1:5", "full": "1:7", "random": "1:8", "urandom": "1:9", "tty": "5:0"}
# A device that is in no default list: the kernel's log.
KMSG = (1, 11)


@pytest.mark.parametrize("name", DEFAULT)
def test_default_device(oci, bundle, name):
    out = oci.output_of(bundle, f"stat -c '%F %t:%T %a %u %g' /dev/{name}")
    assert out == f"character special file {DEFAULT[name]} 666 0 0\n"


def test_default_devices_work(oci, bundle):
    script = """
        echo x > /dev/null; head -c 4 /dev/zero | xxd -p; head -c 9 /dev/urandom | wc -c
        echo x 2>/dev/null > /dev/full || echo full"""
    assert oci.output_of(bundle, script) == "00000000\n9\nfull\n"


def test_links(oci, bundle):
    script = "for i in fd stdin stdout stderr ptmx; do readlink /dev/$i; done"
    assert oci.output_of(bundle, script) == \
        "/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\npts/ptmx\n"


def test_there_is_no_console_without_a_terminal(oci, bundle):
    assert oci.output_of(bundle, "test -e /dev/console || echo none") == "none\n"


def test_a_terminal_can_be_opened_inside(oci, bundle):
    assert oci.output_of(bundle, ": <> /dev/ptmx && echo ok") == "ok\n"


@pytest.mark.parametrize("kind, shown", [("c", "character special file"), ("u", "character special file"),
                                         ("b", "block special file")])
def test_listed_device(oci, bundle, kind, shown):
    bundle.linux["devices"] = [{"path": "/dev/listed", "type": kind, "major": 7, "minor": 99, "fileMode": 0o640,
                                "uid": 12, "gid": 34}]
    assert oci.output_of(bundle, "stat -c '%F %t:%T %a %u %g' /dev/listed") == f"{shown} 7:63 640 12 34\n"


def test_listed_fifo(oci, bundle):
    bundle.linux["devices"] = [{"path": "/dev/pipe", "type": "p", "fileMode": 0o600}]
    assert oci.output_of(bundle, "stat -c '%F %a' /dev/pipe") == "fifo 600\n"


def test_file_mode_defaults_to_0666(oci, bundle):
    bundle.linux["devices"] = [{"path": "/dev/listed", "type": "c", "major": 1, "minor": 3}]
    out = oci.output_of(bundle, "stat -c %a /dev/listed", preexec_fn=lambda: os.umask(0o077))
    assert out.splitlines()[-1] == "666"


def test_listed_device_outside_dev(oci, bundle):
    bundle.linux["devices"] = [{"path": "/srv/deep/zero", "type": "c", "major": 1, "minor": 5}]
    assert oci.output_of(bundle, "head -c 2 /srv/deep/zero | xxd -p") == "0000\n"


def test_listed_device_that_exists_already(oci, bundle):
    os.mknod(bundle.rootfs / "etc/dev", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    bundle.linux["devices"] = [{"path": "/etc/dev", "type": "c", "major": 1, "minor": 5}]
    assert oci.output_of(bundle, "stat -c %t:%T /etc/dev") == "1:5\n"


def test_a_device_that_is_listed_twice(oci, bundle):
    node = {"path": "/dev/extra", "type": "c", "major": 1, "minor": 5}
    bundle.linux["devices"] = [node, node]
    assert oci.output_of(bundle, "stat -c %t:%T /dev/extra") == "1:5\n"
    bundle.linux["devices"] = [node, {**node, "minor": 3}]
    oci.run(bundle).failed("/linux/devices/1/path", "given twice")


@pytest.mark.parametrize("make", [
    lambda path: os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 9)),
    lambda path: os.mknod(path, stat.S_IFBLK | 0o666, os.makedev(1, 5)),
    lambda path: path.write_text("a file"),
    lambda path: path.mkdir(),
])
def test_another_file_where_a_device_is_asked_for_is_an_error(oci, bundle, make):
    make(bundle.rootfs / "etc/dev")
    bundle.linux["devices"] = [{"path": "/etc/dev", "type": "c", "major": 1, "minor": 5}]
    oci.run(bundle.args("true")).failed("/etc/dev")


# ---- access rules


def access(oci, bundle, number, *rules):
    """Tries to open a character device of that number, for reading and for writing."""
    bundle.linux["resources"] = {"devices": list(rules)}
    bundle.add_capabilities("CAP_MKNOD", "CAP_SYSLOG", "CAP_DAC_OVERRIDE")
    return oci.output_of(bundle, f"""
        mknod /tmp/d c {number[0]} {number[1]} 2>/dev/null || {{ echo no mknod; exit 0; }}
        (: < /tmp/d) 2>/tmp/e && echo r || grep -o 'Operation not permitted' /tmp/e
        (: > /tmp/d) 2>/tmp/e && echo w || grep -o 'Operation not permitted' /tmp/e""").splitlines()


DENIED = ["Operation not permitted", "Operation not permitted"]
DENY_ALL = {"allow": False, "access": "rwm"}


def allow(access, type="c", major=1, minor=11):
    rule = {"allow": True, "type": type, "access": access, "major": major, "minor": minor}
    return {name: value for name, value in rule.items() if value is not None}


def deny(*args, **more):
    return {**allow(*args, **more), "allow": False}


def test_devices_are_denied_without_any_rule(oci, bundle):
    assert access(oci, bundle, KMSG) == DENIED


@pytest.mark.parametrize("rules, expected", [
    ([DENY_ALL], DENIED),
    ([DENY_ALL, allow("rwm")], ["r", "w"]),
    ([DENY_ALL, allow("r")], ["r", "Operation not permitted"]),
    ([DENY_ALL, allow("w")], ["Operation not permitted", "w"]),
    ([DENY_ALL, allow("rw", minor=12)], DENIED),
    ([DENY_ALL, allow("rw", type="b")], DENIED),
    ([DENY_ALL, allow("rw", minor=None)], ["r", "w"]),
    ([DENY_ALL, allow("rw", major=None)], ["r", "w"]),
    ([DENY_ALL, allow("rw", major=None, minor=None)], ["r", "w"]),
    ([{"allow": True, "access": "rwm"}], ["r", "w"]),
    ([{"allow": True, "type": "a", "access": "rwm"}], ["r", "w"]),
    ([allow("rw"), DENY_ALL], DENIED),
    ([DENY_ALL, allow("rw"), deny("w")], ["r", "Operation not permitted"]),
    ([DENY_ALL, allow("rw", minor=None), deny("rw")], DENIED),
    ([DENY_ALL, deny("r"), allow("r")], ["r", "Operation not permitted"]),
])
def test_device_rules_apply_in_order(oci, bundle, rules, expected):
    assert access(oci, bundle, KMSG, *rules) == expected


def test_default_devices_stay_allowed(oci, bundle):
    assert access(oci, bundle, (1, 3), DENY_ALL) == ["r", "w"]


def test_exec_is_under_the_same_rules(oci, bundle):
    bundle.linux["resources"] = {"devices": [DENY_ALL]}
    bundle.add_capabilities("CAP_MKNOD").sh("mknod /tmp/d c 1 11; echo ready; sleep 1000")
    container = oci.run_detached(bundle)
    container.wait_output("ready")
    completed = container.exec("/bin/sh", "-c", ": < /tmp/d")
    assert completed.rc != 0 and "Operation not permitted" in completed.err
