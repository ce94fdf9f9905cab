# SPDX-License-Identifier: Apache-2.0
"""F7 to F15: no room, low limits, damaged files, processes that die or do not die, crowds, and reboots."""

import concurrent.futures
import ctypes
import errno
import json
import os
import pathlib
import resource
import signal
import struct
import subprocess
import time

from lab import CGROUPS, ID, Reader, keyrings
from sweeps import Tally, at_last


def end(lab, tally, where, *, id=ID):
    """`delete --force` must succeed, and nothing be left."""
    deleted = lab.run("delete", "--force", id)
    tally.peak("max_delete_ms", deleted.seconds * 1000)
    judge(tally, deleted, f"{where}: delete")
    if deleted.code != 0:
        tally.flaw("delete_failed", f"{where}: {deleted.err}")
    nothing(lab, tally, where)


def nothing(lab, tally, where):
    left = lab.left()
    if left:
        tally.flaw("dirty", f"{where}: {left[:4]}")
        if any(item.startswith("processes") and " Z " not in item for item in left):
            tally.flaw("live", where)
        lab.clean()


def judge(tally, outcome, where):
    if outcome.hang:
        tally.flaw("hang", where)
    if outcome.crash:
        tally.flaw("crash", f"{where}: {outcome.code} {outcome.err}")


def new_tally(*names):
    return Tally("points", *names, "dirty", "live", "hang", "crash", "delete_failed", "wrong")


def create(lab, bundle, *, reader=None, **more):
    with Reader() as own:
        return lab.run("create", "--bundle", bundle.path, ID, stdout=(reader or own).writer, **more)


def run_container(lab, bundle, id=ID):
    with Reader() as reader:
        lab.must("run", "--detach", "--bundle", bundle.path, id, stdout=reader.writer)
        assert reader.told().endswith("end\n")


def init_of(lab, id=ID):
    return json.loads(lab.must("state", id).out)["pid"]


# ---- F7


def full_disk(lab, bundle, sample):
    """The state directory on a file system with too little room for bytes or for files."""
    tally = new_tally("ok", "rc1")
    sizes = range(0, 65536 + 1, 512 if sample.full else 4096)
    for kind, amount in [("bytes", size) for size in sizes] + [("inodes", count) for count in range(2, 16)]:
        where = f"{amount} {kind} left"
        option = "size=64k" if kind == "bytes" else f"size=1m,nr_inodes={amount}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", option, "small", str(lab.root)], check=True)
        try:
            if kind == "bytes":
                fill(lab.root / "filler", 65536 - amount)
            outcome = create(lab, bundle)
            judge(tally, outcome, where)
            tally.add("points")
            tally.add("ok" if outcome.code == 0 else "rc1")
            if outcome.code != 0 and str(lab.root) not in outcome.err:
                tally.flaw("wrong", f"{where}: no path in: {outcome.err}")
            deleted = lab.run("delete", "--force", ID)
            judge(tally, deleted, f"{where}: delete")
            if deleted.code != 0:
                tally.flaw("delete_failed", f"{where}: {deleted.err}")
            left = [name for name in os.listdir(lab.root) if name != "filler"]
            if left:
                tally.flaw("dirty", f"{where}: {left}")
        finally:
            subprocess.run(["umount", str(lab.root)], check=True)
        nothing(lab, tally, where)
    if not tally.counts["ok"] or not tally.counts["rc1"]:
        tally.flaw("wrong", "both outcomes were to be seen")
    return tally


def fill(path, size):
    with open(path, "wb", buffering=0) as file:
        try:
            file.write(b"\0" * size)
        except OSError as error:
            assert error.errno == errno.ENOSPC


# ---- F8


