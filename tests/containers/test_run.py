# SPDX-License-Identifier: Apache-2.0
"""run: who adopts orphans, which signals are passed on, and the session keyring when there is no room for one."""

import os
import platform
import re
import signal
import subprocess
import sys

import pytest

from harness import DEADLINE

# Tells who has adopted it when the one that started it is gone.
ORPHAN = """#!/bin/sh
while [ $(cut -d' ' -f4 /proc/$$/stat) = $1 ]; do sleep 0.01; done
cut -d' ' -f4 /proc/$$/stat
"""


def who_adopts(oci, bundle, *options):
    """(the adopter of an orphan, oci-run)"""
    (bundle.rootfs / "orphan").write_text(ORPHAN)
    (bundle.rootfs / "orphan").chmod(0o755)
    bundle.namespaces("mount", "network", "ipc", "uts", "cgroup").sh("/bin/sh -c '/orphan $$ &'; read line; exit 0")
    process = oci.popen("run", *options, "--bundle", bundle.write(), oci.new_id(), stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE)
    adopter = int(process.stdout.readline())
    process.stdin.close()
    assert process.wait(DEADLINE) == 0
    process.stdout.close()
    return adopter, process.pid


def test_orphans_are_adopted(oci, bundle):
    adopter, runtime = who_adopts(oci, bundle)
    assert adopter == runtime


@pytest.mark.parametrize("option", ["--no-subreaper", "-no-subreaper"])
def test_orphans_are_left_to_others(oci, bundle, option):
    assert who_adopts(oci, bundle, option)[0] == os.getpid()


NOT_PASSED_ON = {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH}


@pytest.mark.parametrize("command", ["run", "exec"])
def test_every_signal_is_passed_on(oci, bundle, command):
    if command == "run":
        bundle.args("/bin/probe", "wait-signal").write()
        words = lambda: ["run", "--bundle", bundle.path, oci.new_id()]
    else:
        container = oci.run_detached(bundle.sh("sleep 100000"))
        words = lambda: ["exec", container.id, "/bin/probe", "wait-signal"]
    for number in sorted(signal.valid_signals() - NOT_PASSED_ON):
        process = oci.popen(*words(), stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.readline() == f"{int(number)}\n"
        assert process.wait() == 0
        process.stdout.close()


def test_descriptor_to_preserve_that_is_not_open(oci, bundle):
    oci.run(bundle.sh("true"), "--preserve-fds", "3").failed("unable to stat preserved-fd 0 (of 3)")


def test_the_path_of_criu_is_ignored(oci, bundle):
    assert oci.run(bundle.sh("echo fine"), before=("--criu", "/nowhere")).succeeded().out == "fine\n"


# Takes all the keys that user 100000 may have, and holds them.
FILL_KEYS = """
import ctypes, os, sys
os.setgid(100000)
os.setuid(100000)
libc = ctypes.CDLL(None, use_errno=True)
number = 0
while libc.syscall(int(sys.argv[1]), b"user", b"oci-run-test-%d" % number, b"x", 1, -2) > 0:
    number += 1
print(os.strerror(ctypes.get_errno()), flush=True)
sys.stdin.read()
"""


def test_no_room_for_a_session_keyring_is_a_warning(oci, bundle):
    add_key = {"x86_64": "248", "aarch64": "217"}[platform.machine()]
    filler = subprocess.Popen([sys.executable, "-c", FILL_KEYS, add_key], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    assert filler.stdout.readline() == "Disk quota exceeded\n"
    completed = oci.run(bundle.user_namespace().sh("echo fine")).succeeded()
    filler.communicate()
    assert completed.out == "fine\n"
    assert re.search(r"level=warning .*kernel\.keys\.maxkeys", completed.err), completed.err
