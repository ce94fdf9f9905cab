#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Times oci-run, crun and runc on the same bundles in one run, in interleaved rounds, and prints medians and ratios.

usage: bench.py TOOLS [--rounds N] [--growth] [--goals]
TOOLS has payload, measure and floor. --growth: also with many mounts on the host and many containers alive. --goals:
exit code 1 when a goal of the table is missed.
"""

import argparse
import collections
import contextlib
import ctypes
import itertools
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile

import bundles

libc = ctypes.CDLL(None, use_errno=True)
PR_SET_CHILD_SUBREAPER = 36
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_SECCOMP_GET_FILTER = 17, 0x4206, 0x4207, 0x420c
MS_BIND = 4096
CGROUP = "/sys/fs/cgroup"

Measured = collections.namedtuple("Measured", "milliseconds peak_rss")


class Failed(Exception):
    pass


def checked(result, what):
    if result < 0:
        raise Failed(f"{what}: {os.strerror(ctypes.get_errno())}")
    return result


class Bench:
    def __init__(self, tools, folder, runtimes):
        self.tools = pathlib.Path(tools)
        self.folder = folder
        self.runtimes = runtimes
        self.suffix = {}
        self.numbers = itertools.count()
        bundles.make(folder, self.tools / "payload")
        for name in runtimes:
            self.suffix[name] = self.suffix_for(name)
        self.filter = self.filter_of_oci_run()

    def measure(self, *command, count=1, jobs=1):
        line = [self.tools / "measure", "-n", str(count), "-j", str(jobs), *command]
        # Not a pipe: a waiting container holds its end of it.
        with tempfile.TemporaryFile() as errors:
            done = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, check=False)
            if done.returncode != 0 or int(done.stdout.split()[2]) > 0:
                errors.seek(0)
                raise Failed(f"{' '.join(str(word) for word in command)}: {errors.read().decode()}")
        nanoseconds, peak = (int(figure) for figure in done.stdout.split()[:2])
        return Measured(nanoseconds / 1e6, peak)

    def command(self, name, *words):
        return [self.runtimes[name], "--root", self.folder / f"state-{name}", *words]

    def new_id(self):
        return f"bench{next(self.numbers)}"

    def bundle(self, name, kind, waiting=False):
        return self.folder / (kind + self.suffix[name]) / ("waiting" if waiting else "")

    def suffix_for(self, name):
        """A runtime that cannot load programs for devices here gets the bundles without device rules: it has less to do."""
        self.suffix[name] = ""
        if name == "oci-run":
            return ""
        try:
            self.run(name, "a")
            return ""
        except Failed as error:
            self.suffix[name] = "-plain"
            self.run(name, "a")
            print(f"{name} refuses device rules here, and gets bundles without: {str(error).strip().splitlines()[-1]}")
            return "-plain"

    def filter_of_oci_run(self):
        with self.alive("oci-run", "b") as (container, init):
            self.measure(*self.command("oci-run", "start", container))
            code = (ctypes.c_uint64 * 4096)()
            checked(libc.ptrace(PTRACE_SEIZE, init, None, None), "PTRACE_SEIZE")
            checked(libc.ptrace(PTRACE_INTERRUPT, init, None, None), "PTRACE_INTERRUPT")
            os.waitpid(init, 0)
            length = checked(libc.ptrace(PTRACE_SECCOMP_GET_FILTER, init, None, code), "PTRACE_SECCOMP_GET_FILTER")
            checked(libc.ptrace(PTRACE_DETACH, init, None, None), "PTRACE_DETACH")
        path = self.folder / "filter"
        path.write_bytes(bytes(code)[:length * 8])
        return path

    # ---- what is measured

    def run(self, name, kind):
        if name == "floor":
            words = [self.tools / "floor", kind, self.folder, f"{CGROUP}/floor"]
            return self.measure(*words, *([] if kind == "a" else [self.filter]))
        return self.measure(*self.command(name, "run", "--bundle", self.bundle(name, kind), self.new_id()))

    def create(self, name, kind, container):
        """What it took, and the container's init."""
        pid_file = self.folder / "pid"
        took = self.measure(*self.command(name, "create", "--bundle", self.bundle(name, kind, waiting=True),
                                          "--pid-file", pid_file, container))
        return took, int(pid_file.read_text())

    @contextlib.contextmanager
    def alive(self, name, kind):
        container = self.new_id()
        _, init = self.create(name, kind, container)
        try:
            yield container, init
        finally:
            os.kill(init, signal.SIGKILL)
            os.waitpid(init, 0)
            self.measure(*self.command(name, "delete", container))

    def life(self, name, kind):
        """Every command once: command -> what it took."""
        container = self.new_id()
        took = {}
        took["create"], init = self.create(name, kind, container)
        try:
            self.life_of(name, container, init, took)
        except BaseException:
            os.kill(init, signal.SIGKILL)
            raise
        return took

    def life_of(self, name, container, init, took):
        memory = dict(line.split(":") for line in pathlib.Path(f"/proc/{init}/smaps_rollup").read_text().splitlines()[1:])
        took["init"] = int(memory["Pss"].split()[0]), int(memory["Private_Dirty"].split()[0])
        took["start"] = self.measure(*self.command(name, "start", container))
        took["state"] = self.measure(*self.command(name, "state", container))
        took["exec"] = self.measure(*self.command(name, "exec", container, "/payload"))
        took["kill"] = self.measure(*self.command(name, "kill", container, "KILL"))
        os.waitpid(init, 0)
        took["delete"] = self.measure(*self.command(name, "delete", container))

    def parallel(self, name, kind):
        line = self.command(name, "run", "--bundle", self.bundle(name, kind), self.new_id() + "-{}")
        return self.measure(*line, count=100, jobs=8)


