# SPDX-License-Identifier: Apache-2.0
"""An image out of the machine's BusyBox, in the form that `docker save` has: every engine can load it."""

import hashlib
import io
import json
import subprocess
import tarfile

BUSYBOX = "/bin/busybox"
PASSWD = "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n"
GROUP = "root:x:0:\nuser:x:1000:\ntape:x:26:user\n"


def add(archive, name, content=b"", mode=0o644, kind=tarfile.REGTYPE, target="", owner=0):
    entry = tarfile.TarInfo(name)
    entry.mode, entry.type, entry.linkname, entry.size = mode, kind, target, len(content)
    entry.uid = entry.gid = owner
    archive.addfile(entry, io.BytesIO(content))


def layer():
    """The root file system, as an archive in memory."""
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w") as archive:
        for folder, mode in (("bin", 0o755), ("dev", 0o755), ("etc", 0o755), ("home", 0o755), ("proc", 0o755),
                             ("root", 0o700), ("run", 0o755), ("sys", 0o755), ("tmp", 0o1777), ("var", 0o755)):
            add(archive, folder, mode=mode, kind=tarfile.DIRTYPE)
        add(archive, "home/user", mode=0o755, kind=tarfile.DIRTYPE, owner=1000)
        with open(BUSYBOX, "rb") as program:
            add(archive, "bin/busybox", program.read(), 0o755)
        for applet in subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split():
            if applet != "busybox":
                add(archive, f"bin/{applet}", kind=tarfile.SYMTYPE, target="busybox")
        add(archive, "etc/passwd", PASSWD.encode())
        add(archive, "etc/group", GROUP.encode())
    memory.seek(0)
    return memory


def make(path):
    """Writes the image `localhost/bb` to a file."""
    content = layer().getvalue()
    config = json.dumps({
        "architecture": "amd64", "os": "linux",
        "config": {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(content).hexdigest()]},
    }).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = [{"Config": config_name, "Layers": ["layer.tar"],
                 "RepoTags": ["localhost/bb:latest", "docker.io/library/bb:latest"]}]
    with tarfile.open(path, "w") as archive:
        add(archive, "layer.tar", content)
        add(archive, config_name, config)
        add(archive, "manifest.json", json.dumps(manifest).encode())
