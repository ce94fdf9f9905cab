#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""config-linux.md#rdma, with a device in software (rdma_rxe) where the machine has none."""

import contextlib
import pathlib
import shutil
import subprocess

from conformance import APPLIED, check, Container, program, refused, skip

RDMA = "config-linux.md#rdma"
DEVICES = pathlib.Path("/sys/class/infiniband")


@contextlib.contextmanager
def device():
    """Its name, or None."""
    present = sorted(path.name for path in DEVICES.iterdir()) if DEVICES.exists() else []
    if present:
        yield present[0]
        return
    name = "rxe0"
    add = ["rdma", "link", "add", name, "type", "rxe", "netdev", "lo"]
    if not shutil.which("rdma") or subprocess.run(add, stderr=subprocess.DEVNULL).returncode != 0:
        yield None
        return
    try:
        yield name
    finally:
        subprocess.run(["rdma", "link", "delete", name], check=True)


def limits(name, asked, wanted, text):
    with Container({"rdma": {name: asked}}) as container:
        found = container.value("rdma.max").splitlines() if container.created else [container.output()]
        check(f"{name} {wanted}" in found, RDMA, f"{text}: rdma.max", wanted=wanted, found=found)
        if container.created:
            # Linux 6.1 uses freed memory when the device goes after a cgroup that still limits it.
            (container.cgroup / "rdma.max").write_text(f"{name} hca_handle=max hca_object=max")


def main():
    with device() as name:
        if name:
            limits(name, {"hcaHandles": 3, "hcaObjects": 10000}, "hca_handle=3 hca_object=10000",
                   "hcaHandles and hcaObjects")
            limits(name, {"hcaHandles": 5}, "hca_handle=5 hca_object=max", "hcaHandles alone")
            limits(name, {"hcaObjects": 0}, "hca_handle=max hca_object=0", "hcaObjects alone")
            refused({"rdma": {name: {}}}, RDMA, "an entry with neither hcaHandles nor hcaObjects")
        else:
            skip(RDMA, "limits of a device", "no RDMA device")
    refused({"rdma": {"nonesuch0": {"hcaHandles": 3}}}, APPLIED, "the limit of a device that is not there")


if __name__ == "__main__":
    program(main, "rdma")
