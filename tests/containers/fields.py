# SPDX-License-Identifier: Apache-2.0
"""Which test shows that a field of config.json works: one that sets it and passes, and fails when the harness takes the
field out of its configuration again.

A plug-in of pytest, on with --fields=PLACE: after the last test it tries the candidates of each field, those that set few
others first, and prints a line for each witness. tests/field_table.py makes the table out of these lines.
"""

import collections
import re
import sys

import pytest
from _pytest.runner import runtestprotocol

import harness

sys.path.insert(0, str(harness.REPOSITORY / "tests"))
from field_table import Schema  # noqa: E402

CANDIDATES = 24  # tests that are tried for one field


def without(value, base, names):
    """A copy in which the field is as in the base, or not there."""
    if not names or value == base:
        return base
    if isinstance(value, list):
        return [entry if entry in (base or []) else without(entry, None, names[1:]) for entry in value]
    if not isinstance(value, dict):
        return value
    old = base if isinstance(base, dict) else {}
    changed = {}
    for name, entry in value.items():
        kept = without(entry, old.get(name), names[1:]) if names[0] in (name, "*") else entry
        if kept is not None:
            changed[name] = kept
    return changed


def pointers_in(text):
    """Places of config.json that an error names."""
    return re.findall(r"/(?:ociVersion|process|root|hostname|domainname|mounts|hooks|annotations|linux)(?:/[\w.*-]+)*", text)


class Plugin:
    def __init__(self, places):
        self.places = places
        self.schema = Schema()
        self.item = None
        self.left_out = None  # the field that is missing now
        self.tests = collections.defaultdict(dict)  # {field: {test: number of fields that it sets}}
        self.errors = {}  # {place: test that wants an error there}
        self.want_errors = set()  # tests of what is wrong with a field
        self.not_passed = set()
        harness.observer = self

    # ---- what the harness tells

    def configuration(self, config, base):
        """What is to be written for the test's configuration; `base` is what tests begin with."""
        if self.left_out:
            return without(config, base, self.left_out.split("/")[1:])
        fields = self.schema.set_fields(config, base)
        for field in fields:
            self.tests[field].setdefault(self.item, len(fields))
        return config

    def error(self, texts):
        """A test wants these in an error."""
        for pointer in pointers_in(" ".join(texts)) if not self.left_out else []:
            self.want_errors.add(self.item)
            self.errors.setdefault(pointer, self.item)

    # ---- what pytest tells

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item, nextitem):
        self.item = item
        if nextitem is not None:
            return None
        # After the last one fixtures of the session have to live on.
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        runtestprotocol(item, nextitem=another(item))
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        harness.DEADLINE /= 8  # what a test waits for may never come without its field
        self.show(item.config.pluginmanager.get_plugin("terminalreporter"))
        return True

    def pytest_runtest_logreport(self, report):
        if not report.passed:
            self.not_passed.add(report.nodeid)

    def fails_without(self, item, field):
        self.item, self.left_out = item, field
        item._initrequest()
        reports = runtestprotocol(item, log=False, nextitem=another(item))
        self.left_out = None
        return any(report.failed for report in reports)

    def show(self, terminal):
        terminal.write_line("")
        for field, tests in sorted(self.tests.items()):
            if not field.startswith(self.places):
                continue
            candidates = [item for item in in_turn(tests)
                          if item.nodeid not in self.not_passed and item not in self.want_errors]
            witness = next((item for item in candidates[:CANDIDATES] if self.fails_without(item, field)), None)
            if witness:
                terminal.write_line(f"\nfield works {field} {witness.nodeid}")  # the test may have left a line open
        terminal.write_line("")
        for field, item in sorted(self.errors.items()):
            if item.nodeid not in self.not_passed:
                terminal.write_line(f"field error {field} {item.nodeid}")


def in_turn(tests):
    """The tests, those that set few fields first, but of no function a second one before there is one of each."""
    rank = collections.Counter()
    places = []
    for item in sorted(tests, key=tests.get):
        places.append((rank[item.function], tests[item], len(places), item))
        rank[item.function] += 1
    return [place[-1] for place in sorted(places, key=lambda place: place[:-1])]


def another(item):
    """A test that does not come next: what it shares with `item` is left standing."""
    return next(one for one in item.session.items if one is not item)
