# SPDX-License-Identifier: Apache-2.0
"""What a hostile image, a hostile configuration or a killed runtime must not be able to do."""

import ctypes
import hashlib
import os
import pathlib
import random
import resource
import subprocess
import threading
import time

import pytest

from harness import CGROUPS, PROGRAM, DEADLINE, parse_mountinfo, wait_for


def snapshot(folder):
    """Everything in a folder with its type, owner and content."""
    found = {}
    for path in sorted(pathlib.Path(folder).rglob("*")):
        status = path.lstat()
        found[str(path)] = (status.st_mode, status.st_uid, status.st_rdev, status.st_nlink)
    return found


@pytest.fixture
def outside(bundle):
    """A folder of the host, beside the rootfs, that containers have no business in."""
    folder = bundle.path / "outside"
    folder.mkdir()
    for name in ("ptmx", "null", "console"):
        (folder / name).write_text("the host's")
    return folder


def ends_safely(oci, bundle, outside):
    """Whether it works or fails, the outside stays as it was."""
    before = snapshot(outside)
    completed = oci.run(bundle)
    assert snapshot(outside) == before
    assert completed.rc in (0, 1)
    return completed


# ---- paths


@pytest.mark.parametrize("target", ["absolute", "../../outside", "../outside"])
def test_dev_of_the_image_is_a_link_to_the_outside(oci, bundle, outside, target):
    (bundle.rootfs / "dev").rmdir()
    (bundle.rootfs / "dev").symlink_to(outside if target == "absolute" else target)
    for destination in ("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"):
        bundle.without_mount(destination)
    bundle.linux["devices"] = [{"path": "/dev/extra", "type": "c", "major": 1, "minor": 3}]
    (outside / "null").unlink()  # or the runtime could stop there for another reason
    ends_safely(oci, bundle.sh("true"), outside)


def test_mounts_below_a_linked_dev_stay_inside(oci, bundle, outside):
    (bundle.rootfs / "dev").rmdir()
    (bundle.rootfs / "dev").symlink_to(outside)
    assert "zero" in ends_safely(oci, bundle.sh(f"ls {outside}"), outside).out  # there, but in the container


@pytest.mark.parametrize("name", ["proc", "sys"])
@pytest.mark.parametrize("target", ["etc", "/etc", "../outside", "/proc/self"])
def test_proc_and_sys_must_be_plain_folders(oci, bundle, outside, name, target):
    (bundle.rootfs / name).rmdir()
    (bundle.rootfs / name).symlink_to(target)
    before = snapshot(outside)
    oci.run(bundle.sh("true")).failed(f"/{name}")
    assert snapshot(outside) == before


@pytest.mark.parametrize("target", ["absolute", "../../outside", "../outside"])
@pytest.mark.parametrize("destination", ["/link/new/folder", "/link/null", "/link"])
def test_links_in_destinations_do_not_lead_outside(oci, bundle, outside, target, destination):
    (bundle.rootfs / "link").symlink_to(outside if target == "absolute" else target)
    source = bundle.path / "source"
    source.mkdir()
    ends_safely(oci, bundle.bind(source, destination).sh("true"), outside)


@pytest.mark.parametrize("destination", ["/../outside/x", "../../outside/x", "/mnt/../../../outside/x"])
def test_dots_in_destinations_do_not_lead_outside(oci, bundle, outside, destination):
    completed = ends_safely(oci, bundle.mount(destination, "tmpfs", "tmpfs").sh("mount"), outside)
    assert completed.rc == 1 or " on /outside/x " in completed.out


def test_links_in_circles(oci, bundle, outside):
    (bundle.rootfs / "a").symlink_to("b")
    (bundle.rootfs / "b").symlink_to("a")
    oci.run(bundle.mount("/a/x", "tmpfs", "tmpfs").sh("true"), timeout=10).failed("/a/x")


def test_magic_links_in_destinations(oci, bundle, outside):
    """A destination below /proc/self/root or a descriptor would be on the host."""
    for destination in ("/proc/self/root/x", "/proc/1/cwd/x"):
        source = bundle.path / "source"
        source.mkdir(exist_ok=True)
        bundle.config["mounts"] = [mount for mount in bundle.config["mounts"] if mount["source"] != str(source)]
        before = snapshot(outside)
        completed = oci.run(bundle.bind(source, destination).sh("true"))
        assert completed.rc == 1 and snapshot(outside) == before


