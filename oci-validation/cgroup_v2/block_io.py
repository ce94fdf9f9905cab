#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""config-linux.md#block-io"""

import contextlib
import pathlib
import re
import time

from conformance import APPLIED, CONVERTED, MIB, Container, check, equal, program, refused, skip

IO = "config-linux.md#block-io"
RATES = {"throttleReadBpsDevice": ("rbps", MIB), "throttleWriteBpsDevice": ("wbps", 2 * MIB),
         "throttleReadIOPSDevice": ("riops", 100), "throttleWriteIOPSDevice": ("wiops", 200)}


def disk():
    """A whole disk with hardware, or a hypervisor, behind it."""
    found = [path for path in sorted(pathlib.Path("/sys/block").iterdir()) if (path / "device").exists()]
    return found[0] if found else None


@contextlib.contextmanager
def weighing_scheduler(folder):
    """BFQ, which has weights; None if the kernel has not got it."""
    file = folder / "queue/scheduler"
    before = re.search(r"\[(\S+)\]", file.read_text()).group(1)
    try:
        file.write_text("bfq")
        yield "bfq"
        file.write_text(before)
    except OSError:
        yield None


def test_weights(folder, device, key):
    with weighing_scheduler(folder) as scheduler:
        if not scheduler:
            skip(IO, "weight and weightDevice", "no BFQ scheduler")
            return
        resources = {"blockIO": {"weight": 300, "weightDevice": [{**device, "weight": 200}]}}
        with Container(resources) as container:
            found = container.value("io.bfq.weight").splitlines() if container.created else [container.output()]
            check("default 300" in found, IO, "weight: io.bfq.weight", found=found)
            check(f"{key} 200" in found, IO, "weightDevice: io.bfq.weight", found=found)


def rates(container, key):
    lines = dict(line.split(" ", 1) for line in container.value("io.max").splitlines())
    return dict(part.split("=") for part in lines.get(key, "").split())


def test_rates(device, key):
    """One container has all four, and reads 2 MiB at 1 MiB a second."""
    resources = {"blockIO": {field: [{**device, "rate": rate}] for field, (_, rate) in RATES.items()},
                 "devices": [{"allow": False, "access": "rwm"}, {"allow": True, "type": "b", **device, "access": "r"}]}
    script = "dd if=/dev/disk of=/dev/null bs=65536 count=32 2>&1"
    nodes = [{"path": "/dev/disk", "type": "b", **device}]
    with Container(resources, script, devices=nodes) as container:
        if not container.created:
            check(False, IO, "rates", error=container.output())
            return
        found = rates(container, key)
        for field, (name, rate) in RATES.items():
            equal(found.get(name), str(rate), IO, f"{field}: io.max {name}")
        began = time.monotonic()
        output = container.wait()
        took = time.monotonic() - began
        check("32+0 records" in output and took > 1, IO, "throttleReadBpsDevice: reading takes its time", took=took,
              output=output)


def main():
    folder = disk()
    if not folder:
        skip(IO, "rates and weights of devices", "no disk")
    else:
        key = (folder / "dev").read_text().strip()
        device = dict(zip(("major", "minor"), map(int, key.split(":"))))
        test_weights(folder, device, key)
        test_rates(device, key)
        with Container({"unified": {"io.max": f"{key} rbps=2097152 wiops=120"}}) as container:
            found = rates(container, key) if container.created else container.output()
            equal(found, {"rbps": "2097152", "wbps": "max", "riops": "max", "wiops": "120"}, "config-linux.md#unified",
                  "io.max")
    refused({"blockIO": {"throttleReadBpsDevice": [{"major": 250, "minor": 250, "rate": MIB}]}}, APPLIED,
            "the rate of a device that is not there")
    refused({"blockIO": {"leafWeight": 300}}, CONVERTED, "leafWeight, which cgroup v2 has not,")


if __name__ == "__main__":
    program(main, "io")
