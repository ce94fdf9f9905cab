# SPDX-License-Identifier: Apache-2.0
"""What the container tests share: the program under test, bundles, containers, and what must not be left behind."""

import copy
import ctypes
import dataclasses
import itertools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.path.abspath(os.environ.get("OCI_RUN") or (REPOSITORY / "build/dev/oci-run"))
CGROUPS = pathlib.Path("/sys/fs/cgroup")
# A service manager is PID 1, and the tests run in the host's own cgroups: see run.sh.
SYSTEMD = "OCI_RUN_TESTS_SYSTEMD" in os.environ
OWN_CGROUP = CGROUPS / ("system.slice/oci-run-tests.service" if SYSTEMD else "init")
# Nothing here takes seconds; the deadline only ends what hangs. An emulated machine is much slower.
DEADLINE = 240 if "OCI_RUN_VM" in os.environ else 30

# A fixed environment, so that what the caller has set changes nothing. Sanitizers: leaks are not looked for, because that
# needs ptrace, which does not work from inside the namespaces.
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ASAN_OPTIONS": "detect_leaks=0",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}

# Gets to know what tests configure, and which errors they want; see fields.py.
observer = None

ALL_NAMESPACES = ["pid", "network", "ipc", "uts", "mount", "cgroup"]
# The names in /proc/PID/ns for the types of config.json.
NAMESPACE_LINKS = {
    "pid": "pid", "network": "net", "mount": "mnt", "ipc": "ipc", "uts": "uts", "user": "user", "cgroup": "cgroup",
    "time": "time",
}


def wait_for(condition, what="what the test waits for"):
    """Waits until condition() is true and returns its value."""
    end = time.monotonic() + DEADLINE
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.005)


def become_subreaper():
    """Containers whose creator is gone become our children, as they become conmon's: so we can wait for them."""
    PR_SET_CHILD_SUBREAPER = 36
    assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def selinux_is_on():
    return os.path.exists("/sys/fs/selinux/enforce")


def namespace(kind, pid="self"):
    return os.readlink(f"/proc/{pid}/ns/{NAMESPACE_LINKS[kind]}")


def status_fields(text):
    """The lines of /proc/PID/status as a dictionary."""
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


@dataclasses.dataclass
class Mounted:
    """One line of /proc/PID/mountinfo."""
    root: str
    target: str
    options: list
    propagation: list
    type: str
    source: str
    super_options: list


def parse_mountinfo(text):
    mounts = []
    for line in text.splitlines():
        left, right = line.split(" - ")
        fields = left.split()
        kind, source, super_options = right.split(" ", 2)
        mounts.append(Mounted(fields[3], fields[4], fields[5].split(","), fields[6:], kind, source,
                              super_options.split(",")))
    return mounts


@dataclasses.dataclass
class Completed:
    """How a command ended."""
    rc: int
    out: str
    err: str
    command: list

    def succeeded(self):
        assert self.rc == 0, f"{self.command} ended with {self.rc}: {self.err}"
        return self

    def failed(self, *texts, rc=1):
        """It ended with rc, printed nothing on stdout and one line on stderr, which contains all the texts."""
        assert self.rc == rc, f"{self.command} ended with {self.rc}, not {rc}: {self.err}"
        assert self.out == "", f"on stdout: {self.out}"
        lines = self.err.splitlines()
        assert len(lines) == 1, f"not one error line: {self.err}"
        message = lines[0].replace('\\"', '"')
        for text in texts:
            assert text in message, f"no '{text}' in: {message}"
        if observer:
            observer.error(texts)
        return self