class Table:
    """Medians, as ratios to crun's; a goal is (what, ratio to whom, at most)."""

    def __init__(self):
        self.samples = collections.defaultdict(lambda: collections.defaultdict(list))
        self.missed = 0

    def add(self, row, name, value):
        self.samples[row][name].append(value)

    def median(self, row, name):
        values = self.samples[row].get(name)
        return statistics.median(values) if values else None

    def line(self, row, goals=()):
        names = ("oci-run", "crun", "runc", "floor")
        cells = [format_figure(self.median(row, name)) for name in names]
        ours = self.median(row, "oci-run")
        told = []
        for other, limit in goals:
            if other is None:
                told.append(f"{verdict(ours <= limit)}at most {limit}")
                self.missed += ours > limit
            elif self.median(row, other):
                ratio = ours / self.median(row, other)
                told.append(f"{verdict(ratio <= limit)}{ratio:.2f} of {other}'s (goal {limit:.2f})")
                self.missed += ratio > limit
        print(f"| {row} | {' | '.join(cells)} | {', '.join(told)} |", flush=True)

    def growth(self, row, first, limit):
        self.goal(self.median(row, "oci-run") / self.median(first, "oci-run"), limit, f"{row}: x", f"of {first}")

    def goal(self, figure, limit, before, after=""):
        self.missed += figure > limit
        print(f"| | | | | | {verdict(figure <= limit)}{before}{figure:.2f} {after} (goal {limit:.2f}) |", flush=True)


def format_figure(value):
    return "" if value is None else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def verdict(met):
    return "" if met else "MISSED: "


def head(title):
    print(f"\n| {title} | oci-run | crun | runc | floor | |\n|---|---|---|---|---|---|")


