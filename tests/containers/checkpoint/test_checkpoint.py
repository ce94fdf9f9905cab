# SPDX-License-Identifier: Apache-2.0
"""checkpoint and restore with a real criu: only in the virtual machine, whose kernel has what criu needs."""

import json
import os
import shutil
import subprocess

import pytest

from harness import CGROUPS, namespace, parse_mountinfo, reap, wait_for
from test_terminal import Console, read_until

COUNT = "i=0; while :; do i=$((i+1)); echo $i; echo $i > /tmp/new; mv /tmp/new /tmp/count; sleep 0.1; done"


class Checkpoint:
    """The images of one container, and the commands that make and use them."""

    def __init__(self, oci, bundle):
        self.oci = oci
        self.bundle = bundle
        self.images = bundle.path / "images"
        self.work = bundle.path / "work"

    def paths(self, images=None):
        return ("--image-path", images or self.images, "--work-path", self.work)

    def take(self, container, *options, images=None):
        return self.oci("checkpoint", *self.paths(images), *options, container.id)

    def restore(self, *options, id=None, bundle=None, **more):
        return self.oci.create(bundle or self.bundle, *self.paths(), *options, id=id,
                               command=("restore", "--detach"), **more)

    def restored(self, container, *options):
        """Ends the container in images and brings it back under its id."""
        self.take(container).succeeded()
        reap()
        return self.restore(*options, id=container.id)

    def log(self, name):
        return (self.work / name).read_text(errors="replace")


@pytest.fixture
def images(oci, bundle):
    return Checkpoint(oci, bundle)


def count_of(bundle):
    try:
        return int((bundle.rootfs / "tmp/count").read_text())
    except FileNotFoundError:
        return 0


def counting(oci, bundle):
    container = oci.run_detached(bundle.sh(COUNT))
    wait_for(lambda: count_of(bundle) >= 3)
    return container


def mounts_of(container):
    return {mount.target: mount for mount in parse_mountinfo(container.proc("mountinfo"))}


def test_the_program_goes_on(oci, bundle, images):
    container = counting(oci, bundle)
    images.take(container).succeeded()
    before = count_of(bundle)
    assert oci("state", container.id).failed("container does not exist")
    assert container.wait() == -9
    restored = images.restore(id=container.id)
    assert restored.pid != container.pid and restored.state()["pid"] == restored.pid
    assert restored.status == "running"
    wait_for(lambda: count_of(bundle) > before)
    wait_for(lambda: len(restored.output().split()) >= 2)
    # The new standard output has what came after the checkpoint, from its beginning.
    numbers = [int(word) for word in restored.output().split()]
    assert numbers[0] > before - 2 and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_commands_on_a_restored_container(oci, bundle, images):
    container = images.restored(counting(oci, bundle))
    assert container.exec("sh", "-c", "cat /proc/1/cmdline; echo; cat /proc/self/cgroup").succeeded().out.splitlines()[1] == "0::/"
    oci("start", container.id).failed("cannot start an already running container")
    oci("pause", container.id).succeeded()
    assert container.status == "paused"
    oci("resume", container.id).succeeded()
    assert json.loads(oci("ps", "--format", "json", container.id).succeeded().out).count(container.pid) == 1
    container.kill("KILL")
    assert container.wait() == -9
    assert container.status == "stopped"
    container.delete()


def test_foreground(oci, bundle, images):
    container = oci.run_detached(bundle.sh("touch /tmp/count; until [ -e /tmp/end ]; do sleep 0.1; done; echo over; exit 7"))
    wait_for(lambda: (bundle.rootfs / "tmp/count").exists())
    images.take(container).succeeded()
    (bundle.rootfs / "tmp/end").touch()
    completed = oci("restore", *images.paths(), "--bundle", bundle.write(), container.id)
    assert (completed.rc, completed.out, completed.err) == (7, "over\n", "")
    oci("state", container.id).failed("container does not exist")


