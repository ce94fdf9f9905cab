# SPDX-License-Identifier: Apache-2.0
"""linux.netDevices: devices of the runtime's network namespace, which is one of the test's own here."""

import ctypes
import json
import os
import subprocess

import pytest

from harness import Holder

CLONE_NEWNET = 0x40000000


class Network:
    """A network namespace in which the runtime is started."""

    def __init__(self):
        self.holder = Holder("--net")

    def ip(self, *words, pid=None):
        command = ["nsenter", f"--net=/proc/{pid or self.holder.pid}/ns/net", "ip", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def add(self, name, mtu=1500, pid=None):
        """Adds a device; its peer stays behind."""
        self.ip("link", "add", name, "mtu", str(mtu), "type", "veth", "peer", "name", f"{name}-peer", pid=pid)

    def device(self, name, pid=None):
        """What `ip` tells of a device, or None."""
        found = json.loads(self.ip("-json", "address", "show", pid=pid))
        return next((device for device in found if device["ifname"] == name), None)

    def enter(self):
        libc = ctypes.CDLL(None, use_errno=True)
        descriptor = os.open(self.holder.path("network"), os.O_RDONLY)
        if libc.setns(descriptor, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        os.close(descriptor)


@pytest.fixture
def network():
    made = Network()
    try:
        made.add("net0", mtu=1400)
        yield made
    finally:
        made.holder.close()


def addresses(device):
    return sorted(f"{entry['local']}/{entry['prefixlen']}" for entry in device["addr_info"] if entry["scope"] == "global")


def created(oci, bundle, network, **devices):
    bundle.linux["netDevices"] = devices
    return oci.create(bundle.sh("sleep 1000"), preexec_fn=network.enter)


def test_device_is_moved_and_up(oci, bundle, network):
    before = network.device("net0")
    container = created(oci, bundle, network, net0={})
    inside = network.device("net0", container.pid)
    assert "UP" in inside["flags"]
    assert (inside["mtu"], inside["address"]) == (1400, before["address"])
    assert network.device("net0") is None


def test_permanent_global_addresses_stay(oci, bundle, network):
    for address in ("192.0.2.5/24", "192.0.2.6/24", "2001:db8::5/64"):
        network.ip("address", "add", address, "dev", "net0")
    network.ip("address", "add", "198.51.100.1/24", "scope", "link", "dev", "net0")
    network.ip("address", "add", "2001:db8::6/64", "dev", "net0", "valid_lft", "1000", "preferred_lft", "1000")
    container = created(oci, bundle, network, net0={"name": "eth0"})
    assert addresses(network.device("eth0", container.pid)) == ["192.0.2.5/24", "192.0.2.6/24", "2001:db8::5/64"]


def test_name_template(oci, bundle, network):
    network.add("net1")
    container = created(oci, bundle, network, net0={"name": "eth%d"}, net1={"name": "eth%d"})
    names = {device["ifname"] for device in json.loads(network.ip("-json", "link", pid=container.pid))}
    assert {"eth0", "eth1"} <= names


def test_name_of_another_device_of_the_container(oci, bundle, network):
    """net0 becomes what net1 was called, and the other way round."""
    network.add("net1", mtu=1300)
    container = created(oci, bundle, network, net0={"name": "net1"}, net1={"name": "net0"})
    assert network.device("net1", container.pid)["mtu"] == 1400
    assert network.device("net0", container.pid)["mtu"] == 1300


def test_in_a_user_namespace(oci, bundle, network):
    network.ip("address", "add", "192.0.2.5/24", "dev", "net0")
    container = created(oci, bundle.user_namespace(), network, net0={"name": "eth0"})
    assert addresses(network.device("eth0", container.pid)) == ["192.0.2.5/24"]


def test_namespace_by_path(oci, bundle, network):
    pod = Holder("--net")
    try:
        for entry in bundle.linux["namespaces"]:
            if entry["type"] == "network":
                entry["path"] = pod.path("network")
        created(oci, bundle, network, net0={"name": "eth0"})
        assert "UP" in network.device("eth0", pod.pid)["flags"]
    finally:
        pod.close()


def test_device_that_does_not_exist(oci, bundle, network):
    bundle.linux["netDevices"] = {"net7": {}}
    oci.run(bundle.args("true"), preexec_fn=network.enter).failed("/linux/netDevices/net7", "no such device")


def test_device_that_cannot_be_moved(oci, bundle, network):
    network.ip("link", "add", "br0", "type", "bridge")
    bundle.linux["netDevices"] = {"br0": {}}
    oci.run(bundle.args("true"), preexec_fn=network.enter).failed("/linux/netDevices/br0", "move")


def test_name_that_is_taken(oci, bundle, network):
    pod = Holder("--net")
    try:
        network.add("eth0", pid=pod.pid)
        for entry in bundle.linux["namespaces"]:
            if entry["type"] == "network":
                entry["path"] = pod.path("network")
        bundle.linux["netDevices"] = {"net0": {"name": "eth0"}}
        oci.run(bundle.args("true"), preexec_fn=network.enter).failed("/linux/netDevices/net0", "device eth0 already")
        assert network.device("net0") is not None  # it stayed where it was
    finally:
        pod.close()


@pytest.mark.parametrize("devices, pointer", [
    ({"a/b": {}}, "/linux/netDevices/a~1b"),
    ({"net0": {"name": "far-too-long-a-name"}}, "/linux/netDevices/net0/name"),
    ({"net0": {"name": "a%s"}}, "/linux/netDevices/net0/name"),
    ({"net0": {"name": "lo"}}, "/linux/netDevices/net0"),
    ({"net0": {"name": "x"}, "net1": {"name": "x"}}, "/linux/netDevices/net1"),
    ({"net0": 1}, "/linux/netDevices/net0"),
])
def test_errors_name_the_field(oci, bundle, devices, pointer):
    bundle.linux["netDevices"] = devices
    oci.run(bundle.args("true")).failed(pointer)


def test_without_a_network_namespace(oci, bundle):
    bundle.linux["namespaces"] = [entry for entry in bundle.linux["namespaces"] if entry["type"] != "network"]
    bundle.linux["netDevices"] = {"net0": {}}
    oci.run(bundle.args("true")).failed("/linux/netDevices", "network namespace")
