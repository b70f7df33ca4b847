# SPDX-License-Identifier: PostgreSQL
"""A backend that says what a test wants it to say.

Accepts connections as PostgreSQL does (SSLRequest and GSSENCRequest refused,
trust, ParameterStatus, BackendKeyData, ReadyForQuery), answers the query by
which a connector reads pg_settings, and then every statement with one row:
"SERVER:TEXT", the connection's number (from 1) and the statement, so that an
answer tells who gave it to what.  Statements of a script are answered by the
script instead:

    with FakePG() as fake:
        fake.on("select 'x'", lambda conn, sql: conn.send(b"whatever"))

A script gets the connection and the statement's text, which is looked for in
Query and in Parse; of an extended group it answers everything up to Sync.  It
returns CLOSE to end the connection.  What cancel requests name is in `cancels`.
"""

import contextlib
import socket
import struct
import threading

import rawpg
from rawpg import cstr, message

CLOSE = object()

PARAMETERS = {
    "server_version": "15.9", "server_encoding": "UTF8",
    "client_encoding": "UTF8", "DateStyle": "ISO, MDY", "TimeZone": "UTC",
    "IntervalStyle": "postgres", "integer_datetimes": "on",
    "standard_conforming_strings": "on", "is_superuser": "off",
    "session_authorization": "app"}

SETTINGS = {
    "DateStyle": "ISO, MDY", "TimeZone": "UTC", "client_encoding": "UTF8",
    "default_transaction_isolation": "read committed",
    "standard_conforming_strings": "on"}


# -- messages of a server -----------------------------------------------------

def ready(status="I"):
    return message("Z", status.encode())


def complete(tag="SELECT 1"):
    return message("C", cstr(tag))


def description(*names):
    body = struct.pack("!H", len(names))
    for name in names:
        body += cstr(name) + struct.pack("!IHIhih", 0, 0, 25, -1, -1, 0)
    return message("T", body)


def row(*values):
    body = struct.pack("!H", len(values))
    for value in values:
        value = rawpg.raw(value)
        body += struct.pack("!i", len(value)) + value
    return message("D", body)


def fields(kind, **values):
    """ErrorResponse or NoticeResponse: fields(kind, S="ERROR", M="no")."""
    return message(kind, b"".join(k.encode() + cstr(v)
                                  for k, v in values.items()) + b"\0")


def error(text="scripted error", severity="ERROR", sqlstate="XX123"):
    return fields("E", S=severity, V=severity, C=sqlstate, M=text)


def notice(text="scripted notice"):
    return fields("N", S="NOTICE", V="NOTICE", C="00000", M=text)


def status(name, value):
    return message("S", cstr(name) + cstr(value))


# -- one connection -----------------------------------------------------------

class Gone(Exception):
    """The peer closed."""


