# SPDX-License-Identifier: Apache-2.0
"""A normal user with a service manager of its own."""

import pathlib
import subprocess
import threading

UID = 2000
RUNTIME_FOLDER = f"/run/user/{UID}"
LINES = {"passwd": f"oci-user:x:{UID}:{UID}::/tmp:/bin/sh\n", "group": f"oci-user:x:{UID}:\n",
         "shadow": "oci-user:*:20000::::::\n",  # PAM refuses a session without
         "subuid": "oci-user:300000:65536\n", "subgid": "oci-user:300000:65536\n"}
one_at_a_time = threading.Lock()


def add():
    for name, line in LINES.items():
        with open(f"/etc/{name}", "r+") as file:
            if line not in file.read():
                file.write(line)
    subprocess.run(["systemctl", "start", f"user@{UID}.service"], check=True, timeout=120)


def become(lane):
    """From here on the lane's commands are the user's, in a scope of the user's manager, as terminals have."""
    with one_at_a_time:
        add()
    lane.environment |= {"HOME": str(lane.folder), "XDG_RUNTIME_DIR": RUNTIME_FOLDER,
                         "DBUS_SESSION_BUS_ADDRESS": f"unix:path={RUNTIME_FOLDER}/bus"}
    subprocess.run(["chown", "-R", f"{UID}:{UID}", str(lane.folder)], check=True)
    lane.as_user = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--inh-caps=-all", "--",
                    "systemd-run", "--user", "--scope", "--quiet", "--"]
