# SPDX-License-Identifier: PostgreSQL
"""A raw client of the PostgreSQL protocol, version 3, for tests.

No driver: what is sent is what the test builds, in any order and cut anywhere,
and every message that comes back is seen.  Knows trust and SCRAM-SHA-256.

Types are one-character strings, bodies are bytes without type and length.
Every call has a deadline (`timeout` seconds of the connection, 10 unless told)
and raises TimeoutError when it passes; a peer that closes raises Closed.

    with RawConn("127.0.0.1", 6432, "alice", "app", "secret") as c:
        c.send(parse("", "select $1::int") + bind("", "", ["7"]) +
               describe("P", "") + execute("") + sync())
        messages = c.read_until_ready()
        assert types(messages) == "12TDCZ"
        assert rows(messages) == [(b"7",)]
"""

import base64
import collections
import hashlib
import hmac
import os
import socket
import ssl
import struct
import time

PROTOCOL_3_0 = 3 << 16
PROTOCOL_3_2 = 3 << 16 | 2
CANCEL_CODE = 80877102
SSL_CODE = 80877103
GSS_CODE = 80877104

Column = collections.namedtuple(
    "Column", "name table attnum type typlen typmod format")


class Closed(Exception):
    """The peer closed, or reset, the connection.  rest: a cut-off message."""

    def __init__(self, rest=b""):
        self.rest = bytes(rest)
        super().__init__(f"connection closed, {len(self.rest)} bytes of a "
                         "message before it" if rest else "connection closed")


class ServerError(Exception):
    """An ErrorResponse where none was expected.  fields: code to text."""

    def __init__(self, body):
        self.fields = error_fields(body)
        self.sqlstate = self.fields.get("C", "")
        self.severity = self.fields.get("V", self.fields.get("S", ""))
        self.message = self.fields.get("M", "")
        super().__init__(f"{self.severity} {self.sqlstate}: {self.message}")


class ProtocolError(Exception):
    """The peer sent something that cannot be."""


# ---------------------------------------------------------- message builders


def raw(value):
    return value.encode() if isinstance(value, str) else bytes(value)


def cstr(value):
    return raw(value) + b"\0"


def message(kind, body=b""):
    """A message of any type; length is computed."""
    return raw(kind) + struct.pack("!I", len(body) + 4) + body


def packet(code, body=b""):
    """An untyped packet, as before the session."""
    return struct.pack("!II", len(body) + 8, code) + body


def startup_message(params, version=PROTOCOL_3_0):
    """params: dict, or list of pairs where order or repetition matters."""
    pairs = params.items() if isinstance(params, dict) else params
    return packet(version, b"".join(cstr(k) + cstr(v) for k, v in pairs) +
                  b"\0")


def ssl_request():
    return packet(SSL_CODE)


def gss_request():
    return packet(GSS_CODE)


def cancel_request(pid, key):
    return packet(CANCEL_CODE, struct.pack("!I", pid) + key)


def query(sql):
    return message("Q", cstr(sql))


def parse(name, sql, oids=()):
    return message("P", cstr(name) + cstr(sql) +
                   struct.pack(f"!H{len(oids)}I", len(oids), *oids))


def bind(portal, statement, values=(), formats=(), result_formats=()):
    """values: str, bytes or None; formats: 0 text, 1 binary."""
    body = cstr(portal) + cstr(statement)
    body += struct.pack(f"!H{len(formats)}H", len(formats), *formats)
    body += struct.pack("!H", len(values))
    for value in values:
        if value is None:
            body += struct.pack("!i", -1)
        else:
            body += struct.pack("!i", len(raw(value))) + raw(value)
    body += struct.pack(f"!H{len(result_formats)}H", len(result_formats),
                        *result_formats)
    return message("B", body)


def describe(kind, name=""):
    """kind: "S" for a statement, "P" for a portal."""
    return message("D", raw(kind) + cstr(name))


def execute(portal="", max_rows=0):
    return message("E", cstr(portal) + struct.pack("!I", max_rows))


