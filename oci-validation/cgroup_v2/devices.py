#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""config-linux.md#allowed-device-list: there is no control file to look at, so the container opens and makes devices.

Their numbers are those for local use, which have no driver: what is allowed ends with "No such device or address", what
is denied with "Operation not permitted"."""

from conformance import Container, check, equal, program

DEVICES = "config-linux.md#allowed-device-list"
DENY_ALL = {"allow": False, "access": "rwm"}
WORDS = {"Operation not permitted": "denied", "No such device or address": "allowed"}


def node(kind, major, minor):
    return {"path": f"/dev/{kind}{major}.{minor}", "type": kind, "major": major, "minor": minor}


def found(rules, actions):
    """{action: "allowed" or "denied"}; an action is "read c60.1", "write b60.1" or "make c60.1"."""
    script, nodes = "", {}
    for action in actions:
        verb, name = action.split()
        major, minor = name[1:].split(".")
        if verb == "make":
            command = f"mknod /made {name[0]} {major} {minor} && echo No such device or address; rm -f /made"
        else:
            nodes[name] = node(name[0], int(major), int(minor))
            command = f"dd count=0 if=/dev/{name}"
            if verb == "write":
                command = f"dd count=0 if=/proc/uptime of=/dev/{name} conv=notrunc"
        script += f"echo '#{action}'; {{ {command}; }} 2>&1;"
    with Container({"devices": rules}, script, devices=list(nodes.values())) as container:
        output = container.wait() if container.created else container.output()
    parts = dict(part.partition("\n")[::2] for part in output.split("#")[1:])
    return {action: next((word for text, word in WORDS.items() if text in parts.get(action, "")), output)
            for action in actions}


def expect(rules, wanted, text):
    outcome = found(rules, list(wanted))
    for action, word in wanted.items():
        equal(outcome[action], word, DEVICES, f"{text}: {action}")


def allow(access, **more):
    return {"allow": True, "access": access, **more}


def main():
    one = {"type": "c", "major": 60, "minor": 1}
    expect([DENY_ALL], {"read c60.1": "denied", "write c60.1": "denied", "read b60.1": "denied"}, "all denied")
    expect([DENY_ALL, allow("r", **one)],
           {"read c60.1": "allowed", "write c60.1": "denied", "read c60.2": "denied", "read b60.1": "denied"},
           "one allowed to be read")
    expect([DENY_ALL, allow("rw", type="c", major=60)],
           {"write c60.1": "allowed", "read c60.2": "allowed", "read c61.1": "denied"}, "minor unset is all")
    expect([DENY_ALL, allow("rw", minor=1)],
           {"read c60.1": "allowed", "read b61.1": "allowed", "read c60.2": "denied"}, "type and major unset are all")
    expect([DENY_ALL, allow("rw", type="c", major=60), {"allow": False, "access": "w", **one}],
           {"read c60.1": "allowed", "write c60.1": "denied", "write c60.2": "allowed"}, "in order: denied again")
    expect([allow("rw", **one), DENY_ALL], {"read c60.1": "denied"}, "in order: all denied at last")
    expect([DENY_ALL, allow("m", **one)], {"make c60.1": "allowed", "read c60.1": "denied"}, "one allowed to be made")
    script = "for name in null zero full random urandom; do head -c 1 </dev/$name >/dev/null || echo $name; done"
    with Container({"devices": [DENY_ALL]}, script + "; echo >/dev/null; echo done") as container:
        output = container.wait() if container.created else container.output()
        equal(output, "done\n", "config-linux.md#default-devices", "the default devices work where all are denied")
    with Container({"devices": [DENY_ALL, {"allow": True, "type": "x", "access": "r"}]}) as container:
        check(not container.created, "config.md#valid-values", "a type that is none of a, b, c is an error")


if __name__ == "__main__":
    program(main)
