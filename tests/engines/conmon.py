# SPDX-License-Identifier: Apache-2.0
"""conmon alone, called as podman and CRI-O do."""

import bundle
from engine import Engine, blocks


def set_up(lane):
    work = lane.folder
    bundle.make(work, f"system.slice:{lane.runtime}:conmon")
    (work / "exits").mkdir()
    common = ["/usr/bin/conmon", "--api-version", 1, "--runtime", lane.environment["RUNTIME"], "--full-attach",
              "--socket-dir-path", work, "--exit-dir", work / "exits", "--log-level", "error", "--log-path", "k8s-file:$WORK/log",
              "--container-pidfile", "$WORK/pid", "--conmon-pidfile", "$WORK/conmon.pid"]
    errors = ["--runtime-arg", "--log-format=json", "--runtime-arg", "--log", f"--runtime-arg={work}/oci-log"]
    # Descriptor 3 gets what podman waits for: the process id, or -1 and the error. conmon goes on in the background.
    lane.command("told", "sh", "-c", "'until jq .data sync 2>/dev/null | grep .; do sleep 0.1; done'")
    lane.command("conmon", "env", "_OCI_SYNCPIPE=3", *common, *errors, "--systemd-cgroup")
    lane.command("conmon-exec", "env", "_OCI_SYNCPIPE=3", *common, *errors, "--exec")


BLOCKS = blocks(r"""
create                      | 0 true      | conmon -c $LANE -u u -n n -b $WORK/b 3>sync; test $(told) = $(cat pid) && echo true
pid file without newline    | 0 0         | tr -d 0-9 <pid | wc -c
state                       | 0 created   | test "$($RUNTIME state $LANE | jq .pid)" = "$(cat pid)" && $RUNTIME state $LANE | jq -r '.status, .bundle, .annotations.engine'
the parent is conmon        | 0 conmon    | cat /proc/$(ps -o ppid= -p $(cat pid) | tr -d ' ')/comm
start                       | 0           | $RUNTIME start $LANE
log                         | 0 started   | until test -s log; do sleep 0.1; done; cut -d ' ' -f 2- log
exec                        | 0 in        | rm -f log; conmon-exec -c $LANE -u e1 -n n -b $WORK/b --exec-process-spec $WORK/in.json 3>sync; until test -s exits/$LANE; do sleep 0.1; done; cat exits/$LANE; echo; cut -d ' ' -f 2- log
exec: pid file              | 0 0         | test $(told | head -n 1) = $(cat pid) && tr -d 0-9 <pid | wc -c
exec: terminal              | 0 /dev/pts  | rm -f log exits/*; conmon-exec -t -c $LANE -u e2 -n n -b $WORK/b --exec-process-spec $WORK/tty.json 3>sync; test $(told) -gt 0 && until test -s exits/$LANE; do sleep 0.1; done; cat exits/$LANE; echo; cut -d ' ' -f 2- log
exec: no pid file on failure | 0 no pid file | rm -f pid; conmon-exec -c $LANE -u e3 -n n -b $WORK/b --exec-process-spec $WORK/missing.json 3>sync 2>/dev/null; told; test -e pid || echo no pid file; grep -o 'executable file not found in $PATH' oci-log
kill, exit file             | 0 9         | rm -f exits/*; $RUNTIME kill $LANE 15 && until test -s exits/$LANE; do sleep 0.1; done; cat exits/$LANE
delete --force              | 0           | $RUNTIME delete --force $LANE

create: no such program     | 0 -1        | rm -f oci-log; conmon -c $LANE -u u -n n -b $WORK/missing 3>sync 2>/dev/null; told
create: the log             | 0 executable file not found in $PATH | jq -r 'select(.level == "error").msg' oci-log | grep -o 'executable file not found in $PATH'
terminal                    | 0 true      | rm -f log; conmon -t -c $LANE -u u -n n -b $WORK/terminal 3>sync; test $(told) = $(cat pid) && echo true
terminal: output            | 0 started   | $RUNTIME start $LANE && until grep -q started log; do sleep 0.1; done; grep -o started log
terminal: delete --force    | 0           | $RUNTIME delete --force $LANE
""")

ENGINES = [Engine("conmon", "runc", set_up, BLOCKS)]
