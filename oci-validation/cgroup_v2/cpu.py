#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""config-linux.md#cpu: the controller cpu."""

import re

from conformance import APPLIED, CONVERTED, Container, check, equal, program, refused, values, wait_for

CPU = "config-linux.md#cpu"


def weight(shares):
    with Container({"cpu": {"shares": shares}}) as container:
        value = container.value("cpu.weight") if container.created else container.output()
    return int(value) if value.isdigit() else value


def test_shares():
    """The specification names no formula: the ends and the order hold for all that are in use."""
    least, middle, most = (weight(shares) for shares in (2, 1024, 262144))
    equal((least, most), (1, 10000), CPU, "shares: the least and the most become cpu.weight's")
    check(isinstance(middle, int) and 1 < middle < 10000, CPU, "shares between them have a weight between",
          found=middle)


def throttled(container):
    return int(re.search(r"nr_throttled (\d+)", container.value("cpu.stat")).group(1))


def main():
    test_shares()
    values({"cpu": {"quota": 50000, "period": 200000}}, {"cpu.max": "50000 200000"}, CPU, "quota and period")
    values({"cpu": {"quota": 50000, "burst": 20000}}, {"cpu.max": "50000 100000", "cpu.max.burst": "20000"}, CPU,
           "quota and burst")
    values({"cpu": {"quota": -1, "period": 50000}}, {"cpu.max": "max 50000"}, CPU, "quota -1 with a period")
    values({"cpu": {"period": 50000}}, {"cpu.max": "max 50000"}, CPU, "period alone")
    values({"cpu": {"idle": 1}}, {"cpu.idle": "1"}, CPU, "idle")
    with Container({"cpu": {"quota": 10000, "period": 100000}}, "while :; do :; done") as container:
        container.start()
        check(wait_for(lambda: throttled(container) > 2), CPU, "quota: a busy process is throttled")
    refused({"cpu": {"quota": 50000, "burst": 60000}}, CPU, "a burst larger than the quota")
    refused({"cpu": {"quota": 1}}, APPLIED, "a quota that the kernel refuses")
    refused({"cpu": {"realtimeRuntime": 950000, "realtimePeriod": 1000000}}, CONVERTED, "realtime limits")


if __name__ == "__main__":
    program(main, "cpu")
