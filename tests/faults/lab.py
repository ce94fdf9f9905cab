# SPDX-License-Identifier: Apache-2.0
"""What the fault tests share: bundles, commands with a fault in them, and what a container has left on the host."""

import errno
import fcntl
import os
import pathlib
import re
import secrets
import select
import signal
import subprocess
import sys
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests/containers"))
import harness  # noqa: E402

PROGRAM = harness.PROGRAM
CGROUPS = harness.CGROUPS
INJECTOR = os.path.abspath(os.environ.get("OCI_RUN_FAULT_INJECTOR") or REPOSITORY / "build/dev/tests/fault_injector")
LIMIT = 30  # seconds: no command may take longer, whatever happens to it
# Also where several run at once: session keyrings are the whole machine's to see.
ID = f"fault-{secrets.token_hex(3)}"
HOST_DEVICES = [f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty")]
BAD_SIGNALS = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP, signal.SIGSYS}


def call_names():
    """Names of the system calls by their numbers, from the kernel's headers."""
    macros = subprocess.run(["gcc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"],
                            capture_output=True, text=True, check=True).stdout
    return {int(number): name for name, number in re.findall(r"#define __NR_(\w+) (\d+)", macros)}


def keyrings():
    """Session keyrings of containers whose names begin with ID. The kernel collects them later, all at once, so they are
    counted after each test, not at each point; those of a user namespace are not to be seen."""
    return [line for line in pathlib.Path("/proc/keys").read_text().splitlines() if f" _ses.{ID}" in line]


def ends(process, seconds):
    """Whether it ends in time. Popen.wait(timeout) would look every 50 milliseconds, of which there are many here."""
    pidfd = os.pidfd_open(process.pid)
    try:
        return bool(select.select([pidfd], [], [], seconds)[0])
    finally:
        os.close(pidfd)


class Outcome:
    """How a command ended, and what the injector did to it."""

    def __init__(self, process, output, errors, seconds, report=""):
        self.args = process.args
        self.code = process.returncode  # negative: a signal
        self.out = output
        self.err = errors
        self.seconds = seconds
        lines = report.splitlines()
        self.calls = [line.split()[1:] for line in lines if line.startswith("list ")]
        self.hanging = [line for line in lines if line.startswith("hanging ")]
        self.report = dict(word.split("=", 1) for word in lines[-1].split()) if lines else {}
        ended = self.report.get("ended", "")
        self.hang = ended == "hang"
        if ended.startswith("exit:"):
            self.code = int(ended[5:])
        elif ended.startswith("signal:"):
            self.code = -int(ended[7:])
        self.fired = self.report.get("fired") == "1"
        self.crash = -self.code in BAD_SIGNALS or self.report.get("crash", "0") != "0"

    def number(self, name):
        return int(self.report[name])


