# SPDX-License-Identifier: Apache-2.0
"""A bundle as engines write it, for the tests that call the runtime as an engine would."""

import json
import tarfile

import image

CAPABILITIES = ["CAP_CHOWN", "CAP_KILL", "CAP_SETGID", "CAP_SETUID"]


def config(cgroup):
    return {
        "ociVersion": "1.0.2",
        "hostname": "bundle",
        "root": {"path": "rootfs"},
        "process": {
            "args": ["sh", "-c", "trap 'exit 9' TERM; echo started; while :; do sleep 0.2; done"],
            "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}, "noNewPrivileges": True,
            "capabilities": {name: CAPABILITIES for name in ("bounding", "effective", "permitted")},
        },
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "ptmxmode=0666"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]},
        ],
        "linux": {
            "cgroupsPath": cgroup,
            "namespaces": [{"type": kind} for kind in ("pid", "mount", "network", "uts", "ipc", "cgroup")],
            "resources": {"pids": {"limit": 100}},
        },
        "annotations": {"engine": "tests"},
    }


def write(path, content):
    path.write_text(json.dumps(content))


def make(folder, cgroup):
    """The folders `b` (a shell that runs until SIGTERM), `missing` (no such program) and `terminal`, and process files."""
    with tarfile.open(fileobj=image.layer()) as archive:
        archive.extractall(folder / "rootfs")
    for name in ("b", "missing", "terminal"):
        (folder / name).mkdir()
        content = config(cgroup)
        content["root"]["path"] = str(folder / "rootfs")
        if name == "missing":
            content["process"]["args"] = ["no-such-program"]
        content["process"]["terminal"] = name == "terminal"
        write(folder / name / "config.json", content)
    process = config(cgroup)["process"]
    write(folder / "in.json", {**process, "args": ["sh", "-c", "echo in; exit 7"]})
    write(folder / "sleep.json", {**process, "args": ["sleep", "1000"]})
    write(folder / "tty.json", {**process, "args": ["sh", "-c", "tty; exit 7"], "terminal": True})
    write(folder / "missing.json", {**process, "args": ["no-such-program"]})
