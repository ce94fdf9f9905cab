#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Counts what does not depend on the machine's speed, and compares it with figures.txt: 5 % more is a failure.

usage: figures.py PAYLOAD [--update]
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import bundles

PROGRAM = os.environ["OCI_RUN"]
EXPECTED = pathlib.Path(__file__).with_name("figures.txt")
TOLERANCE = 1.05
# From another compiler it is another binary.
COMPILER = subprocess.run(["g++", "-dumpversion"], capture_output=True, text=True, check=True).stdout.split(".")[0].strip()


def oci_run(folder, *words, before=()):
    with tempfile.TemporaryFile() as errors:  # not a pipe: a waiting container holds its end of it
        done = subprocess.run([*before, PROGRAM, "--root", folder / "state", *words], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=errors, check=False)
        errors.seek(0)
        assert done.returncode == 0, errors.read().decode()


def calls_of_run(folder):
    """Of all processes: how many system calls, how many of them execute a program or start a process."""
    file = folder / "trace"
    oci_run(folder, "run", "--bundle", folder / "b", "figures", before=["strace", "--follow-forks", "-qq", "-o", file])
    names = re.findall(r"^\d+ +(\w+)\(", file.read_text(), re.MULTILINE)
    return {"system calls of run b": len(names),
            "programs executed by run b": sum(name.startswith("execve") for name in names),
            "processes started by run b": sum(name in ("clone", "clone3", "fork", "vfork") for name in names)}


def memory_of_waiting_init(folder):
    pid_file = folder / "pid"
    oci_run(folder, "create", "--bundle", folder / "b" / "waiting", "--pid-file", pid_file, "figures")
    init = int(pid_file.read_text())
    try:
        memory = pathlib.Path(f"/proc/{init}/smaps_rollup").read_text()
        return {"waiting init: proportional set size, KiB": int(re.search(r"^Pss: +(\d+) kB$", memory, re.MULTILINE)[1])}
    finally:
        os.kill(init, signal.SIGKILL)
        oci_run(folder, "delete", "--force", "figures")


def main():
    folder = pathlib.Path(tempfile.mkdtemp(dir=os.environ["OCI_RUN_TESTS_FOLDER"]))
    try:
        bundles.make(folder, sys.argv[1])
        found = calls_of_run(folder) | memory_of_waiting_init(folder)
    finally:
        shutil.rmtree(folder)
    found[f"size of the release build of gcc {COMPILER}, bytes"] = pathlib.Path(PROGRAM).stat().st_size
    expected = dict(line.rsplit(": ", 1) for line in EXPECTED.read_text().splitlines())
    if "--update" in sys.argv:
        expected |= {name: str(figure) for name, figure in found.items()}
        EXPECTED.write_text("".join(f"{name}: {figure}\n" for name, figure in expected.items()))
    failed = skipped = 0
    for name, figure in found.items():
        if name not in expected:
            verdict = "skipped: there is no figure to compare with"
            skipped += 1
        elif figure > int(expected[name]) * TOLERANCE:
            verdict = f"FAILED: was {expected[name]}; if it has to be, tests/bench/figures.sh --update"
            failed += 1
        else:
            verdict = f"(was {expected[name]})"
        print(f"{name}: {figure} {verdict}")
    print(f"{len(found) - failed - skipped} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)


main()
