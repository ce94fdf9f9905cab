#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the programs of the suite, and ours in cgroup_v2/, one by one, prints a table and compares it with expected.md.

usage: suite.py FOLDER [PROGRAM]...    the folder has programs/, runtimetest and the root file system; in the surroundings
                                       of tests/containers/run.sh --command, with the program to test in $OCI_RUN
PROGRAM: only these; may be a pattern, as 'cgroup_v2/*'
"""

import contextlib
import fnmatch
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
OURS = "cgroup_v2/"
SHARED = "conformance.py"  # what they share, no program
# linux_process_apparmor_profile asks for it, but does not say what it is to forbid.
PROFILE = """profile acme_secure_profile flags=(attach_disconnected) {
  capability, file, mount, umount, network, signal, ptrace,
}
"""

# They have nothing to say when all is well: a failure is an `error` diagnostic or the exit code.
SILENT = {"hooks", "poststart", "poststart_fail", "poststop", "poststop_fail", "prestart", "prestart_fail",
          "process_capabilities_fail", "process_rlimits_fail"}

# They race with their own containers; the first try that passes shows what they ask. killsig signals as soon as the
# status is `running`: before its shell has set the trap, if the machine is busy, and then the kernel drops the signal.
TRIES = {"killsig": 5}


def has_capability(number):
    status = pathlib.Path("/proc/self/status").read_text()
    return bool(int(re.search(r"CapEff:\s*(\S+)", status).group(1), 16) >> number & 1)


def apparmor_is_on():
    parameter = pathlib.Path("/sys/module/apparmor/parameters/enabled")
    return parameter.exists() and parameter.read_text().startswith("Y")


# Where a line of expected.md holds.
PLACES = {
    "everywhere": lambda: True,
    "without CAP_SYS_RESOURCE": lambda: not has_capability(CAP_SYS_RESOURCE),
    "without AppArmor": lambda: not apparmor_is_on(),
    "without SELinux": lambda: not os.path.exists("/sys/fs/selinux/enforce"),
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


def programs(suite, patterns):
    """{name: path} of those that match, in the order of the table."""
    found = {path.name: path for path in sorted((suite / "programs").iterdir())}
    found.update({OURS + path.stem: path for path in sorted((HERE / OURS).glob("*.py")) if path.name != SHARED})
    return {name: path for name, path in found.items()
            if not patterns or any(fnmatch.fnmatch(name, pattern) for pattern in patterns)}


@contextlib.contextmanager
def apparmor_profile():
    """The profile is loaded meanwhile, where there is AppArmor."""
    if not apparmor_is_on():
        yield
        return
    security = "/sys/kernel/security"
    if not os.path.exists(f"{security}/apparmor"):
        subprocess.run(["mount", "-t", "securityfs", "securityfs", security], check=True)  # in our own mount namespace
    parser = ["apparmor_parser", "--skip-cache"]
    subprocess.run([*parser, "--replace"], input=PROFILE, text=True, check=True)
    try:
        yield
    finally:
        subprocess.run([*parser, "--remove"], input=PROFILE, text=True, check=True)


def run(program, folder, temporary):
    """Its exit code (None: it did not end) and output."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/root", "TMPDIR": str(temporary),
                   "RUNTIME": os.environ["OCI_RUN"], "PYTHONDONTWRITEBYTECODE": "1"}
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


def try_out(name, program, folder, temporary):
    """What its only, or first good, or last run gave."""
    for _ in range(TRIES.get(name, 1)):
        code, out, err = run(program, folder, temporary)
        if judge(name, code, out)[2] == "ok":
            break
    return code, out, err


def judge(name, code, out):
    """(assertions ok, not ok, outcome in a few words)"""
    skipped = len(re.findall(r"^ok\b.*# *SKIP", out, re.MULTILINE | re.IGNORECASE))
    good = len(re.findall(r"^ok\b", out, re.MULTILINE)) - skipped
    bad = len(re.findall(r"^not ok\b", out, re.MULTILINE))
    if code is None:
        outcome = "does not end"
    elif code != 0:
        outcome = f"exit {code}"
    elif bad:
        outcome = f"{bad} not ok"
    elif re.search(r'^\s*"?error"?:', out, re.MULTILINE) and name in SILENT:
        outcome = "error"
    elif not good and skipped:
        outcome = "skipped"
    elif not good and name not in SILENT:
        outcome = "no assertion"
    else:
        outcome = "ok"
    return good, bad, outcome


def remove_containers():
    """Some programs leave theirs behind when they fail, some in any case."""
    for state in STATES.iterdir():
        subprocess.run([os.environ["OCI_RUN"], "delete", "--force", state.name], check=True, timeout=60)


def skips(name, out):
    """The reasons of what a program of ours leaves out; the suite's own leave out what their configuration has not."""
    found = re.findall(r"^ok\b.*# SKIP (.*)", out, re.MULTILINE) if name.startswith(OURS) else []
    return sorted(set(found))


def run_all(selected, folder):
    """Prints the table; how many programs passed, failed against expected.md, and were excepted or skipped."""
    expected = expectations()
    passed, failed, without, assertions = 0, 0, [], 0
    print(f"{'program':<33} {'ok':>4} {'not ok':>6}  outcome")
    for name, program in selected.items():
        temporary = folder / "temporary"
        temporary.mkdir()
        code, out, err = try_out(name, program, folder, temporary)
        good, bad, outcome = judge(name, code, out)
        assertions += good
        wanted, reason = expected.get(name, ("ok", ""))
        skipped = skips(name, out)
        if skipped and outcome == "skipped":
            wanted, reason = "skipped", "; ".join(skipped)
        as_expected = outcome != "ok" if wanted == "fails" else outcome in wanted.split(" or ")
        note = "" if as_expected else f"  DIFFERS from '{wanted}'"
        if skipped and "OCI_RUN_VM" in os.environ:  # the virtual machine has everything
            as_expected, note = False, f"  SKIPS {skipped}"
        print(f"{name:<33} {good:>4} {bad:>6}  {outcome}{note}", flush=True)
        if not as_expected:
            failed += 1
            print(out, err, sep="\n")
        elif reason:
            without.append(f"{'skipped' if skipped else 'excepted'}: {name}: {reason}")
        else:
            passed += 1
            without += [f"skipped in part: {name}: {one}" for one in skipped]
        remove_containers()
        shutil.rmtree(temporary)
    for line in without:
        print(line)
    print(f"{len(selected)} programs, {assertions} assertions ok")
    return passed, failed, len(selected) - passed - failed


def main():
    suite = pathlib.Path(sys.argv[1])
    folder = pathlib.Path(os.environ["OCI_RUN_TESTS_FOLDER"])
    for file in (suite / "runtimetest", *suite.glob("rootfs-*.tar.gz")):
        shutil.copy(file, folder)  # the programs look for both in their current folder
    STATES.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", STATES], check=True)  # the machine's own containers stay out of it
    selected = programs(suite, sys.argv[2:])
    unknown = expectations().keys() - programs(suite, []).keys()
    matching_none = [pattern for pattern in sys.argv[2:] if not programs(suite, [pattern])]
    with apparmor_profile():
        passed, failed, skipped = run_all(selected, folder)
    left = [path.name for path in CGROUPS.iterdir() if path.is_dir() and path.name != "init"]
    for what, names in (("left behind: cgroup", left), ("expected.md: no such program:", sorted(unknown)),
                        ("no such program:", matching_none)):
        for name in names:
            print(what, name)
            failed += 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
