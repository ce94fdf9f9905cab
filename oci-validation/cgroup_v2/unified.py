#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""config-linux.md#unified, and resources that only cgroup v1 has."""

from conformance import APPLIED, CONTROLLERS, CONVERTED, MIB, Container, check, program, refused, skip, values

UNIFIED = "config-linux.md#unified"
# A file of each controller; where there is one, one that no other field of the specification stands for.
FILES = {"memory": ("memory.oom.group", "1"), "cpu": ("cpu.weight.nice", "5"), "pids": ("pids.max", "77"),
         "hugetlb": ("hugetlb.2MB.max", str(4 * MIB)), "cpuset": ("cpuset.cpus.partition", "member")}


def main():
    values({"unified": {"cgroup.max.depth": "3", "cgroup.max.descendants": "7"}},
           {"cgroup.max.depth": "3", "cgroup.max.descendants": "7"}, UNIFIED, "files of every cgroup")
    for controller, (file, value) in FILES.items():
        text = f"a file of controller {controller}"
        if controller not in CONTROLLERS:
            skip(UNIFIED, text, f"cgroup2 has no controller {controller} here")
            continue
        # In a new cgroup with a new parent: nobody has enabled the controller there.
        with Container({"unified": {file: value}}, cgroupsPath=f"/oci-validation/{controller}") as container:
            found = container.value(file) if container.created else container.output()
            check(found == value, UNIFIED, f"{text}: {file}", wanted=value, found=found)
    refused({"unified": {"nonesuch.max": "1"}}, UNIFIED, "a controller that is not present")
    refused({"unified": {"cgroup.nonesuch": "1"}}, APPLIED, "a file that is not there")
    refused({"unified": {"cgroup.max.depth": "deep"}}, APPLIED, "a value that the kernel refuses")
    refused({"network": {"classID": 1048577}}, CONVERTED, "network.classID, which cgroup v2 has not,")
    refused({"network": {"priorities": [{"name": "lo", "priority": 500}]}}, CONVERTED,
            "network.priorities, which cgroup v2 has not,")


if __name__ == "__main__":
    program(main)