def close(kind, name=""):
    return message("C", raw(kind) + cstr(name))


def sync():
    return message("S")


def flush():
    return message("H")


def copy_data(data):
    return message("d", raw(data))


def copy_done():
    return message("c")


def copy_fail(reason):
    return message("f", cstr(reason))


def terminate():
    return message("X")


def password_message(body):
    return message("p", body)


# ------------------------------------------------------------------ decoding


def types(messages):
    """The types in order, as one string: "12TDCZ"."""
    return "".join(kind for kind, _ in messages)


def bodies(messages, kind):
    return [body for k, body in messages if k == kind]


def data_row(body):
    """Values of a DataRow: bytes, or None for NULL."""
    (count,) = struct.unpack_from("!H", body)
    pos, row = 2, []
    for _ in range(count):
        (length,) = struct.unpack_from("!i", body, pos)
        pos += 4
        if length == -1:
            row.append(None)
            continue
        if length < 0 or length > len(body) - pos:
            raise ProtocolError(f"value of length {length} in a DataRow")
        row.append(body[pos:pos + length])
        pos += length
    if pos != len(body):
        raise ProtocolError("bytes behind the last value of a DataRow")
    return tuple(row)


def rows(messages):
    return [data_row(body) for body in bodies(messages, "D")]


def text_rows(messages):
    """As rows(), decoded from UTF-8."""
    return [tuple(None if v is None else v.decode() for v in row)
            for row in rows(messages)]


def columns(body):
    """The columns of a RowDescription."""
    (count,) = struct.unpack_from("!H", body)
    pos, out = 2, []
    for _ in range(count):
        end = body.index(b"\0", pos)
        out.append(Column(body[pos:end].decode(),
                          *struct.unpack_from("!IHIhih", body, end + 1)))
        pos = end + 19
    return out


def error_fields(body):
    """Fields of an ErrorResponse or NoticeResponse: {"C": "42P01", ...}."""
    return {field[:1].decode("latin1"): field[1:].decode(errors="replace")
            for field in body.split(b"\0") if field}


def errors(messages):
    return [error_fields(body) for body in bodies(messages, "E")]


def sqlstates(messages):
    return [fields.get("C") for fields in errors(messages)]


def notices(messages):
    return [error_fields(body) for body in bodies(messages, "N")]


def tags(messages):
    """Command tags, as strings."""
    return [body.rstrip(b"\0").decode() for body in bodies(messages, "C")]


def parameter_statuses(messages):
    out = {}
    for body in bodies(messages, "S"):
        name, value = body.split(b"\0")[:2]
        out[name.decode()] = value.decode()
    return out


def backend_key(body):
    """(pid, key) of a BackendKeyData body."""
    return struct.unpack_from("!I", body)[0], body[4:]


def statuses(messages):
    """Transaction status of each ReadyForQuery: "I", "IT", ..."""
    return b"".join(bodies(messages, "Z")).decode()


def split(data):
    """Cut bytes into messages; (messages, bytes left over)."""
    out, pos = [], 0
    while len(data) - pos >= 5:
        (length,) = struct.unpack_from("!I", data, pos + 1)
        if length < 4:
            raise ProtocolError(f"message length {length}")
        if length > len(data) - pos - 1:
            break
        out.append((chr(data[pos]), bytes(data[pos + 5:pos + 1 + length])))
        pos += 1 + length
    return out, bytes(data[pos:])


# --------------------------------------------------------------------- SCRAM


