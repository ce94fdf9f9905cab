# SPDX-License-Identifier: Apache-2.0
"""Docker: the runtime as an additional one and as the default one; with both cgroup drivers."""

from engine import Engine, blocks, only_full

DOCKERFILE = """FROM bb
RUN echo made >/file && id -u
USER user
WORKDIR /home/user
RUN id -u >own && cat /file >>own
CMD ["cat", "/home/user/own"]
"""


def set_up_with(driver):
    def set_up(lane):
        work = lane.folder
        context = work / "context"
        context.mkdir()
        (context / "Dockerfile").write_text(DOCKERFILE)
        # What BuildKit calls is fixed: runc from PATH.
        (lane.bin / "runc").symlink_to(lane.environment["RUNTIME"])
        lane.command("docker", "/usr/bin/docker", "--host", f"unix://{work}/docker.sock")
        lane.command("run", "docker", "run", "--rm", "--network=none")
        lane.start("dockerd", "--config-file", f"{lane.environment['EXAMPLES']}/docker/daemon.json",
                   "--host", f"unix://{work}/docker.sock", "--data-root", work / "data", "--exec-root", work / "exec",
                   "--pidfile", work / "docker.pid", "--storage-driver", "overlay2", "--iptables=false", "--bridge=none",
                   "--exec-opt", f"native.cgroupdriver={driver}", "--default-runtime", lane.runtime,
                   "--experimental", "--log-level", "warn", ready="docker version")
        if driver == "cgroupfs" and lane.runtime != "oci-run":
            lane.at_end.append("rmdir /sys/fs/cgroup/docker")  # runc does not remove the parents that it makes
        lane.must("docker load --quiet --input $IMAGE && run bb true")
    return set_up


ONE_SHOT = r"""
output                      | 0 hello     | run bb echo hello
a runtime by name           | 0 named     | run --runtime $LANE bb echo named
standard error, input       | 0 typed     | echo typed | run -i bb sh -c 'echo oops >&2; cat' 2>&1 | sort
exit code 3                 | 3           | run bb sh -c 'exit 3'
126: a folder               | 126 permission denied | run bb /etc 2>&1 | grep -o 'permission denied' | tail -n 1
126: not executable         | 126 permission denied | run bb /etc/passwd 2>&1 | grep -o 'permission denied' | tail -n 1
127: no such program        | 127 executable file not found in $PATH | run bb no-such-program 2>&1 | grep -o 'exec: "no-such-program": executable file not found in $PATH'
127: no such path           | 127 no such file or directory | run bb /no/such 2>&1 | grep -o 'no such file or directory'
terminal                    | 0 /dev/pts  | script -qec 'run -it bb sh -c "tty; test -t 0 && test -t 1 && echo yes"' /dev/null
limits                      | 0 67108864  | run -m 64m --memory-swap 96m --memory-reservation 32m --cpus 0.5 --cpuset-cpus 0 --pids-limit 33 bb sh -c 'cd /sys/fs/cgroup; grep . memory.max memory.swap.max memory.low cpu.max cpuset.cpus pids.max'
limits: shares              | 0 59        | run --cpu-shares 512 bb cat /sys/fs/cgroup/cpu.weight
"""

LIFE = r"""
run -d                      | 0           | docker run -d --name c1 --network none -m 64m bb sh -c 'trap "exit 9" TERM; trap "echo hup" HUP; echo started; while :; do sleep 0.2; done'
logs                        | 0 started   | until docker logs c1 | grep started; do sleep 0.2; done
inspect: running            | 0 running   | docker inspect -f '{{.State.Status}} {{.State.Running}} {{.State.Paused}} {{.State.OOMKilled}} {{.HostConfig.Runtime}}' c1
exec                        | 0 in        | docker exec c1 echo in
exec: exit code             | 7           | docker exec c1 sh -c 'exit 7'
exec: options               | 0 1000      | docker exec --user user --workdir /tmp --env A=b c1 sh -c 'id -u; id -G; pwd; echo $A $HOME'
exec --privileged           | 0 CapEff    | docker exec --privileged c1 grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status
exec: no such program       | 126         | docker exec c1 no-such-program 2>&1 | grep -o 'executable file not found in $PATH'
exec: not executable        | 126         | docker exec c1 /etc/passwd 2>&1 | grep -o 'permission denied' | tail -n 1
exec -it                    | 0 /dev/pts  | script -qec 'docker exec -it c1 sh -c "tty; test -t 0 && test -t 1 && echo yes"' /dev/null
top                         | 0 echo started | docker top c1 -eo pid,args | grep -o 'echo started'
stats                       | 0 64MiB     | docker stats --no-stream --format '{{.Name}} {{.MemUsage}}' c1 | sed 's/ .* / /'
pause                       | 0 paused    | docker pause c1 && docker inspect -f '{{.State.Status}}' c1
exec in a paused container  | 1 is paused | docker exec c1 true 2>&1 | grep -o 'is paused'
unpause                     | 0 running   | docker unpause c1 && docker inspect -f '{{.State.Status}}' c1
update                      | 0 83886080  | docker update -m 80m --memory-swap 90m --cpus 0.7 --pids-limit 44 c1 && docker exec c1 sh -c 'cd /sys/fs/cgroup; grep . memory.max memory.swap.max pids.max cpu.max'
kill -s HUP                 | 0 hup       | docker kill -s HUP c1 && until docker logs c1 | grep hup; do sleep 0.2; done
stop                        | 0           | docker stop -t 60 c1
inspect: stopped            | 0 exited 9  | docker inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.Pid}} {{.State.Error}}' c1
start, kill                 | 0 137       | docker start c1 && docker kill c1 && docker wait c1
events                      | 0 die       | docker events --since 0 --until $(date +%s) --filter container=c1 --format '{{.Status}}' | sed 's/:.*//' | sort -u | paste -s -d ,
rm                          | 0           | docker rm c1
"""

