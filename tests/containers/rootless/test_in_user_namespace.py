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


def test_groups_where_setgroups_is_denied(user, bundle):
    """They are left out, as other runtimes do, and the warning says so."""
    bundle.linux["namespaces"] = [one for one in bundle.linux["namespaces"] if one["type"] != "user"]
    for mappings in ("uidMappings", "gidMappings"):
        del bundle.linux[mappings]
    bundle.process["user"] = {"uid": 0, "gid": 0, "additionalGids": [0]}
    bundle.sh("id -u; cat /proc/self/setgroups").write()
    completed = user("run", "--bundle", bundle.path, user.new_id(), wrap=("unshare", "--user", "--map-root-user", "--mount"))
    assert completed.rc == 0 and completed.out == "0\ndeny\n", completed.err
    assert "denies setgroups" in completed.err