class Lab:
    """A state directory, and the program under test with or without faults. In a pid namespace of its own, so that /proc
    shows nothing else; its PID 1 collects at once what has lost its parent, as any init does."""

    def __init__(self):
        self.session = harness.Session(os.environ["OCI_RUN_TESTS_FOLDER"])
        self.folder = self.session.folder
        self.root = self.folder / "state"
        self.root.mkdir(exist_ok=True)
        self.names = call_names()
        subject = self.session.image / "bin/subject"
        compiler = "musl-gcc" if os.path.exists("/usr/bin/musl-gcc") else "gcc"
        subprocess.run([compiler, "-O1", "-static", "-Wall", "-o", subject, pathlib.Path(__file__).parent / "subject.c"],
                       check=True)
        self.slowest = {}
        self.processes = set()
        self.before = {what: set(found) for what, found in self.there().items()}

    # ---- commands

    def words(self, *args):
        return [PROGRAM, "--root", str(self.root), *map(str, args)]

    def run(self, *args, inject=None, limit=LIMIT, stdout=None, **more):
        """Runs a command to its end; `inject`: options of the injector."""
        report = tempfile.TemporaryFile() if inject is not None else None
        command = self.words(*args)
        if inject is not None:
            command = [INJECTOR, "--report", str(report.fileno()), "--limit", str(limit), *map(str, inject), "--",
                       *command]
            more["pass_fds"] = [report.fileno()]
        output = tempfile.TemporaryFile() if stdout is None else None
        errors = tempfile.TemporaryFile()
        started = time.monotonic()
        process = subprocess.Popen(command, env=harness.ENVIRONMENT, stdin=subprocess.DEVNULL,
                                   stdout=output or stdout, stderr=errors, **more)
        if hang := not ends(process, limit + 10):
            process.kill()
        process.wait()
        seconds = time.monotonic() - started
        outcome = Outcome(process, harness.read_back(output) if output else "", harness.read_back(errors), seconds,
                          harness.read_back(report) if report else "")
        for file in (report, output, errors):
            if file:
                file.close()
        outcome.hang = outcome.hang or hang
        if outcome.hang:
            outcome.code = -signal.SIGKILL
        name = args[0] + (" (traced)" if inject is not None else "")
        self.slowest[name] = max(self.slowest.get(name, 0), seconds)
        return outcome

    def must(self, *args, **more):
        outcome = self.run(*args, **more)
        assert outcome.code == 0, f"{args} ended with {outcome.code}: {outcome.err}"
        return outcome

    def call(self, outcome):
        """The call at which a fault came, for people."""
        report = outcome.report
        return f"{self.names.get(int(report.get('call', -1)), report.get('call'))} of {report.get('by')}"

    # ---- what is there

    def there(self):
        processes = []
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) not in (1, os.getpid()):
                try:
                    status = pathlib.Path(f"/proc/{name}/stat").read_text()
                    line = pathlib.Path(f"/proc/{name}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                    processes.append(f"{name} {status.rpartition(')')[2].split()[0]} {line}")
                except OSError:
                    pass
        return {
            "processes": processes,
            "cgroups": [folder for folder, _, _ in os.walk(CGROUPS)],
            "mounts": pathlib.Path("/proc/self/mountinfo").read_text().splitlines(),
            # Bound into containers with a user namespace: their owner and mode are the host's.
            "devices": [f"{path} {status.st_mode:o} {status.st_uid}:{status.st_gid}"
                        for path in HOST_DEVICES for status in [os.stat(path)]],
            "state": sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*")),
        }

    def left(self, patience=2.0):
        """What was not there at the start, as a list of texts. A killed process gets a moment to end."""
        end = time.monotonic() + patience
        while True:
            there = self.there()
            found = [f"{what}: {item}" for what, items in there.items() for item in items
                     if item not in self.before[what]]
            if not found or time.monotonic() > end:
                return found
            time.sleep(0.002)

    @staticmethod
    def keyrings_left():
        end = time.monotonic() + 30
        while keyrings() and time.monotonic() < end:
            time.sleep(0.05)
        return keyrings()

    def clean(self):
        """By force, after something was left: the next point starts from nothing."""
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) not in (1, os.getpid()):
                try:
                    os.kill(int(name), signal.SIGKILL)
                except OSError:
                    pass
        time.sleep(0.1)
        for folder in sorted(self.there()["cgroups"], reverse=True):
            if folder not in self.before["cgroups"]:
                subprocess.run(["rmdir", folder], check=False)
        subprocess.run(["find", str(self.root), "-mindepth", "1", "-delete"], check=False)


class Reader:
    """The end of a pipe that a container writes to; `told` waits for its line `end`."""

    def __init__(self):
        self.fd, self.writer = os.pipe2(os.O_CLOEXEC)
        fcntl.fcntl(self.fd, fcntl.F_SETFL, os.O_NONBLOCK)
        self.text = ""

    def told(self, seconds=10):
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1
        end = time.monotonic() + seconds
        while not self.text.endswith("end\n"):
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            if not ready:
                break
            try:
                data = os.read(self.fd, 1 << 16)
            except OSError as error:
                if error.errno == errno.EAGAIN:
                    continue
                raise
            if not data:
                break
            self.text += data.decode(errors="replace")
        return self.text

    def close(self):
        os.close(self.fd)
        if self.writer >= 0:
            os.close(self.writer)

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()


