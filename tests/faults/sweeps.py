# SPDX-License-Identifier: Apache-2.0
"""F1 to F6: a fault at each system call of a command, then `delete --force`, then nothing may be left."""

import errno
import os
import re
import subprocess
import time

from lab import ID, CGROUPS, Reader, difference, forget_hooks, hook_lines, steady

ERRORS = [errno.EIO, errno.ENOSPC, errno.ENOMEM, errno.EMFILE, errno.EINTR, errno.EAGAIN, errno.EPERM, errno.ENOSYS,
          errno.EROFS, errno.EBUSY, errno.EDQUOT]
# What must be zero. `late`: a command that outlives its killed child by more than a second.
GATES = ("dirty", "live", "hang", "crash", "delete_failed", "left_after_failed_command", "left_after_delete",
         "silent_ok_wrong", "harmed", "late", "list_failed", "wrong")


# Differences by design, of commands that succeed. What is left out is less than what was asked for, and is told.
TOLD = ("capabilities that cannot be granted are left out", "no session keyring: ")


class Tally:
    """The line of one test: counts, and for each flaw what it was."""

    def __init__(self, *names):
        self.counts = dict.fromkeys(names, 0)
        self.most = {}
        self.flaws = []
        self.notes = []

    def add(self, name, count=1):
        self.counts[name] = self.counts.get(name, 0) + count

    def flaw(self, name, what):
        self.add(name)
        self.flaws.append(f"{name}: {what}")

    def peak(self, name, value):
        self.most[name] = max(self.most.get(name, 0), value)

    def passed(self):
        return not any(self.counts.get(name) for name in GATES) and self.counts.get("points", 1) > 0

    def line(self):
        return " ".join([f"{name}={value}" for name, value in self.counts.items()] +
                        [f"{name}={value:.0f}" for name, value in self.most.items()])


class Command:
    """A command of the program and what has to be there before it. `wrong` says what is not as it should be after it has
    succeeded, or returns ""."""

    def __init__(self, lab, bundle, expected):
        self.lab = lab
        self.bundle = bundle
        self.expected = expected  # the fingerprint of a clean run
        self.reader = None

    name = ""
    keeps_container = False

    def prepare(self):
        forget_hooks(self.bundle)
        self.reader = Reader()

    def finish(self):
        self.reader.close()

    def create(self):
        self.lab.must("create", "--bundle", self.bundle.path, ID, stdout=self.reader.writer)

    def run_container(self):
        self.create()
        self.lab.must("start", ID)
        self.reader.told()

    def command(self):
        return [self.name, ID]

    def run(self, inject):
        return self.lab.run(*self.command(), inject=inject)

    def status(self):
        outcome = self.lab.run("state", ID)
        return outcome.out.split('"status": "')[1].split('"')[0] if outcome.code == 0 else f"state: {outcome.err}"

    def fingerprint(self):
        told = steady(self.reader.told())
        return told + "\n".join(["", *hook_lines(self.bundle), *self.limits()])

    def limits(self):
        """Of the cgroup."""
        folder = CGROUPS / "outer/fault"
        return [f"{file.name} {file.read_text()}" for file in sorted(folder.glob("*.max"))]

    def compare(self):
        found = self.fingerprint()
        return "" if found == self.expected else difference(self.expected, found)

    def wrong(self, outcome):
        return ""

    def harmed(self):
        """Whether a container that has nothing to do with the fault has suffered."""
        return "" if not self.keeps_container or self.status() in ("running", "paused") else self.status()


class Create(Command):
    name = "create"

    def command(self):
        return ["create", "--pid-file", self.bundle.path / "pid", "--bundle", self.bundle.path, ID]

    def run(self, inject):
        return self.lab.run(*self.command(), inject=inject, stdout=self.reader.writer)

    def wrong(self, outcome):
        if (status := self.status()) != "created":
            return f"status {status}"
        started = self.lab.run("start", ID)
        return self.compare() if started.code == 0 else f"start: {started.err}"


class Start(Command):
    name = "start"

    def prepare(self):
        super().prepare()
        self.create()

    def wrong(self, outcome):
        return self.compare()


class Run(Command):
    name = "run"

    def command(self):
        return ["run", "--detach", "--bundle", self.bundle.path, ID]

    def run(self, inject):
        return self.lab.run(*self.command(), inject=inject, stdout=self.reader.writer)

    def wrong(self, outcome):
        return self.compare()


class OnRunning(Command):
    keeps_container = True

    def prepare(self):
        super().prepare()
        self.run_container()


class Exec(OnRunning):
    name = "exec"
    expected_output = None

    def command(self):
        return ["exec", ID, "/bin/subject", "once"]

    def wrong(self, outcome):
        if Exec.expected_output is None or self.bundle not in Exec.expected_output:
            return ""
        expected = Exec.expected_output[self.bundle]
        return "" if steady(outcome.out) == expected else difference(expected, steady(outcome.out))


