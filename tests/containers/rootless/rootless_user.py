# SPDX-License-Identifier: Apache-2.0
"""A normal user of the tests: an id, a home, nothing else."""

import os
import subprocess

import harness

UID = 2000
NAME = "oci-user"
FIRST_SUBORDINATE = 300000
SUBORDINATES = 65536


class User(harness.Oci):
    """Runs the program as the user, who has no privileges."""

    def __init__(self, session):
        self.home = session.folder / "user"
        self.home.mkdir(exist_ok=True)
        os.chown(self.home, UID, UID)
        self.runtime_folder = self.home / "run"
        self.runtime_folder.mkdir(mode=0o700, exist_ok=True)
        os.chown(self.runtime_folder, UID, UID)
        super().__init__(self.runtime_folder)
        self.state_root = self.runtime_folder / "oci-run"
        self.cgroup = None  # to start in, else where the tests are

    @staticmethod
    def as_user(*command):
        return ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--inh-caps=-all",
                "--", *map(str, command)]

    def popen(self, *args, root=True, env=None, program=harness.PROGRAM, wrap=(), **more):
        """root: with XDG_RUNTIME_DIR, where the user's containers are."""
        more.setdefault("stdin", subprocess.DEVNULL)
        environment = {**harness.ENVIRONMENT, **({"XDG_RUNTIME_DIR": str(self.runtime_folder)} if root else {}), **(env or {})}
        command = self.as_user(*wrap, program, *args)
        if self.cgroup:
            command = ["sh", "-c", f"echo $$ >{self.cgroup}/cgroup.procs && exec \"$@\"", "sh", *command]
        return subprocess.Popen(command, env=environment, **more)


def map_range(bundle):
    """Root is the user, the ids above are subordinate ones: as engines map it."""
    for kind in ("uidMappings", "gidMappings"):
        bundle.linux[kind] = [{"containerID": 0, "hostID": UID, "size": 1},
                              {"containerID": 1, "hostID": FIRST_SUBORDINATE, "size": SUBORDINATES}]
    return bundle