@pytest.mark.parametrize("destination", ["/proc", "/proc/sys", "/proc/self/attr", "/proc/1"])
def test_nothing_is_mounted_over_proc(oci, bundle, destination):
    source = bundle.path / "source"
    source.mkdir()
    completed = oci.run(bundle.bind(source, destination).sh("true"))
    completed.failed("/proc")


def test_device_path_through_a_link(oci, bundle, outside):
    (bundle.rootfs / "link").symlink_to(outside)
    bundle.linux["devices"] = [{"path": "/link/made", "type": "c", "major": 1, "minor": 3}]
    ends_safely(oci, bundle.sh("true"), outside)
    assert not (outside / "made").exists()


def test_working_directory_through_a_link(oci, bundle, outside):
    (bundle.rootfs / "link").symlink_to(outside)
    bundle.process["cwd"] = "/link/made"
    ends_safely(oci, bundle.sh("true"), outside)


@pytest.mark.parametrize("cwd", [f"/proc/self/fd/{number}" for number in (3, 4, 5, 6, 7, 8, 9, 10, 12, 20)])
def test_working_directory_in_a_leaked_descriptor(oci, bundle, cwd):
    bundle.process["cwd"] = cwd

    def leak():
        for number in range(3, 21):
            os.dup2(root, number, inheritable=True)

    root = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        completed = oci.run(bundle.sh("ls; pwd"), close_fds=False, preexec_fn=leak)
    finally:
        os.close(root)
    completed.failed(cwd)


@pytest.mark.parametrize("replacement", ["ln -s /proc/sys/kernel/hostname", "echo broken >"])
def test_null_device_of_the_image_is_not_trusted(oci, bundle, replacement):
    """A mask made from the image's own /dev/null would show whatever the image wants. It is changed in the last moment:
    where one is there before, no other is made."""
    for destination in ("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"):
        bundle.without_mount(destination)
    null = bundle.rootfs / "dev/null"
    bundle.hook("createRuntime", "/bin/sh", "-c", f"rm {null} && {replacement} {null}")
    (bundle.rootfs / "secret").write_text("hidden")
    bundle.linux["maskedPaths"] = ["/secret"]
    assert oci.output_of(bundle, "stat -c %t:%T /secret; cat /secret") == "1:3\n"


def test_masked_path_that_is_a_link_to_the_outside(oci, bundle, outside):
    (bundle.rootfs / "link").symlink_to(outside)
    bundle.linux["maskedPaths"] = ["/link", "/link/null"]
    bundle.linux["readonlyPaths"] = ["/link/console"]
    ends_safely(oci, bundle.sh("true"), outside)


def test_a_destination_that_changes_all_the_time(oci, bundle, outside):
    """Somebody with a volume swaps a folder for a link to the outside while containers are made."""
    volume = bundle.path / "volume"
    (volume / "folder").mkdir(parents=True)
    (volume / "link").symlink_to(outside)
    source = bundle.path / "source"
    source.mkdir()
    (source / "marker").write_text("x")
    stop = threading.Event()
    libc = ctypes.CDLL(None, use_errno=True)

    def swap():
        a, b = str(volume / "folder").encode(), str(volume / "link").encode()
        while not stop.is_set():
            libc.renameat2(-100, a, -100, b, 2)  # RENAME_EXCHANGE

    thread = threading.Thread(target=swap)
    thread.start()
    before = snapshot(outside)
    try:
        bundle.bind(volume, "/volume").bind(source, "/volume/folder/new").sh("cat /proc/self/mountinfo").write()
        for _ in range(60):
            completed = oci("run", "--bundle", bundle.path, oci.new_id())
            assert completed.rc in (0, 1)
            assert not any("/outside" in mount.root for mount in parse_mountinfo(completed.out))
    finally:
        stop.set()
        thread.join()
    assert snapshot(outside) == before


# ---- the runtime's own program and descriptors


def digest():
    return hashlib.sha256(pathlib.Path(PROGRAM).read_bytes()).hexdigest()