def measure_rounds(bench, table, rounds):
    kinds = ("a", "b", "c")
    names = [*bench.runtimes, "floor"]
    for number in range(rounds):
        order = names[number % len(names):] + names[:number % len(names)]
        for name in order:
            for kind in kinds:
                took = bench.run(name, kind)
                table.add(f"run {kind}", name, took.milliseconds)
                table.add(f"peak memory of run {kind}, KiB", name, took.peak_rss)
            if name == "floor":
                continue
            for command, value in bench.life(name, "b").items():
                if command == "init":
                    table.add("waiting init: PSS, KiB", name, value[0])
                    table.add("waiting init: private dirty, KiB", name, value[1])
                else:
                    table.add(f"{command} b", name, value.milliseconds)
    for _ in range(max(3, rounds // 10)):
        for name in bench.runtimes:
            table.add("100 x run a, 8 at a time", name, bench.parallel(name, "a").milliseconds)
    head("milliseconds, medians")
    table.line("run a", [("crun", 0.45), ("floor", 1.3)])
    table.line("run b", [("crun", 0.40), ("floor", 1.35)])
    table.line("run c")
    for command, limit in {"create": 0.4, "start": 0.35, "state": 0.35, "exec": 0.35, "kill": 0.45, "delete": 0.4}.items():
        table.line(f"{command} b", [("crun", limit)])
    table.line("100 x run a, 8 at a time", [("crun", 0.45)])
    head("memory")
    for kind in kinds:
        table.line(f"peak memory of run {kind}, KiB", [(None, 2253)])
    table.line("waiting init: PSS, KiB", [(None, 64)])
    table.line("waiting init: private dirty, KiB")


def add_mounts(folder, count):
    folder.mkdir(exist_ok=True)
    for _ in range(count):
        checked(libc.mount(os.fsencode(folder), os.fsencode(folder), None, MS_BIND, None), "mount")


def measure_growth(bench, table, rounds):
    row = "run b, {} more mounts on the host"
    added = 0
    try:
        for total in (0, 500, 2000):
            add_mounts(bench.folder / "many", total - added)
            added = total
            for name in [*bench.runtimes, "floor"] * rounds:
                table.add(row.format(total), name, bench.run(name, "b").milliseconds)
    finally:
        for _ in range(added):
            checked(libc.umount2(os.fsencode(bench.folder / "many"), 2), "umount")
    head("milliseconds, medians")
    for total in (0, 500, 2000):
        table.line(row.format(total))
    table.growth(row.format(2000), row.format(0), 1.2)
    with contextlib.ExitStack() as stack:
        present = 0
        for total in (0, 10, 100, 1000):
            while present < total:
                stack.enter_context(bench.alive("oci-run", "a"))
                present += 1
            for _ in range(rounds):
                took = bench.life("oci-run", "b")
                table.add(f"create b, {total} containers alive", "oci-run", took["create"].milliseconds)
                table.add(f"start b, {total} containers alive", "oci-run", took["start"].milliseconds)
    for what in ("create", "start"):
        for total in (0, 10, 100, 1000):
            table.line(f"{what} b, {total} containers alive")
        table.growth(f"{what} b, 1000 containers alive", f"{what} b, 0 containers alive", 1.1)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("tools")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--goals", action="store_true")
    chosen = parser.parse_args()
    checked(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "PR_SET_CHILD_SUBREAPER")
    runtimes = {"oci-run": os.environ["OCI_RUN"]} | {name: path for name in ("crun", "runc") if (path := shutil.which(name))}
    if chosen.goals and "crun" not in runtimes:
        raise Failed("--goals: crun is not installed")
    folder = pathlib.Path(tempfile.mkdtemp(dir=os.environ["OCI_RUN_TESTS_FOLDER"]))
    table = Table()
    try:
        bench = Bench(chosen.tools, folder, runtimes)
        print("; ".join(subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
                        for path in runtimes.values()), f"; Linux {os.uname().release}; {chosen.rounds} rounds", sep="")
        measure_rounds(bench, table, chosen.rounds)
        if chosen.growth:
            measure_growth(bench, table, max(5, chosen.rounds // 5))
        table.goal(pathlib.Path(os.environ["OCI_RUN"]).stat().st_size / 1e6, 1.6, "size of the program, MB: ")
    finally:
        shutil.rmtree(folder)
    sys.exit(1 if chosen.goals and table.missed else 0)


if __name__ == "__main__":
    main()
