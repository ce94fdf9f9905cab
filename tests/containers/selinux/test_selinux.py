# SPDX-License-Identifier: Apache-2.0
"""process.selinuxLabel and linux.mountLabel where SELinux enforces the policy tests/vm/policy.cil. Started in a virtual
machine (tests/vm/run.sh --security selinux "tests/containers/run.sh selinux")."""

import os
import pathlib

import pytest

DOMAIN = "system_u:system_r:container_t:s0:c1,c2"
FILES = "system_u:object_r:container_file_t:s0:c1,c2"
SECRET = "system_u:object_r:secret_t:s0"
HOST = "system_u:system_r:host_t:s0"
UNLABELED = "system_u:object_r:unlabeled_t:s0"
TMPFS = "system_u:object_r:tmpfs_t:s0"
SUITE = "system_u:object_r:svirt_sandbox_file_t:s0:c715,c811"
FORBIDDEN = "system_u:system_r:forbidden_t:s0"


def label_of(path):
    return os.getxattr(path, "security.selinux").decode().rstrip("\0")


def inside(container, path):
    return f"/proc/{container.pid}/root{path}"


def own_label(text):
    return text.rstrip("\0\n")


@pytest.fixture(autouse=True)
def enforcing():
    """No test of this folder says anything without it."""
    assert pathlib.Path("/sys/fs/selinux/enforce").read_text() == "1"


@pytest.fixture
def labelled(bundle):
    bundle.process["selinuxLabel"] = DOMAIN
    bundle.linux["mountLabel"] = FILES
    return bundle


# ---- process.selinuxLabel


@pytest.mark.parametrize("user_namespace", [False, True])
def test_label_of_the_process(oci, bundle, user_namespace):
    if user_namespace:
        bundle.user_namespace()
    bundle.process["selinuxLabel"] = DOMAIN
    bundle.process["noNewPrivileges"] = not user_namespace  # with both of its values
    container = oci.run_detached(bundle.args("sleep", "1000"))
    assert own_label(container.proc("attr/current")) == DOMAIN
    # The next program does not get it once more, but inherits it.
    assert own_label(container.proc("attr/exec")) == ""
    assert own_label(container.exec("cat", "/proc/self/attr/current").succeeded().out) == DOMAIN


def test_label_of_exec(oci, bundle):
    container = oci.run_detached(bundle.args("sleep", "1000"))
    own = lambda label: oci("exec", "--process-label", label, container.id, "cat", "/proc/self/attr/current")
    assert own_label(own(DOMAIN).succeeded().out) == DOMAIN
    own("nonsense").failed("set SELinux label", "nonsense: write: invalid argument", rc=255)
    assert own(FORBIDDEN).rc == 255


def test_without_a_label_nothing_changes(oci, bundle):
    container = oci.run_detached(bundle.args("sleep", "1000"))
    assert own_label(container.proc("attr/current")) == HOST


def test_label_of_the_keyring(oci, bundle):
    bundle.process["selinuxLabel"] = DOMAIN
    assert oci.output_of(bundle.args("/bin/probe", "keyring-label")) == DOMAIN + "\n"


def test_hooks_are_not_confined(oci, bundle):
    bundle.process["selinuxLabel"] = DOMAIN
    for kind in ("createRuntime", "startContainer"):
        folder = "" if kind == "startContainer" else bundle.rootfs
        bundle.hook(kind, "/bin/sh", "-c", f"cat /proc/self/attr/current >{folder}/{kind}")
    oci.run(bundle.args("true")).succeeded()
    for kind in ("createRuntime", "startContainer"):
        assert own_label((bundle.rootfs / kind).read_text()) == HOST


def test_the_kernel_enforces_it(oci, bundle):
    for name, label in (("open", FILES), ("secret", SECRET)):
        (bundle.rootfs / "etc" / name).write_text(name)
        os.setxattr(bundle.rootfs / "etc" / name, "security.selinux", label.encode())
    assert oci.output_of(bundle, "cat /etc/open /etc/secret") == "opensecret"
    bundle.process["selinuxLabel"] = DOMAIN
    completed = oci.run(bundle)
    assert completed.rc == 1 and completed.out == "open"
    assert completed.err == "cat: can't open '/etc/secret': Permission denied\n"


