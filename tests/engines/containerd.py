# SPDX-License-Identifier: Apache-2.0
"""containerd with its client `ctr`: the shim io.containerd.runc.v2 calls the runtime; with both cgroup drivers."""

from engine import Engine, blocks, only_full


def start(lane):
    """A containerd of the lane's own, with the example's configuration."""
    socket = lane.folder / "containerd.sock"
    lane.command("ctr", "/usr/bin/ctr", "--address", socket, "--namespace", lane.runtime)
    lane.start("containerd", "--config", f"{lane.environment['EXAMPLES']}/containerd/config.toml",
               "--address", socket, "--root", lane.folder / "root", "--state", lane.folder / "state", "--log-level", "warn",
               ready="ctr version")


def set_up_with(*driver):
    def set_up(lane):
        start(lane)
        cgroup = f"system.slice:{lane.runtime}:c" if driver else f"/engines/{lane.runtime}"
        lane.command("run", "ctr", "run", "--runc-binary", lane.environment["RUNTIME"], *driver, "--cgroup", cgroup)
        if not driver and lane.runtime != "oci-run":
            # runc does not remove the parents that it makes
            lane.at_end.append(f"rmdir /sys/fs/cgroup/engines/{lane.runtime} /sys/fs/cgroup/engines")
        lane.must("ctr images import $IMAGE && run --rm $BB warm true")
    return set_up


ONE_SHOT = r"""
the example                 | 0 1         | containerd --config $EXAMPLES/containerd/config.toml config dump | grep -c 'BinaryName = "/usr/bin/oci-run"'
output                      | 0 hello     | run --rm $BB c echo hello
exit code 3                 | 3           | run --rm $BB c sh -c 'exit 3'
no such program             | 1 executable file not found in $PATH | run --rm $BB c no-such-program 2>&1 | grep -o 'exec: "no-such-program": executable file not found in $PATH'
no such path                | 1 no such file or directory | run --rm $BB c /no/such 2>&1 | grep -o 'no such file or directory'
not executable              | 1 permission denied | run --rm $BB c /etc/passwd 2>&1 | grep -o 'permission denied'
terminal                    | 0 /dev/pts  | script -qec 'run --rm --tty $BB c sh -c "tty; test -t 0 && test -t 1 && echo yes"' /dev/null
"""

LIFE = r"""
run -d                      | 0           | run -d --memory-limit 67108864 --cpu-quota 20000 --cpu-period 100000 $BB c sh -c 'trap "exit 9" TERM; while :; do sleep 0.2; done'
tasks ls                    | 0 RUNNING   | ctr tasks ls | awk '$1 == "c" { print $3 }'
exec                        | 0 in        | ctr tasks exec --exec-id e1 c echo in
exec: exit code             | 7           | ctr tasks exec --exec-id e2 c sh -c 'exit 7'
exec: user, folder          | 0 1000      | ctr tasks exec --exec-id e3 --user user --cwd /tmp c sh -c 'id; pwd'
exec: terminal              | 0 /dev/pts  | script -qec 'ctr tasks exec --exec-id e4 --tty c sh -c "tty; test -t 0 && test -t 1 && echo yes"' /dev/null | grep -v 'resize pty'
exec: no such program       | 1 executable file not found in $PATH | ctr tasks exec --exec-id e5 c no-such-program 2>&1 | grep -o 'executable file not found in $PATH'
ps                          | 0 yes       | ctr tasks ps c | grep -q "^$(ctr tasks ls | awk '$1 == "c" { print $2 }') " && echo yes
metrics                     | 0 67108864  | ctr tasks metrics c | awk '$1 == "memory.usage_limit" { print $2 }'
limits                      | 0 67108864  | cd /sys/fs/cgroup$(sed s/0::// /proc/$(ctr tasks ls | awk '$1 == "c" { print $2 }')/cgroup) && grep . memory.max cpu.max
pause                       | 0 PAUSED    | ctr tasks pause c && ctr tasks ls | awk '$1 == "c" { print $3 }'
resume                      | 0 RUNNING   | ctr tasks resume c && ctr tasks ls | awk '$1 == "c" { print $3 }'
kill                        | 0 STOPPED   | ctr tasks kill c && until ctr tasks ls | grep STOPPED; do sleep 0.2; done | awk '{ print $3 }'
kill: has ended already     | 1 process already finished | ctr tasks kill c 2>&1 | grep -o 'process already finished'
delete                      | 0 non-zero exit code 9 | ctr tasks delete c 2>&1 | grep -o 'non-zero exit code 9'
delete the container        | 0           | ctr containers delete c
"""

RUN = r"""
read-only                   | 1 Read-only | run --rm --read-only $BB c touch /file 2>&1
privileged                  | 0 CapEff    | run --rm --privileged $BB c grep -E '^(Cap|Seccomp:)' /proc/self/status
capabilities                | 0 CapEff    | run --rm --cap-drop CAP_CHOWN --cap-add CAP_SYS_TIME $BB c grep -E '^Cap' /proc/self/status
seccomp                     | 0 Seccomp:	2 | run --rm --seccomp $BB c grep ^Seccomp /proc/self/status
device                      | 0 crw       | run --rm --device /dev/fuse $BB c ls -l /dev/fuse | cut -c 1-10
cgroup without namespace    | 0           | run --rm --mount type=cgroup,src=cgroup,dst=/mnt,options=ro $BB c sh -c 'ls -d /mnt/system.slice; test -e /mnt$(sed s/0::// /proc/self/cgroup) && echo found; true'
mount                       | 0 content   | mkdir -p $WORK/v && echo content >$WORK/v/f && run --rm --mount type=bind,src=$WORK/v,dst=/v,options=rbind:ro $BB c sh -c 'cat /v/f; touch /v/g || echo refused'
user namespace              | 0 100000    | run --rm --uidmap 0:100000:1000 --gidmap 0:100000:1000 $BB c sh -c 'tr -s " " </proc/self/uid_map; id -u'
pid namespace of the host   | 0           | run -d --with-ns pid:/proc/1/ns/pid $BB c sleep 1000 && ctr tasks kill -s KILL c && until ctr tasks ls | grep -q STOPPED; do sleep 0.2; done; ctr tasks delete c; ctr containers delete c
"""

CHECKPOINT = r"""
checkpoint                  | 0           | run -d $BB k sleep 1000 && ctr tasks checkpoint --image-path $WORK/image k && ls $WORK/image | grep -c pages
checkpoint: kill and delete | 0           | ctr tasks kill -s KILL k; ctr tasks delete k; ctr containers delete k
"""

ENGINES = [
    Engine("containerd", "runc", set_up_with("--runc-systemd-cgroup"), blocks(ONE_SHOT + LIFE + RUN + CHECKPOINT)),
    Engine("containerd-cgroupfs", "runc", set_up_with(), blocks(LIFE) + only_full(ONE_SHOT)),
]
