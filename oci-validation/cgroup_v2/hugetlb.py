#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""config-linux.md#huge-page-limits"""

import pathlib

from conformance import APPLIED, MIB, Container, check, equal, program, refused, values

HUGE = "config-linux.md#huge-page-limits"


def page_sizes():
    """As the control files name them."""
    for folder in sorted(pathlib.Path("/sys/kernel/mm/hugepages").iterdir()):
        kilobytes = int(folder.name[len("hugepages-"):-len("kB")])
        for unit, size in (("GB", 1 << 20), ("MB", 1 << 10), ("KB", 1)):
            if kilobytes % size == 0:
                yield f"{kilobytes // size}{unit}", kilobytes << 10
                break


def main():
    sizes = list(page_sizes())
    limits = [{"pageSize": name, "limit": 2 * size} for name, size in sizes]
    with Container({"hugepageLimits": limits}) as container:
        for name, size in sizes:
            if not container.created:
                check(False, HUGE, f"limit of {name}", error=container.output())
                continue
            # "By default if supported by the kernel": reservations; else page faults.
            file = f"hugetlb.{name}.rsvd.max"
            file = file if (container.cgroup / file).exists() else f"hugetlb.{name}.max"
            equal(container.value(file), str(2 * size), HUGE, f"limit of {name}: {file}")
    name, _ = sizes[0]
    values({"hugepageLimits": [{"pageSize": name, "limit": 0}]}, {f"hugetlb.{name}.max": "0"}, HUGE, "limit 0")
    refused({"hugepageLimits": [{"pageSize": "3MB", "limit": 6 * MIB}]}, APPLIED,
            "a page size that the machine does not have")
    refused({"hugepageLimits": [{"pageSize": "2 megabytes", "limit": 0}]}, "config.md#valid-values",
            "a page size of another form")


if __name__ == "__main__":
    program(main, "hugetlb")
