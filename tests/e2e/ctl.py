# SPDX-License-Identifier: PostgreSQL
"""pgsluicectl as a process: ended, printing into a pipe, or at a terminal."""

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios

from harness import binary, until

PATIENCE = 30


def program():
    return os.path.join(os.path.dirname(binary()), "pgsluicectl")


def run(*words, **environment):
    """pgsluicectl as a process that has ended."""
    return subprocess.run(
        [program(), *words], text=True, capture_output=True, timeout=60,
        env={**os.environ, **environment}, check=False)


def at(sluice, user="app"):
    return ["-h", sluice.host, "-p", str(sluice.port), "-U", user]


def waiting(fd):
    """What can be read now, as text that may end within a character."""
    if select.select([fd], [], [], 0)[0]:
        return os.read(fd, 65536).decode(errors="replace")
    return ""


class Piped:
    """pgsluicectl top, printing blocks into a pipe."""

    def __init__(self, *words):
        self.proc = subprocess.Popen([program(), *words],
                                     stdout=subprocess.PIPE)
        self.seen = ""

    def block(self, holds):
        """The next block, as lines, for which this is true."""
        def found():
            self.seen += waiting(self.proc.stdout.fileno())
            # The last one may still grow.
            whole = re.split(r"^(?=pgsluice at )", self.seen, flags=re.M)
            self.seen = whole.pop()
            for block in whole:
                if block and holds(block.splitlines()):
                    return block.splitlines()
            return None
        return until(found, PATIENCE)

    def line(self, what):
        """The first line of the next block that has it."""
        return next(line for line in self.block(
            lambda lines: any(what in line for line in lines))
            if what in line)

    def ended(self):
        """Its status, when it ends by itself."""
        self.proc.stdout.read()
        return self.proc.wait(PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.proc.kill()
        self.proc.stdout.close()
        self.proc.wait()


class Screen:
    """pgsluicectl at a terminal of its own, which controls it."""

    def __init__(self, *words, columns=100, lines=40, **environment):
        self.master, self.slave = pty.openpty()
        self.size(columns, lines)
        self.before = termios.tcgetattr(self.slave)
        self.seen = ""
        self.proc = subprocess.Popen(
            # A shell's background jobs ignore ^C, and so would this one.
            ["env", "--default-signal", "setsid", "--ctty", program(), *words],
            stdin=self.slave, stdout=self.slave, stderr=subprocess.PIPE,
            env={**os.environ, "TERM": "xterm", **environment})

    def size(self, columns, lines):
        """Whoever has it as its terminal gets SIGWINCH."""
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ,
                    struct.pack("HHHH", lines, columns, 0, 0))

    def keys(self, text):
        os.write(self.master, text.encode())

    def wait(self, what):
        """Until this has been written, and read it away."""
        def found():
            self.seen += waiting(self.master)
            return what in self.seen
        until(found, PATIENCE)
        self.seen = self.seen.split(what, 1)[1]

    def page(self, holds):
        """The next whole page, as lines, for which this is true."""
        def found():
            self.seen += waiting(self.master)
            *whole, self.seen = self.seen.split("\x1b[J")
            for page in whole:
                text = page.split("\x1b[H")[-1]
                lines = text.replace("\x1b[K", "").replace("\r", "")
                if holds(lines.split("\n")):
                    return lines.split("\n")
            return None
        return until(found, PATIENCE)

    def ended(self):
        """(status, errors, what was written last); the terminal is as it
        was."""
        errors = self.proc.communicate(timeout=PATIENCE)[1].decode()
        assert termios.tcgetattr(self.slave) == self.before
        while new := waiting(self.master):
            self.seen += new
        return self.proc.returncode, errors, self.seen

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.proc.kill()
        self.proc.stderr.close()
        self.proc.wait()
        for fd in (self.master, self.slave):
            with contextlib.suppress(OSError):
                os.close(fd)