def low_limits(lab, bundle, sample):
    """Resource limits of the caller: every command works or says why not."""
    tally = new_tally("ok", "rc1", "not_loaded")
    least = None
    limits = [(resource.RLIMIT_NOFILE, "NOFILE", number) for number in range(3, 41)]
    limits += [(resource.RLIMIT_NPROC, "NPROC", number) for number in range(0, 9)]
    step = 64 << 10 if sample.full else 1 << 20
    limits += [(resource.RLIMIT_AS, "AS", size) for size in range(1 << 20, 24 << 20, step)]
    limits += [(resource.RLIMIT_FSIZE, "FSIZE", size) for size in (0, 1, 100, 1000, 5000, 100000)]
    limits += [(resource.RLIMIT_STACK, "STACK", size << 10) for size in (64, 128, 256, 1024)]
    for number, name, value in limits:
        def lower():
            # The hard limit is config.json's to lower.
            resource.setrlimit(number, (value, resource.getrlimit(number)[1]))
        where = f"RLIMIT_{name}={value}"
        if lab.run("--version", preexec_fn=lower).code < 0:
            tally.add("not_loaded")  # the kernel has no room for the program itself
            continue
        made = create(lab, bundle, preexec_fn=lower)
        tally.add("points")
        judge(tally, made, where)
        tally.add("ok" if made.code == 0 else "rc1")
        if made.code == 0 and name == "NOFILE" and least is None:
            least = value
        if made.code > 0 and not made.err and name != "FSIZE":  # standard error is a file here
            tally.flaw("wrong", f"{where}: no message")
        if made.code == 0:
            for command in (["state", ID], ["start", ID], ["exec", ID, "/bin/subject", "once"], ["kill", ID, "KILL"],
                            ["delete", "--force", ID]):
                judge(tally, lab.run(*command, preexec_fn=lower), f"{where}: {command[0]}")
        end(lab, tally, where)
    tally.most["min_nofile"] = least or 0
    return tally


# ---- F9


def damaged_files(lab, bundle, sample):
    """Each file of the state directory cut at every byte, and each of its bytes changed. delete works and leaves nothing,
    or fails and has removed nothing."""
    tally = new_tally("ok", "rc1", "list_failed")
    folder = lab.root / ID
    run_container(lab, bundle)
    for name in ("record.json", "state.json", "config.json"):
        good = (folder / name).read_bytes()
        cuts = [good[:length] for length in sample.of(len(good) - 1, 40)] + [b""]
        flips = [good[:at - 1] + bytes([good[at - 1] ^ 1 << at % 8]) + good[at:] for at in sample.of(len(good), 60)]
        for number, bad in enumerate(cuts + flips):
            where = f"{name} damaged, {number} of {len(cuts)} cuts and {len(flips)} flips"
            (folder / name).write_bytes(bad)
            tally.add("points")
            for command in (["state", ID], ["list"], ["kill", ID, "0"]):
                outcome = lab.run(*command)
                judge(tally, outcome, f"{where}: {command[0]}")
                if command[0] == "list" and outcome.code != 0:
                    tally.flaw("list_failed", f"{where}: {outcome.err}")
            deleted = lab.run("delete", "--force", ID)
            judge(tally, deleted, f"{where}: delete")
            if deleted.code == 0:
                tally.add("ok")
                nothing(lab, tally, where)
                run_container(lab, bundle)
            else:
                tally.add("rc1")
                if sorted(os.listdir(folder)) != ["config.json", "record.json", "start.sock", "state.json"] or \
                        (folder / name).read_bytes() != bad or not (CGROUPS / "outer/fault").exists():
                    tally.flaw("wrong", f"{where}: failed, but removed something: {deleted.err}")
                (folder / name).write_bytes(good)
            good = (folder / name).read_bytes()  # perhaps of a new container: the same places of other content
    end(lab, tally, "the last")
    return tally


# ---- F10


