# SPDX-License-Identifier: Apache-2.0
"""podman: with both cgroup managers, and for a normal user."""

import json
import threading

import user
from engine import Engine, blocks, only_full

# Allows all but mkdir(2).
SECCOMP = {"defaultAction": "SCMP_ACT_ALLOW",
           "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}


one_at_a_time = threading.Lock()  # the first podman of a user makes the locks in shared memory for all


def set_up_with(manager, storage="overlay", before=lambda lane: None):
    def set_up(lane):
        before(lane)
        work = lane.folder
        (work / "seccomp.json").write_text(json.dumps(SECCOMP))
        shared = work / "shared"
        shared.mkdir(mode=0o755)
        (shared / "file").write_text("content\n")
        lane.command("podman", "/usr/bin/podman", "--root", work / "root", "--runroot", work / "run", "--tmpdir", work / "tmp",
                     "--runtime", lane.runtime, f"--cgroup-manager={manager}", f"--storage-driver={storage}",
                     "--events-backend=file")
        lane.command("run", "podman", "run", "--rm", "--network=none")
        lane.at_end.append("umount root/overlay")
        if manager == "cgroupfs":
            lane.at_end.append("rmdir /sys/fs/cgroup/libpod_parent/conmon /sys/fs/cgroup/libpod_parent")  # podman's own
        if lane.as_user:
            lane.at_end.append("podman system migrate")  # ends the process that keeps its user namespace
        with one_at_a_time:
            lane.must("podman info >/dev/null")
        lane.must("podman load --quiet --input $IMAGE && run bb true")  # makes what stays
    return set_up


ONE_SHOT = r"""
output                      | 0 hello     | run bb echo hello
standard error              | 0 oops      | run bb sh -c 'echo oops >&2' 2>&1 >/dev/null
standard input              | 0 typed     | echo typed | run -i bb cat
exit code 1                 | 1           | run bb false
exit code 3                 | 3           | run bb sh -c 'exit 3'
125: refused by the engine  | 125         | run --memory=nonsense bb true
126: a folder               | 126         | run bb /etc
126: not executable         | 126 permission denied | run bb /etc/passwd 2>&1 | grep -io 'permission denied' | tr A-Z a-z
127: no such program        | 127         | run bb no-such-program
127: no such path           | 127         | run bb /no/such/program
"""

# Every set-up of podman is asked for these.
LIFE = r"""
run -d                      | 0           | podman run -d --name c --network none --stop-signal USR1 bb sh -c 'trap "exit 9" USR1; trap "echo hup" HUP; echo started; while :; do sleep 0.2; done'
logs                        | 0 started   | until podman logs c | grep started; do sleep 0.2; done
inspect: running            | 0 running   | podman inspect -f '{{.State.Status}} {{.State.Running}} {{.State.OOMKilled}} {{.OCIRuntime}} {{.HostConfig.CgroupManager}}' c
exec                        | 0 in        | podman exec c echo in
exec: exit code             | 7           | podman exec c sh -c 'exit 7'
exec: options               | 0 1000      | podman exec --user user --workdir /tmp --env A=b c sh -c 'id -u; id -G; pwd; echo $A $HOME'
exec: no such program       | 127         | podman exec c no-such-program
exec: not executable        | 126         | podman exec c /etc/passwd
exec -i                     | 0 typed     | echo typed | podman exec -i c cat
exec -t                     | 0 /dev/pts  | script -qec 'podman exec -it c sh -c "tty; test -t 0 && test -t 1 && echo yes"' /dev/null
top                         | 0 echo started | podman top c args | grep -o 'echo started'
pause                       | 0           | podman pause c
inspect: paused             | 0 paused    | podman inspect -f '{{.State.Status}}' c
unpause                     | 0           | podman unpause c
stats                       | 0 c         | podman stats --no-stream --format '{{.Name}}' c
kill -s HUP                 | 0           | podman kill -s HUP c
logs after the signal       | 0 hup       | until podman logs c | grep hup; do sleep 0.2; done
stop                        | 0           | podman stop -t 60 c
inspect: stopped            | 0 exited 9  | podman inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.Pid}}' c
start again                 | 0           | podman start c
kill                        | 0           | podman kill c
wait                        | 0 137       | podman wait c
rm                          | 0           | podman rm c
"""

RUN = r"""
--init                      | 0 1 /run/podman-init | run --init bb sh -c 'ps -o pid,args | sed "s/^ *//" | head -n 2 | tail -n 1'
--init: killed by a signal  | 137         | run --init bb sh -c 'kill -9 $$'
--read-only                 | 1 Read-only | run --read-only bb touch /file 2>&1
--cap-drop                  | 0 0000000000000000 | run --cap-drop all bb grep ^Cap /proc/self/status
--cap-add                   | 0 CapEff    | run --cap-drop all --cap-add net_bind_service,sys_time bb grep ^Cap /proc/self/status
seccomp=file                | 1 not supported | run --security-opt seccomp=$WORK/seccomp.json bb mkdir /tmp/folder 2>&1
seccomp: default            | 0 Seccomp:	2 | run bb grep ^Seccomp /proc/self/status
no-new-privileges           | 0 NoNewPrivs:	1 | run --security-opt no-new-privileges bb grep NoNewPrivs /proc/self/status
mask, unmask                | 0           | run --security-opt mask=/etc/passwd --security-opt unmask=/proc/kcore bb sh -c 'wc -c </etc/passwd; stat -c %F /proc/kcore /proc/timer_list'
--device                    | 0 crw       | run --device /dev/fuse:/dev/new:r bb sh -c 'exec 2>&1; ls -l /dev/new | cut -c 1-10; head -c 0 /dev/new && echo opens; echo x >/dev/new' || true
-v ro                       | 1 Read-only | run -v $WORK/shared:/v:ro bb touch /v/file 2>&1
-v z                        | 0 content   | run -v $WORK/shared:/v:z bb cat /v/file
-v shared                   | 0 shared:   | run -v $WORK/shared:/v:shared bb sh -c 'grep " /v " /proc/self/mountinfo | grep -o shared:'
-v rslave,noexec            | 0 noexec    | run -v $WORK/shared:/v:rslave,noexec bb sh -c 'grep " /v " /proc/self/mountinfo | cut -d " " -f 6'
--tmpfs                     | 0 drwx------ | run --tmpfs /t:size=1m,mode=700 bb sh -c 'ls -ld /t | cut -c 1-10; grep " /t " /proc/mounts'
--ulimit                    | 0 100       | run --ulimit nofile=100:200 --ulimit core=0 bb sh -c 'ulimit -Sn; ulimit -Hn; ulimit -c'
--sysctl                    | 0 1         | run --sysctl net.ipv4.ip_forward=1 --sysctl kernel.msgmax=65000 bb cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax
--hostname                  | 0 name.domain | run --hostname name.domain bb hostname
--user, --group-add         | 0 1000      | run --user user --group-add 77 bb id
--user 5:6                  | 0 5         | run --user 5:6 bb id
--workdir                   | 0 /home/user | run --workdir /home/user bb pwd
--env, --entrypoint         | 0 a b       | run --env A='a b' --entrypoint sh bb -c 'echo $A'
--pid host                  | 0 systemd   | run --pid host bb cat /proc/1/comm
--ipc host --uts host       | 0 mark      | touch /dev/shm/mark; run --ipc host --uts host bb sh -c 'hostname; ls /dev/shm'
--preserve-fds              | 0 passed on | echo passed on >$WORK/fd && run --preserve-fds 2 bb sh -c 'cat <&4' 3</dev/null 4<$WORK/fd
--umask --oom-score-adj     | 0 0077      | run --umask 0077 --oom-score-adj 500 bb sh -c 'umask; cat /proc/self/oom_score_adj'
--shm-size                  | 0 size=1024k | run --shm-size 1m bb grep /dev/shm /proc/mounts
mounts                      | 0 proc      | run bb sh -c 'cut -d " " -f 2,3 /proc/mounts | grep -vE "^/ |/run/|/etc/" | sort; ls /dev | sort; grep -E " /(proc|dev|sys)[^ ]* (proc|tmpfs|sysfs|devpts|mqueue|cgroup2) rw" /proc/mounts | cut -d " " -f 2- | sort'
masked, read-only           | 0           | run bb sh -c 'wc -c </proc/keys; ls /sys/firmware; touch /proc/sys/kernel/hostname /proc/bus/f 2>&1; ls /proc/acpi'
process state               | 0 NoNewPrivs | run bb sh -c 'grep -E "^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|SigIgn|SigBlk)" /proc/self/status; umask; ulimit -a'
"""

LIMITS = r"""
limits: memory              | 0 67108864  | run -m 64m --memory-swap 96m --memory-reservation 32m bb sh -c 'cd /sys/fs/cgroup; grep . memory.max memory.swap.max memory.low'
limits: cpu                 | 0 50000     | run --cpus 0.5 --cpuset-cpus 0 bb sh -c 'cd /sys/fs/cgroup; grep . cpu.max cpuset.cpus cpuset.cpus.effective'
limits: shares              | 0 59        | run --cpu-shares 512 bb cat /sys/fs/cgroup/cpu.weight
limits: pids                | 0 33        | run --pids-limit 33 bb sh -c 'cd /sys/fs/cgroup; grep . pids.max'
limits: out of memory       | 137         | run -m 8m bb sh -c 'x=$(head -c 20m /dev/zero | tr "\0" x); echo $x | wc -c'

update                      | 0 83886080  | podman run -d --name u --network none -m 64m --cpus 0.5 bb sleep 1000 && podman update -m 80m --cpus 0.7 u && podman exec u sh -c 'cd /sys/fs/cgroup; grep . memory.max cpu.max'
rm -f                       | 0           | podman rm -f -t 0 u
"""

SYSTEM = r"""
--privileged                | 0 Seccomp:	0 | run --privileged bb sh -c 'grep -E "^(Cap|Seccomp:)" /proc/self/status; grep " /sys " /proc/mounts; ls /dev | grep -vE "^(pts|vcs|tty)" | sort'
--userns=auto               | 0 1500      | run --userns=auto:size=1500 bb sh -c 'tr -s " " </proc/self/uid_map; id -u' | cut -d ' ' -f 2,4
--uidmap                    | 0 100000    | run --uidmap 0:100000:2000 bb sh -c 'tr -s " " </proc/self/uid_map; id -u; stat -c %u /etc/passwd'
--cgroups=disabled          | 0 0::/system.slice/oci-run-tests.service | run --cgroups=disabled --cgroupns=host bb cat /proc/self/cgroup
--cgroupns=private          | 0 0::/      | run bb cat /proc/self/cgroup
--cgroup-parent             | 0 below     | run --cgroupns=host --cgroup-parent=engines-test.slice bb sh -c 'grep -q /engines.slice/engines-test.slice/libpod- /proc/self/cgroup && echo below'
--device-cgroup-rule        | 0 opens     | run --device-cgroup-rule 'c 10:229 r' --cap-add mknod bb sh -c 'mknod /f c 10 229 && head -c 0 /f && echo opens'
--network ns:               | 0 dummy0    | ip netns add $LANE && ip -n $LANE link add dummy0 type dummy && podman run --rm --network ns:/run/netns/$LANE bb ls /sys/class/net; ip netns delete $LANE
--rootfs                    | 0 content   | run -v $WORK/shared:/v --rootfs $(podman image mount bb):O cat /v/file; podman image unmount -f bb >/dev/null
--systemd                   | 0 running   | podman run -d --name s --network none --systemd always --tmpfs /tmp:notmpcopyup --rootfs /:O /lib/systemd/systemd systemd.unit=basic.target && until podman exec s systemctl is-system-running 2>/dev/null | grep -qE 'running|degraded'; do sleep 1; done && podman exec s cat /proc/1/comm && podman exec s sh -c 'systemctl show -p SystemState | cut -d = -f 2; echo running'
rm -f of systemd            | 0           | podman rm -f -t 0 s

pod                         | 0           | podman pod create --name p --network none --hostname together && podman run -d --name one --pod p bb sh -c 'echo shared >/dev/shm/file; sleep 1000' && podman run -d --name two --pod p bb sleep 1000
pod: namespaces are shared  | 0 shared    | podman exec two sh -c 'hostname; cat /dev/shm/file; ps | grep -c sleep'
pod: pause, unpause         | 0 Running   | podman pod pause p && podman pod unpause p && podman pod inspect -f '{{.State}}' p
pod: stop, rm               | 0           | podman pod stop -t 0 p && podman pod rm -f p

health: no                  | 1 unhealthy | podman run -d --name h --network none --health-cmd 'test -e /ok' --health-interval disable bb sleep 1000 && podman healthcheck run h
health: yes                 | 0           | podman exec h touch /ok && podman healthcheck run h
commit                      | 0           | podman commit -q --pause h kept && podman image rm kept
restart                     | 0 running   | podman restart -t 0 h && podman inspect -f '{{.State.Status}}' h
health: rm                  | 0           | podman rm -f -t 0 h
"""

USER = r"""
ids                         | 0 1         | run bb sh -c 'id -u; tr -s " " </proc/self/uid_map; cat /proc/self/setgroups'
--userns=keep-id            | 0 2000      | run --userns=keep-id bb sh -c 'id -u; touch /tmp/file && stat -c %u:%g /tmp/file'
--user user                 | 0 1000      | run --user user bb sh -c 'id -u; id -g; touch /tmp/file; stat -c %u:%g /tmp/file /etc/passwd'
slirp4netns                 | 0 tap0      | podman run --rm --network slirp4netns bb ls /sys/class/net
"""

CHECKPOINT = r"""
checkpoint                  | 0           | podman run -d --name k --network none bb sh -c 'i=0; while :; do i=$((i+1)); echo $i >/next; mv /next /count; sleep 0.1; done' && sleep 1 && podman container checkpoint k
checkpoint: stopped         | 0 exited    | podman inspect -f '{{.State.Status}} {{.State.Checkpointed}}' k
restore                     | 0           | podman container restore k && podman exec k sh -c 'a=$(cat /count); sleep 1; test $(cat /count) -gt $a'
checkpoint --leave-running  | 0 running   | podman container checkpoint --leave-running k && podman inspect -f '{{.State.Status}}' k
rm -f after a checkpoint    | 0           | podman rm -f -t 0 k
"""

ENGINES = [
    Engine("podman", "crun", set_up_with("systemd"), blocks(ONE_SHOT + LIFE + RUN + LIMITS + SYSTEM)),
    Engine("podman-cgroupfs", "runc", set_up_with("cgroupfs"), blocks(LIFE + LIMITS + CHECKPOINT) + only_full(ONE_SHOT)),
    Engine("podman-user", "crun", set_up_with("systemd", storage="vfs", before=user.become),
           blocks(LIFE + USER + LIMITS) + only_full(ONE_SHOT)),
]
