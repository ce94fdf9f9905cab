#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Prints threats.txt with the result of each test. A threat has passed when each of its tests ran and passed.

usage: table.py THREATS FOLDER    with LAYER.json of GoogleTest and containers.xml of pytest in FOLDER
"""

import collections
import json
import pathlib
import sys
import xml.etree.ElementTree


def unit_results(folder):
    """{"kernel:Suite.Test": its results}; a program that died has none."""
    for path in folder.glob("*.json"):
        text = path.read_text()
        for suite in json.loads(text)["testsuites"] if text else []:
            for test in suite["testsuite"]:
                result = "failed" if test.get("failures") else "skipped" if test["result"] == "SKIPPED" else "passed"
                yield f"{path.stem}:{test['classname']}.{test['name']}", result


def container_results(path):
    """{"test_file.py::test": the results with all its parameters}"""
    if not path.exists():
        return
    for case in xml.etree.ElementTree.parse(path).iter("testcase"):
        kinds = {child.tag for child in case}
        result = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        file = case.get("classname").replace(".", "/") + ".py"
        yield f"{file}::{case.get('name').partition('[')[0]}", result


def main(table, folder):
    results = collections.defaultdict(collections.Counter)
    for name, result in [*unit_results(folder), *container_results(folder / "containers.xml")]:
        results[name][result] += 1
    counts = collections.Counter()
    for line in table.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        threats, about, test, seen_to_fail = map(str.strip, (line + " ").split(" | "))
        assert seen_to_fail, f"{threats}, {test}: nobody has seen it fail"
        ran = results[test]
        if pathlib.Path(test).is_file():  # of another group, which runs all that it has
            ran["passed"] += 1
        result = "passed" if ran["passed"] and not ran["failed"] else "failed"
        detail = ", ".join(f"{count} {kind}" for kind, count in sorted(ran.items())) or "did not run"
        print(f"{result.upper() if result != 'passed' else 'passed':8}{threats:16}{about}: {test} ({detail})")
        counts[result] += 1
    print(f"{counts['passed']} passed, {counts['failed']} failed, 0 skipped")
    return counts["failed"] > 0


sys.exit(main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])))