class Bundle:
    """A folder with config.json and rootfs. Tests change `config` (a dictionary); it is written when it is used."""

    def __init__(self, path, config):
        self.path = pathlib.Path(path)
        self.rootfs = self.path / "rootfs"
        self.config = config
        self.base = copy.deepcopy(config)

    @property
    def process(self):
        return self.config["process"]

    @property
    def linux(self):
        return self.config["linux"]

    def args(self, *args):
        self.process["args"] = list(args)
        return self

    def sh(self, script):
        return self.args("/bin/sh", "-c", script)

    def mount(self, destination, type=None, source=None, options=None):
        entry = {"destination": destination, "type": type, "source": source, "options": options}
        self.config["mounts"].append({key: value for key, value in entry.items() if value is not None})
        return self

    def bind(self, source, destination, *options):
        return self.mount(str(destination), "bind", str(source), ["bind", *options])

    def without_mount(self, destination):
        self.config["mounts"] = [mount for mount in self.config["mounts"] if mount["destination"] != destination]
        return self

    def namespaces(self, *types):
        """Exactly these namespaces, all new; a pair is (type, path)."""
        pairs = [(kind, None) if isinstance(kind, str) else kind for kind in types]
        self.linux["namespaces"] = [{"type": kind} if path is None else {"type": kind, "path": str(path)}
                                    for kind, path in pairs]
        return self

    def user_namespace(self, size=65536, host_id=100000, container_id=0):
        """Adds a user namespace; the rootfs is given to its root, as engines do."""
        self.linux["namespaces"].append({"type": "user"})
        mapping = {"containerID": container_id, "hostID": host_id, "size": size}
        self.linux["uidMappings"] = [mapping]
        self.linux["gidMappings"] = [dict(mapping)]
        self.give_rootfs(host_id)
        if size <= 5:
            # the example gives terminals to group 5 (tty), which is not mapped then
            for mount in self.config["mounts"]:
                mount["options"] = [option for option in mount.get("options", []) if option != "gid=5"]
        return self

    def give_rootfs(self, host_id):
        os.chown(self.rootfs, host_id, host_id)
        for folder, folders, files in os.walk(self.rootfs):
            for name in folders + files:
                if name not in ("busybox", "probe", "only_exit"):  # these are hard links, shared with other bundles
                    os.lchown(os.path.join(folder, name), host_id, host_id)

    def capabilities(self, *names, sets=("bounding", "effective", "permitted")):
        self.process["capabilities"] = {one: list(names) for one in sets}
        return self

    def add_capabilities(self, *names):
        for one in ("bounding", "effective", "permitted"):
            self.process["capabilities"].setdefault(one, []).extend(names)
        return self

    def hook(self, kind, path, *args, env=None, timeout=None):
        entry = {"path": str(path), "args": [str(path), *map(str, args)]}
        if env is not None:
            entry["env"] = env
        if timeout is not None:
            entry["timeout"] = timeout
        self.config.setdefault("hooks", {}).setdefault(kind, []).append(entry)
        return self

    def write(self):
        config = observer.configuration(self.config, self.base) if observer else self.config
        with open(self.path / "config.json", "w") as file:
            json.dump(config, file, indent=1)
        return str(self.path)


class Container:
    """A container that `create` or `run --detach` made."""

    def __init__(self, oci, id, pid, output, errors):
        self.oci = oci
        self.id = id
        self.pid = pid
        self._output = output
        self._errors = errors

    def state(self):
        return json.loads(self.oci("state", self.id).succeeded().out)

    @property
    def status(self):
        return self.state()["status"]

    def start(self):
        self.oci("start", self.id).succeeded()
        return self

    def kill(self, *signal_name):
        self.oci("kill", self.id, *signal_name).succeeded()

    def delete(self, *options):
        self.oci("delete", *options, self.id).succeeded()

    def exec(self, *command, **more):
        return self.oci("exec", self.id, *command, **more)

    def exec_detached(self, *words):
        """exec --detach with more options and a command after `...`; the process is our child then: its pid."""
        options, command = words[:words.index(...)], words[words.index(...) + 1:]
        pid_file = self.oci.state_root.parent / "exec-pid"
        completed = self.oci("exec", "--detach", "--pid-file", pid_file, *options, self.id, *command).succeeded()
        assert (completed.out, completed.err) == ("", "")
        pid = int(pid_file.read_text())
        self.oci.adopted.append(pid)
        return pid

    def wait(self):
        """Waits for the end of the container's process, which is our child: its exit code, or minus its signal."""
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)

    def output(self):
        return read_back(self._output)

    def errors(self):
        return read_back(self._errors)

    def wait_output(self, text):
        wait_for(lambda: text in self.output(), f"'{text}' in the container's output")

    def proc(self, name):
        return pathlib.Path(f"/proc/{self.pid}/{name}").read_text()


