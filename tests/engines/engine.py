# SPDX-License-Identifier: Apache-2.0
"""What an engine is for these tests: how it is set up with a runtime, and its table of actions.

An action is one line of a table: `name | exit code, and a text that must be in the output | shell command`. Exit code and
standard output are compared, so a command prints what matters and nothing that differs from run to run (2>&1, grep, sort).
Actions of a block (up to an empty line) run in order, with each runtime; after a block nothing may be left."""

import dataclasses
import os
import re
import signal
import subprocess
import time

LIMIT = 180  # seconds for one action, on a slow machine


@dataclasses.dataclass
class Action:
    name: str
    code: int
    text: str
    command: str


@dataclasses.dataclass
class Block:
    actions: list = dataclasses.field(default_factory=list)
    only_full: bool = False  # only with --full


def blocks(table):
    """The blocks of a table of actions."""
    found = [Block()]
    for line in map(str.strip, table.splitlines()):
        if line == "":
            found.append(Block())
        elif not line.startswith("#"):
            name, expected, command = (column.strip() for column in line.split("|", 2))
            code, _, text = expected.partition(" ")
            found[-1].actions.append(Action(name, int(code), text, command))
    return [block for block in found if block.actions]


def only_full(table):
    """The same, for --full."""
    return [dataclasses.replace(block, only_full=True) for block in blocks(table)]


@dataclasses.dataclass
class Engine:
    name: str
    reference: str  # the runtime to compare with
    set_up: object  # called with a lane
    blocks: list


@dataclasses.dataclass
class Outcome:
    code: int
    out: str
    errors: str


class Lane:
    """An engine with one runtime: commands of its own, a folder of its own, daemons."""

    def __init__(self, engine, runtime, folder, image):
        self.engine = engine.name
        self.runtime = runtime
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)
        self.folder.chmod(0o755)
        self.as_user = []  # in front of each command
        self.daemons = []
        self.at_end = []  # commands for the end
        self.environment = {
            "PATH": f"{self.bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
            "TERM": "dumb", "LANG": "C.UTF-8",
            # For the actions:
            "LANE": runtime, "RUNTIME": f"/usr/bin/{runtime}", "WORK": str(folder), "IMAGE": str(image),
            "BB": "localhost/bb:latest", "EXAMPLES": os.environ["EXAMPLES"]}

    def command(self, name, *words):
        """Makes a command for the actions: the words, then the arguments."""
        path = self.bin / name
        path.write_text("#!/bin/sh\nexec " + " ".join(map(str, words)) + ' "$@"\n')
        path.chmod(0o755)

    def run(self, command):
        """Runs a line of shell; its output without what differs from run to run."""
        process = subprocess.Popen(
            [*self.as_user, "bash", "-o", "pipefail", "-c", command], env=self.environment, cwd=self.folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
            start_new_session=True)
        try:
            out, errors = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, errors = process.communicate()
            return Outcome(-1, self.plain(out), f"{errors}no end after {LIMIT} seconds")
        return Outcome(process.returncode, self.plain(out), errors)

    def must(self, command):
        """For setting up."""
        outcome = self.run(command)
        if outcome.code != 0:
            raise RuntimeError(f"{self.engine} with {self.runtime}: {command}: exit code {outcome.code}: "
                               f"{outcome.errors}{self.logs()}")
        return outcome.out

    def start(self, *words, ready):
        """Starts a daemon, and waits until the command `ready` succeeds."""
        log = open(self.folder / "daemon.log", "ab")
        self.daemons.append(subprocess.Popen(
            list(map(str, words)), env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True))
        deadline = time.monotonic() + LIMIT
        while self.run(ready).code != 0:
            if self.daemons[-1].poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{words[0]} does not answer: {self.logs()}")
            time.sleep(0.5)

    def stop(self):
        for command in self.at_end:
            self.run(command)
        for daemon in reversed(self.daemons):
            daemon.terminate()
            daemon.wait(LIMIT)

    def logs(self):
        path = self.folder / "daemon.log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    def plain(self, text):
        """Without ids, names of the lane, returns of terminals and what they echo of the end of input."""
        text = re.sub(r"\r|\^@|\^D\b\b", "", text).replace(str(self.folder), "WORK")
        text = re.sub(rf"(/usr/s?bin/)?\b{re.escape(self.runtime)}\b(?!-tests)", "RUNTIME", text)
        return re.sub(r"\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b", "ID", text)
