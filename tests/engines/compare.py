#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs every action of the engines with oci-run and with another runtime, at the same time, and compares exit codes and
outputs. Prints a table; the last line has the counts. Inside the virtual machine, started by run.sh, which has the usage."""

import argparse
import concurrent.futures
import fnmatch
import pathlib
import subprocess
import sys
import time
import traceback

import buildah
import conmon
import containerd
import docker
import image
import left
import podman
import replay
from engine import Lane

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = pathlib.Path("/tmp/engines")
ENGINES = [engine for module in (podman, containerd, docker, buildah, conmon, replay) for engine in module.ENGINES]


def differences():
    """The table of differences that are meant: engines (a pattern), action, reason."""
    lines = (HERE / "differences.txt").read_text().splitlines()
    return [[column.strip() for column in line.split("|", 2)] for line in lines if line and not line.startswith("#")]


def cell(outcome):
    first = outcome.out.strip().partition("\n")[0]
    return f"{outcome.code} {first}"[:36]


class Report:
    def __init__(self, verbose):
        self.allowed = differences()
        self.verbose = verbose
        self.passed = self.failed = 0

    def problem(self, text):
        self.failed += 1
        print(f"    FAILED: {text}", flush=True)

    def action(self, engine, action, ours, reference):
        reason = next((reason for engines, name, reason in self.allowed
                       if name == action.name and fnmatch.fnmatch(engine.name, engines)), None)
        problems = []
        for runtime, outcome in (("oci-run", ours), (engine.reference, reference)):
            if reason and outcome is reference:
                continue  # is allowed to fail
            if outcome.code != action.code:
                problems.append(f"exit code {outcome.code} with {runtime}, expected {action.code}")
            elif action.text not in outcome.out:
                problems.append(f"'{action.text}' is not in the output with {runtime}")
        same = (ours.code, ours.out) == (reference.code, reference.out)
        if not same and not reason:
            problems.append("differs")
        if same and reason:
            problems.append("does not differ, though it is in differences.txt")
        print(f"{engine.name:16} {action.name:34} {cell(ours):36} {cell(reference):36}", flush=True)
        if reason and not problems:
            print(f"    differs: {reason}")
        if problems or self.verbose:
            for runtime, outcome in (("oci-run", ours), (engine.reference, reference)):
                print(f"    {runtime}: exit code {outcome.code}\n    {runtime}: output: {outcome.out!r}\n"
                      f"    {runtime}: standard error: {outcome.errors!r}")
        if problems:
            self.problem(f"{action.command}: {'; '.join(problems)}")
        else:
            self.passed += 1


def on_both(lanes, function):
    """The lanes have one processor each."""
    with concurrent.futures.ThreadPoolExecutor(len(lanes)) as pool:
        return list(pool.map(function, lanes))


def run_engine(engine, report, archive, full, words):
    lanes = [Lane(engine, runtime, FOLDER / engine.name / runtime, archive)
             for runtime in ("oci-run", engine.reference)]
    try:
        on_both(lanes, engine.set_up)
        for block in engine.blocks:
            if block.only_full and not full or not any(word in action.name for action in block.actions for word in words):
                continue
            before = left.snapshot()
            for action in block.actions:
                report.action(engine, action, *on_both(lanes, lambda lane: lane.run(action.command)))
            for thing in left.left_since(before):
                report.problem(f"left behind after '{block.actions[-1].name}': {thing}")
    finally:
        for lane in lanes:
            lane.stop()
            if report.verbose:
                print(lane.logs())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("wanted", nargs="*")
    options = parser.parse_args()
    names = [engine.name for engine in ENGINES]
    wanted = {}
    for name, _, word in (entry.partition(":") for entry in options.wanted or names):
        wanted.setdefault(name, []).append(word)
    if unknown := set(wanted) - set(names):
        sys.exit(f"compare.py: no engine named {', '.join(unknown)} ({', '.join(names)})")

    FOLDER.mkdir(mode=0o755)
    archive = FOLDER / "image.tar"
    image.make(archive)
    report = Report(options.verbose)
    print(f"{'engine':16} {'action':34} {'oci-run':36} {'reference':36}")
    for engine in ENGINES:
        if engine.name not in wanted:
            continue
        started = time.monotonic()
        try:
            run_engine(engine, report, archive, options.full, wanted[engine.name])
        except (RuntimeError, OSError, subprocess.SubprocessError):
            report.problem(f"{engine.name}: {traceback.format_exc()}")
        print(f"---- {engine.name}, reference {engine.reference}: {time.monotonic() - started:.0f} s", flush=True)
    print(f"{report.passed} passed, {report.failed} failed, 0 skipped")
    return report.failed > 0


if __name__ == "__main__":
    sys.exit(main())