def read_back(file):
    return os.pread(file.fileno(), 1 << 24, 0).decode(errors="replace")


class Oci:
    """The program under test, with a state directory of the session's own."""

    def __init__(self, folder):
        self.state_root = pathlib.Path(folder) / "state"
        self.made = []
        self.adopted = []  # children by exec_detached
        self._numbers = itertools.count(1)

    def new_id(self):
        id = f"c{next(self._numbers)}"
        self.made.append(id)
        return id

    def popen(self, *args, root=True, env=None, **more):
        command = [PROGRAM, *(["--root", str(self.state_root)] if root else []), *map(str, args)]
        more.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen(command, env={**ENVIRONMENT, **(env or {})}, **more)

    def _finish(self, args, input, timeout, more):
        # Files and not pipes: a container keeps its standard streams, so the end of a pipe would not come.
        output, errors = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        stdin = tempfile.TemporaryFile() if input is not None else None
        if stdin:
            stdin.write(input.encode())
            stdin.seek(0)
            more["stdin"] = stdin
        process = self.popen(*args, stdout=output, stderr=errors, **more)
        try:
            rc = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{process.args} hangs; so far: {read_back(output)} {read_back(errors)}") from None
        return Completed(rc, read_back(output), read_back(errors), process.args), output, errors

    def __call__(self, *args, input=None, timeout=None, **more):
        return self._finish(args, input, timeout or DEADLINE, more)[0]

    def run(self, bundle, *options, id=None, before=(), **more):
        """`run` in the foreground; `before` are global options."""
        return self(*before, "run", "--bundle", bundle.write(), *options, id or self.new_id(), **more)

    def output_of(self, bundle, script=None, **more):
        """What the bundle's process, or a shell script in its place, prints; it must succeed and complain of nothing."""
        if script is not None:
            bundle.sh(script)
        completed = self.run(bundle, **more).succeeded()
        assert completed.err == "", completed.err
        return completed.out

    def create(self, bundle, *options, id=None, command=("create",), before=(), input=None, **more):
        id = id or self.new_id()
        # The pid comes from the pid file: a short program may be over before anybody can ask `state`.
        pid_file = self.state_root.parent / "pid"
        words = [*before, *command, "--pid-file", pid_file, "--bundle", bundle.write(), *options, id]
        completed, output, errors = self._finish(words, input, DEADLINE, more)
        completed.succeeded()
        return Container(self, id, int(pid_file.read_text()), output, errors)

    def run_detached(self, bundle, *options, **more):
        return self.create(bundle, *options, command=("run", "--detach"), **more)

    def delete_all(self):
        """Deletes what tests have made and not deleted themselves: with --force this must always work."""
        for pid in self.adopted:
            end_child(pid)  # as an engine does: the end of a pid namespace waits for its zombies
        self.adopted.clear()
        for id in self.made:
            if (self.state_root / id).exists():
                self("delete", "--force", id).succeeded()
        self.made.clear()


