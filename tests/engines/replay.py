# SPDX-License-Identifier: Apache-2.0
"""Engines that need a cluster or are not packaged: the calls that containerd's shim, CRI-O and podman make, with their
arguments and environments; and what they look at in the answers."""

import bundle
from engine import Engine, blocks

PATH = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"


def set_up(lane):
    work = lane.folder
    bundle.make(work, f"system.slice:{lane.runtime}:replay")
    program = lane.environment["RUNTIME"]
    root = work / "state"
    # go-runc: a log file, JSON, the shim's environment.
    lane.command("shim", "env", "-i", PATH, program, "--root", root, "--log", work / "log.json",
                 "--log-format", "json", "--systemd-cgroup")
    # The clean-up of a dead shim does not know of the systemd driver.
    lane.command("dead-shim", "env", "-i", PATH, program, "--root", root, "--log", work / "log.json",
                 "--log-format", "json")
    lane.command("crio", "env", "-i", PATH, "XDG_RUNTIME_DIR=/run/user/0", "CRI_O_EXTERNAL=1", program,
                 f"--root={root}", "--systemd-cgroup")
    lane.command("crio-update", "env", "-i", PATH, program, "--root", root)
    # libpod's start, kill and delete: an empty XDG_RUNTIME_DIR is all they have.
    lane.command("libpod", "env", "-i", "XDG_RUNTIME_DIR=", program)
    # The last error, as go-runc reads it: a stream of objects whose time must be RFC 3339.
    lane.command("last-error", "jq", "-rs",
                 "'[.[] | select(.level == \"error\" and (.time | sub(\"[.][0-9]+\"; \"\") | fromdate > 0))] | last | .msg'",
                 work / "log.json")