def dying_init(lab, bundle, sample):
    """The container's process dies, or stops, at every gap: stopped, start fails, delete is quick."""
    tally = new_tally("late")
    for gap in ("created", "running", "stopped by SIGSTOP while created", "stopped by SIGSTOP while running", "paused"):
        for _ in range(5 if sample.full else 2):
            if late := at_last(lambda: one_gap(lab, bundle, tally, gap)):
                tally.flaw("late", late)
    return tally


def one_gap(lab, bundle, tally, gap):
    """Returns which command was late, or ""."""
    late = ""
    tally.add("points")
    if gap.endswith("created"):
        made = create(lab, bundle)
        assert made.code == 0, made.err
    else:
        run_container(lab, bundle)
    init = init_of(lab)
    if "SIGSTOP" in gap:
        os.kill(init, signal.SIGSTOP)
    elif gap == "paused":
        lab.must("pause", ID)
    else:
        os.kill(init, signal.SIGKILL)
        wait_gone(init)
        status = json.loads(lab.must("state", ID).out)["status"]
        if status != "stopped":
            tally.flaw("wrong", f"{gap}: status {status}")
        started = lab.run("start", ID)
        if started.code != 1:
            tally.flaw("wrong", f"{gap}: start: {started.code}: {started.err}")
        if started.seconds > 1:
            late = f"{gap}: start: {started.seconds} s"
    deleted = lab.run("delete", "--force", ID)
    tally.peak("max_delete_ms", deleted.seconds * 1000)
    judge(tally, deleted, gap)
    if deleted.code != 0:
        tally.flaw("wrong", f"{gap}: delete: {deleted.code}: {deleted.err}")
    if deleted.seconds > 0.5:
        late = f"{gap}: delete: {deleted.seconds} s"
    nothing(lab, tally, gap)
    return late


def wait_gone(pid):
    deadline = time.monotonic() + 10
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < deadline:
        time.sleep(0.002)


# ---- F11


def reused_pid(lab, bundle, sample):
    """Another process gets init's number: it is not the container."""
    tally = new_tally("reused")
    for command in (["kill", ID, "KILL"], ["kill", "--all", ID, "KILL"], ["exec", ID, "/bin/subject", "once"],
                    ["start", ID], ["pause", ID], ["delete", "--force", ID], ["delete", ID]):
        tally.add("points")
        run_container(lab, bundle)
        init = init_of(lab)
        os.kill(init, signal.SIGKILL)
        wait_gone(init)
        time.sleep(2 / os.sysconf("SC_CLK_TCK"))  # start times are told apart by this much, proc_pid_stat(5)
        victim = None
        for _ in range(50):
            pathlib.Path("/proc/sys/kernel/ns_last_pid").write_text(str(init - 1))
            victim = subprocess.Popen(["sleep", "1000"])
            if victim.pid == init:
                break
            victim.kill()
            victim.wait()
        if victim.pid == init:
            tally.add("reused")
            status = json.loads(lab.must("state", ID).out)["status"]
            outcome = lab.run(*command)
            judge(tally, outcome, str(command))
            if status != "stopped":
                tally.flaw("wrong", f"{command}: status {status}")
            if victim.poll() is not None:
                tally.flaw("wrong", f"{command} has killed a stranger")
        victim.kill()
        victim.wait()
        end(lab, tally, str(command))
    if tally.counts["reused"] < tally.counts["points"] // 2:
        tally.flaw("wrong", "the number was hardly ever used again")
    return tally


# ---- F12