class Scram:
    """Client side of SCRAM-SHA-256 without channel binding (RFC 7677).

    The steps are separate, so that a test can bend each message."""

    mechanism = "SCRAM-SHA-256"

    def __init__(self, password, gs2="n,,", nonce=None):
        self.password = raw(password)
        self.gs2 = raw(gs2)
        self.nonce = nonce or base64.b64encode(os.urandom(18))
        self.bare = b"n=,r=" + self.nonce
        self.signature = None

    def first(self):
        return self.gs2 + self.bare

    def first_message(self):
        """SASLInitialResponse."""
        data = self.first()
        return password_message(cstr(self.mechanism) +
                                struct.pack("!i", len(data)) + data)

    def final(self, challenge):
        parts = dict(p.split(b"=", 1) for p in challenge.split(b","))
        if not parts[b"r"].startswith(self.nonce):
            raise ProtocolError("the nonce is not ours")
        salted = hashlib.pbkdf2_hmac(
            "sha256", self.password, base64.b64decode(parts[b"s"]),
            int(parts[b"i"]))
        without = (b"c=" + base64.b64encode(self.gs2) + b",r=" + parts[b"r"])
        text = b",".join((self.bare, challenge, without))
        key = hmac.digest(salted, b"Client Key", "sha256")
        mask = hmac.digest(hashlib.sha256(key).digest(), text, "sha256")
        self.signature = hmac.digest(
            hmac.digest(salted, b"Server Key", "sha256"), text, "sha256")
        proof = bytes(a ^ b for a, b in zip(key, mask))
        return without + b",p=" + base64.b64encode(proof)

    def final_message(self, challenge):
        """SASLResponse."""
        return password_message(self.final(challenge))

    def verify(self, final):
        """Does the server know the verifier?"""
        if final != b"v=" + base64.b64encode(self.signature):
            raise ProtocolError("server signature is wrong")


# ---------------------------------------------------------------- connection


