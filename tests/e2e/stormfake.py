# SPDX-License-Identifier: PostgreSQL
"""What the storm asks, answered right or, now and then, wrong in one way.

    FakeProxy(fault)

answers as PostgreSQL would.  With a fault, every tenth chance for it is taken:

    swap     two rows of one group change places
    drop     a statement in a group is not answered
    behind   a statement behind an error is
    stray    a group skipped behind an error has its Parse and Bind answered
    status   ReadyForQuery tells of a transaction
    another  a client gets the row that was another's
    cancel   a cancel ends the statement of another client
    close    a connection ends without a word
    lost     a connection ends with a word, though no server was terminated
"""

import contextlib
import itertools
import random
import socket
import struct
import threading

from fakepg import complete, description, error, ready, row
from rawpg import CANCEL_CODE, message

SLEEP = 0.1  # long enough for a cancel to come in time


class Wrong:
    """Takes every tenth chance."""

    def __init__(self, fault):
        self.fault = fault
        self.chances = itertools.count(1)

    def __call__(self, fault):
        return fault == self.fault and next(self.chances) % 10 == 0


class Client:
    def __init__(self, proxy, sock, pid):
        self.proxy, self.sock, self.pid = proxy, sock, pid
        self.cancelled = threading.Event()
        self.busy = self.skipping = False
        self.statements, self.value, self.sql = {}, "", ""
        self.status = "I"
        self.group = []  # answers up to ReadyForQuery, one list a statement

    # statements

    def run(self, sql, value):
        """Messages that answer it, without those of Parse and Bind."""
        self.cancelled.clear()
        self.busy = True
        cancelled = "pg_sleep" in sql and self.cancelled.wait(SLEEP)
        self.busy = False
        if cancelled:
            return [error("cancelled", sqlstate="57014")]
        if "::int" in sql and "storm" not in sql:
            return [error(f'invalid "{value}"', sqlstate="22P02")]
        if "FROM storm" in sql:
            value = f"row {value}"
        if self.proxy.wrong("another"):
            value, self.proxy.kept = self.proxy.kept, value
        return [row(value), complete()]

    def simple(self, sql):
        word = sql.split()[0]
        if word in ("BEGIN", "COMMIT", "ROLLBACK"):
            self.status = "T" if word == "BEGIN" else "I"
            return [complete(word)]
        value = sql.split("'")[1] if "'" in sql else sql.split()[-1]
        got = self.run(sql, value)
        return got if got[0][:1] == b"E" else [description("a"), *got]

    def extended(self, kind, body):
        names = body.split(b"\0")
        if kind == "P":
            self.statements[names[0]] = names[1].decode()
            return [message("1")]
        if kind == "B":
            self.sql = self.statements[names[1]]
            n, = struct.unpack("!I", body[len(names[1]) + 6:][:4])
            self.value = body[len(names[1]) + 10:][:n].decode()
            return [message("2")]
        if kind == "D":
            return [description("a")]
        if kind == "C":
            return [message("3")]
        return self.run(self.sql, self.value)

    # groups

    def take(self, kind, body):
        wrong = self.proxy.wrong
        if kind == "Q" and self.skipping:
            return
        if kind == "S":
            self.skipping = False
            self.send(ready(self.told()))
        elif kind == "Q":
            got = self.simple(body[:-1].decode())
            self.fail(got)
            self.group.append(got)
            self.send(ready(self.told()))
        elif self.skipping:
            if kind == "E" and wrong("behind"):
                self.group.append([row(self.value), complete()])
            if kind == "B" and wrong("stray"):
                self.group.append([message("1"), message("2")])
        elif kind != "H":
            got = self.extended(kind, body)
            self.skipping = got[0][:1] == b"E"
            self.fail(got)
            self.group.append(got)

    def fail(self, got):
        if got[0][:1] == b"E" and self.status == "T":
            self.status = "E"

    def told(self):
        return "T" if self.proxy.wrong("status") else self.status

    def send(self, last):
        """The group, perhaps bent, and what ends it."""
        group, self.group, wrong = self.group, [], self.proxy.wrong
        rows = [g for g in group if g[0][:1] == b"D"]
        if len(rows) > 1 and wrong("swap"):
            rows[0][0], rows[1][0] = rows[1][0], rows[0][0]
        if len(rows) > 1 and wrong("drop"):
            rows[0].clear()
        if rows and wrong("close"):
            raise OSError
        if rows and wrong("lost"):
            self.sock.sendall(error("gone", "FATAL", "57P01"))
            raise OSError
        self.sock.sendall(b"".join(b"".join(g) for g in group) + last)

    # connection

    def serve(self, data):
        self.sock.sendall(message("R", bytes(4)) + message(
            "K", struct.pack("!II", self.pid, self.pid)) + ready())
        while True:
            while len(data) < 5 or len(data) <= struct.unpack(
                    "!I", data[1:5])[0]:
                more = self.sock.recv(65536)
                if not more:
                    return
                data += more
            n, = struct.unpack("!I", data[1:5])
            self.take(data[:1].decode(), data[5:n + 1])
            data = data[n + 1:]


class FakeProxy:
    def __init__(self, fault=None):
        self.wrong = Wrong(fault)
        self.kept = "token-0-00000000"
        self.clients = {}
        self.pids = itertools.count(1)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.run, args=(sock,),
                             daemon=True).start()

    def cancel(self, pid, secret):
        c = self.clients.get(pid)
        if c is None or secret != pid:
            return
        if self.wrong.fault == "cancel":
            others = [x for x in self.clients.values()
                      if x.busy and x is not c]
            c = random.choice(others) if others else c
        if c.busy:
            c.cancelled.set()

    def run(self, sock):
        pid = next(self.pids)
        with sock, contextlib.suppress(OSError):
            data = sock.recv(65536)
            n, code = struct.unpack("!II", data[:8])
            if code == CANCEL_CODE:
                self.cancel(*struct.unpack("!II", data[8:16]))
                return
            self.clients[pid] = Client(self, sock, pid)
            self.clients[pid].serve(data[n:])
        self.clients.pop(pid, None)