def steady(text):
    """What is the same in every run: mountinfo without its numbers."""
    lines = []
    for line in text.splitlines():
        if re.match(r"\d+ \d+ \d+:\d+ /", line):
            line = re.sub(r"^\d+ \d+ \d+:\d+ ", "", line)
            line = re.sub(r" (shared|master|propagate_from):\d+", r" \1", line)
        lines.append(line)
    return "\n".join(lines)


def difference(expected, found):
    """The first lines that differ."""
    old, new = expected.splitlines(), found.splitlines()
    return "; ".join([f"-{line}" for line in old if line not in new][:4] +
                     [f"+{line}" for line in new if line not in old][:4]) or "order or number of lines"


# ---- bundles


def make_bundle(lab, kind):
    """kind `host`: as the host's root; `user`: in a user namespace, as a normal user. Nearly all that can be asked for."""
    bundle = lab.session.bundle()
    config, linux, process = bundle.config, bundle.linux, bundle.process
    (bundle.rootfs / "readonly").write_text("r")
    (bundle.rootfs / "bound").mkdir()
    source = bundle.path / "source"
    source.mkdir()
    (source / "file").write_text("s")
    os.chmod(bundle.path, 0o755)
    log = bundle.path / "hooks.log"
    log.touch()
    os.chmod(log, 0o666)
    bundle.args("/bin/subject")
    process["env"] = ["PATH=/bin", "A=b"]
    process["user"] = {"uid": 0, "gid": 0, "umask": 0o27}
    process["oomScoreAdj"] = 500
    process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200},
                          {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]
    process["scheduler"] = {"policy": "SCHED_BATCH", "nice": 5}
    process["ioPriority"] = {"class": "IOPRIO_CLASS_BE", "priority": 6}
    bundle.capabilities("CAP_KILL", "CAP_MKNOD", "CAP_NET_BIND_SERVICE")
    config["hostname"], config["domainname"] = "subject", "example"
    bundle.bind(source, "/bound", "ro", "nosuid", "nodev", "noexec")
    bundle.mount("/tmp", "tmpfs", "tmpfs", ["nosuid", "mode=1777", "size=64k"])
    linux["readonlyPaths"] = linux.get("readonlyPaths", []) + ["/readonly"]
    linux.setdefault("sysctl", {})["kernel.msgmax"] = "9000"
    linux["rootfsPropagation"] = "private"
    linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["getcpu"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.EDOM}]}
    linux["cgroupsPath"] = "/outer/fault"
    resources = linux.setdefault("resources", {})
    for name, entry in (("hugetlb", {"hugepageLimits": [{"pageSize": "2MB", "limit": 4 << 20}]}),
                        ("pids", {"pids": {"limit": 50}}), ("memory", {"memory": {"limit": 256 << 20}})):
        if name in (CGROUPS / "cgroup.subtree_control").read_text().split():
            resources.update(entry)
    for stage in ("createRuntime", "createContainer", "startContainer", "poststart", "poststop"):
        place = "/hooks.log" if stage == "startContainer" else log
        bundle.hook(stage, "/bin/subject" if stage == "startContainer" else bundle.rootfs / "bin/subject", "hook", stage,
                    place, timeout=20)
    (bundle.rootfs / "hooks.log").touch()
    os.chmod(bundle.rootfs / "hooks.log", 0o666)
    if kind == "host":
        linux["namespaces"].append({"type": "time"})
        linux["devices"] = [{"path": "/dev/extra", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 0,
                             "gid": 0}]
        linux["timeOffsets"] = {"boottime": {"secs": 1000}}
    else:
        bundle.user_namespace()
        process["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [5, 6], "umask": 0o22}
        process["noNewPrivileges"] = True
        bundle.capabilities("CAP_NET_BIND_SERVICE", sets=("bounding", "effective", "permitted", "inheritable", "ambient"))
    bundle.log = log
    bundle.write()
    return bundle


def hook_lines(bundle):
    return bundle.log.read_text().split() + (bundle.rootfs / "hooks.log").read_text().split()


def forget_hooks(bundle):
    bundle.log.write_text("")
    (bundle.rootfs / "hooks.log").write_text("")