def test_the_runtimes_program_cannot_be_overwritten(oci, bundle):
    """CVE-2019-5736: a program that is /proc/self/exe, and one that tries to write to whatever joins the container."""
    before = digest()
    (bundle.rootfs / "self").write_text("#!/proc/self/exe\n")
    (bundle.rootfs / "self").chmod(0o755)
    oci.run(bundle.args("/self"), timeout=10)
    writer = """
        echo ready
        while :; do
            for process in /proc/[0-9]*; do
                case $process in /proc/1|/proc/$$) continue;; esac
                (
                    exec 8<$process/exe || exit
                    case $(readlink /proc/self/fd/8) in /bin/*) exit;; esac
                    while [ -e $process ]; do :; done  # as long as it runs, the kernel itself refuses
                    echo broken >/proc/self/fd/8 && echo "wrote to $process/exe"
                ) 2>/dev/null
            done
        done"""
    bundle.process["capabilities"] = {name: ["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH"]
                                      for name in ("bounding", "effective", "permitted")}
    container = oci.run_detached(bundle.sh(writer))
    container.wait_output("ready")
    for _ in range(30):
        container.exec("/bin/true")
        container.exec("/self")
    assert "wrote to" not in container.output()
    assert digest() == before


def links(pid):
    """Where the descriptors of a process lead."""
    folder = pathlib.Path(f"/proc/{pid}/fd")
    return {int(entry.name): os.readlink(entry) for entry in folder.iterdir()}


def test_descriptors_of_a_waiting_container(oci, bundle):
    """Nothing that leads to the host's files: only streams, sockets, and what is sealed."""
    container = oci.create(bundle.sh("sleep 1000"))
    for number, target in links(container.pid).items():
        assert number <= 2 or target.startswith(("socket:", "anon_inode:[", "/memfd:", "pipe:")), (number, target)
    container.start()
    wait_for(lambda: set(links(container.pid)) == {0, 1, 2})


def test_a_waiting_container_holds_no_mapping_of_the_hosts_program(oci, bundle):
    container = oci.create(bundle.sh("true"))
    maps = pathlib.Path(f"/proc/{container.pid}/maps").read_text()
    assert "oci-run" not in maps.replace("/memfd:oci-run", "")
    assert os.readlink(f"/proc/{container.pid}/exe") != PROGRAM


def test_a_waiting_container_is_not_dumpable(oci, bundle):
    """So nothing in the container may look into it: its files in /proc belong to root."""
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    container = oci.create(bundle.sh("true"))
    assert os.stat(f"/proc/{container.pid}/fd").st_uid == 0


def test_waiting_streams_are_not_held_by_other_descriptors(oci, bundle):
    """An engine's other pipes must not be kept open by a waiting container."""
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    oci.create(bundle.sh("true"), close_fds=False)
    os.close(writer)
    with open(reader, "rb") as pipe:
        assert pipe.read() == b""


def test_nothing_is_mounted_on_the_host_while_a_container_runs(oci, bundle, surroundings):
    container = oci.run_detached(bundle.sh("sleep 1000"))
    assert surroundings.left()["mounts"] == []
    container.delete("--force")


def test_a_container_sees_no_path_of_the_host(oci, bundle):
    source = bundle.path / "source"
    source.mkdir()
    text = oci.output_of(bundle.bind(source, "/mnt"), "cat /proc/self/mountinfo")
    for mount in parse_mountinfo(text):
        assert str(bundle.path) not in mount.target


# ---- a runtime that is killed


def test_create_killed_at_any_time_can_be_cleaned_up(oci, bundle):
    """SIGKILL after a random time; then delete --force succeeds and nothing is left, not even a process that waits."""
    bundle.sh("sleep 1000")
    oci.create(bundle)  # how long one takes, with warm caches
    begin = time.monotonic()
    oci.create(bundle)
    duration = time.monotonic() - begin
    oci.delete_all()
    path = bundle.write()
    random.seed(2)
    committed = 0
    for _ in range(50):
        id = oci.new_id()
        process = oci.popen("create", "--bundle", path, id, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(0, duration * 1.2))
        process.kill()
        committed += process.wait() == 0
        oci("delete", "--force", id).succeeded()
        assert not (CGROUPS / id).exists() and not (oci.state_root / id).exists()
    assert committed < 50


def test_run_killed_at_any_time_can_be_cleaned_up(oci, bundle):
    path = bundle.sh("sleep 1000").write()
    random.seed(3)
    for _ in range(20):
        id = oci.new_id()
        process = oci.popen("run", "--bundle", path, id, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(0, 0.03))
        process.kill()
        process.wait()
        oci("delete", "--force", id).succeeded()
        assert not (CGROUPS / id).exists() and not (oci.state_root / id).exists()


