#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the programs of the suite one by one, prints a table and compares it with expected.md.

usage: suite.py FOLDER    with programs/, runtimetest and the root file system; in the surroundings of
                          tests/containers/run.sh --command, with the program to test in $OCI_RUN
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
CGROUPS = pathlib.Path("/sys/fs/cgroup")
STATES = pathlib.Path("/run/oci-run")
LIMIT = 300  # seconds for one program; the longest waits of its own add up to half a minute
CAP_SYS_RESOURCE = 24

# They have nothing to say when all is well: a failure is an `error` diagnostic or the exit code.
SILENT = {"hooks", "poststart", "poststart_fail", "poststop", "poststop_fail", "prestart", "prestart_fail",
          "process_capabilities_fail", "process_rlimits_fail"}


def has_capability(number):
    status = pathlib.Path("/proc/self/status").read_text()
    return bool(int(re.search(r"CapEff:\s*(\S+)", status).group(1), 16) >> number & 1)


# Where a line of expected.md holds.
PLACES = {
    "everywhere": lambda: True,
    "without CAP_SYS_RESOURCE": lambda: not has_capability(CAP_SYS_RESOURCE),
    "Linux 6.8 or newer": lambda: tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) >= (6, 8),
}


def expectations():
    """{program: (outcome, reason)} of the exceptions that hold here."""
    found = {}
    for line in (HERE / "expected.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("| `") or len(cells) != 4:
            continue
        program, outcome, place, reason = cells
        if PLACES[place]():
            found[program.strip("`")] = (outcome, reason)
    return found


def run(program, folder, temporary):
    """Its exit code (None: it did not end) and output."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/root", "TMPDIR": str(temporary), "RUNTIME": os.environ["OCI_RUN"]}
    with open(temporary / "out", "w+b") as out, open(temporary / "err", "w+b") as err:
        process = subprocess.Popen([program], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=err, start_new_session=True)
        try:
            code = process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            code = None
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    return code, *texts


def judge(name, code, out):
    """(assertions ok, not ok, outcome in a few words)"""
    good = len(re.findall(r"^ok\b", out, re.MULTILINE))
    bad = len(re.findall(r"^not ok\b", out, re.MULTILINE))
    skipped = len(re.findall(r"^ok\b.*# *SKIP", out, re.MULTILINE | re.IGNORECASE))
    if code is None:
        outcome = "does not end"
    elif code != 0:
        outcome = f"exit {code}"
    elif bad:
        outcome = f"{bad} not ok"
    elif re.search(r'^\s*"?error"?:', out, re.MULTILINE) and name in SILENT:
        outcome = "error"
    elif not good and name not in SILENT:
        outcome = "no assertion"
    elif good and good == skipped:
        outcome = "skipped"
    else:
        outcome = "ok"
    return good, bad, outcome


def remove_containers():
    """Some programs leave theirs behind when they fail, some in any case."""
    for state in STATES.iterdir():
        subprocess.run([os.environ["OCI_RUN"], "delete", "--force", state.name], check=True, timeout=60)


def main():
    suite = pathlib.Path(sys.argv[1])
    folder = pathlib.Path(os.environ["OCI_RUN_TESTS_FOLDER"])
    for file in (suite / "runtimetest", *suite.glob("rootfs-*.tar.gz")):
        shutil.copy(file, folder)  # the programs look for both in their current folder
    STATES.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", STATES], check=True)  # the machine's own containers stay out of it
    expected = expectations()
    passed, failed, excepted, assertions = 0, 0, [], 0
    programs = sorted((suite / "programs").iterdir())
    unknown = expected.keys() - {program.name for program in programs}
    print(f"{'program':<33} {'ok':>4} {'not ok':>6}  outcome")
    for program in programs:
        temporary = folder / "temporary"
        temporary.mkdir()
        code, out, err = run(program, folder, temporary)
        good, bad, outcome = judge(program.name, code, out)
        assertions += good
        wanted, reason = expected.get(program.name, ("ok", ""))
        as_expected = outcome != "ok" if wanted == "fails" else outcome in wanted.split(" or ")
        note = "" if as_expected else f"  DIFFERS from '{wanted}'"
        print(f"{program.name:<33} {good:>4} {bad:>6}  {outcome}{note}", flush=True)
        if not as_expected:
            failed += 1
            print(out, err, sep="\n")
        elif reason:
            excepted.append((program.name, reason))
        else:
            passed += 1
        remove_containers()
        shutil.rmtree(temporary)
    left = [path.name for path in CGROUPS.iterdir() if path.is_dir() and path.name != "init"]
    for what, names in (("left behind: cgroup", left), ("expected.md: no such program:", sorted(unknown))):
        for name in names:
            print(what, name)
            failed += 1
    for name, reason in excepted:
        print(f"excepted: {name}: {reason}")
    print(f"{len(programs)} programs, {assertions} assertions ok")
    print(f"{passed} passed, {failed} failed, {len(excepted)} skipped")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
