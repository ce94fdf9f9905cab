# SPDX-License-Identifier: Apache-2.0
"""linux.intelRdt: without hardware that has it only the errors."""

import pytest


def resctrl_is_mounted():
    with open("/proc/self/mountinfo") as mounts:
        return any(" - resctrl " in line for line in mounts)


without_resctrl = pytest.mark.skipif(resctrl_is_mounted(), reason="kernel: resctrl is mounted")


@without_resctrl
@pytest.mark.parametrize("rdt", [{}, {"closID": "/"}, {"closID": "gold", "schemata": ["L3:0=f"]},
                                 {"closID": "gold", "enableMonitoring": True}])
def test_not_mounted(oci, bundle, rdt):
    bundle.linux["intelRdt"] = rdt
    oci.run(bundle.args("true")).failed("/linux/intelRdt: no resctrl file system is mounted on this machine")


def test_replaced_fields_warn(oci, bundle):
    bundle.linux["intelRdt"] = {"enableCMT": True, "closID": "a/b"}
    bundle.args("true").write()
    completed = oci("validate", "--bundle", bundle.path)
    assert completed.rc == 1
    assert "/linux/intelRdt/closID: must be a plain name" in completed.out
    assert "/linux/intelRdt/enableCMT" in completed.out
