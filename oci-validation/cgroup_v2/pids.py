#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""config-linux.md#pids"""

from conformance import Container, check, equal, program, values

PIDS = "config-linux.md#pids"


def main():
    for limit, value in ((50, "50"), (-1, "max"), (0, "0")):
        values({"pids": {"limit": limit}}, {"pids.max": value}, PIDS, f"limit {limit}")
    with Container({"pids": {"limit": 2}}, "sleep 1000 & (true) || true; echo survived") as container:
        if not container.created:
            check(False, PIDS, "limit 2", error=container.output())
            return
        output = container.wait()
        check("fork" in output and "survived" not in output, PIDS, "limit 2: the third process is refused",
              output=output)
    with Container({"pids": {"limit": 2}}, "sleep 1000 & wait") as container:
        container.start()
        equal(container.value("pids.max"), "2", PIDS, "limit 2: the second process is not")


if __name__ == "__main__":
    program(main, "pids")
