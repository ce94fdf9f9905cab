#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The table of config.json's fields: which test shows that each works, and which shows its error.

usage: tests/field_table.py FILE    with the lines "field works PLACE TEST" and "field error PLACE TEST" that tests have
                                    printed: see tests/containers/fields.py, and record_problem in tests/spec/config.h

A field is a place of schema/config.schema.json without places below it: "/mounts/*/options", "/linux/sysctl/*".
"""

import json
import pathlib
import sys

SCHEMA = pathlib.Path(__file__).resolve().parents[1] / "schema/config.schema.json"

# What can only be an error: the specification wants one for what cannot be done.
HAS_NO_EFFECT = {
    **dict.fromkeys((f"/linux/resources/{field}" for field in (
        "memory/kernel", "memory/kernelTCP", "memory/swappiness", "memory/disableOOMKiller", "memory/useHierarchy",
        "cpu/realtimeRuntime", "cpu/realtimePeriod", "blockIO/leafWeight", "blockIO/weightDevice/*/leafWeight",
        "network/classID", "network/priorities/*/name", "network/priorities/*/priority")), "(not on cgroup v2)"),
    "/linux/personality/flags": "(none are defined)",
}


class Schema:
    """The places of the schema, and those of configurations that belong to them."""

    def __init__(self, path=SCHEMA):
        self.root = json.loads(pathlib.Path(path).read_text())

    def resolve(self, schema):
        while "$ref" in schema:
            schema = self.root["definitions"][schema["$ref"].removeprefix("#/definitions/")]
        return schema

    def below(self, schema):
        """{name or "*": schema} of the places below one; none for a leaf, to which lists of texts or numbers belong."""
        found = dict(schema.get("properties", {}))
        for word in ("items", "additionalProperties"):
            if isinstance(schema.get(word), dict):
                found["*"] = schema[word]
        resolved = {name: self.resolve(entry) for name, entry in found.items()}
        if set(resolved) == {"*"} and "items" in schema and not self.below(resolved["*"]):
            return {}
        return resolved

    def fields(self, schema=None, pointer=""):
        below = self.below(schema or self.root)
        if not below:
            return [pointer]
        return [field for name, entry in below.items() for field in self.fields(entry, f"{pointer}/{name}")]

    def field_of(self, place):
        """The field that a JSON pointer leads to or into; None for a place above fields, or of something else."""
        schema, field = self.root, ""
        for name in place.split("/")[1:]:
            below = self.below(schema)
            if not below:
                break
            name = name if name in below else "*"
            if name not in below:
                return None
            schema, field = below[name], f"{field}/{name}"
        return None if self.below(schema) else field

    def set_fields(self, value, base, schema=None, pointer=""):
        """Those that `value` has otherwise than `base`."""
        below = self.below(schema or self.root)
        if value == base or value is None:
            return set()
        if not below:
            return {pointer}
        found = set()
        for name, entry, old in children(value, base):
            place = name if name in below else "*"
            if place in below:
                found |= self.set_fields(entry, old, below[place], f"{pointer}/{place}")
        return found


def children(value, base):
    """(name, value, value in the base) of the members of an object, or of those elements that the base has not."""
    if isinstance(value, dict):
        old = base if isinstance(base, dict) else {}
        return [(name, entry, old.get(name)) for name, entry in value.items()]
    if isinstance(value, list):
        return [("*", entry, None) for entry in value if entry not in (base or [])]
    return []


def main():
    schema = Schema()
    tests = {}  # {(what, field): test}, the first of each
    for line in pathlib.Path(sys.argv[1]).read_text().splitlines():
        _, what, place, test = line.split(" ", 3)
        tests.setdefault((what, schema.field_of(place)), test)
    fields = schema.fields()
    width = max(map(len, fields))
    print(f"{'field':<{width}}  test that shows it working | test that shows its error")
    missing = 0
    for field in fields:
        shown = [tests.get(("works", field), HAS_NO_EFFECT.get(field, "MISSING")), tests.get(("error", field), "MISSING")]
        missing += shown.count("MISSING")
        print(f"{field:<{width}}  {' | '.join(shown)}")
    print(f"{2 * len(fields) - missing} passed, {missing} failed, 0 skipped")
    return missing != 0


if __name__ == "__main__":
    sys.exit(main())