RUN = r"""
--init                      | 0 docker-init | run --init bb sh -c 'cat /proc/1/comm'
--privileged                | 0 Seccomp:	0 | run --privileged bb sh -c 'grep -E "^(Cap|Seccomp:)" /proc/self/status; grep " /sys " /proc/mounts; ls /dev | grep -vE "^(vcs|tty)" | sort'
-v                          | 0 content   | mkdir -p v && echo content >v/f && run -v $WORK/v:/v:ro bb sh -c 'exec 2>&1; cat /v/f; touch /v/g' || test $? = 1
--read-only --tmpfs         | 0 tmpfs     | run --read-only --tmpfs /t:size=1m bb sh -c 'touch /t/f && ! touch /f 2>/dev/null && grep " /t " /proc/mounts'
--cap-drop --cap-add        | 0 CapEff    | run --cap-drop all --cap-add sys_time bb grep -E '^Cap' /proc/self/status
--security-opt              | 0 NoNewPrivs:	1 | run --security-opt no-new-privileges --security-opt seccomp=unconfined bb grep -E '^(NoNewPrivs|Seccomp:)' /proc/self/status
apparmor                    | 0 docker-default | run bb cat /proc/self/attr/current
--device                    | 0 opens     | run --device /dev/fuse:/dev/new:r bb sh -c 'exec 2>&1; head -c 0 /dev/new && echo opens; echo x >/dev/new' || test $? = 1
--ulimit --sysctl           | 0 200       | run --ulimit nofile=100:200 --sysctl net.ipv4.ip_forward=1 bb sh -c 'ulimit -Sn; ulimit -Hn; cat /proc/sys/net/ipv4/ip_forward'
--user --workdir --env      | 0 1000      | run --user user --group-add 77 --workdir /made --env A=b --hostname name bb sh -c 'id; pwd; echo $A; hostname'
--pid host --ipc host       | 0 systemd   | touch /dev/shm/mark; run --pid host --ipc host bb sh -c 'cat /proc/1/comm; ls /dev/shm'
--pid container:            | 0 sleep     | docker run -d --name first --network none --ipc shareable bb sleep 1000 && run --pid container:first --ipc container:first bb cat /proc/1/comm && docker rm -f first
--cgroupns host             | 0 1         | run --cgroupns host bb sh -c 'grep -c . /proc/self/cgroup'
mounts                      | 0 proc      | run bb sh -c 'grep -vE " (/|/etc/[^ ]*|/proc/(k|timer_)[^ ]*) " /proc/mounts >/m; cut -d " " -f 2,3 /m | sort; ls /dev | sort; grep -E " /(proc|dev|sys)[^ ]* (proc|tmpfs|sysfs|devpts|mqueue|cgroup2) rw" /m | cut -d " " -f 2- | sort'
process state               | 0 NoNewPrivs | run bb sh -c 'grep -E "^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|SigIgn|SigBlk)" /proc/self/status; umask; ulimit -a'

restart policy              | 0 2         | docker run -d --name r1 --network none --restart on-failure:2 bb sh -c 'exit 4' && until docker inspect -f '{{.State.Status}} {{.RestartCount}} {{.State.ExitCode}}' r1 | grep 'exited 2'; do sleep 0.5; done
restart policy: rm          | 0           | docker rm -f r1
out of memory               | 0 true      | docker run --name m1 --network none -m 8m bb sh -c 'x=$(head -c 20m /dev/zero | tr "\0" x); echo $x | wc -c'; docker inspect -f '{{.State.ExitCode}} {{.State.OOMKilled}}' m1; docker rm m1
create, start -a            | 5           | docker create --name a1 --network none bb sh -c 'echo attached; exit 5' && docker start -a a1
create, start -a: rm        | 0           | docker rm -f a1
no such program: not left   | 0 created 127 | docker run -d --name n1 --network none bb no-such-program 2>/dev/null; docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' n1; docker rm n1

build                       | 0           | DOCKER_BUILDKIT=0 docker build -q --network none -t built context && run built && docker image rm built
build with BuildKit         | 0 made      | DOCKER_BUILDKIT=1 docker build -q --network none -t built context && run built && docker image rm built
"""

CHECKPOINT = r"""
checkpoint                  | 0 exited    | docker run -d --name k1 --network none bb sleep 1000 && docker checkpoint create k1 one && docker wait k1 >/dev/null; docker inspect -f '{{.State.Status}}' k1
restore                     | 0 running   | docker start --checkpoint one k1 && docker inspect -f '{{.State.Status}}' k1
restore: rm                 | 0           | docker rm -f k1
"""

ENGINES = [
    Engine("docker", "runc", set_up_with("systemd"), blocks(ONE_SHOT + LIFE + RUN + CHECKPOINT)),
    Engine("docker-cgroupfs", "runc", set_up_with("cgroupfs"), blocks(LIFE) + only_full(ONE_SHOT)),
]
