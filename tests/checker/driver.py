# SPDX-License-Identifier: PostgreSQL
"""Sessions that talk PostgreSQL's protocol, many to a process.

An actor is a generator: it yields what is to be sent and how many
ReadyForQuery are to come, or a pause, and is given the answer.  Times are of
the monotonic clock in ns, which all processes of a machine share: `invoked` is
taken before the first byte is sent, `returned` after the last one is there.
"""

import heapq
import os
import pickle
import selectors
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "e2e"))

import rawpg  # noqa: E402

LOGIN_SECONDS = 5
RETRY_SECONDS = 0.05


class Lost(Exception):
    """The connection ended before all answers were there."""


class Pause:
    def __init__(self, seconds):
        self.seconds = seconds


class Actor:
    """One session.  script(actor) makes its generator, once a connection."""

    def __init__(self, name, port, via, script, user="app", database="app"):
        self.name, self.port, self.via = name, port, via
        self.script, self.user, self.database = script, user, database
        self.history = []
        self.sock = self.steps = None
        self.buffer = b""
        self.answer, self.ready = [], 0
        self.invoked = self.returned = 0
        self.turn = 0  # goes up with every step: what was put off is void

    def note(self, kind, **what):
        self.history.append({"kind": kind, "actor": self.name,
                             "via": self.via, "invoked": self.invoked,
                             "returned": self.returned, **what})

    def connect(self):
        sock = socket.create_connection(("127.0.0.1", self.port),
                                        LOGIN_SECONDS)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.sendall(rawpg.startup_message(
                {"user": self.user, "database": self.database}))
            data = b""
            while not data.endswith(b"Z\0\0\0\5I"):
                more = sock.recv(65536)
                if not more or data[:1] == b"E":
                    raise Lost
                data += more
        except BaseException:
            sock.close()
            raise
        self.sock, self.buffer, self.answer = sock, b"", []

    def receive(self):
        """Take what is there.  True: all answers have come."""
        data = self.sock.recv(1 << 18)
        if not data:
            raise Lost
        data = self.buffer + data
        at, end = 0, len(data)
        while end - at >= 5:
            size = struct.unpack_from("!I", data, at + 1)[0]
            if end - at - 1 < size:
                break
            kind = chr(data[at])
            self.answer.append((kind, data[at + 5:at + 1 + size]))
            self.ready -= kind == "Z"
            at += 1 + size
        self.buffer = data[at:]
        if self.ready > 0:
            return False
        self.returned = time.monotonic_ns()
        return True


class Loop:
    """Plays actors until a time."""

    def __init__(self, actors, until):
        self.actors, self.until = actors, until
        self.selector = selectors.DefaultSelector()
        self.later = []  # (when, number, actor, its turn)
        self.count = 0

    def left(self):
        """Seconds; not above 0: it is time to end."""
        return self.until - time.monotonic()

    def put_off(self, actor, seconds):
        self.count += 1
        actor.turn += 1
        heapq.heappush(self.later, (time.monotonic() + seconds, self.count,
                                    actor, actor.turn))

    def begin(self, actor):
        try:
            actor.connect()
        except (OSError, Lost):
            self.put_off(actor, RETRY_SECONDS)
            return
        self.selector.register(actor.sock, selectors.EVENT_READ, actor)
        actor.steps = actor.script(actor)
        self.advance(actor, None)

    def end(self, actor):
        """Its connection is lost, or it wants a new one."""
        if actor.sock is not None:
            self.selector.unregister(actor.sock)
            actor.sock.close()
        actor.sock = actor.steps = None

    def advance(self, actor, answer, lost=False):
        actor.turn += 1
        try:
            step = actor.steps.throw(Lost()) if lost else \
                actor.steps.send(answer)
        except (StopIteration, Lost):
            self.end(actor)
            self.put_off(actor, RETRY_SECONDS if lost else 0)
            return
        if isinstance(step, Pause):
            self.put_off(actor, step.seconds)
            return
        data, actor.ready = step
        actor.answer = []
        actor.invoked = time.monotonic_ns()
        try:
            actor.sock.sendall(data)
        except OSError:
            self.lose(actor)

    def lose(self, actor):
        actor.returned = time.monotonic_ns()
        self.advance(actor, None, lost=True)

    def run(self):
        for actor in self.actors:
            self.begin(actor)
        while (wait := self.left()) > 0:
            if self.later:
                wait = min(wait, self.later[0][0] - time.monotonic())
            for key, _ in self.selector.select(max(0, wait)):
                self.readable(key.data)
            while self.later and self.later[0][0] <= time.monotonic():
                _, _, actor, turn = heapq.heappop(self.later)
                if turn != actor.turn:
                    continue
                if actor.sock is None:
                    self.begin(actor)
                else:
                    self.advance(actor, None)
        self.finish()

    def readable(self, actor):
        try:
            if actor.receive():
                self.advance(actor, actor.answer)
        except (OSError, Lost):
            self.lose(actor)

    def finish(self):
        """Whatever is under way has an outcome that nobody knows."""
        for actor in self.actors:
            if actor.sock is None:
                continue
            actor.returned = time.monotonic_ns()
            try:
                actor.steps.throw(Lost())
            except (StopIteration, Lost):
                pass
            actor.sock.close()


def play(make, seconds, path):
    """In a process of its own: actors of make(), their history to a file."""
    actors = make()
    Loop(actors, time.monotonic() + seconds).run()
    with open(path, "wb") as f:
        pickle.dump([event for a in actors for event in a.history], f)
