# SPDX-License-Identifier: Apache-2.0
"""The runtime as root of a user namespace, as engines without root start it; its network namespace is the host's."""

import os

WITH_NETWORK = 'touch "$0" && unshare --net="$0" ip link set lo up && exec "$@"'


def test_a_network_namespace_is_joined(user, bundle):
    bundle.linux["namespaces"] = [one for one in bundle.linux["namespaces"] if one["type"] != "user"]
    for mappings in ("uidMappings", "gidMappings"):
        del bundle.linux[mappings]
    network = user.home / "network"
    bundle.linux["namespaces"].append({"type": "network", "path": str(network)})
    bundle.sh("readlink /proc/self/ns/net; ip link show lo; echo its end").write()
    wrap = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", WITH_NETWORK, network)
    completed = user("run", "--bundle", bundle.path, user.new_id(), wrap=wrap).succeeded()
    assert os.readlink("/proc/self/ns/net") not in completed.out
    assert "UP" in completed.out and completed.out.endswith("its end\n")