def crowd(lab, bundle, sample):
    """Many at once; one name for many; create, list and delete at the same time."""
    tally = new_tally("created", "dup_ok", "dup_err", "list_errors")
    count = 500 if sample.full else 100
    del bundle.linux["cgroupsPath"]  # each its own
    bundle.write()
    try:
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            made = list(pool.map(lambda number: create_silently(lab, bundle, f"{ID}-many{number}"), range(count)))
            tally.add("created", sum(outcome.code == 0 for outcome in made))
            for outcome in made:
                judge(tally, outcome, "create of many")
                if outcome.code != 0:
                    tally.flaw("wrong", f"create of many: {outcome.err}")
            gone = list(pool.map(lambda number: lab.run("delete", "--force", f"{ID}-many{number}"), range(count)))
            for outcome in gone:
                if outcome.code != 0:
                    tally.flaw("delete_failed", outcome.err)
            nothing(lab, tally, "many")
            same = list(pool.map(lambda _: create_silently(lab, bundle, ID), range(50)))
            tally.add("dup_ok", sum(outcome.code == 0 for outcome in same))
            tally.add("dup_err", sum(outcome.code == 1 and "already exists" in outcome.err for outcome in same))
            if tally.counts["dup_ok"] != 1 or tally.counts["dup_err"] != 49:
                tally.flaw("wrong", f"{[outcome.err for outcome in same if outcome.code][:2]}")
            end(lab, tally, "the same name")
            deadline = time.monotonic() + (60 if sample.full else 8)
            storm = [pool.submit(storm_of, lab, bundle, f"{ID}-storm{number % 3}", deadline) for number in range(9)]
            storm += [pool.submit(lists, lab, deadline) for _ in range(2)]
            for one in storm:
                for kind, text in one.result():
                    tally.flaw(kind, text)
            tally.add("points")
            for number in range(3):
                lab.run("delete", "--force", f"{ID}-storm{number}")
            nothing(lab, tally, "storm")
        times = sorted(outcome.seconds * 1000 for outcome in made)
        tally.most["p50_ms"], tally.most["p99_ms"] = times[len(times) // 2], times[len(times) * 99 // 100]
    finally:
        bundle.linux["cgroupsPath"] = "/outer/fault"
        bundle.write()
    return tally


def create_silently(lab, bundle, id):
    return lab.run("create", "--bundle", bundle.path, id, stdout=subprocess.DEVNULL)


def storm_of(lab, bundle, id, deadline):
    """Create and delete, while others do so with the same name."""
    flaws = []
    while time.monotonic() < deadline:
        for outcome in (create_silently(lab, bundle, id), lab.run("delete", "--force", id)):
            if outcome.hang or outcome.crash:
                flaws.append(("hang" if outcome.hang else "crash", outcome.err))
            allowed = ("already exists", "does not exist", "unexpectedly", "killed", "busy", "no such", "removed")
            if outcome.code and not any(word in outcome.err for word in allowed):
                flaws.append(("wrong", outcome.err))
    return flaws


def lists(lab, deadline):
    flaws = []
    while time.monotonic() < deadline:
        outcome = lab.run("list")
        if outcome.code or outcome.crash:
            flaws.append(("list_errors", outcome.err))
    return flaws


def overtaken(lab, bundle, sample):
    """While a create stands still between any two of its calls until it has its lock, its folder is deleted and another
    create makes a container of that name: one of the two has it, and it lives."""
    tally = new_tally("first", "second")
    command = ["create", "--bundle", bundle.path, ID]
    listed = lab.run(*command, inject=["--list"], stdout=subprocess.DEVNULL)
    names = [lab.names[int(call[1])] for call in listed.calls]
    end(lab, tally, "counting")
    first = names.index("mkdirat")
    words = lambda *args: " ".join(map(str, lab.words(*args)))
    meanwhile = f"exec >/dev/null 2>&1; timeout 0.2 {words('delete', ID)}; timeout 5 {words(*command)}"
    for stop in range(2 * first + 1, 2 * (names.index("flock", first) + 3)):
        where = f"create --stop {stop} --meanwhile 'delete; create'"
        outcome = lab.run(*command, inject=["--stop", stop, "--meanwhile", meanwhile], stdout=subprocess.DEVNULL)
        tally.add("points")
        judge(tally, outcome, where)
        tally.add("first" if outcome.code == 0 else "second")
        if outcome.code != 0 and "already exists" not in outcome.err:
            tally.flaw("wrong", f"{where}: {outcome.err}")
        state = lab.run("state", ID)
        if '"status": "created"' not in state.out:
            tally.flaw("wrong", f"{where}: {outcome.code}, but {state.out}{state.err}")
        end(lab, tally, where)
    return tally


# ---- F13


def will_not_go(lab, bundle, sample):
    """Processes in the cgroup that cannot be removed yet: delete fails in time and says who; afterwards it works."""
    tally = new_tally()
    run_container(lab, bundle)
    # A stranger in a cgroup below, which --force kills.
    child = CGROUPS / "outer/fault/below/deeper"
    child.mkdir(parents=True)
    (child / "cgroup.procs").write_text(stranger())
    tally.add("points")
    end(lab, tally, "a process in a cgroup below")

    # Frozen from outside, with a frozen sub-cgroup.
    run_container(lab, bundle)
    child.mkdir(parents=True)
    (child / "cgroup.procs").write_text(stranger())
    for folder in (child, CGROUPS / "outer/fault"):
        (folder / "cgroup.freeze").write_text("1")
    tally.add("points")
    end(lab, tally, "frozen")

    # Many processes.
    bundle.args("/bin/subject", "fork", "500")
    limit = bundle.linux["resources"].pop("pids", None)
    bundle.write()
    run_container(lab, bundle)
    tally.add("points")
    end(lab, tally, "500 processes")
    bundle.args("/bin/subject")
    if limit:
        bundle.linux["resources"]["pids"] = limit
    bundle.write()

    # A process that no signal reaches: it waits for an answer of a file system that has taken its request.
    made = create(lab, bundle)
    assert made.code == 0, made.err
    with SilentFileSystem(lab.folder / "silent") as silent:
        stuck = subprocess.Popen(["sh", "-c", 'echo $$ >"$0" && exec stat "$1"/file', CGROUPS / "outer/fault/cgroup.procs",
                                  silent.folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        silent.swallow()
        tally.add("points")
        deleted = lab.run("delete", "--force", ID, limit=60)
        tally.peak("stuck_ms", deleted.seconds * 1000)
        judge(tally, deleted, "stuck")
        if deleted.code != 1 or str(stuck.pid) not in deleted.err:
            tally.flaw("wrong", f"stuck: {deleted.code}: {deleted.err}")
        if not (lab.root / ID / "record.json").exists():
            tally.flaw("wrong", "stuck: the record is gone")
    stuck.wait(10)
    end(lab, tally, "no longer stuck")
    return tally


def stranger():
    """The number of a process that is nobody's child."""
    return subprocess.run(["sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!"], capture_output=True, text=True,
                          check=True).stdout


class SilentFileSystem:
    """A FUSE file system that answers the first request (INIT) and no other. Who waits for it cannot be killed as soon as
    its request has been read; the end of the file system frees it."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self.device},rootmode=40000,user_id=0,group_id=0,allow_other"
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"silent", str(folder).encode(), b"fuse.silent", 0, options.encode()) != 0:
            raise OSError(ctypes.get_errno(), "mount fuse")
        unique = struct.unpack_from("=IIQ", os.read(self.device, 1 << 18))[2]
        answer = struct.pack("=IIIIHHIIHHI28x", 7, 31, 0, 0, 0, 0, 4096, 1, 0, 0, 0)
        os.write(self.device, struct.pack("=IiQ", 16 + len(answer), 0, unique) + answer)

    def swallow(self):
        """Reads a request."""
        os.read(self.device, 1 << 18)

    def __enter__(self):
        return self

    def __exit__(self, *what):
        os.close(self.device)
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)
        self.folder.rmdir()


# ---- F14


def soak(lab, bundle, sample):
    """Again and again: nothing adds up."""
    tally = new_tally("rounds")
    rounds = 10000 if sample.full else 150
    before = usage()
    for number in range(rounds):
        tally.add("rounds")
        run_container(lab, bundle)
        lab.must("delete", "--force", ID)
        if number == 20:
            before = usage()
    tally.add("points")
    nothing(lab, tally, "soak")
    deadline = time.monotonic() + 20  # cgroups are collected later
    while time.monotonic() < deadline and any(usage()[what] > before[what] + 20 for what in before):
        time.sleep(0.2)
    after = usage()
    for what in before:
        tally.most[f"{what}_more"] = max(0, after[what] - before[what])
        if after[what] > before[what] + 20:
            tally.flaw("wrong", f"{what}: {before[what]} before, {after[what]} after {rounds} containers")
    return tally


def usage():
    dying = dict(line.split() for line in (CGROUPS / "cgroup.stat").read_text().splitlines())
    return {"descriptors": len(os.listdir("/proc/self/fd")), "keyrings": len(keyrings()),
            "dying_cgroups": int(dying["nr_dying_descendants"]),
            "mounts": len(pathlib.Path("/proc/self/mountinfo").read_text().splitlines())}


# ---- F15


def reboot(lab, bundle, sample):
    """Another boot, and a state directory that was wiped."""
    tally = new_tally()
    tally.add("points")
    # The record of another boot: another boot id is shown to the program in place of this one.
    run_container(lab, bundle)
    init = init_of(lab)
    os.kill(init, signal.SIGKILL)
    wait_gone(init)
    for folder in (CGROUPS / "outer/fault", CGROUPS / "outer"):
        os.rmdir(folder)
    other = lab.folder / "boot_id"
    other.write_text("00000000-1111-2222-3333-444444444444\n")
    subprocess.run(["mount", "--bind", str(other), "/proc/sys/kernel/random/boot_id"], check=True)
    try:
        # Somebody else's now.
        stranger = CGROUPS / "outer/fault"
        stranger.mkdir(parents=True)
        status = json.loads(lab.must("state", ID).out)["status"]
        if status != "stopped":
            tally.flaw("wrong", f"status {status} after a reboot")
        deleted = lab.run("delete", ID)
        if deleted.code != 0:
            tally.flaw("delete_failed", deleted.err)
        if not stranger.exists():
            tally.flaw("wrong", "delete has removed a cgroup of the new boot")
        os.rmdir(stranger)
        os.rmdir(stranger.parent)
    finally:
        subprocess.run(["umount", "/proc/sys/kernel/random/boot_id"], check=True)
    nothing(lab, tally, "another boot")

    # /run wiped while a container runs: it is unknown; a new one of that name does not get into its cgroup.
    tally.add("points")
    run_container(lab, bundle)
    init = init_of(lab)
    subprocess.run(["rm", "-r", str(lab.root / ID)], check=True)
    deleted = lab.run("delete", "--force", ID)
    judge(tally, deleted, "wiped")
    if deleted.code != 0:
        tally.flaw("delete_failed", f"wiped: {deleted.err}")
    again = create_silently(lab, bundle, ID)
    if again.code != 1 or "not empty" not in again.err:
        tally.flaw("wrong", f"a second container in the same cgroup: {again.code} {again.err}")
    if not os.path.exists(f"/proc/{init}"):
        tally.flaw("wrong", "the running container was harmed")
    os.kill(init, signal.SIGKILL)
    wait_gone(init)
    made = create_silently(lab, bundle, ID)
    if made.code != 0:
        tally.flaw("wrong", f"again, in the old cgroup: {made.err}")
    # The cgroup was there before, so it is not the container's to remove.
    deleted = lab.run("delete", "--force", ID)
    if deleted.code != 0:
        tally.flaw("delete_failed", f"again: {deleted.err}")
    for folder in (CGROUPS / "outer/fault", CGROUPS / "outer"):
        if folder.exists():
            os.rmdir(folder)
    nothing(lab, tally, "wiped")
    return tally