def test_pipes_become_the_new_ones(oci, bundle, images):
    reading, writing = os.pipe()
    id = oci.new_id()
    pid_file = bundle.path / "pid"
    bundle.sh("while read line; do echo got $line; done")
    first_in, feed = os.pipe()
    run = oci.popen("run", "--detach", "--bundle", bundle.write(), id, stdin=first_in, stdout=writing, stderr=writing)
    assert run.wait() == 0
    os.close(writing)
    os.write(feed, b"one\n")
    assert read_until(reading, "got one") == "got one\n"
    oci("checkpoint", *images.paths(), id).succeeded()
    assert os.read(reading, 100) == b"", "somebody still holds the old pipe"
    second_in, second_feed = os.pipe()
    second_out, writing = os.pipe()
    restore = oci.popen("restore", "-d", *images.paths(), "--pid-file", pid_file, "--bundle", bundle.write(), id,
                        stdin=second_in, stdout=writing, stderr=writing)
    assert restore.wait() == 0
    os.close(writing)
    os.write(second_feed, b"two\n")
    assert read_until(second_out, "got two") == "got two\n"
    for descriptor in (reading, first_in, feed, second_in, second_feed, second_out):
        os.close(descriptor)


def test_terminal(oci, bundle, images):
    bundle.process["terminal"] = True
    first, second = Console(bundle.path / "first"), Console(bundle.path / "second")
    container = oci.run_detached(bundle.sh("while read line; do echo got $line; tty; done"), "--console-socket", first.path)
    os.write(first.receive(), b"one\n")
    assert "got one" in read_until(first.master, "/dev/")
    images.take(container).succeeded()
    images.restore("--console-socket", second.path, id=container.id)
    os.write(second.receive(), b"two\n")
    read_until(second.master, "got two")
    first.close()
    second.close()


def test_mounts(oci, bundle, images, host_mount):
    for name in ("a", "tree/inner"):
        (bundle.path / name).mkdir(parents=True)
    host_mount("-t", "tmpfs", "none", bundle.path / "tree/inner")
    (bundle.path / "tree/inner/file").write_text("inner")
    (bundle.path / "single").write_text("single")
    (bundle.rootfs / "links").symlink_to("mnt")
    bundle.bind(bundle.path / "a", "/one", "ro").bind(bundle.path / "a", "/two", "ro", "nosuid")
    bundle.bind(bundle.path / "a", "/mnt/three").bind(bundle.path / "single", "/etc/single", "ro")
    bundle.bind(bundle.path / "tree", "/links/tree", "rbind")
    bundle.mount("/mnt/three/tmp", "tmpfs", "tmpfs", ["mode=755", "size=64k"])
    bundle.config["root"]["readonly"] = True
    bundle.mount("/tmp", "bind", str(bundle.rootfs / "tmp"), ["bind", "rw"])
    container = counting(oci, bundle)
    container.exec("sh", "-c", "echo kept > /mnt/three/tmp/file").succeeded()
    before = mounts_of(container)
    container = images.restored(container)
    after = mounts_of(container)
    assert after.keys() == before.keys()
    for target, mount in after.items():
        assert (target, mount.options) == (target, before[target].options)
        assert (target, mount.type, mount.root) == (target, before[target].type, before[target].root)
    script = """cat /mnt/three/tmp/file /etc/single /mnt/tree/inner/file; echo; touch /mnt/three/x && ls /one
                for path in / /one /two /etc/single /proc/sys/kernel/panic /proc/keys; do
                    [ -w $path ] && touch $path/x 2>/dev/null && echo $path is writable; done; wc -c < /proc/keys"""
    assert container.exec("sh", "-c", script).succeeded().out == "kept\nsingleinner\ntmp\nx\n0\n"
    assert set(os.listdir(bundle.path / "a")) == {"tmp", "x"}


