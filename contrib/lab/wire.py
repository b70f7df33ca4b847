# SPDX-License-Identifier: PostgreSQL
"""A PostgreSQL client that does next to nothing, for timing.

A driver costs more than a cache hit does.  This one sends a finished message,
reads until ReadyForQuery and keeps the bytes; looking into them comes later,
outside of the clock.  Simple protocol; trust and SCRAM-SHA-256; no TLS.
"""

import base64
import hashlib
import hmac
import os
import socket
import struct
import time


class WireError(Exception):
    """ErrorResponse of the server; sqlstate tells which."""

    def __init__(self, fields):
        self.sqlstate = fields.get("C", "")
        super().__init__(f"{self.sqlstate} {fields.get('M', '')}")


def messages(data):
    """Split bytes into (type, body) pairs."""
    out, pos = [], 0
    while pos < len(data):
        (length,) = struct.unpack_from("!I", data, pos + 1)
        out.append((data[pos:pos + 1], data[pos + 5:pos + 1 + length]))
        pos += 1 + length
    return out


def error_fields(body):
    return {f[:1].decode(): f[1:].decode(errors="replace")
            for f in body.split(b"\0") if f}


def data_row(body):
    """Column values of a DataRow body as bytes, None for NULL."""
    (count,) = struct.unpack_from("!H", body)
    pos, row = 2, []
    for _ in range(count):
        (length,) = struct.unpack_from("!i", body, pos)
        pos += 4
        if length < 0:
            row.append(None)
        else:
            row.append(body[pos:pos + length])
            pos += length
    return tuple(row)


class Answer:
    """One reply, from the first byte to ReadyForQuery."""

    def __init__(self, data):
        self.data = data

    @property
    def messages(self):
        return messages(self.data)

    def checked(self):
        for kind, body in self.messages:
            if kind == b"E":
                raise WireError(error_fields(body))
        return self

    @property
    def rows(self):
        return [data_row(b) for k, b in self.checked().messages if k == b"D"]

    @property
    def tag(self):
        for kind, body in self.checked().messages:
            if kind == b"C":
                return body.rstrip(b"\0").decode()
        return None


class Wire:
    def __init__(self, host, port, dbname, user, password=None, timeout=600):
        self.sock = socket.create_connection((host, port), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        params = (f"user\0{user}\0database\0{dbname}\0"
                  "client_encoding\0UTF8\0TimeZone\0UTC\0\0").encode()
        self.sock.sendall(struct.pack("!II", len(params) + 8, 196608) + params)
        self.login(user, password)

    def message(self):
        while True:
            if len(self.buffer) >= 5:
                (length,) = struct.unpack_from("!I", self.buffer, 1)
                if len(self.buffer) > length:
                    kind = self.buffer[:1]
                    body = self.buffer[5:1 + length]
                    self.buffer = self.buffer[1 + length:]
                    if kind == b"E":
                        raise WireError(error_fields(body))
                    return kind, body
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionError("connection closed during login")
            self.buffer += data

    def password_message(self, body):
        self.sock.sendall(b"p" + struct.pack("!I", len(body) + 4) + body)

    def login(self, user, password):
        scram = None
        while True:
            kind, body = self.message()
            if kind == b"Z":
                return
            if kind != b"R":
                continue
            (code,) = struct.unpack_from("!I", body)
            if code == 10:
                scram = Scram(password or "")
                first = scram.first()
                self.password_message(b"SCRAM-SHA-256\0" +
                                      struct.pack("!I", len(first)) + first)
            elif code == 11:
                self.password_message(scram.final(body[4:]))
            elif code == 12:
                scram.verify(body[4:])
            elif code != 0:
                raise WireError({"C": "0A000",
                                 "M": f"authentication method {code}"})

    @staticmethod
    def query_message(sql):
        body = sql.encode() + b"\0"
        return b"Q" + struct.pack("!I", len(body) + 4) + body

    def ask(self, message):
        """Send one message; (seconds, Answer)."""
        sock = self.sock
        start = time.perf_counter()
        sock.sendall(message)
        data = sock.recv(65536)
        if not self.complete(data):
            data = self.rest(data)
        return time.perf_counter() - start, Answer(data)

    @staticmethod
    def complete(data):
        # The tail of a row could look like ReadyForQuery, so this is only
        # the quick test; rest() walks the messages.
        if data[-6:-1] != b"Z\0\0\0\5":
            return False
        return Wire.walk(data, 0) == (len(data), True)

    @staticmethod
    def walk(data, pos):
        """Skip whole messages from pos on; (new pos, was the last Z?)."""
        end, ready = len(data), False
        while end - pos >= 5:
            length = int.from_bytes(data[pos + 1:pos + 5], "big")
            if length >= end - pos:
                break
            ready = data[pos] == 0x5A
            pos += 1 + length
        return pos, ready

    def rest(self, data):
        buf, pos = bytearray(data), 0
        while True:
            pos, ready = self.walk(buf, pos)
            if ready and pos == len(buf):
                return bytes(buf)
            more = self.sock.recv(1 << 20)
            if not more:
                raise ConnectionError("connection closed during a reply")
            buf += more

    def query(self, sql):
        return self.ask(self.query_message(sql))[1].checked()

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Scram:
    """Client side of SCRAM-SHA-256 without channel binding (RFC 7677)."""

    def __init__(self, password):
        self.password = password.encode()
        self.bare = b"n=,r=" + base64.b64encode(os.urandom(18))

    def first(self):
        return b"n,," + self.bare

    def final(self, challenge):
        parts = dict(p.split(b"=", 1) for p in challenge.split(b","))
        salted = hashlib.pbkdf2_hmac(
            "sha256", self.password, base64.b64decode(parts[b"s"]),
            int(parts[b"i"]))
        key = hmac.digest(salted, b"Client Key", "sha256")
        last = b"c=biws,r=" + parts[b"r"]
        signed = self.bare + b"," + challenge + b"," + last
        sign = hmac.digest(hashlib.sha256(key).digest(), signed, "sha256")
        self.server = hmac.digest(
            hmac.digest(salted, b"Server Key", "sha256"), signed, "sha256")
        proof = bytes(a ^ b for a, b in zip(key, sign))
        return last + b",p=" + base64.b64encode(proof)

    def verify(self, final):
        if base64.b64decode(final.removeprefix(b"v=")) != self.server:
            raise WireError({"C": "28000", "M": "server signature is wrong"})
