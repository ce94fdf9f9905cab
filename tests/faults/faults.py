#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Nothing left behind, whatever kills or starves it. Started by run.sh, which makes the surroundings.
usage: faults.py [--full] [--seed N] [--part N/M] [--counts FILE] [NAME...]
Prints one line for each test, and for each flaw how to see it again. NAME: F1, or the
beginning of a test's line."""

import argparse
import pathlib
import sys
import time
import traceback

import hardships
import sweeps
from lab import Lab, make_bundle


def kill_tests(sample):
    """F1, F2, F3 and, of delete, F6: the command, its child, or both are killed at each stop."""
    wanted = {"create": 45, "start": 20, "run": 45, "exec": 35}
    for kind in ("host", "user"):
        for command in sweeps.ALL:
            for label, who in (("F1", "main"), ("F2", "child"), ("F3", "all")):
                if who != "main" and command.name in ("update", "pause", "resume", "kill"):
                    continue  # they have no child
                label = "F6" if command is sweeps.Delete else label

                def test(lab, bundle, fingerprint, command=command, who=who):
                    one = command(lab, bundle, fingerprint)
                    points = sample.of(sweeps.count_stops(lab, one), wanted.get(command.name, 15))
                    return sweeps.kill_sweep(lab, one, who, points)
                yield f"{label} killsweep {command.name} {who} {kind}", kind, test
    for command in (sweeps.Create, sweeps.Start, sweeps.Exec, sweeps.Delete):
        def timed(lab, bundle, fingerprint, command=command):
            return sweeps.timed_kills(lab, command(lab, bundle, fingerprint), 500 if sample.full else 60)
        yield f"F3 killtimes {command.name} main host", "host", timed


def error_tests(sample):
    """F4: the sample takes some calls with one error each, the full form every call with every error. Only run gets one
    error for each call there too: its calls are those of create and start."""
    wanted = {"create": 350, "exec": 180, "delete": 280, "run": 100}
    for kind in ("host", "user"):
        for command in sweeps.ALL + sweeps.TELLING:
            def test(lab, bundle, fingerprint, command=command):
                return sweeps.error_sweep(lab, command(lab, bundle, fingerprint), sample, wanted.get(command.name, 40))
            yield f"F4 inject {command.name} {kind}", kind, test
    for kind in ("host", "user"):
        for command in sweeps.ALL + sweeps.TELLING:
            def short(lab, bundle, fingerprint, command=command):
                return sweeps.short_transfers(lab, command(lab, bundle, fingerprint))
            yield f"F5 short {command.name} {kind}", kind, short


HARDSHIPS = [("F7 full_disk", hardships.full_disk), ("F8 low_limits", hardships.low_limits),
             ("F9 damaged_files", hardships.damaged_files), ("F10 dying_init", hardships.dying_init),
             ("F11 reused_pid", hardships.reused_pid), ("F12 crowd", hardships.crowd), ("F12 overtaken", hardships.overtaken),
             ("F13 will_not_go", hardships.will_not_go), ("F14 soak", hardships.soak), ("F15 reboot", hardships.reboot)]


def hardship_tests(sample):
    for name, function in HARDSHIPS:
        yield name, "host", lambda lab, bundle, _, function=function: function(lab, bundle, sample)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--part", default="0/1")
    parser.add_argument("--counts")  # where the numbers of passed and failed tests go
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    sample = sweeps.Sample(options.full, options.seed)
    part, parts = map(int, options.part.split("/"))
    tests = [test for test in [*kill_tests(sample), *error_tests(sample), *hardship_tests(sample)]
             if not options.names or any(test[0] == name or test[0].startswith(name + " ") for name in options.names)]
    lab = Lab()
    bundles = {kind: make_bundle(lab, kind) for kind in ("host", "user")}
    fingerprints = {kind: sweeps.clean_fingerprint(lab, bundle) for kind, bundle in bundles.items()}
    passed = failed = 0
    for number, (name, kind, test) in enumerate(tests):
        if number % parts != part:
            continue
        started = time.monotonic()
        try:
            tally = test(lab, bundles[kind], fingerprints[kind])
            if keyrings := lab.keyrings_left():
                tally.flaw("dirty", f"keyrings: {keyrings}")
            good, line, flaws = tally.passed(), tally.line(), tally.flaws + tally.notes
        except Exception:
            good, line, flaws = False, "broke off", [traceback.format_exc()]
            lab.clean()
        passed, failed = passed + good, failed + (not good)
        print(f"{'ok     ' if good else 'FAILED '} {name} {line} ({time.monotonic() - started:.1f} s)", flush=True)
        for flaw in flaws[:None if options.full else 20]:
            print(f"    {flaw[:600]}", flush=True)
    print("slowest " + " ".join(f"{name.replace(' ', '_')}={seconds * 1000:.0f}ms"
                                for name, seconds in sorted(lab.slowest.items())))
    print(f"part {options.part}: {passed} passed, {failed} failed", flush=True)
    if options.counts:
        pathlib.Path(options.counts).write_text(f"{passed} {failed}\n")
    return failed != 0


sys.exit(main())