def test_leave_running_and_a_copy_of_bundle_and_id(oci, bundle, new_bundle, images):
    container = counting(oci, bundle)
    images.take(container, "--leave-running").succeeded()
    before = count_of(bundle)
    wait_for(lambda: count_of(bundle) > before)
    assert container.status == "running"
    other = new_bundle()
    other.sh(COUNT)
    shutil.copy(bundle.rootfs / "tmp/count", other.rootfs / "tmp/count")
    copy = images.restore(bundle=other)
    assert copy.id != container.id
    wait_for(lambda: count_of(other) > before + 5)
    assert (CGROUPS / copy.id / "cgroup.procs").read_text().split()[0] == str(copy.pid)
    assert str(copy.pid) not in (CGROUPS / container.id / "cgroup.procs").read_text().split()
    assert container.proc("cgroup") == f"0::/{container.id}\n" and copy.proc("cgroup") == f"0::/{copy.id}\n"


def test_pre_dump(oci, bundle, images):
    container = counting(oci, bundle)
    first = bundle.path / "first"
    images.take(container, "--pre-dump", images=first).succeeded()
    assert container.status == "running"
    images.take(container, "--parent-path", "../first").succeeded()
    assert os.readlink(images.images / "parent") == "../first"
    before = count_of(bundle)
    images.restore(id=container.id)
    wait_for(lambda: count_of(bundle) > before)


