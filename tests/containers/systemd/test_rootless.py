# SPDX-License-Identifier: Apache-2.0
"""A normal user below a real user@.service: what the service manager delegates, with each cgroup manager."""

import json
import os
import pathlib
import subprocess

import pytest

import harness

UID = 2000
RUNTIME_FOLDER = pathlib.Path(f"/run/user/{UID}")
MANAGER = f"/user.slice/user-{UID}.slice/user@{UID}.service"


# In place of the service manager's own, which mounts a tmpfs that this mount namespace would not see.
RUNTIME_FOLDER_UNIT = f"""
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=install -d -m 0700 -o {UID} -g {UID} {RUNTIME_FOLDER}
"""


@pytest.fixture(scope="module")
def manager(surroundings):
    """The account is added to the machine, which is a throw-away one."""
    if os.environ.get("OCI_RUN_VM") != "1":
        pytest.skip("kernel: this is not the virtual machine")
    for name, line in (("passwd", f"oci-user:x:{UID}:{UID}::/:/bin/sh\n"), ("group", f"oci-user:x:{UID}:\n"),
                       ("shadow", "oci-user:*:20000::::::\n"),  # PAM refuses a session without
                       ("subuid", "oci-user:300000:65536\n"), ("subgid", "oci-user:300000:65536\n")):
        with open(f"/etc/{name}", "a") as file:
            file.write(line)
    unit = pathlib.Path(f"/run/systemd/system/user-runtime-dir@{UID}.service")
    unit.parent.mkdir(exist_ok=True)
    unit.write_text(RUNTIME_FOLDER_UNIT)
    subprocess.run(["systemctl", "daemon-reload"], check=True, timeout=120)
    subprocess.run(["systemctl", "start", f"user@{UID}.service"], check=True, timeout=120)
    surroundings.__init__(surroundings.state_root)  # with the manager in them
    yield
    subprocess.run(["systemctl", "stop", f"user@{UID}.service"], check=True, timeout=120)
    surroundings.__init__(surroundings.state_root)


class User(harness.Oci):
    def __init__(self, folder):
        super().__init__(folder)
        self.state_root = RUNTIME_FOLDER / "oci-run"
        self.inside = True
        self.in_user_namespace = False
        self.bus = True
        self.manager = "cgroupfs"
        self.before = []

    def popen(self, *args, env=None, **more):
        more.setdefault("stdin", subprocess.DEVNULL)
        environment = {**harness.ENVIRONMENT, "XDG_RUNTIME_DIR": str(RUNTIME_FOLDER), **(env or {})}
        if self.bus:
            environment["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={RUNTIME_FOLDER}/bus"
        # In a scope of its own, as terminals have; else where the tests are: not below the user's manager.
        scope = ["systemd-run", "--user", "--scope", "--quiet", "-p", "Delegate=yes", "--"] if self.inside else []
        # As podman calls: root of a user namespace that has the user's id alone.
        unshare = ["unshare", "--user", "--map-root-user", "--"] if self.in_user_namespace else []
        command = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--inh-caps=-all", "--", *scope,
                   *unshare, harness.PROGRAM, "--root", str(self.state_root), "--cgroup-manager", self.manager, *map(str, args)]
        return subprocess.Popen(command, env=environment, **more)


@pytest.fixture
def user(manager, session):
    folder = session.folder / "user"
    folder.mkdir(exist_ok=True)
    os.chown(folder, UID, UID)
    one = User(folder)
    one.state_root.parent.joinpath("pid").unlink(missing_ok=True)
    yield one
    one.delete_all()


@pytest.fixture
def bundle(session, user, new_bundle):
    bundle = new_bundle()
    os.chown(bundle.path, UID, UID)
    bundle.give_rootfs(UID)
    bundle.config = json.loads(subprocess.run(
        ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "sh", "-c",
         f"cd {bundle.path} && {harness.PROGRAM} spec --rootless && cat config.json"],
        env=harness.ENVIRONMENT, check=True, capture_output=True, text=True).stdout)
    bundle.process["terminal"] = False
    return bundle


def cgroup_of(container):
    return pathlib.Path(f"/proc/{container.pid}/cgroup").read_text().strip().removeprefix("0::")