class Update(OnRunning):
    name = "update"
    limit = 6 << 20

    def command(self):
        resources = self.bundle.path / "resources.json"
        resources.write_text('{"hugepageLimits": [{"pageSize": "2MB", "limit": %d}]}' % self.limit)
        return ["update", "--resources", resources, ID]

    def wrong(self, outcome):
        found = (CGROUPS / "outer/fault/hugetlb.2MB.max").read_text().strip()
        return "" if found == str(self.limit) else f"hugetlb.2MB.max is {found}"


class Pause(OnRunning):
    name = "pause"

    def wrong(self, outcome):
        return "" if self.status() == "paused" else self.status()


class Resume(OnRunning):
    name = "resume"

    def prepare(self):
        super().prepare()
        self.lab.must("pause", ID)

    def wrong(self, outcome):
        return "" if self.status() == "running" else self.status()


class Kill(OnRunning):
    name = "kill"
    keeps_container = False

    def command(self):
        return ["kill", ID, "KILL"]

    def wrong(self, outcome):
        end = time.monotonic() + 5
        while (status := self.status()) != "stopped" and time.monotonic() < end:
            time.sleep(0.005)
        return "" if status == "stopped" else status


class Delete(OnRunning):
    name = "delete"
    keeps_container = False

    def command(self):
        return ["delete", "--force", ID]

    def wrong(self, outcome):
        left = self.lab.left()
        if left:
            return f"left {left[:3]}"
        lines = hook_lines(self.bundle)
        # runtime.md, life cycle, step 13: what fails there is a warning.
        return "" if "poststop" in lines or "poststop hook" in outcome.err else "the poststop hook has not run"


class State(OnRunning):
    """Only tells: what it tells is right, or it fails."""
    name = "state"

    def wrong(self, outcome):
        return "" if outcome.out == self.lab.must("state", ID).out else f"it says {outcome.out}"


class List(OnRunning):
    name = "list"

    def command(self):
        return ["list", "--format", "json"]

    def wrong(self, outcome):
        # A container that cannot be looked at is left out, with a line about it.
        right = self.lab.must(*self.command()).out
        return "" if outcome.out == right or outcome.err else f"it says {outcome.out}"


ALL = [Create, Start, Run, Exec, Update, Pause, Resume, Kill, Delete]
TELLING = [State, List]


def clean_fingerprint(lab, bundle):
    command = Create(lab, bundle, None)
    command.prepare()
    command.create()
    lab.must("start", ID)
    found = command.fingerprint()
    assert "\nend\n" in found, found
    if Exec.expected_output is None:
        Exec.expected_output = {}
    Exec.expected_output[bundle] = steady(lab.must("exec", ID, "/bin/subject", "once").out)
    lab.must("delete", "--force", ID)
    command.finish()
    left = lab.left()
    assert not left, left
    return found