def insecure_tls():
    """Encryption without a look at the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class RawConn:
    """One connection.  startup=False stops after connecting (and TLS).

    host beginning with "/": directory of a unix socket.  tls: False, True, or
    an ssl.SSLContext.  params: more startup parameters.

    parameters, key (pid, bytes) and status (of the last ReadyForQuery) follow
    what was received, whichever call received it."""

    def __init__(self, host, port, user=None, database=None, password=None,
                 params=None, startup=True, tls=False, timeout=10,
                 version=PROTOCOL_3_0):
        self.host, self.port, self.timeout = host, port, timeout
        self.parameters, self.key, self.status = {}, None, None
        self.tls = tls
        self.buffer = bytearray()
        self.login_messages = []
        self.sock = self.connect()
        try:
            if tls:
                self.start_tls()
            if startup:
                first = {"user": user}
                if database is not None:
                    first["database"] = database
                self.send(startup_message({**first, **(params or {})},
                                          version))
                self.login(password)
        except BaseException:
            self.abort()
            raise

    def connect(self):
        if self.host.startswith("/"):
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.settimeout(self.timeout)
            sock.connect(f"{self.host}/.s.PGSQL.{self.port}")
            return sock
        sock = socket.create_connection((self.host, self.port),
                                        timeout=self.timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def start_tls(self):
        self.send(ssl_request())
        answer = self.recv_bytes(1)
        if answer != b"S":
            raise ProtocolError(f"TLS refused: {answer!r}")
        context = self.tls if self.tls is not True else insecure_tls()
        self.sock = context.wrap_socket(self.sock, server_hostname=self.host)

    def login(self, password=None):
        """Authenticate and read up to ReadyForQuery."""
        scram = None
        while True:
            kind, body = self.recv_message()
            self.login_messages.append((kind, body))
            if kind == "E":
                raise ServerError(body)
            if kind == "Z":
                return
            if kind != "R":
                continue
            (code,) = struct.unpack_from("!I", body)
            if code == 10:
                if b"SCRAM-SHA-256" not in body[4:].split(b"\0"):
                    raise ProtocolError(f"SASL mechanisms {body[4:]!r}")
                scram = Scram(password or "")
                self.send(scram.first_message())
            elif code == 11:
                self.send(scram.final_message(body[4:]))
            elif code == 12:
                scram.verify(body[4:])
            elif code != 0:
                raise ProtocolError(f"authentication request {code}")

    # -- bytes

    def send(self, data):
        try:
            self.sock.settimeout(self.timeout)
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as e:
            raise Closed() from e

    def send_slowly(self, data, step=1, pause=0):
        """In pieces of step bytes, each a segment of its own."""
        for pos in range(0, len(data), step):
            self.send(data[pos:pos + step])
            if pause:
                time.sleep(pause)

    def fill(self, deadline, size=65536):
        """Receive something into the buffer, or raise."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"nothing whole within {self.timeout} s, "
                               f"{len(self.buffer)} bytes of it")
        self.sock.settimeout(left)
        try:
            data = self.sock.recv(size)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError) as e:
            raise Closed(self.buffer) from e
        if not data:
            raise Closed(self.buffer)
        self.buffer += data

    def deadline(self, timeout=None):
        return time.monotonic() + (self.timeout if timeout is None
                                   else timeout)

    def take(self, n):
        data = bytes(self.buffer[:n])
        del self.buffer[:n]
        return data

    def recv_bytes(self, n, timeout=None):
        """Exactly n bytes, and never more off the socket."""
        deadline = self.deadline(timeout)
        while len(self.buffer) < n:
            self.fill(deadline, n - len(self.buffer))
        return self.take(n)

    # -- messages

    def recv_message(self, timeout=None):
        """The next (type, body)."""
        deadline = self.deadline(timeout)
        while len(self.buffer) < 5:
            self.fill(deadline)
        (length,) = struct.unpack_from("!I", self.buffer, 1)
        if length < 4 or length > 1 << 30:
            raise ProtocolError(f"message length {length}")
        while len(self.buffer) < 1 + length:
            self.fill(deadline)
        whole = self.take(1 + length)
        kind, body = chr(whole[0]), whole[5:]
        self.note(kind, body)
        return kind, body

    def note(self, kind, body):
        if kind == "S":
            self.parameters.update(parameter_statuses([(kind, body)]))
        elif kind == "K":
            self.key = backend_key(body)
        elif kind == "Z":
            self.status = body.decode()

    def recv_until(self, kinds, timeout=None):
        """Messages up to the first of one of these types, included."""
        out = []
        deadline = self.deadline(timeout)
        while not out or out[-1][0] not in kinds:
            out.append(self.recv_message(deadline - time.monotonic()))
        return out

    def read_until_ready(self, count=1, timeout=None):
        """Messages up to the count-th ReadyForQuery, included."""
        out = []
        for _ in range(count):
            out += self.recv_until("Z", timeout)
        return out

    def recv_to_end(self, timeout=None):
        """Everything up to the peer's close."""
        out = []
        deadline = self.deadline(timeout)
        while True:
            try:
                out.append(self.recv_message(deadline - time.monotonic()))
            except Closed as closed:
                if closed.rest:
                    raise
                return out

    def recv_nothing(self, seconds=0.1):
        """True if nothing arrives for so long."""
        if self.buffer:
            return False
        try:
            self.fill(self.deadline(seconds))
        except TimeoutError:
            return True
        except Closed:
            pass
        return False

    # -- whole exchanges

    def ask(self, sql):
        """A simple query; all messages of the answer."""
        self.send(query(sql))
        return self.read_until_ready()

    def ask_rows(self, sql):
        """A simple query; its rows as text. Raises ServerError."""
        messages = self.ask(sql)
        for body in bodies(messages, "E"):
            raise ServerError(body)
        return text_rows(messages)

    def cancel(self, key=None):
        """Send a cancel request on a connection of its own and wait for the
        peer to close it."""
        other = RawConn(self.host, self.port, startup=False, tls=self.tls,
                        timeout=self.timeout)
        try:
            other.send(cancel_request(*(key or self.key)))
            return other.recv_to_end()
        finally:
            other.abort()

    # -- the end

    def close(self):
        """Terminate politely."""
        try:
            self.send(terminate())
        except (OSError, Closed):
            pass
        self.abort()

    def abort(self):
        """Close without a word."""
        self.sock.close()

    def reset(self):
        """Close by RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