class Surroundings:
    """Everything on the host that a container may use but not leave behind."""

    def __init__(self, state_root):
        self.state_root = state_root
        self.mounts = self._mounts()
        self.cgroups = self._cgroups()
        self.processes = self._processes()

    @staticmethod
    def _mounts():
        return pathlib.Path("/proc/self/mountinfo").read_text().splitlines()

    @staticmethod
    def _cgroups():
        """All that a container may have made. The service manager's services and slices come and go by themselves."""
        def is_others(path):
            return SYSTEMD and (path.endswith(".slice") or any(
                part.endswith((".service", ".mount", ".socket")) or part == "init.scope" for part in path.split("/")))
        return sorted(folder for folder, _, _ in os.walk(CGROUPS) if not is_others(folder))

    @classmethod
    def _processes(cls):
        reap()
        found = {}
        folders = {*cls._cgroups(), str(OWN_CGROUP)}
        if SYSTEMD:
            folders.discard(str(CGROUPS))  # the kernel's own threads, which come and go
        for folder in folders:
            try:
                pids = pathlib.Path(folder, "cgroup.procs").read_text().split()
            except OSError:
                continue
            for pid in pids:
                try:
                    os.readlink(f"/proc/{pid}/exe")  # threads of the kernel have none; in a machine of our own they come and go
                    found[pid] = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                except OSError:
                    pass
        return found

    def _state_entries(self):
        return sorted(os.listdir(self.state_root)) if self.state_root.exists() else []

    def left(self):
        """What is there now and was not there at the start, as a dictionary of lists."""
        return {
            "processes": [f"{pid} {line}" for pid, line in self._processes().items() if pid not in self.processes],
            "cgroups": [path for path in self._cgroups() if path not in self.cgroups],
            "mounts": [line for line in self._mounts() if line not in self.mounts],
            "state files": self._state_entries(),
        }

    def check(self):
        """Fails and cleans up if anything is left. A process that was killed may take a moment to be gone."""
        end = time.monotonic() + 3
        left = self.left()
        while left["processes"] and time.monotonic() < end:
            time.sleep(0.01)
            left = self.left()
        if any(left.values()):
            self._clean()
        assert not any(left.values()), f"left behind: { {what: items for what, items in left.items() if items} }"

    def _clean(self):
        for pid in self._processes():
            if pid not in self.processes:
                os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.1)
        reap()
        for path in reversed(self._cgroups()):
            if path not in self.cgroups:
                try:
                    os.rmdir(path)
                except OSError as error:
                    print(f"cannot remove {path}: {error}")
        for line in reversed(self._mounts()):
            if line not in self.mounts:
                subprocess.run(["umount", "--lazy", line.split()[4]], check=False)
        for entry in self._state_entries():
            shutil.rmtree(self.state_root / entry, ignore_errors=True)


def end_child(pid):
    """Kills and collects it, if nobody has yet."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def reap():
    """Collects children that ended and nobody waits for: processes of deleted containers."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass


class Holder:
    """A process that keeps namespaces alive, for containers that join them by path."""

    def __init__(self, *options):
        self.process = subprocess.Popen(
            ["unshare", *options, "sh", "-c", "echo ready; exec sleep infinity"], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"
        # With --fork the namespaces (pid, time) are those of the child.
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        self.pid = int(children[0]) if children else self.process.pid

    def path(self, kind):
        return f"/proc/{self.pid}/ns/{NAMESPACE_LINKS[kind]}"

    def close(self):
        if self.pid != self.process.pid:
            os.kill(self.pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Session:
    """Made once: the base configuration, the file system of all rootfs, the probes."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self._numbers = itertools.count(1)
        self.image = self.folder / "image"
        self._make_image()
        self.base_config = self._base_config()

    def _make_image(self):
        binaries = self.image / "bin"
        binaries.mkdir(parents=True)
        for name in ("dev", "proc", "sys", "tmp", "etc", "root", "mnt", "home"):
            (self.image / name).mkdir()
        (self.image / "tmp").chmod(0o1777)
        shutil.copy(shutil.which("busybox"), binaries / "busybox")
        applets = subprocess.run([binaries / "busybox", "--list"], capture_output=True, text=True, check=True).stdout
        for applet in applets.split():
            if applet != "busybox":
                (binaries / applet).symlink_to("busybox")
        here = pathlib.Path(__file__).parent
        compiler = os.environ.get("CC", "gcc")
        subprocess.run([compiler, "-O1", "-static", "-o", binaries / "probe", here / "probe.c"], check=True)
        subprocess.run([compiler, "-O1", "-static", "-nostdlib", "-o", binaries / "only_exit", here / "only_exit.c"],
                       check=True)

    def _base_config(self):
        """The program's own example, for a process without a terminal."""
        folder = self.folder / "example"
        folder.mkdir()
        subprocess.run([PROGRAM, "spec"], cwd=folder, env=ENVIRONMENT, check=True)
        config = json.loads((folder / "config.json").read_text())
        config["process"]["terminal"] = False
        config["root"]["readonly"] = False
        return config

    def bundle(self):
        path = self.folder / f"b{next(self._numbers)}"
        path.mkdir()
        shutil.copytree(self.image, path / "rootfs", symlinks=True, copy_function=os.link)
        return Bundle(path, copy.deepcopy(self.base_config))