BLOCKS = blocks(r"""
shim: create                | 0           | shim create --bundle $WORK/b --pid-file $WORK/b/init.pid $LANE >out 2>&1 </dev/null; wc -c <out
shim: pid file              | 0 0         | tr -d 0-9 <b/init.pid | wc -c; test -d /proc/$(cat b/init.pid)
shim: cgroup is final       | 0 0::/system.slice/RUNTIME-replay.scope | grep ^0: /proc/$(cat b/init.pid)/cgroup
shim: create again          | 1 already exists | shim create --bundle $WORK/b $LANE 2>&1 | grep -o 'container with given ID already exists'
shim: last error            | 0 already exists | last-error | grep -o 'container with given ID already exists'
shim: start                 | 0           | shim start $LANE
shim: start again           | 1 cannot start | shim start $LANE 2>&1 | grep -o 'cannot start an already running container'
shim: exec                  | 0 in        | shim exec --process $WORK/in.json --detach --pid-file $WORK/e.pid $LANE | cat; tr -d 0-9 <e.pid | wc -c
shim: exec fails            | 1 executable file not found in $PATH | rm e.pid; shim exec --process $WORK/missing.json --detach --pid-file $WORK/e.pid $LANE >/dev/null 2>&1; last-error | grep -o 'executable file not found in $PATH' && test -e e.pid
shim: ps                    | 0 number    | shim ps --format json $LANE | jq -r '.[0] | type'
shim: pause                 | 0           | shim pause $LANE
shim: resume                | 0           | shim resume $LANE
shim: update                | 0 55        | echo '{"pids":{"limit":55},"memory":{"limit":67108864}}' | shim update --resources=- $LANE && cat /sys/fs/cgroup/system.slice/$LANE-replay.scope/{pids,memory}.max
shim: update through systemd | 0 TasksMax=55 | systemctl show -p TasksMax -p MemoryMax $LANE-replay.scope
shim: kill                  | 0           | shim kill $LANE 15
shim: kill: ended           | 1 container not running | until shim state $LANE | grep -q stopped; do sleep 0.1; done; shim kill $LANE 15 2>&1 | grep -oE 'container not running|os: process already finished|no such process'
shim: kill --all: ended     | 0           | shim kill --all $LANE 9
shim: state: stopped        | 0 stopped   | shim state $LANE | jq -r '.status, .pid'
shim: delete                | 0           | shim delete $LANE
shim: delete: absent        | 1 does not exist | shim delete $LANE 2>&1 | grep -o 'container does not exist'
shim: kill: absent          | 1 does not exist | shim kill $LANE 9 2>&1 | grep -o 'container does not exist'
dead shim                   | 0           | shim create --bundle $WORK/b $LANE >/dev/null 2>&1 </dev/null && dead-shim delete --force $LANE && ! test -e /sys/fs/cgroup/system.slice/$LANE-replay.scope
dead shim: absent           | 0           | dead-shim delete --force $LANE
shim: create fails          | 1 executable file not found in $PATH | shim create --bundle $WORK/missing --pid-file $WORK/m.pid $LANE >/dev/null 2>&1; last-error | grep -o 'executable file not found in $PATH' && test -e m.pid

crio: the example           | 0 oci       | /usr/bin/python3 -c "import tomllib; print(tomllib.load(open('$EXAMPLES/crio/10-oci-run.conf', 'rb'))['crio']['runtime']['runtimes']['oci-run']['runtime_type'])"
crio: version               | 0 spec      | $RUNTIME --version | grep -o '^spec'
crio: features              | 0 1.0       | $RUNTIME features 2>&1 | jq -r .ociVersionMin | cut -c 1-3
crio: features: rro         | 0 rro       | $RUNTIME features 2>&1 | jq -r '.mountOptions[], .hooks[], .linux.namespaces[]' | grep -xE 'rro|rbind|prestart|poststop|pid|user' | sort
crio: create                | 0           | crio create --bundle $WORK/b --pid-file $WORK/b/init.pid $LANE >/dev/null 2>&1 </dev/null
crio: state                 | 0 created   | crio state $LANE | jq -r '.status, .bundle, .annotations.engine, (.pid | type), (.created | sub("[.][0-9]+"; "") | fromdate > 0), has("exitCode"), has("error")'
crio: start                 | 0           | crio start $LANE
crio: exec                  | 7 in        | crio exec --process $WORK/in.json $LANE
crio: exec: terminal        | 7 /dev/pts  | script -qec 'crio exec --process $WORK/tty.json $LANE' /dev/null
crio: update                | 0 66        | echo '{"pids":{"limit":66}}' | crio-update update --resources - $LANE && cat /sys/fs/cgroup/system.slice/$LANE-replay.scope/pids.max
crio: pause, state, resume  | 0 paused    | crio pause $LANE && crio state $LANE | jq -r .status && crio resume $LANE && crio state $LANE | jq -r .status
crio: kill by name          | 0           | crio kill $LANE TERM
crio: kill KILL: ended      | 1 container not running | until crio state $LANE | grep -q stopped; do sleep 0.1; done; crio kill $LANE KILL 2>&1 | grep -oE 'container not running|no such process'
crio: kill -a: ended        | 0           | crio kill -a $LANE 9
crio: delete --force        | 0           | crio delete --force $LANE
crio: state: absent         | 1           | crio state $LANE 2>/dev/null
crio: delete --force: absent | 0          | crio delete --force $LANE

libpod: create              | 0           | libpod --systemd-cgroup create --bundle $WORK/b --pid-file $WORK/b/init.pid $LANE >/dev/null 2>&1 </dev/null
libpod: the default root    | 0 true      | test -d /run/$LANE/$LANE && echo true
libpod: start               | 0           | libpod start $LANE
libpod: pause, resume       | 0           | libpod pause $LANE && libpod resume $LANE
libpod: update              | 0 77        | echo '{"pids":{"limit":77}}' >r.json; libpod update --resources=$WORK/r.json $LANE && cat /sys/fs/cgroup/system.slice/$LANE-replay.scope/pids.max
libpod: kill                | 0           | libpod kill $LANE 9
libpod: kill --all: ended   | 0           | until libpod state $LANE | grep -q stopped; do sleep 0.1; done; libpod kill --all $LANE 9
libpod: delete --force      | 0           | libpod delete --force $LANE

shim: checkpoint            | 0           | shim create --bundle $WORK/b $LANE >/dev/null 2>&1 </dev/null && shim start $LANE && shim checkpoint --image-path $WORK/image --work-path $WORK/work $LANE && ls image | grep -c pages
libpod: probe of restore    | 1 argument  | $RUNTIME restore --lsm-mount-context 2>&1 | grep -oE '(flag needs|requires) an argument' | grep -o argument | head -n 1
shim: restore               | 0 running   | shim restore --image-path $WORK/image --work-path $WORK/work --detach --pid-file $WORK/r.pid -no-subreaper --bundle $WORK/b $LANE >/dev/null 2>&1 </dev/null && shim state $LANE | jq -r .status && tr -d 0-9 <r.pid | wc -c
shim: delete: restored      | 0           | shim delete --force $LANE
""")

ENGINES = [Engine("replay", "runc", set_up, BLOCKS)]
