# SPDX-License-Identifier: Apache-2.0
"""Containers from scratch: a network for a normal user's container, by slirp4netns, which is a normal user's, too."""

import os
import subprocess

import pytest

from rootless_user import UID


def test_network_by_slirp4netns(user, bundle):
    if not os.path.exists("/dev/net/tun") or os.stat("/dev/net/tun").st_mode & 0o006 != 0o006:
        pytest.skip("kernel: no /dev/net/tun for everybody")
    bundle.linux["namespaces"].append({"type": "network"})
    bundle.sh("echo ready; read line; ip -o -4 addr show tap0; ip route")
    container_input, our_end = os.pipe()
    container = user.create(bundle, stdin=container_input)
    os.close(container_input)
    ready, its_ready = os.pipe()
    slirp = subprocess.Popen(
        user.as_user("slirp4netns", "--configure", "--disable-host-loopback", f"--ready-fd={its_ready}", container.pid,
                     "tap0"), pass_fds=[its_ready], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        os.close(its_ready)
        assert os.read(ready, 1) == b"1", slirp.stderr.read()
        assert os.stat(f"/proc/{slirp.pid}").st_uid == UID
        container.start()
        os.write(our_end, b"go\n")
        assert container.wait() == 0
        assert "10.0.2.100/24" in container.output() and "default via 10.0.2.2" in container.output()
    finally:
        slirp.terminate()
        slirp.wait()
        slirp.stderr.close()
        os.close(ready)
        os.close(our_end)
    container.delete()
