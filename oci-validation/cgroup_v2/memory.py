#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""config-linux.md#memory"""

import re

from conformance import CONVERTED, MIB, Container, check, program, refused, values

MEMORY = "config-linux.md#memory"


def main():
    values({"memory": {"limit": 64 * MIB, "reservation": 32 * MIB, "swap": 96 * MIB}},
           {"memory.max": str(64 * MIB), "memory.low": str(32 * MIB), "memory.swap.max": str(32 * MIB)}, MEMORY,
           "limit, reservation and swap, which is memory and swap together")
    values({"memory": {"limit": 64 * MIB, "swap": 64 * MIB}}, {"memory.swap.max": "0"}, MEMORY,
           "swap as large as limit")
    values({"memory": {"limit": 64 * MIB, "swap": -1}}, {"memory.max": str(64 * MIB), "memory.swap.max": "max"}, MEMORY,
           "swap -1")
    values({"memory": {"limit": -1}}, {"memory.max": "max"}, MEMORY, "limit -1")
    hog = "tail -c 60m /dev/zero; echo ended with $?"
    with Container({"memory": {"limit": 16 * MIB, "swap": 16 * MIB}}, hog + "; sleep 1000") as container:
        container.start()
        check(container.wait_output("ended with 137"), MEMORY, "limit: a process that takes more is killed",
              output=container.output())
        check(re.search(r"^oom_kill [1-9]", container.value("memory.events"), re.MULTILINE), MEMORY,
              "disableOOMKiller unset: it is the OOM killer", events=container.value("memory.events"))
    refused({"memory": {"limit": 64 * MIB, "swap": 32 * MIB}}, MEMORY, "swap, memory included, below limit")
    for field, value in (("kernel", 32 * MIB), ("kernelTCP", 32 * MIB), ("swappiness", 60), ("disableOOMKiller", True)):
        refused({"memory": {field: value}}, CONVERTED, f"{field}, which cgroup v2 has not,")


if __name__ == "__main__":
    program(main, "memory")