@pytest.mark.parametrize("label", ["nonsense", DOMAIN.replace("container_t", "nonesuch_t"), DOMAIN.replace("c1", "c3")])
def test_a_label_that_is_not_in_the_policy(oci, bundle, label):
    bundle.process["selinuxLabel"] = label
    oci.run(bundle.args("true")).failed(f"SELinux label of the keyring {label}", "invalid argument")
    oci.run(bundle, "--no-new-keyring").failed(f"set SELinux label {label}", "invalid argument")


def test_a_label_that_the_policy_does_not_let_it_take(oci, bundle):
    bundle.process["selinuxLabel"] = FORBIDDEN
    oci.run(bundle.args("true")).failed("permission denied")


# ---- linux.mountLabel


def test_label_of_mounts(oci, labelled):
    (labelled.path / "own").mkdir()
    (labelled.path / "own/file").touch()
    labelled.mount("/mnt/tmp", "tmpfs", "tmpfs").bind(labelled.path / "own", "/mnt/own")
    labelled.mount("/mnt/named", "tmpfs", "tmpfs", [f"context={TMPFS}"])
    labelled.mount("/mnt/quoted", "tmpfs", "tmpfs", [f'context="{SUITE}"'])  # as engines write it: for mount(2)
    container = oci.run_detached(labelled.sh("echo >/mnt/tmp/file; echo ready; sleep 1000"))
    container.wait_output("ready")
    for path in ("/dev", "/dev/null", "/dev/pts", "/dev/shm", "/mnt/tmp", "/mnt/tmp/file"):
        assert (path, label_of(inside(container, path))) == (path, FILES)
    # Files of the kernel have labels of their own kind, and what is bound keeps its own.
    for path in ("/proc", "/sys", "/sys/fs/cgroup"):
        assert (path, label_of(inside(container, path))) == (path, UNLABELED)
    for path in ("/", "/mnt/own", "/mnt/own/file"):
        assert (path, label_of(inside(container, path))) == (path, TMPFS)
    # A mount's own option wins.
    assert label_of(inside(container, "/mnt/named")) == TMPFS
    assert label_of(inside(container, "/mnt/quoted")) == SUITE


@pytest.mark.parametrize("user_namespace", [False, True])
def test_every_default_mount_takes_a_label(oci, labelled, user_namespace):
    if user_namespace:
        labelled.user_namespace()
    assert own_label(oci.output_of(labelled.args("cat", "/proc/self/attr/current"))) == DOMAIN


@pytest.mark.parametrize("kind", ["context", "rootcontext"])
def test_annotation_for_the_kind_of_context(oci, labelled, kind):
    """One label for all, or one for the root only, which new files then inherit, but may be given another."""
    labelled.config["annotations"] = {"run.oci.mount_context_type": kind}
    labelled.mount("/mnt/tmp", "tmpfs", "tmpfs")
    container = oci.run_detached(labelled.sh("echo >/mnt/tmp/file; echo ready; sleep 1000"))
    container.wait_output("ready")
    file = inside(container, "/mnt/tmp/file")
    assert label_of(inside(container, "/mnt/tmp")) == label_of(file) == FILES
    if kind == "context":
        with pytest.raises(OSError):
            os.setxattr(file, "security.selinux", TMPFS.encode())
    else:
        os.setxattr(file, "security.selinux", TMPFS.encode())
        assert label_of(file) == TMPFS


def test_mounts_that_the_process_may_not_read(oci, labelled):
    labelled.linux["mountLabel"] = SECRET
    labelled.mount("/mnt/tmp", "tmpfs", "tmpfs")
    completed = oci.run(labelled.sh("echo written >/mnt/tmp/file; cat /mnt/tmp/file"))
    assert completed.rc == 1 and completed.out == "" and "Permission denied" in completed.err


def test_errors_of_the_mount_label(oci, labelled):
    labelled.linux["mountLabel"] = "nonsense"
    oci.run(labelled.args("true")).failed("/mounts/", "invalid argument")
    labelled.linux["mountLabel"] = FILES
    labelled.config["annotations"] = {"run.oci.mount_context_type": "nonsense"}
    oci.run(labelled).failed("/annotations/run.oci.mount_context_type: must be context, fscontext, defcontext or ")
