#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""config-linux.md#cpu: the controller cpuset."""

import os
import pathlib

from conformance import APPLIED, Container, check, equal, program, refused, skip

CPU = "config-linux.md#cpu"


def main():
    cpus = sorted(os.sched_getaffinity(0))
    memory_nodes = pathlib.Path("/sys/fs/cgroup/cpuset.mems.effective").read_text().strip()
    last = str(cpus[-1])
    script = "sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status"
    with Container({"cpu": {"cpus": last, "mems": memory_nodes}}, script) as container:
        if not container.created:
            check(False, CPU, "cpus and mems", error=container.output())
        else:
            for file, wanted in (("cpus", last), ("mems", memory_nodes)):
                equal(container.value(f"cpuset.{file}"), wanted, CPU, f"{file}: cpuset.{file}")
                equal(container.value(f"cpuset.{file}.effective"), wanted, CPU, f"{file}: cpuset.{file}.effective")
            equal(container.wait().strip(), last, CPU, "cpus: the process may run there only")
    if len(cpus) > 1:
        text = f"{cpus[0]}-{cpus[0]},{cpus[1]}"
        with Container({"cpu": {"cpus": text}}) as container:
            found = os.sched_getaffinity(container.state["pid"]) if container.created else container.output()
            equal(found, set(cpus[:2]), CPU, "cpus: a list with a range")
    else:
        skip(CPU, "cpus: a list with a range", "there is one cpu only")
    refused({"cpu": {"cpus": "100000"}}, APPLIED, "cpus that the machine does not have")
    refused({"cpu": {"mems": "1000"}}, APPLIED, "mems that the machine does not have")
    refused({"cpu": {"cpus": "some"}}, "config.md#valid-values", "cpus that are no list")


if __name__ == "__main__":
    program(main, "cpuset")
