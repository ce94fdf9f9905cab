# SPDX-License-Identifier: Apache-2.0
"""What the programs beside it share: assertions as TAP (testanything.org) and containers of any OCI runtime.

They are used as the suite's own programs are: as root, $RUNTIME is the runtime (runc without it), the current folder
has the suite's root file system. Only the operations of runtime.md are used, in their usual form: create --bundle FOLDER
ID, start ID, state ID, delete --force ID. cgroup2 must be on /sys/fs/cgroup."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

RUNTIME = os.environ.get("RUNTIME", "runc")
CGROUPS = pathlib.Path("/sys/fs/cgroup")
CONTROLLERS = (CGROUPS / "cgroup.controllers").read_text().split()
MIB = 1 << 20
DEADLINE = 60  # seconds for what takes less than one; an emulated machine is slow
APPLIED = "runtime.md#create"  # "if the runtime cannot apply a property [...] it MUST generate an error"
CONVERTED = "config-linux.md#unified"  # "if the conversion is not possible the runtime MUST generate an error"

_count = 0
_bundle = pathlib.Path()


# ---- assertions


def _line(good, text, details):
    global _count
    _count += 1
    print(f"{'ok' if good else 'not ok'} {_count} - {text}")
    if details:
        print("  ---", *(f"  {name}: {json.dumps(str(value))}" for name, value in details.items()), "  ...", sep="\n")
    sys.stdout.flush()


def check(good, clause, text, **details):
    """One assertion; the clause is the section of the specification that demands it."""
    _line(good, f"{clause}: {text}", details if not good else {})


def equal(found, wanted, clause, text):
    check(found == wanted, clause, text, wanted=wanted, found=found)


def skip(clause, text, reason):
    _line(True, f"{clause}: {text} # SKIP kernel: {reason}", {})


def program(main, controller=None):
    """Runs the assertions of a program; without the controller that they are about there is nothing to say."""
    global _bundle
    print("TAP version 13")
    if controller and controller not in CONTROLLERS:
        skip("config-linux.md#control-groups", controller, f"cgroup2 has no controller {controller} here")
    else:
        with tempfile.TemporaryDirectory() as folder:
            _bundle = pathlib.Path(folder)
            _bundle.chmod(0o755)
            (_bundle / "rootfs").mkdir()
            archive, = pathlib.Path().glob("rootfs-*.tar.gz")
            subprocess.run(["tar", "-xf", archive, "-C", _bundle / "rootfs"], check=True)
            main()
    print(f"1..{_count}")


# ---- containers


def runtime(*words, **more):
    more.setdefault("stdout", subprocess.DEVNULL)
    more.setdefault("stderr", subprocess.PIPE)
    return subprocess.run([RUNTIME, *map(str, words)], stdin=subprocess.DEVNULL, text=True, timeout=DEADLINE, **more)


def wait_for(condition):
    """Whether it came true."""
    end = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def configuration(script, resources, linux):
    mounts = [{"destination": "/proc", "type": "proc", "source": "proc"},
              {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
              {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]}]
    capabilities = ["CAP_MKNOD", "CAP_KILL"]
    namespaces = [{"type": name} for name in ("pid", "mount", "ipc", "uts", "cgroup")]
    return {
        "ociVersion": "1.0.2", "root": {"path": "rootfs"}, "mounts": mounts,
        "process": {"cwd": "/", "args": ["/bin/sh", "-c", script], "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0},
                    "capabilities": {name: capabilities for name in ("bounding", "effective", "permitted")}},
        "linux": {"namespaces": namespaces, "resources": resources, **linux},
    }


class Container:
    """A container that is created, and gone at the end of `with`. Resources and other members of `linux` are its
    configuration's; `change` may alter the whole."""

    def __init__(self, resources=None, script="exec sleep 1000", change=None, **linux):
        self.id = f"cgroup-v2-{os.urandom(8).hex()}"
        config = configuration(script, resources or {}, linux)
        if change:
            change(config)
        (_bundle / "config.json").write_text(json.dumps(config))
        self._output = open(_bundle / self.id, "w+")
        made = runtime("create", "--bundle", _bundle, self.id, stdout=self._output, stderr=self._output)
        self.created = made.returncode == 0
        self.state = self.query() if self.created else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.created or self.query():
            runtime("delete", "--force", self.id)
        self._output.close()

    def query(self):
        """Its state now, or None."""
        found = runtime("state", self.id, stdout=subprocess.PIPE)
        return json.loads(found.stdout) if found.returncode == 0 else None

    @property
    def cgroup(self):
        """Its folder in cgroup2: by /proc/PID/cgroup, as the runtime may choose it."""
        lines = pathlib.Path(f"/proc/{self.state['pid']}/cgroup").read_text().splitlines()
        return CGROUPS / next(line[4:] for line in lines if line.startswith("0::"))

    def value(self, file):
        """What a control file has, "(no FILE)" if it is not there."""
        try:
            return (self.cgroup / file).read_text().strip()
        except OSError:
            return f"(no {file})"

    def output(self):
        self._output.seek(0)
        return self._output.read()

    def start(self):
        runtime("start", self.id)
        return self

    def wait_output(self, text):
        """Whether its script prints that."""
        return wait_for(lambda: text in self.output())

    def wait(self):
        """Starts it, waits for the end of its script; the output."""
        self.start()
        wait_for(self._ended)
        return self.output()

    def _ended(self):
        try:
            return ") Z " in pathlib.Path(f"/proc/{self.state['pid']}/stat").read_text()
        except OSError:
            return True


def values(resources, wanted, clause, text):
    """Asserts what the control files of a container with these resources have; `wanted` is {file: value}."""
    with Container(resources) as container:
        if not container.created:
            check(False, clause, text, error=container.output())
            return
        for file, value in wanted.items():
            equal(container.value(file), value, clause, f"{text}: {file}")


def refused(resources, clause, text):
    """Asserts that no container with these resources can be created, and that none is there afterwards."""
    with Container(resources) as container:
        check(not container.created, clause, f"{text} is an error")
        if not container.created:
            left = [folder for folder, _, _ in os.walk(CGROUPS) if container.id in folder]
            equal((container.query(), left), (None, []), "runtime.md#errors", f"{text} leaves nothing")
            for folder in reversed(left):
                os.rmdir(folder)