class Conn:
    def __init__(self, fake, sock):
        self.fake, self.sock = fake, sock
        self.number = 0
        self.step = fake.step
        self.buffer = b""
        self.statements = {}
        self.portals = {}
        self.parameters = {}

    # bytes

    def send(self, data):
        try:
            if self.step:
                for pos in range(0, len(data), self.step):
                    self.sock.sendall(data[pos:pos + self.step])
            else:
                self.sock.sendall(data)
        except OSError as e:
            raise Gone() from e

    def need(self, n):
        while len(self.buffer) < n:
            try:
                data = self.sock.recv(65536)
            except OSError as e:
                raise Gone() from e
            if not data:
                raise Gone()
            self.buffer += data

    def take(self, n):
        self.need(n)
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def message(self):
        kind, length = struct.unpack("!cI", self.take(5))
        return kind.decode("latin1"), self.take(length - 4)

    # login

    def login(self):
        """False: it was a cancel request."""
        while True:
            length, code = struct.unpack("!II", self.take(8))
            body = self.take(length - 8)
            if code in (rawpg.SSL_CODE, rawpg.GSS_CODE):
                self.send(self.fake.ssl_answer)
            elif code == rawpg.CANCEL_CODE:
                self.fake.cancels.append(struct.unpack("!II", body))
                return False
            else:
                break
        words = body.split(b"\0")
        self.parameters = dict(zip(words[::2], words[1::2]))
        self.number = self.fake.count()
        self.send(self.fake.greeting(self.number))
        kind, body = self.message()
        assert kind == "Q" and b"pg_settings" in body, (kind, body)
        self.send(self.fake.settings)
        return True

    # statements

    def answer(self, sql):
        """Messages that answer a statement, without ReadyForQuery."""
        word = sql.split(None, 1)[0].upper() if sql.strip() else ""
        if word in ("SET", "BEGIN", "COMMIT", "ROLLBACK", "DISCARD"):
            return complete(word + " ALL" * (word == "DISCARD"))
        return self.rows(sql) + complete()

    def text(self, sql):
        return f"{self.number}:{sql}"

    def rows(self, sql):
        return description("answer") + row(self.text(sql))

    def serve(self):
        group = []
        while True:
            kind, body = self.message()
            if kind == "X":
                return
            if kind == "Q":
                sql = body[:-1].decode()
                script = self.fake.script(sql)
                if script is None:
                    self.send(self.answer(sql) + ready())
                elif script(self, sql) is CLOSE:
                    return
                continue
            group.append((kind, body))
            if kind == "S":
                if self.extended(group) is CLOSE:
                    return
                group = []

    def extended(self, group):
        out, sql = b"", ""
        for kind, body in group:
            if kind == "P":
                name, sql = body.split(b"\0")[:2]
                sql = sql.decode()
                self.statements[name] = sql
                script = self.fake.script(sql)
                if script is not None:
                    return script(self, sql)
                out += message("1")
            elif kind == "B":
                portal, name = body.split(b"\0")[:2]
                sql = self.portals[portal] = self.statements.get(name, "")
                script = self.fake.script(sql)
                if script is not None and len(group) > 1:
                    return script(self, sql)
                out += message("2")
            elif kind == "D" and body[:1] == b"S":
                out += message("t", b"\0\0") + description("answer")
            elif kind == "D":
                out += description("answer")
            elif kind == "E":
                out += row(self.text(sql)) + complete()
            elif kind == "C":
                out += message("3")
        self.send(out + ready())
        return None


# -- the server ---------------------------------------------------------------

def settings_reply(settings=None):
    rows = b"".join(row(k, v) for k, v in
                    sorted((settings or SETTINGS).items()))
    return (description("name", "setting") + rows + complete("SELECT 5") +
            ready())


class FakePG:
    """greeting, settings and ssl_answer may be replaced by a test; step: send
    in pieces of so many bytes, for connections from then on."""

    def __init__(self):
        self.lock = threading.Lock()
        self.connections = 0
        self.cancels = []
        self.scripts = {}
        self.failures = []
        self.step = 0
        self.ssl_answer = b"N"
        self.settings = settings_reply()
        self.open = set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        assert not self.failures, self.failures

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        self.drop()

    def drop(self):
        """Cut every connection."""
        for sock in list(self.open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def on(self, sql, script):
        self.scripts[sql] = script

    def script(self, sql):
        return self.scripts.get(sql)

    def count(self):
        with self.lock:
            self.connections += 1
            return self.connections

    def greeting(self, number):
        return (message("R", struct.pack("!I", 0)) +
                b"".join(status(k, v) for k, v in PARAMETERS.items()) +
                message("K", struct.pack("!II", 1000 + number, number)) +
                ready())

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.open.add(sock)
            threading.Thread(target=self.run, args=(sock,),
                             daemon=True).start()

    def run(self, sock):
        conn = Conn(self, sock)
        try:
            if conn.login():
                conn.serve()
        except Gone:
            pass
        except Exception as e:  # noqa: told by close()
            self.failures.append(repr(e))
        finally:
            self.open.discard(sock)
            sock.close()