def test_delete_killed_at_any_time_can_be_repeated(oci, bundle):
    bundle.sh("sleep 1000")
    random.seed(4)
    for _ in range(20):
        container = oci.run_detached(bundle)
        process = oci.popen("delete", "--force", container.id, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(0, 0.01))
        process.kill()
        process.wait()
        oci("delete", "--force", container.id).succeeded()
        assert not (CGROUPS / container.id).exists() and not (oci.state_root / container.id).exists()


def test_delete_force_ends_a_create_that_hangs_in_a_hook(oci, bundle):
    """It waits a moment for the lock, then kills the container's cgroup; so the creator sees its init die and gives up."""
    bundle.hook("createRuntime", "/bin/sh", "-c", "exec sleep 1000")
    id = oci.new_id()
    process = oci.popen("create", "--bundle", bundle.sh("true").write(), id, stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL)
    try:
        procs = CGROUPS / id / "cgroup.procs"
        wait_for(lambda: procs.exists() and procs.read_text())
        oci("delete", "--force", id).succeeded()
        assert process.wait(DEADLINE) == 1
    finally:
        process.kill()
        process.wait()


# ---- a poor machine


@pytest.mark.parametrize("locked", [0, 4096, 65536])
def test_little_locked_memory(oci, bundle, locked):
    """Kernels of today do not charge the device filter to it."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_MEMLOCK, (locked, locked))
    assert oci.run(bundle.sh("echo fine"), preexec_fn=limit).succeeded().out == "fine\n"


def test_locked_memory_is_limited_as_the_callers(oci, bundle):
    limit = lambda: resource.setrlimit(resource.RLIMIT_MEMLOCK, (4096, 8192))
    completed = oci.run(bundle.sh("grep locked /proc/self/limits"), preexec_fn=limit).succeeded()
    assert completed.out.split() == ["Max", "locked", "memory", "4096", "8192", "bytes"]


def test_few_descriptors(oci, bundle):
    """With too few it fails; it never hangs, crashes or leaves something."""
    works = []
    for number in (3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 64):
        bundle.process["rlimits"] = []
        limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (number, number))
        completed = oci.run(bundle.args("/bin/only_exit"), preexec_fn=limit, timeout=10)
        assert completed.rc in (42, 1, 127), (number, completed)
        oci("delete", "--force", oci.made[-1]).succeeded()
        if completed.rc == 42:
            works.append(number)
    assert 64 in works


def test_state_root_that_cannot_be_written(oci, bundle, host_mount):
    root = bundle.path / "state-root"
    root.mkdir()
    host_mount("-t", "tmpfs", "-o", "ro", "none", root)
    bundle.sh("true").write()
    oci("--root", root, "create", "--bundle", bundle.path, "c", root=False).failed("read-only file system")


def test_full_state_root(oci, bundle, host_mount):
    root = bundle.path / "state-root"
    root.mkdir()
    host_mount("-t", "tmpfs", "-o", "nr_inodes=3", "none", root)
    bundle.sh("true").write()
    oci("--root", root, "create", "--bundle", bundle.path, "c", root=False).failed("no space left")
    assert list(root.iterdir()) == []


def test_bundle_on_a_readonly_file_system(oci, bundle, host_mount):
    bundle.config["root"]["readonly"] = True
    bundle.without_mount("/dev/pts").without_mount("/dev/shm").without_mount("/dev/mqueue")
    bundle.without_mount("/sys/fs/cgroup").sh("echo fine").write()
    host_mount("--bind", bundle.path, bundle.path)
    subprocess.run(["mount", "-o", "remount,bind,ro", bundle.path], check=True)
    assert oci("run", "--bundle", bundle.path, oci.new_id()).succeeded().out == "fine\n"


def test_the_container_cannot_drive_the_users_terminal_through_errors(oci, bundle):
    """What an image or a configuration calls things is printed without control characters."""
    completed = oci.run(bundle.args("no\x1b[31msuch\nprogram"))
    completed.failed("executable file not found in $PATH")
    assert "\x1b" not in completed.err


def test_setuid_programs_of_the_image_gain_nothing_with_no_new_privileges(oci, bundle):
    copy = bundle.rootfs / "suid"
    copy.write_bytes((bundle.rootfs / "bin/busybox").read_bytes())
    copy.chmod(0o4755)
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    bundle.process["noNewPrivileges"] = True
    bundle.rootfs.joinpath("id").symlink_to("suid")
    assert oci.output_of(bundle.args("/id", "-u")) == "1000\n"
