# SPDX-License-Identifier: Apache-2.0
"""Both ends of terminals: what an engine does with a console socket, and a user at a terminal of his own."""

import fcntl
import os
import pty
import select
import socket
import struct
import termios
import time

from harness import DEADLINE


class Console:
    """What an engine does: listens, gets one descriptor, reads what the container prints."""

    def __init__(self, path):
        self.path = str(path)
        self.listener = socket.socket(socket.AF_UNIX)
        folder = os.open(os.path.dirname(self.path), os.O_PATH)
        try:
            # by way of /proc/self/fd, because the path itself may be longer than a socket address
            self.listener.bind(f"/proc/self/fd/{folder}/{os.path.basename(self.path)}")
        finally:
            os.close(folder)
        self.listener.listen()
        self.listener.settimeout(DEADLINE)
        self.master = None

    def receive(self):
        connection, _ = self.listener.accept()
        with connection:
            payload, fds, _, _ = socket.recv_fds(connection, 4096, 8)
            assert connection.recv(100) == b"", "more than one message"
        assert 1 <= len(payload) < 4096 and len(fds) == 1
        self.master = fds[0]
        return self.master

    def close(self):
        self.listener.close()
        if self.master is not None:
            os.close(self.master)


def read_until(fd, text):
    """Reads until the text was there, or the other side is closed."""
    collected, end = b"", time.monotonic() + DEADLINE
    while text.encode() not in collected:
        assert time.monotonic() < end, f"no '{text}' in {collected}"
        if not select.select([fd], [], [], 0.1)[0]:
            continue
        try:
            data = os.read(fd, 4096)
        except OSError:  # EIO: the last process on the other side is gone
            break
        if not data:
            break
        collected += data
    return collected.decode().replace("\r\n", "\n")


def window_size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


class Foreground:
    """A command with a pseudoterminal as its own terminal, as a user has it."""

    def __init__(self, oci, *command, rows=30, columns=100):
        self.master, slave = pty.openpty()
        window_size(self.master, rows, columns)
        self.saved = termios.tcgetattr(slave)
        self.slave = slave

        def become_controlling():
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        self.process = oci.popen(*command, stdin=slave, stdout=slave, stderr=slave, preexec_fn=become_controlling)

    def finish(self):
        code = self.process.wait(DEADLINE)
        attributes = termios.tcgetattr(self.slave)
        os.close(self.slave)
        os.close(self.master)
        assert attributes == self.saved, "the user's terminal was not put back"
        return code
