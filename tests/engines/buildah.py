# SPDX-License-Identifier: Apache-2.0
"""buildah: it waits for containers by itself and polls `state`."""

from engine import Engine, blocks

CONTAINERFILE = """FROM localhost/bb
RUN echo made >/file && id -u
USER user
WORKDIR /home/user
RUN id -u >own && cat /file >>own
"""


def set_up(lane):
    work = lane.folder
    (work / "Containerfile").write_text(CONTAINERFILE)
    lane.command("buildah", "/usr/bin/buildah", "--root", work / "root", "--runroot", work / "run", "--storage-driver=overlay")
    lane.environment |= {"BUILDAH_RUNTIME": lane.environment["RUNTIME"], "BUILDAH_ISOLATION": "oci"}
    lane.command("run", "buildah", "run", "--network=none")
    lane.must("buildah pull -q docker-archive:$IMAGE")


BLOCKS = blocks(r"""
from                        | 0 b         | buildah from --name b --pull-never localhost/bb
run                         | 0 hello     | run b -- echo hello
run: exit code 3            | 3           | run b -- sh -c 'exit 3'
run: standard input         | 0 typed     | echo typed | run b -- cat
run: no such program        | 1           | run b -- no-such-program
run: user                   | 0 1000      | run --user user b -- sh -c 'id; pwd'
run: volume                 | 0 made      | run --volume $WORK/Containerfile:/mnt/f:ro b -- cat /mnt/f
run: capabilities           | 0 CapEff    | run --cap-drop CAP_CHOWN --cap-add CAP_SYS_TIME b -- grep ^Cap /proc/self/status
run: terminal               | 0 /dev/pts  | script -qec 'run --terminal b -- sh -c "tty; test -t 0 && test -t 1 && echo yes"' /dev/null
run: changes stay           | 0 kept      | run b -- sh -c 'echo kept >/kept' && run b -- cat /kept
rm                          | 0           | buildah rm b

bud                         | 0 made      | buildah bud -q --network none -t built -f Containerfile . && buildah from --name built built && run built -- cat own && buildah rm built && buildah rmi built
bud: limits                 | 0           | printf 'FROM localhost/bb\nRUN cat /sys/fs/cgroup/memory.max\n' | buildah bud -q --network none -m 64m -f - . && buildah rmi -f -a >/dev/null && buildah pull -q docker-archive:$IMAGE >/dev/null
bud: a program that fails   | 3           | printf 'FROM localhost/bb\nRUN exit 3\n' | buildah bud -q --network none -f - .
""")

ENGINES = [Engine("buildah", "runc", set_up, BLOCKS)]
