# SPDX-License-Identifier: Apache-2.0
"""Id-mapped mounts: idmap and ridmap, with mappings of their own or the container's (config.md#linux-mount-options)."""

import os
import subprocess

import pytest



def mapping(container_id, host_id, size=1):
    return [{"containerID": container_id, "hostID": host_id, "size": size}]


@pytest.fixture
def source(tmp_path):
    """A tmpfs of the host with files of root and of 1000, and another mount below."""
    folder = tmp_path / "source"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "source", folder], check=True)
    (folder / "below").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "below", folder / "below"], check=True)
    for place in (folder, folder / "below"):
        for owner in (0, 1000):
            (place / str(owner)).touch()
            os.chown(place / str(owner), owner, owner)
    yield folder
    subprocess.run(["umount", folder / "below"], check=True)
    subprocess.run(["umount", folder], check=True)


def owners(oci, bundle, script="stat -c %u:%g /mnt/0 /mnt/1000"):
    return oci.output_of(bundle, script).split()


def mapped(bundle, source, uids, gids, *options):
    bundle.bind(str(source), "/mnt", *options)
    mount = bundle.config["mounts"][-1]
    if uids:
        mount["uidMappings"] = uids
    if gids:
        mount["gidMappings"] = gids
    return bundle


def test_own_mappings(oci, bundle, source):
    mapped(bundle, source, mapping(1000, 5000), mapping(1000, 6000), "idmap")
    assert owners(oci, bundle) == ["65534:65534", "5000:6000"]


def test_mappings_without_the_option(oci, bundle, source):
    mapped(bundle, source, mapping(0, 7000), mapping(0, 8000))
    assert owners(oci, bundle) == ["7000:8000", "65534:65534"]


def test_files_that_are_made_are_mapped_back(oci, bundle, source):
    os.chown(source, 1000, 1000)
    mapped(bundle, source, mapping(1000, 0), mapping(1000, 0), "idmap")
    oci.output_of(bundle, "touch /mnt/new")
    assert (os.stat(source / "new").st_uid, os.stat(source / "new").st_gid) == (1000, 1000)


@pytest.mark.parametrize("option, below", [("idmap", "1000:1000"), ("ridmap", "5000:5000")])
def test_recursion(oci, bundle, source, option, below):
    mapped(bundle, source, mapping(1000, 5000), mapping(1000, 5000), "rbind", option)
    assert owners(oci, bundle, "stat -c %u:%g /mnt/1000 /mnt/below/1000") == ["5000:5000", below]


def test_mappings_of_the_container(oci, bundle, source):
    bundle.user_namespace()
    mapped(bundle, source, None, None, "idmap")
    assert owners(oci, bundle) == ["0:0", "1000:1000"]
    oci.output_of(bundle, "touch /mnt/new")
    assert os.stat(source / "new").st_uid == 0


def test_without_idmap_in_a_user_namespace(oci, bundle, source):
    bundle.user_namespace()
    mapped(bundle, source, None, None)
    assert owners(oci, bundle) == ["65534:65534", "65534:65534"]


def test_own_mappings_in_a_user_namespace(oci, bundle, source):
    bundle.user_namespace(host_id=100000)
    mapped(bundle, source, mapping(1000, 100005), mapping(1000, 100006), "ridmap", "rbind")
    assert owners(oci, bundle) == ["65534:65534", "5:6"]


def test_read_only_and_mapped(oci, bundle, source):
    bundle.user_namespace()
    mapped(bundle, source, None, None, "idmap", "ro")
    assert owners(oci, bundle, "touch /mnt/x 2>/dev/null || stat -c %u /mnt/1000") == ["1000"]


def test_tmpfs(oci, bundle):
    bundle.mount("/mnt", "tmpfs", "tmpfs", ["idmap", "uid=1000", "gid=1000"])
    bundle.config["mounts"][-1].update(uidMappings=mapping(1000, 5000), gidMappings=mapping(1000, 6000))
    assert owners(oci, bundle, "stat -c %u:%g /mnt") == ["5000:6000"]


def test_file_system_without_support(oci, bundle):
    bundle.mount("/mnt", "mqueue", "mqueue", ["idmap"])
    bundle.config["mounts"][-1].update(uidMappings=mapping(0, 5000), gidMappings=mapping(0, 5000))
    oci.run(bundle.args("true")).failed("idmap", "does not support id-mapped mounts")


def test_source_without_support(oci, bundle):
    """Its error is not taken for that of another call."""
    mapped(bundle, "/proc", mapping(0, 5000), mapping(0, 5000))
    completed = oci.run(bundle.args("true")).failed("/source: idmap", "does not support id-mapped mounts")
    assert "rbind" not in completed.err


@pytest.mark.parametrize("uids, gids, options, named", [
    (None, None, ["idmap"], "options"),
    (mapping(0, 1), None, [], "gidMappings"),
    (None, mapping(0, 1), ["ridmap"], "uidMappings"),
    ([{"containerID": 0, "hostID": 1}], mapping(0, 1), [], "uidMappings/0/size"),
    (mapping(0, 1), mapping(0, 1), ["remount"], "options"),
    (None, None, ["idmap=uids=0-1-1"], "options/1"),
])
def test_errors_name_the_field(oci, bundle, source, uids, gids, options, named):
    mapped(bundle, source, uids, gids, *options).args("true")
    oci.run(bundle).failed(f"/mounts/{len(bundle.config['mounts']) - 1}/{named}")