def test_connections(oci, bundle, images):
    server = "sleep 1000 | nc -l -p 5000 > /tmp/got & mkfifo /tmp/in; (until nc 127.0.0.1 5000; do sleep 0.1; done) < /tmp/in & exec 3>/tmp/in;"
    container = oci.run_detached(bundle.sh(server + COUNT.replace("echo $i;", "echo $i >&3;")))
    got = bundle.rootfs / "tmp/got"
    wait_for(lambda: got.exists() and got.read_text())
    images.take(container).failed("dump to", "Connected TCP socket", f"{images.work}/dump.log")
    before = got.read_text()
    wait_for(lambda: got.read_text() != before, "life in the container after a failed checkpoint")
    images.take(container, "--tcp-established").succeeded()
    before = got.read_text()
    images.restore("--tcp-established", id=container.id)
    wait_for(lambda: got.read_text() != before)
    numbers = [int(line) for line in got.read_text().split()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_limits_are_there_again(oci, bundle, images):
    bundle.linux["resources"].update({"memory": {"limit": 64 << 20}, "pids": {"limit": 20}, "cpu": {"shares": 2048}})
    bundle.linux["resources"]["devices"] = [{"allow": False, "access": "rwm"}]
    container = counting(oci, bundle)
    files = ("memory.max", "pids.max", "cpu.weight")
    before = [(CGROUPS / container.id / name).read_text() for name in files]
    container = images.restored(container)
    assert [(CGROUPS / container.id / name).read_text() for name in files] == before
    assert before[:2] == [f"{64 << 20}\n", "20\n"]
    # /dev/kmsg is none of the devices that every container may use.
    denied = container.exec("sh", "-c", "mknod /tmp/kmsg c 1 11; head -c 1 /tmp/kmsg; head -c 1 /dev/zero | wc -c")
    assert denied.out == "1\n" and "/tmp/kmsg" in denied.err and "not permitted" in denied.err


def test_user_namespace(oci, bundle, images):
    bundle.user_namespace()
    os.chmod(bundle.rootfs / "tmp", 0o1777)
    container = images.restored(counting(oci, bundle))
    before = count_of(bundle)
    wait_for(lambda: count_of(bundle) > before)
    assert container.proc("uid_map").split() == ["0", "100000", "65536"]
    script = "cat /proc/self/uid_map; echo x > /dev/null; chmod 600 /dev/null || echo no"
    assert container.exec("sh", "-c", script).out.split() == ["0", "100000", "65536", "no"]


def test_network_namespace_by_path(oci, bundle, images, holder):
    network = holder("--net")
    bundle.namespaces(*[kind for kind in ("pid", "ipc", "uts", "mount", "cgroup")], ("network", network.path("network")))
    container = images.restored(counting(oci, bundle))
    assert namespace("network", container.pid) == namespace("network", network.pid)


def test_new_network_is_set_up(oci, bundle, images):
    bundle.linux["sysctl"] = {"net.ipv4.ip_forward": "1", "kernel.msgmax": "4096"}
    container = images.restored(counting(oci, bundle))
    script = "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax; hostname; ip link show lo | grep -o ,UP,"
    assert container.exec("sh", "-c", script).succeeded().out.split() == ["1", "4096", bundle.config["hostname"], ",UP,"]


def test_hooks(oci, bundle, images):
    log = bundle.path / "hooks"
    script = f'echo "$0 $(cat)" >> {log}'
    for kind in ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"):
        if kind not in ("createContainer", "startContainer"):
            bundle.hook(kind, "/bin/sh", "-c", script, kind)
    container = counting(oci, bundle)
    log.unlink()
    images.take(container).succeeded()
    assert log.read_text().split()[0] == "poststop"
    log.unlink()
    container = images.restore(id=container.id)
    lines = [line.split(" ", 1) for line in log.read_text().splitlines()]
    assert [kind for kind, _ in lines] == ["prestart", "createRuntime"]
    for _, state in lines:
        assert json.loads(state)["pid"] == container.pid and json.loads(state)["id"] == container.id


def test_failed_hook_leaves_nothing(oci, bundle, images):
    container = counting(oci, bundle)
    images.take(container).succeeded()
    before = count_of(bundle)
    bundle.hook("createRuntime", "/bin/false")
    failed = oci("restore", "-d", *images.paths(), "--pid-file", bundle.path / "pid", "--bundle", bundle.write(), container.id)
    failed.failed("run createRuntime hook /bin/false")
    oci("state", container.id).failed("container does not exist")
    assert not (bundle.path / "pid").exists() and count_of(bundle) == before
    assert not (CGROUPS / container.id).exists()


def test_images_that_are_none(oci, bundle, images):
    container = counting(oci, bundle)
    images.take(container, "--leave-running").succeeded()
    (images.images / "inventory.img").write_bytes(b"nonsense")
    id = oci.new_id()
    oci("restore", "-d", *images.paths(), "--bundle", bundle.write(), id).failed(
        f"restore {id}: begin to restore from {images.images} with criu", f"{images.work}/restore.log")
    oci("state", id).failed("container does not exist")
    oci("restore", "-d", *images.paths(), "--bundle", bundle.write(), container.id).failed(
        "container with given ID already exists")
    assert container.status == "running"


def test_configuration_file(oci, bundle, images):
    """Its settings win."""
    settings = bundle.path / "criu.conf"
    settings.write_text("log-file other.log\n")
    bundle.config["annotations"] = {"org.criu.config": str(settings)}
    container = counting(oci, bundle)
    images.take(container, "--leave-running").succeeded()
    assert (images.work / "other.log").exists() and not (images.work / "dump.log").exists()


def test_a_paused_container_stays_paused(oci, bundle, images):
    container = counting(oci, bundle)
    oci("pause", container.id).succeeded()
    images.take(container, "--leave-running").succeeded()
    assert container.status == "paused"
    before = count_of(bundle)
    oci("resume", container.id).succeeded()
    wait_for(lambda: count_of(bundle) > before)


def test_images_have_secrets(oci, bundle, images):
    """Memory is in them: nobody else may look into folders that were made for them."""
    images.take(counting(oci, bundle), "--leave-running").succeeded()
    assert images.images.stat().st_mode & 0o077 == 0 and images.work.stat().st_mode & 0o077 == 0


def test_runtime_killed_while_it_restores(oci, bundle, images):
    """criu goes with it, and delete --force finds the rest."""
    container = counting(oci, bundle)
    images.take(container).succeeded()
    bundle.hook("createRuntime", "/bin/sh", "-c", f"touch {bundle.path}/hook; exec sleep 1000")
    restore = oci.popen("restore", "-d", *images.paths(), "--bundle", bundle.write(), container.id,
                        stderr=subprocess.DEVNULL)
    wait_for((bundle.path / "hook").exists)
    restore.kill()
    restore.wait()
    assert oci("state", container.id).succeeded()
    oci("delete", "--force", container.id).succeeded()
    assert not (CGROUPS / container.id).exists()
