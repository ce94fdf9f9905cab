# SPDX-License-Identifier: Apache-2.0
"""podman: with both cgroup managers, and for a normal user."""

from engine import Engine, blocks


def set_up_with(manager):
    def set_up(lane):
        work = lane.folder
        lane.command("podman", "/usr/bin/podman", "--root", work / "root", "--runroot", work / "run", "--tmpdir", work / "tmp",
                     "--runtime", lane.runtime, f"--cgroup-manager={manager}", "--storage-driver=overlay",
                     "--events-backend=file")
        lane.command("run", "podman", "run", "--rm", "--network=none")
        lane.must("podman load --quiet --input $IMAGE && run bb true")  # makes what stays
    return set_up


BLOCKS = blocks(r"""
output                      | 0 hello     | run bb echo hello
exit code 3                 | 3           | run bb sh -c 'exit 3'
""")

ENGINES = [Engine("podman", "crun", set_up_with("systemd"), BLOCKS)]
