# SPDX-License-Identifier: PostgreSQL
"""Both ends of a comparison: one connection each to PostgreSQL and to pgsluice
that are sent the same bytes, what each answers, and in what they differ.

A trace is the list of (type, body) of every message received, and ("closed",
b"") if the peer closed the connection.  How messages were cut into segments is
not part of it, nor is time.  normal() takes out what may differ: keys, process
ids, OIDs of tables made meanwhile, and the places in PostgreSQL's source that
an error came from."""

import os
import random
import re
import select
import socket
import struct
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

import rawpg  # noqa: E402

# In a script: what comes next is sent when the answers to what came before
# are there.
WAIT = object()

# So long must a direct server be silent before it counts as having answered,
# where the number of its ReadyForQuery does not say so.
QUIET = 0.004
# After so long it is looked at whether there is more to wait for.
GLANCE = 0.25
# pgsluice's time to answer what the direct server has answered already.
PATIENCE = float(os.environ.get("PGSLUICE_DIFF_PATIENCE", "15"))

MARK = b"end of the sequence"
TAIL = (rawpg.copy_fail("end") + rawpg.sync() + rawpg.query("ROLLBACK") +
        rawpg.query(f"SELECT '{MARK.decode()}'"))
CLOSED = ("closed", b"")


class Peer:
    """One connection.  cut: None, or a random.Random that says where what is
    sent is cut, or 1: every byte goes alone."""

    def __init__(self, port, user="app", database="direct", cut=None,
                 params=None, login=True, host="127.0.0.1"):
        self.cut = cut
        self.trace = []
        self.buffer = b""
        self.sock = socket.create_connection((host, port), timeout=PATIENCE * 10)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.poll = select.poll()
        self.poll.register(self.sock, select.POLLIN)
        self.closed = False
        if login:
            self.send(rawpg.startup_message(
                {"user": user, "database": database, **(params or {})}))
            if not self.until(lambda t: t[-1][0] == "Z") or self.closed:
                raise ConnectionError(f"no login at port {port}: "
                                      f"{self.trace}")
        self.login, self.trace = self.trace, []

    def pieces(self, data):
        if self.cut is None:
            return [data]
        if self.cut == 1:
            return [data[i:i + 1] for i in range(len(data))]
        out, at = [], 0
        while at < len(data):
            size = self.cut.choice((1, 2, 4, 5, 6, 16, 64, 200))
            out.append(data[at:at + size])
            at += size
        return out

    def send(self, data):
        for piece in self.pieces(data):
            try:
                self.sock.sendall(piece)
            except (BrokenPipeError, ConnectionResetError):
                return

    def receive(self, timeout):
        """Whatever comes next into the trace; False: nothing came."""
        if self.closed or not self.poll.poll(max(0, timeout) * 1000):
            return False
        try:
            data = self.sock.recv(1 << 18)
        except ConnectionResetError:
            data = b""
        if not data:
            self.closed = True
            if self.buffer:
                self.trace.append(("cut", self.buffer))
            self.trace.append(CLOSED)
            return True
        data = self.buffer + data
        at, end = 0, len(data)
        while end - at >= 5:
            n = struct.unpack_from("!I", data, at + 1)[0]
            if n > end - at - 1:
                break
            self.trace.append((chr(data[at]), data[at + 5:at + 1 + n]))
            at += 1 + n
        self.buffer = data[at:]
        return True

    def until(self, condition, patience=None):
        """Receive until condition(trace), or the end; False: out of time."""
        end = time.monotonic() + (patience or PATIENCE * (
            1 if self.cut != 1 else 10))
        while not self.trace or not condition(self.trace):
            if self.closed:
                return True
            if not self.receive(end - time.monotonic()) and \
                    time.monotonic() >= end:
                return False
        return True

    def settle(self, asked=None):
        """Receive until nothing comes any more.  asked: ReadyForQuery that
        may come at most; behind the last of them there is nothing."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if asked and sum(k == "Z" for k, _ in self.trace) >= asked:
                # Everything is there: nobody has asked for more.
                return
            if not self.receive(QUIET):
                return

    def close(self):
        try:
            self.sock.sendall(rawpg.terminate())
        except OSError:
            pass
        self.sock.close()


def at_end(trace):
    """Is the answer to TAIL there?"""
    if trace[-1][0] != "Z" or len(trace) < 4:
        return False
    # RowDescription, DataRow, CommandComplete, ReadyForQuery
    return trace[-3][0] == "D" and trace[-3][1].endswith(MARK)


# ------------------------------------------------------------- comparison

HIDDEN_FIELDS = "FLR"  # file, line and routine of PostgreSQL's source
OLDER = 1 << 32  # OIDs below it are of tables that both have
NAME_OF_OURS = re.compile(r'"pgsluice_[0-9a-f]{32}"')


def without_new_oids(description):
    """A RowDescription in which tables made since OLDER was set have none."""
    out, at = description[:2], 2
    while at < len(description):
        name = description.index(b"\0", at) + 1
        table = struct.unpack_from("!I", description, name)[0]
        out += description[at:name]
        out += struct.pack("!I", table if table < OLDER else 0xffffffff)
        out += description[name + 4:name + 18]
        at = name + 18
    return out


def normal(message):
    kind, body = message
    if kind == "T":
        return kind, without_new_oids(body)
    if kind in "EN" and len(kind) == 1:
        fields = rawpg.error_fields(body)
        return kind, tuple(sorted((k, v) for k, v in fields.items()
                                  if k not in HIDDEN_FIELDS))
    if kind == "K":
        return kind, len(body)
    if kind == "A":
        return kind, body[4:]
    return kind, body


def show(message):
    kind, body = message
    if kind in ("E", "N"):
        fields = dict(body) if isinstance(body, tuple) else \
            rawpg.error_fields(body)
        return kind + " " + " ".join(
            str(fields.get(k, "")) for k in "VCMDHP").rstrip()
    if isinstance(body, bytes):
        return f"{kind} {body[:80]!r}"
    return f"{kind} {body!r}"


class Exceptions:
    """Known differences, read from a file that people review.  A line is

        mode | what the server answers | what pgsluice answers | why

    mode: session, transaction or both.  The next two are regular expressions
    for show() of the messages in which both traces first differ.  In front of
    the second, "!" says that what follows is not compared, "+" that the
    message is one more, in front of the other."""

    def __init__(self, path=os.path.join(HERE, "exceptions.txt"),
                 mode="transaction"):
        self.rows, self.used = [], {}
        self.parted = False  # by a "!", since somebody cleared it
        with open(path, encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                if not line.strip() or line.startswith("#"):
                    continue
                row = [part.strip() for part in line.split(" | ")]
                if len(row) != 4 or row[0] not in ("session", "transaction",
                                                   "both"):
                    raise ValueError(f"{path}:{number}: not an exception")
                if row[0] in ("both", mode):
                    how = row[2][0] if row[2][0] in "!+" else ""
                    self.rows.append((re.compile(row[1]), re.compile(
                        row[2].removeprefix(how)), how, row[3]))

    def explain(self, direct, proxied):
        """None: unknown; else "", "!" or "+"."""
        a, b = show(direct), show(proxied)
        for want_a, want_b, how, why in self.rows:
            if want_a.fullmatch(a) and want_b.fullmatch(b):
                self.used[why] = self.used.get(why, 0) + 1
                self.parted |= how == "!"
                return how
        return None


NOTHING = ("nothing", b"")


def compare(direct, proxied, exceptions=None):
    """None, or a text that says where the traces part."""
    a = [normal(m) for m in direct]
    b = [normal(m) for m in proxied]
    if a == b:
        return None
    i = j = 0
    while i < len(a) or j < len(b):
        x = a[i] if i < len(a) else NOTHING
        y = b[j] if j < len(b) else NOTHING
        i, j = i + 1, j + 1
        if x == y:
            continue
        how = exceptions.explain(x, y) if exceptions is not None else None
        if how is None:
            return f"message {i - 1}: direct {show(x)}, pgsluice {show(y)}"
        if how == "!":
            return None
        i -= how == "+"
    return None


class Hang(Exception):
    """pgsluice owes an answer that the direct server has given."""


def asks(step):
    """Messages of a step that ReadyForQuery may answer, and whether the last
    one is such a one."""
    at, count, last = 0, 0, False
    while len(step) - at >= 5:
        last = step[at] in b"QSF"
        count += last
        at += 1 + max(4, struct.unpack_from("!I", step, at + 1)[0])
    return count, last


def apart(direct, proxied):
    """Have the traces parted, as far as both go?"""
    n = min(len(direct.trace), len(proxied.trace))
    return [normal(m) for m in direct.trace[:n]] != \
        [normal(m) for m in proxied.trace[:n]]


def catch_up(direct, proxied):
    """Wait until pgsluice has said as much as the direct server.  False: it
    does not, though so far it said the same."""
    n = len(direct.trace)
    if not n or proxied.until(lambda t: len(t) >= n, GLANCE):
        return True
    return apart(direct, proxied) or proxied.until(lambda t: len(t) >= n)


def play(direct, proxied, steps, tail=TAIL):
    """Send steps, then tail, to both.  Returns None, or what was amiss on the
    way; the traces are in the peers."""
    asked, last = 0, False
    for step in steps:
        if step is not WAIT:
            direct.send(step)
            proxied.send(step)
            count, last = asks(step)
            asked += count
            continue
        direct.settle(asked if last else None)
        if not catch_up(direct, proxied):
            return (f"hang: {len(direct.trace)} messages direct, "
                    f"{len(proxied.trace)} here")
    direct.send(tail)
    proxied.send(tail)
    if not direct.until(at_end):
        return "the direct server did not come to the end"
    if not proxied.until(at_end, GLANCE) and not proxied.until(
            at_end, GLANCE if apart(direct, proxied) else None):
        return "hang: not at the end of the sequence"
    return None


def randomness(seed, number):
    return random.Random(f"{seed}/{number}")