def test_cgroupfs_below_the_users_manager(user, bundle):
    bundle.linux["resources"] = {"pids": {"limit": 20}, "memory": {"limit": 64 << 20}}
    container = user.run_detached(bundle.args("sleep", "1000"))
    path = cgroup_of(container)
    assert path.startswith(MANAGER + "/") and path.endswith("/" + container.id)
    folder = harness.CGROUPS / path[1:]
    assert (folder / "pids.max").read_text() == "20\n"
    assert (folder / "memory.max").read_text() == f"{64 << 20}\n"
    assert container.exec("id", "-u").succeeded().out == "0\n"
    container.delete("--force")
    assert not folder.exists()


def test_ranges(user, bundle):
    for kind in ("uidMappings", "gidMappings"):
        bundle.linux[kind] = [{"containerID": 0, "hostID": UID, "size": 1},
                              {"containerID": 1, "hostID": 300000, "size": 65536}]
    bundle.process["user"] = {"uid": 7, "gid": 8, "additionalGids": [9]}
    assert user.output_of(bundle, "id -u; id -G") == "7\n8 9\n"


def test_disabled(user, bundle):
    user.manager = "disabled"
    assert user.output_of(bundle, "id -u") == "0\n"
    bundle.linux["resources"] = {"pids": {"limit": 20}}
    user.run(bundle).failed("/linux/resources/pids/limit", "disabled")


def test_outside_of_the_users_manager_nothing_is_delegated(user, bundle):
    """As in a login session: its scope is root's."""
    user.inside = False
    assert user.output_of(bundle, "id -u") == "0\n"
    bundle.linux["resources"] = {"pids": {"limit": 20}}
    user.run(bundle).failed("/linux/resources/pids/limit", "no delegated cgroup")


@pytest.mark.parametrize("bus", [True, False], ids=["address given", "address found"])
@pytest.mark.parametrize("inside", [True, False], ids=["in the manager", "in a session"])
def test_systemd(user, bundle, bus, inside):
    user.manager, user.bus, user.inside = "systemd", bus or inside, inside
    bundle.linux["resources"] = {"pids": {"limit": 20}, "memory": {"limit": 64 << 20}}
    container = user.run_detached(bundle.args("sleep", "1000"))
    path = cgroup_of(container)
    assert path.startswith(MANAGER + "/") and path.endswith(".scope")
    assert (harness.CGROUPS / path[1:] / "memory.max").read_text() == f"{64 << 20}\n"
    assert container.exec("id", "-u").succeeded().out == "0\n"
    container.delete("--force")
    harness.wait_for(lambda: not (harness.CGROUPS / path[1:]).exists(), "the end of the scope")


@pytest.mark.parametrize("inside", [True, False], ids=["in the manager", "in a session"])
def test_systemd_from_a_user_namespace(user, bundle, inside):
    user.manager, user.bus, user.inside, user.in_user_namespace = "systemd", False, inside, True
    for kind in ("uidMappings", "gidMappings"):
        bundle.linux[kind] = [{"containerID": 0, "hostID": 0, "size": 1}]
    bundle.linux["resources"] = {"pids": {"limit": 20}}
    container = user.run_detached(bundle.args("sleep", "1000"))
    path = cgroup_of(container)
    assert path.startswith(MANAGER + "/") and path.endswith(".scope")
    folder = harness.CGROUPS / path[1:]
    user("update", "--pids-limit", "30", "--memory", "64m", container.id).succeeded()
    assert (folder / "pids.max").read_text() == "30\n"
    assert (folder / "memory.max").read_text() == f"{64 << 20}\n"
    # No `exec`: each call has a user namespace of its own here, and only the first one owns the container's.
    container.delete("--force")
    harness.wait_for(lambda: not folder.exists(), "the end of the scope")


@pytest.mark.parametrize("inside", [True, False], ids=["in the manager", "in a session"])
def test_systemd_with_sources_that_only_the_caller_may_read(user, bundle, inside):
    user.manager, user.inside = "systemd", inside
    for kind in ("uidMappings", "gidMappings"):
        bundle.linux[kind] = [{"containerID": 0, "hostID": 300000, "size": 65536}]
    private = bundle.path / "private"
    (private / "shared").mkdir(parents=True)
    (private / "shared" / "file").write_text("seen\n")
    for path in (private, private / "shared", private / "shared" / "file"):
        os.chown(path, UID, UID)
    private.chmod(0o700)
    bundle.config["mounts"].append({"destination": "/mnt", "source": str(private / "shared"), "options": ["bind"]})
    container = user.run_detached(bundle.sh("cat /mnt/file; exec sleep 1000"))
    container.wait_output("seen")
    assert cgroup_of(container).endswith(".scope")
