# SPDX-License-Identifier: Apache-2.0
"""checkpoint and restore as far as they go without criu: options, errors, what engines look for. The rest is in
checkpoint/."""

import pytest

from harness import CGROUPS


@pytest.fixture
def container(oci, bundle):
    return oci.run_detached(bundle.args("sleep", "1000"))


@pytest.mark.parametrize("command", ["checkpoint", "restore"])
def test_engines_look_for_the_commands(oci, command):
    completed = oci(command, "--help").succeeded()
    assert "--image-path" in completed.out and completed.err == ""


def test_podman_looks_for_the_mount_context(oci):
    oci("restore", "--lsm-mount-context").failed("flag needs an argument", "-lsm-mount-context")


@pytest.mark.parametrize("command, options, texts", [
    ("checkpoint", ["--manage-cgroups-mode", "hard"], ["--manage-cgroups-mode", '"hard"']),
    ("checkpoint", ["--network-lock", "none"], ["--network-lock", '"none"']),
    ("checkpoint", ["--empty-ns", "pid"], ["--empty-ns", '"pid"']),
    ("checkpoint", ["--page-server", "localhost"], ["--page-server", '"localhost" is not HOST:PORT']),
    ("checkpoint", ["--page-server", "localhost:70000"], ["--page-server"]),
    ("checkpoint", ["--parent-path", "/before"], ["--parent-path", "relative"]),
    ("checkpoint", ["--parent-path", "../before"], ["--parent-path", "no such file or directory"]),
    ("checkpoint", ["--status-fd", "9"], ["--status-fd", "bad file descriptor"]),
    ("restore", ["--manage-cgroups-mode", "hard"], ["--manage-cgroups-mode", '"hard"']),
    ("restore", ["--tcp-established"], ["--image-path", "no such file or directory"]),
])
def test_errors_name_the_option(oci, bundle, container, command, options, texts):
    id = container.id if command == "checkpoint" else oci.new_id()
    more = ["--bundle", bundle.write()] if command == "restore" else []
    oci(command, "--image-path", bundle.path / "images", *options, *more, id).failed(*texts)
    assert container.status == "running"


def test_checkpoint_without_criu(oci, bundle, container):
    oci("checkpoint", "--image-path", bundle.path / "images", container.id, env={"PATH": "/nonexistent"}).failed(
        "criu: executable file not found in $PATH")
    assert container.status == "running"
    assert (CGROUPS / container.id / "cgroup.freeze").read_text() == "0\n"


def test_restore_without_criu(oci, bundle):
    images = bundle.path / "images"
    images.mkdir()
    (images / "descriptors.json").write_text('["/dev/null","pipe:[1]","pipe:[1]"]')
    id = oci.new_id()
    oci("restore", "--image-path", images, "--bundle", bundle.write(), id, env={"PATH": "/nonexistent"}).failed(
        "criu: executable file not found in $PATH")
    oci("state", id).failed("container does not exist")


@pytest.mark.parametrize("content", ["", "{}", "[1]", '["pipe:[1]"'])
def test_damaged_list_of_descriptors(oci, bundle, content):
    images = bundle.path / "images"
    images.mkdir()
    (images / "descriptors.json").write_text(content)
    oci("restore", "--image-path", images, "--bundle", bundle.write(), oci.new_id()).failed(
        "--image-path", "descriptors.json", "is not an array of texts")


def test_container_that_cannot_be_checkpointed(oci, bundle):
    created = oci.create(bundle.args("sleep", "1000"))
    oci("checkpoint", created.id).failed("container cannot be checkpointed in created state")
    created.kill("KILL")
    created.wait()
    oci("checkpoint", created.id).failed("container cannot be checkpointed in stopped state")
    oci("checkpoint", "nothing").failed("container does not exist")


def test_id_mapped_mounts_are_refused(oci, bundle):
    images = bundle.path / "images"
    images.mkdir()
    bundle.mount("/data", "bind", str(bundle.path), ["bind", "idmap"])
    mapping = [{"containerID": 0, "hostID": 1000, "size": 10}]
    bundle.config["mounts"][-1].update({"uidMappings": mapping, "gidMappings": mapping})
    number = len(bundle.config["mounts"]) - 1
    oci("restore", "--image-path", images, "--bundle", bundle.write(), oci.new_id()).failed(
        f"/mounts/{number}: an id-mapped mount")