class Sample:
    """Which points are taken: every one, or every `step`th from an offset that the seed gives."""

    def __init__(self, full, seed):
        self.full = full
        self.seed = seed

    def of(self, count, wanted):
        """About `wanted` of the numbers 1 to count."""
        step = 1 if self.full else max(1, count // wanted)
        return range(1 + self.seed % step, count + 1, step)


def delete_and_count(command, tally, where):
    """Whatever happened: after `delete --force` there is nothing."""
    lab = command.lab
    deleted = lab.run("delete", "--force", ID)
    tally.peak("max_delete_ms", deleted.seconds * 1000)
    if deleted.hang:
        tally.flaw("hang", f"{where}: delete --force")
    if deleted.crash:
        tally.flaw("crash", f"{where}: delete --force: {deleted.code}")
    if deleted.code != 0:
        tally.flaw("delete_failed", f"{where}: {deleted.err}")
    left = lab.left()
    if left:
        tally.flaw("left_after_delete" if "left_after_delete" in tally.counts else "dirty", f"{where}: {left[:4]}")
        if any(item.startswith("processes") and " Z " not in item for item in left):
            tally.flaw("live", where)
        lab.clean()
    command.finish()


def look_at_end(command, outcome, tally, where):
    tally.peak("max_ms", outcome.seconds * 1000)
    if outcome.seconds > 5:
        tally.notes.append(f"slow: {where}: {outcome.seconds:.1f} s [{outcome.err.strip()}]")
    if outcome.hang:
        tally.flaw("hang", f"{where}: {[command.lab.names.get(int(line.split()[-1])) for line in outcome.hanging]}")
    if outcome.crash:
        tally.flaw("crash", f"{where}: ended {outcome.report.get('ended')}, signal {outcome.report.get('crash')}")


def kill_sweep(lab, command, who, points):
    """F1, F2, F3."""
    tally = Tally("points", "dirty", "live", "hang", "crash", "delete_failed", "harmed", "late", "list_failed")
    for stop in points:
        if late := at_last(lambda: one_kill(lab, command, tally, who, stop)):
            tally.flaw("late", late)
    return tally


def at_last(attempt):
    """What is wrong about the time it takes, or "". A busy machine is slow once, and a command that waits always."""
    for _ in range(3):
        if not (late := attempt()):
            break
    return late


def one_kill(lab, command, tally, who, stop):
    """Returns how late the command was to see that its child was killed, or ""."""
    late = ""
    command.prepare()
    outcome = command.run(["--stop", stop, "--kill", who])
    where = f"{command.name} --stop {stop} --kill {who} ({lab.call(outcome)})"
    look_at_end(command, outcome, tally, where)
    if outcome.fired:
        tally.add("points")
        if who == "child":
            tally.peak("max_after_ms", outcome.number("after_ms"))
            late = f"{where}: {outcome.report['after_ms']} ms" if outcome.number("after_ms") > 1000 else ""
        if harmed := command.harmed():
            tally.flaw("harmed", f"{where}: {harmed}")
        if lab.run("list").code != 0:
            tally.flaw("list_failed", where)
    delete_and_count(command, tally, where)
    return late


def timed_kills(lab, command, count):
    """F3 by time: without the injector, so that processes run side by side."""
    tally = Tally("points", "dirty", "live", "hang", "crash", "delete_failed")
    command.prepare()
    whole = command.run(None).seconds
    delete_and_count(command, tally, "the first")
    for number in range(count):
        command.prepare()
        process = subprocess.Popen(lab.words(*command.command()), stdin=subprocess.DEVNULL,
                                   stdout=command.reader.writer, stderr=subprocess.DEVNULL)
        time.sleep(whole * 1.2 * number / count)
        process.kill()
        process.wait()
        tally.add("points")
        delete_and_count(command, tally, f"{command.name} killed after {whole * 1.2 * number / count * 1000:.2f} ms")
    return tally


def error_sweep(lab, command, sample, wanted):
    """F4: `wanted` calls with one error each, or every call with every error."""
    tally = Tally("points", "ok", "rc1", "told", "crash", "hang", "left_after_failed_command", "left_after_delete", "live",
                  "silent_ok_wrong", "harmed", "delete_failed")
    command.prepare()
    counted = command.run(["--list"])
    delete_and_count(command, tally, "counting")
    roles = [call[0] for call in counted.calls]
    for who in ("main", "child"):
        count = roles.count(who)
        for entry in sample.of(count, max(1, wanted * count // len(roles))):
            every = sample.full and command.name != "run"
            for error in ERRORS if every else [ERRORS[(entry + sample.seed) % len(ERRORS)]]:
                one_error(lab, command, tally, who, entry, error)
    return tally


def one_error(lab, command, tally, who, entry, error):
    command.prepare()
    outcome = command.run(["--of", who, "--entry", entry, "--error", error])
    where = f"{command.name} --of {who} --entry {entry} --error {errno.errorcode[error]} ({lab.call(outcome)})"
    look_at_end(command, outcome, tally, where)
    if not outcome.fired:
        return delete_and_count(command, tally, where)
    tally.add("points")
    if outcome.code == 0:
        tally.add("ok")
        if (wrong := command.wrong(outcome)) and by_design(lab, command, outcome, error, wrong):
            tally.add("told")
        elif wrong:
            tally.flaw("silent_ok_wrong", f"{where}: {wrong} [{outcome.err.strip()}]")
    else:
        tally.add("rc1")
        if not outcome.hang and command.name in ("create", "run") and (left := lab.left()):
            tally.flaw("left_after_failed_command", f"{where}: {left[:4]} [{outcome.err.strip()}]")
    if harmed := command.harmed():
        tally.flaw("harmed", f"{where}: {harmed} [{outcome.err.strip()}]")
    delete_and_count(command, tally, where)


def by_design(lab, command, outcome, error, wrong):
    """A new cgroup2, and in a user namespace a new sysfs, may be forbidden: then the host's is bound, as other runtimes do.
    And who waits for start is known by its socket, where EAGAIN means that many have called it."""
    has_user_namespace = {"type": "user"} in command.bundle.linux["namespaces"]
    forbidden_mount = error in (errno.EPERM, errno.EBUSY) and \
        lab.call(outcome) in ("fsopen of child", "fsconfig of child", "fsmount of child") and \
        all((" /sys" if has_user_namespace else " /sys/fs/cgroup ") in line for line in wrong.split("; "))
    full_queue = error == errno.EAGAIN and lab.call(outcome) == "connect of main" and \
        re.search('"status": ?"created"', wrong) is not None
    return forbidden_mount or full_queue or any(text in outcome.err for text in TOLD)


def short_transfers(lab, command):
    """F5: each read and write of a file does half of what was asked; everything is as without."""
    tally = Tally("points", "wrong", "dirty", "hang", "crash", "live", "delete_failed")
    command.prepare()
    outcome = command.run(["--short"])
    where = f"{command.name} --short"
    look_at_end(command, outcome, tally, where)
    tally.add("points")
    if not outcome.fired:
        tally.flaw("wrong", f"{where}: nothing was shortened")
    if outcome.code != 0:
        tally.flaw("wrong", f"{where}: {outcome.err}")
    elif wrong := command.wrong(outcome):
        tally.flaw("wrong", f"{where}: {wrong}")
    delete_and_count(command, tally, where)
    return tally


def count_stops(lab, command):
    command.prepare()
    outcome = command.run([])
    assert outcome.code == 0, outcome.err
    lab.must("delete", "--force", ID)
    command.finish()
    return outcome.number("stops")
