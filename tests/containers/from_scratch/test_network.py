# SPDX-License-Identifier: Apache-2.0
"""Containers from scratch: the network, from loopback alone to a bridge through CNI (slirp4netns: rootless/)."""

import ctypes
import os
import pathlib
import subprocess

import pytest

from harness import REPOSITORY, wait_for

CLONE_NEWNET = 0x40000000
LEASES = pathlib.Path("/var/lib/cni")
EXAMPLE = REPOSITORY / "examples/cni"


@pytest.fixture
def own_network():
    """A network namespace that takes the host's part: the bridge is made there, and the host's own is left alone."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/self/ns/net", os.O_RDONLY)
    assert libc.unshare(CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    yield
    assert libc.setns(before, CLONE_NEWNET) == 0
    os.close(before)


@pytest.fixture
def leases(host_mount):
    """Where host-local remembers addresses; the host's own folder is covered."""
    made = [folder for folder in (LEASES, LEASES / "networks") if not folder.exists()]
    LEASES.mkdir(parents=True, exist_ok=True)
    host_mount("-t", "tmpfs", "leases", LEASES)
    yield LEASES / "networks/oci-run-example"
    assert not made or LEASES.exists()


def addresses(leases):
    return sorted(entry.name for entry in leases.iterdir() if entry.name[0].isdigit()) if leases.exists() else []


def bridge_ports():
    return subprocess.run(["ip", "-o", "link", "show", "master", "oci-run0"], check=True, capture_output=True,
                          text=True).stdout.splitlines()


def test_loopback_is_up(oci, bundle):
    """A new network namespace has nothing but loopback, and it works."""
    out = oci.output_of(bundle.add_capabilities("CAP_NET_RAW"), "ip -o link; ping -c 1 -w 5 127.0.0.1")
    links = [line for line in out.splitlines() if "link/" in line]
    assert len(links) == 1 and "lo:" in links[0] and "UP" in links[0], out
    assert "1 packets received" in out


def test_two_containers_on_a_bridge(oci, new_bundle, own_network, leases):
    def container(script):
        bundle = new_bundle().sh(script).capabilities("CAP_NET_RAW", "CAP_KILL")
        for kind in ("createRuntime", "poststop"):
            bundle.hook(kind, EXAMPLE / "cni-hook", EXAMPLE / "bridge.json")
        return oci.create(bundle)

    first = container("trap 'exit 0' TERM; echo ready; while :; do sleep 0.1; done").start()
    first.wait_output("ready")
    assert addresses(leases) == ["10.89.7.2"]
    second = container("""ip -o -4 addr show eth0
        ping -c 1 -w 10 10.89.7.2 && echo reached the other
        ping -c 1 -w 10 10.89.7.1 && echo reached the host""")
    assert addresses(leases) == ["10.89.7.2", "10.89.7.3"]
    second.start()
    assert second.wait() == 0
    out = second.output()
    assert "10.89.7.3/24" in out and "reached the other" in out and "reached the host" in out, out
    # The host, too, reaches the container, and sees one end of its pair on the bridge.
    subprocess.run(["busybox", "ping", "-c", "1", "-w", "10", "10.89.7.2"], check=True, stdout=subprocess.DEVNULL)
    second.delete()
    # The kernel takes the second's pair of interfaces away with its namespace, a little later.
    wait_for(lambda: len(bridge_ports()) == 1, "the end of the second container's interface")
    assert addresses(leases) == ["10.89.7.2"]
    first.kill("TERM")
    assert first.wait() == 0
    first.delete()
    assert addresses(leases) == []


def test_a_network_that_cannot_be_made_fails_create(oci, bundle, leases):
    """The plugin's words reach the user, and nothing is left."""
    bundle.hook("createRuntime", EXAMPLE / "cni-hook", bundle.path / "missing.json")
    oci("create", "--bundle", bundle.write(), oci.new_id()).failed("createRuntime hook", "cni-hook", "missing.json")
