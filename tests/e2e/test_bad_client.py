# SPDX-License-Identifier: PostgreSQL
"""Clients that break the protocol, on purpose or by chance.

Every message type in every phase, every impossible length, packets cut off and
left alone, odd first packets, and thousands of mutated scripts: such a client
is told what is wrong or closed, others do not notice, and memory stays where
it was.
"""

import contextlib
import os
import random
import socket
import struct
import threading
import time

import pytest

import rawpg
from harness import Deadline, sanitizer_options, until, whole
from rawpg import (Closed, ProtocolError, RawConn, ServerError, bind, cstr,
                   describe, execute, message, packet, parse, query,
                   startup_message, sync)

CONF = """
auth = "$AUTH"
users_file = "$USERS"
pool_size = 4
workers = 2
max_message_size = "64kB"
max_prepared_bytes = "1MB"
message_timeout = "1s"
client_login_timeout = "$LOGIN"
tls_mode = "$TLS"
tls_cert_file = "$CERT"
tls_key_file = "$KEY"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
"""
LIMIT = 64 * 1024 + 4  # the longest length word that is taken

# Types a client may send after login; "p" only before it.
KNOWN = "QPBDECSHFXdcf"


@pytest.fixture
def make(pg, db, pgsluice, certificate, users_file):
    def start(auth="trust", tls="disable", login="10s", **kw):
        sluice = pgsluice(CONF, AUTH=auth, USERS=users_file, TLS=tls,
                          CERT=certificate[0], KEY=certificate[1],
                          LOGIN=login, **kw)
        return sluice
    return start


def stranger(sluice, **kw):
    """Connected, and nothing said yet."""
    return RawConn("127.0.0.1", sluice.port, startup=False, **kw)


def client(sluice, **kw):
    return RawConn("127.0.0.1", sluice.port, "app", "app", **kw)


def drain(c, timeout=10):
    """Messages up to ReadyForQuery of a row "alive", or to the end; the end
    must come within the time. (messages, closed)"""
    out = []
    end = time.monotonic() + timeout
    while True:
        try:
            out.append(c.recv_message(end - time.monotonic()))
        except Closed as closed:
            assert not closed.rest, closed.rest
            return out, True
        if out[-1][0] == "Z" and any(
                rawpg.data_row(body) == (b"alive",)
                for body in rawpg.bodies(out, "D") if body[:2] == b"\0\1"):
            return out, False


ALIVE = query("SELECT 'alive'")


def check_told(name, messages, closed, allowed=("08P01", "54000")):
    """If it was closed, it knows why."""
    if closed:
        assert messages and messages[-1][0] == "E", (name, messages)
        fields = rawpg.errors(messages)[-1]
        assert fields["S"] == "FATAL", (name, fields)
        assert fields["C"] in allowed, (name, fields)


def check_others(sluice):
    with Deadline(10), client(sluice) as c:
        for data in (query("SELECT 1"), whole("SELECT 1")):
            c.send(data)
            assert rawpg.text_rows(c.read_until_ready()) == [("1",)]


def resident(sluice):
    """Bytes."""
    with open(f"/proc/{sluice.pid}/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# -- every type in every phase ------------------------------------------------

BODIES = (b"", b"\0", b"x" * 9, struct.pack("!I", 0) * 3)


def every_message():
    for kind in range(256):
        for body in BODIES:
            yield bytes([kind]) + struct.pack("!I", len(body) + 4) + body


def test_every_type_before_login(make):
    sluice = make()
    for data in every_message():
        with stranger(sluice) as c:
            c.send(data)
            with contextlib.suppress(OSError):
                c.sock.shutdown(socket.SHUT_WR)
            try:
                messages, closed = drain(c)
            except ProtocolError:
                # An SSLRequest by chance cannot be: it has eight bytes.
                raise AssertionError(data) from None
            assert closed
            # Too short to be anything: closed when the client closes.
            if messages:
                check_told(data, messages, closed, ("08P01", "0A000"))
    check_others(sluice)


def test_every_type_during_authentication(make):
    sluice = make(auth="scram-sha-256")
    with RawConn("127.0.0.1", sluice.port, "bob", "app", "bob-password") as c:
        assert c.ask_rows("SELECT 1") == [("1",)]
    for data in every_message():
        with stranger(sluice) as c:
            c.send(startup_message({"user": "bob", "database": "app"}))
            assert c.recv_message()[0] == "R"
            c.send(data)
            messages, closed = drain(c)
            assert closed, data
            if data[:1] == b"X":
                assert messages == []
            else:
                check_told(data, messages, closed, ("08P01", "28P01"))
    with RawConn("127.0.0.1", sluice.port, "bob", "app", "bob-password") as c:
        assert c.ask_rows("SELECT 1") == [("1",)]


def test_every_type_after_login(make):
    sluice = make()
    for data in every_message():
        kind = chr(data[0])
        with client(sluice) as c:
            c.send(data + sync() + ALIVE)
            messages, closed = drain(c)
            if kind not in KNOWN:
                assert closed, data
            if kind == "X":
                assert closed and messages == []
            else:
                check_told(data, messages, closed)
    check_others(sluice)


def phases(sluice):
    """name -> a client in that phase, for types that PostgreSQL knows."""
    def copy_in():
        c = client(sluice)
        c.send(query("COPY t FROM STDIN"))
        assert c.recv_message()[0] == "G"
        return c

    def copy_in_extended():
        c = client(sluice)
        c.send(parse("", "COPY t FROM STDIN") + bind("", "") + execute() +
               rawpg.flush())
        c.recv_until("G")
        return c

    def pipeline():
        c = client(sluice)
        c.send(parse("", "SELECT 1") + bind("", "") + rawpg.flush())
        assert rawpg.types(c.recv_until("2")) == "12"
        return c

    def failed_pipeline():
        c = client(sluice)
        c.send(parse("", "SELECT nonsense") + rawpg.flush())
        assert c.recv_message()[0] == "E"
        return c

    def transaction():
        c = client(sluice)
        c.send(query("BEGIN") + query("SELECT 1"))
        c.read_until_ready(2)
        return c

    def failed_transaction():
        c = client(sluice)
        c.send(query("BEGIN") + query("SELECT nonsense"))
        c.read_until_ready(2)
        return c

    def waiting():
        c = client(sluice)
        c.send(query("SELECT pg_sleep(0.1)"))
        return c
    return [copy_in, copy_in_extended, pipeline, failed_pipeline,
            transaction, failed_transaction, waiting]


GOOD_BODIES = {
    "Q": cstr("SELECT 2"), "P": b"\0SELECT 3\0\0\0", "B": b"\0\0" + b"\0" * 6,
    "D": b"P\0", "E": b"\0\0\0\0\0", "C": b"P\0", "S": b"", "H": b"",
    "d": b"row\n", "c": b"", "f": b"no\0", "X": b"",
    "F": struct.pack("!IHHH", 1598, 0, 0, 0), "p": b"secret\0"}


def test_every_type_in_other_phases(make, pg, db):
    """Whatever it is told, it comes to an end, and nobody else suffers."""
    pg.psql("CREATE TABLE t (x text)", db)
    pg.psql("GRANT ALL ON t TO PUBLIC", db)
    sluice = make()
    for phase in phases(sluice):
        for kind in [*GOOD_BODIES, *"RZTKAGW?", "\0", "\xff"]:
            for body in {GOOD_BODIES.get(kind, b""), b"", b"x" * 9}:
                name = (phase.__name__, kind, body)
                data = bytes([ord(kind)]) + struct.pack(
                    "!I", len(body) + 4) + body
                with phase() as c:
                    c.send(data)
                    # Ends what may be open.
                    with contextlib.suppress(Closed):
                        c.send(rawpg.copy_fail("end") + sync() +
                               query("ROLLBACK") + ALIVE)
                    try:
                        messages, closed = drain(c)
                    except TimeoutError:
                        raise AssertionError(name) from None
                    if kind == "X":
                        assert closed, name
                        continue
                    if kind not in KNOWN or (phase.__name__ ==
                                             "copy_in" and kind in
                                             "QPBDECF"):
                        assert closed, name
                    check_told(name, messages, closed)
        check_others(sluice)


# -- lengths ------------------------------------------------------------------

LENGTHS = (0, 3, 4, LIMIT, LIMIT + 1, 0x7fffffff, 0x80000000, 0xffffffff)


def bare(kind, length):
    return kind.encode() + struct.pack("!I", length)


@pytest.mark.parametrize("length", LENGTHS)
def test_lengths_after_login(make, length):
    """At the limit the message is waited for, and the client given up when
    nothing comes; beyond, it is told at once."""
    sluice = make()
    clients = []
    for kind in KNOWN + "p?":
        c = client(sluice)
        c.send(bare(kind, length))
        clients.append((kind, c))
    for kind, c in clients:
        with Deadline(5):
            if length == 4 and kind in "SHcXdfPBDECQF":
                c.send(sync() + ALIVE)
            messages, closed = drain(c)
        if kind == "X" and length in (4, LIMIT):
            assert closed
        else:
            check_told((kind, length), messages, closed)
        if length not in (4, LIMIT):
            assert closed, kind
        c.abort()
    check_others(sluice)


@pytest.mark.parametrize("length", LENGTHS)
def test_lengths_during_authentication(make, length):
    sluice = make(auth="scram-sha-256", login="2s")
    for kind in "pQX":
        with stranger(sluice) as c, Deadline(6):
            c.send(startup_message({"user": "bob", "database": "app"}))
            assert c.recv_message()[0] == "R"
            c.send(bare(kind, length))
            messages, closed = drain(c)
            assert closed
            if kind != "X" or messages:
                check_told((kind, length), messages, closed,
                           ("08P01", "28P01"))


@pytest.mark.parametrize("length", [*range(8), 10001, 0x10000, 0x7fffffff,
                                    0x80000000, 0xffffffff])
def test_lengths_of_the_first_packet(make, length):
    sluice = make(login="2s")
    for code in (rawpg.PROTOCOL_3_0, rawpg.SSL_CODE, rawpg.CANCEL_CODE, 0):
        with stranger(sluice) as c, Deadline(6):
            c.send(struct.pack("!II", length, code) + b"user\0app\0\0")
            messages, closed = drain(c)
            assert closed
            check_told((length, code), messages, closed)


# -- halves -------------------------------------------------------------------

def test_half_a_message_then_silence(make, pg, db):
    """In every phase in which the client is the one to go on."""
    pg.psql("CREATE TABLE t (x text)", db)
    pg.psql("GRANT ALL ON t TO PUBLIC", db)
    sluice = make()
    halves = {
        "idle": lambda c: None,
        "transaction": lambda c: c.ask("BEGIN"),
        "on a server": lambda c: (c.ask("BEGIN"), c.ask("SELECT 1")),
    }
    clients = []
    for name, begin in halves.items():
        for data in (b"Q", b"Q\0\0", query("SELECT 1")[:-1],
                     parse("", "SELECT 1") + bind("", "")[:9]):
            c = client(sluice)
            begin(c)
            c.send(data)
            clients.append(((name, data), c))
    with Deadline(8):
        for name, c in clients:
            messages, closed = drain(c)
            assert closed and rawpg.sqlstates(messages) == ["08P01"], name
            c.abort()
    check_others(sluice)


@pytest.mark.parametrize("data", [b"d", b"d\0\0", b"d\0\0\1\0half",
                                  b"d\0\0\0\6x", b"c\0\0", b"f\0\0\0\7x"])
def test_half_a_message_in_a_copy_then_silence(make, pg, db, data):
    pg.psql("CREATE TABLE t (x text)", db)
    pg.psql("GRANT ALL ON t TO PUBLIC", db)
    sluice = make()
    with client(sluice) as c, Deadline(8):
        c.send(query("COPY t FROM STDIN"))
        assert c.recv_message()[0] == "G"
        c.send(rawpg.copy_data("whole\n") + data)
        messages, closed = drain(c)
        assert closed and rawpg.sqlstates(messages) == ["08P01"]
    assert pg.psql("SELECT count(*) FROM t", db).strip() == "0"
    check_others(sluice)


@pytest.mark.parametrize("statement", [
    "COPY t FROM STDIN", "COPY nowhere FROM STDIN", "SELECT 1", "nonsense"])
@pytest.mark.parametrize("between", [b"", rawpg.flush(), sync()])
def test_copy_data_ahead_of_the_invitation(make, pg, db, statement, between):
    """All in one go, whether the server is going to want it or not."""
    pg.psql("CREATE TABLE t (x text)", db)
    pg.psql("GRANT ALL ON t TO PUBLIC", db)
    sluice = make()
    data = rawpg.copy_data("1\n") + rawpg.copy_data("2\n") + rawpg.copy_done()
    good = statement.startswith("COPY t")
    with client(sluice) as c, Deadline(8):
        c.send(query(statement) + data + ALIVE)
        messages, closed = drain(c)
        assert not closed
        assert rawpg.tags(messages)[:-1] == (
            ["COPY 2"] if good else ["SELECT 1"] * (statement[0] == "S"))
        c.send(parse("", statement) + bind("", "") + execute() + between +
               data + sync() + ALIVE)
        messages, closed = drain(c)
        assert not closed
        assert ("COPY 2" in rawpg.tags(messages)) == good
    assert pg.psql("SELECT count(*) FROM t", db).strip() == "04"[good]


def test_goodbye_in_the_middle_of_a_pipeline(make, pg, db):
    """What was not ended by Sync is not done, and no server stays behind."""
    pg.psql("CREATE TABLE t (x text)", db)
    pg.psql("GRANT ALL ON t TO PUBLIC", db)
    sluice = make()
    insert = parse("", "INSERT INTO t VALUES ('no')") + bind("", "") + execute()
    for _ in range(6):
        for data in (parse("", "SELECT 1"), parse("", "SELECT 1") +
                     rawpg.flush(), insert, insert + rawpg.flush(),
                     parse("", "nonsense"), parse("", "nonsense") +
                     rawpg.flush()):
            for pause in (0, 0.02):
                with client(sluice) as c:
                    c.send(data)
                    time.sleep(pause)
                    c.send(rawpg.terminate())
                    drain(c)
    check_others(sluice)
    # And with a broken one: the server keeps its replies to itself.
    with Deadline(5):
        for _ in range(8):
            with client(sluice) as c:
                c.send(insert + message("?"))
                check_told("?", *drain(c))
        check_others(sluice)
    # And without a word, idle or not: there will be no ReadyForQuery.
    slow = parse("", "SELECT pg_sleep(60)") + bind("", "") + execute()
    with Deadline(5):
        for data in (slow + rawpg.flush(), insert, insert + rawpg.flush(),
                     parse("", "SELECT 1")) * 4:
            c = client(sluice)
            c.send(data)
            time.sleep(0.05)
            c.reset()
        # Nor does one that has just been told to read COPY data.
    copy = "COPY t FROM STDIN"
    with Deadline(5):
        for data in (query(copy), parse("", copy) + bind("", "") + execute() +
                     rawpg.flush()) * 4:
            c = client(sluice)
            c.send(data + message("?"))
            drain(c)
            c.abort()
        check_others(sluice)
    assert pg.psql("SELECT count(*) FROM t", db).strip() == "0"


@pytest.mark.parametrize("before", [
    query("SELECT 1"), query("SET work_mem = '1MB'"), whole("SELECT 1"),
    parse("", "nonsense") + rawpg.flush(),
    parse("", "SELECT 1") + rawpg.flush()])
def test_half_a_message_and_the_end_while_waiting(make, before):
    """What looks like Terminate is the inside of a message that will never be
    whole: nothing is waited for."""
    sluice = make()
    holders = [client(sluice) for _ in range(4)]
    for h in holders:
        h.ask("BEGIN")
        h.ask("SELECT 1")
    with client(sluice) as c:
        c.send(before + query("SELECT 2")[:-8] + rawpg.terminate())
        c.sock.shutdown(socket.SHUT_WR)
        time.sleep(0.1)
        for h in holders:
            h.close()
        until(lambda: sluice.metric("pgsluice_clients") == 0)
    check_others(sluice)


def test_long_pipeline_with_one_sync(make):
    """More replies owed than are let pile up, and the server keeps the last
    of them to itself until it is asked."""
    sluice = make()
    n = 50000
    with client(sluice, timeout=60) as c:
        sender = threading.Thread(target=c.sock.sendall, args=(
            (parse("", "SELECT 1") * n) + sync(),))
        sender.start()
        assert rawpg.types(c.read_until_ready()) == "1" * n + "Z"
        sender.join()
        assert c.ask_rows("SELECT 2") == [("2",)]


def test_a_unit_may_take_its_time(make):
    """Between whole messages, Sync or not, there is no hurry."""
    sluice = make()
    with client(sluice) as c:
        for data in (parse("", "SELECT 1"), bind("", ""), describe("P"),
                     execute()):
            c.send(data)
            time.sleep(0.7)
        c.send(sync())
        assert rawpg.types(c.read_until_ready()) == "12TDCZ"


def test_slow_copy_is_not_silence(make, pg, db):
    """Each piece comes in time, the whole takes longer than message_timeout;
    and between messages there is no hurry."""
    pg.psql("CREATE TABLE t (x text)", db)
    pg.psql("GRANT ALL ON t TO PUBLIC", db)
    sluice = make()
    with client(sluice) as c:
        c.send(query("COPY t FROM STDIN"))
        assert c.recv_message()[0] == "G"
        for piece in (b"d\0\0", b"\0\x0a", b"sl", b"ow", b"l", b"y"):
            c.send(piece)
            time.sleep(0.4)
        c.send(b"d\0\0\0\5\n")
        time.sleep(1.6)
        c.send(rawpg.copy_done())
        assert rawpg.tags(c.read_until_ready()) == ["COPY 1"]
    check_others(sluice)


@pytest.mark.parametrize("data", [
    b"", b"\0", b"\0\0\0", b"\0\0\0\x20", b"\0\0\0\x20\0\3\0\0user\0",
    rawpg.ssl_request()[:7], rawpg.ssl_request(), rawpg.gss_request(),
    packet(rawpg.CANCEL_CODE, b"\0" * 8)[:15]])
@pytest.mark.parametrize("tls", ["disable", "allow"])
def test_half_a_login_then_silence(make, data, tls):
    sluice = make(login="1s", tls=tls)
    with stranger(sluice) as c, Deadline(5):
        c.send(data)
        while c.sock.recv(100):
            pass
    check_others(sluice)


# -- the first packets --------------------------------------------------------

@pytest.mark.parametrize("tls", ["disable", "allow"])
def test_second_ssl_request(make, tls):
    sluice = make(tls=tls)
    with stranger(sluice) as c, Deadline(5):
        c.send(rawpg.ssl_request())
        assert c.recv_bytes(1) == (b"N" if tls == "disable" else b"S")
        c.send(rawpg.ssl_request())
        messages, closed = drain(c) if tls == "disable" else ([], False)
        if tls == "disable":
            check_told("second", messages, closed)
        else:
            # No TLS: an alert, or nothing but the end.
            with contextlib.suppress(ConnectionResetError):
                while c.sock.recv(100):
                    pass
    check_others(sluice)


def test_gss_and_ssl_requests_and_then_a_login(make):
    sluice = make()
    for order in ((rawpg.gss_request(), rawpg.ssl_request()),
                  (rawpg.ssl_request(), rawpg.gss_request())):
        with stranger(sluice) as c:
            for request in order:
                c.send(request)
                assert c.recv_bytes(1) == b"N"
            c.send(startup_message({"user": "app", "database": "app"}))
            c.login()
            assert c.ask_rows("SELECT 1") == [("1",)]
        with stranger(sluice) as c:
            for request in order:
                c.send(request)
                assert c.recv_bytes(1) == b"N"
            c.send(order[0])
            messages, closed = drain(c)
            check_told("third", messages, closed)


@pytest.mark.parametrize("behind", [
    startup_message({"user": "app", "database": "app"}), b"x", b"\x16\3\1",
    rawpg.ssl_request()])
def test_data_behind_the_ssl_request(make, behind):
    """With TLS they would be bytes from before the handshake that pass for
    bytes from inside it."""
    sluice = make(tls="allow")
    with stranger(sluice) as c, Deadline(5):
        c.send(rawpg.ssl_request() + behind)
        with contextlib.suppress(ConnectionResetError):
            data = b""
            while more := c.sock.recv(1000):
                data += more
        assert not data.startswith(b"S")
        assert b"R\0\0\0" not in data, "it was logged in"
    check_others(sluice)


def test_refused_ssl_request_with_the_login_behind_it(make):
    """Without TLS there is nothing to protect."""
    sluice = make()
    with stranger(sluice) as c:
        c.send(rawpg.ssl_request() +
               startup_message({"user": "app", "database": "app"}))
        assert c.recv_bytes(1) == b"N"
        c.login()
        assert c.ask_rows("SELECT 1") == [("1",)]


LONG = "n" * 300
STARTUPS = {
    # name -> (packet, SQLSTATEs; None: a login)
    "version 2": (packet(2 << 16, b"\0" * 288), ("0A000",)),
    "version 4": (packet(4 << 16, b"user\0app\0\0"), ("0A000",)),
    "version 0": (packet(0, b"user\0app\0\0"), ("0A000",)),
    "minor 9999": (startup_message({"user": "app", "database": "app"},
                                   3 << 16 | 9999), None),
    "no parameters": (startup_message({}), ("08P01",)),
    "nothing": (packet(rawpg.PROTOCOL_3_0), ("08P01",)),
    "no user": (startup_message({"database": "app"}), ("08P01", "28000")),
    "empty user": (startup_message({"user": "", "database": "app"}),
                   ("08P01", "28000")),
    "no terminator": (packet(rawpg.PROTOCOL_3_0, b"user\0app\0"),
                      ("08P01",)),
    "no value": (packet(rawpg.PROTOCOL_3_0, b"user\0app\0database\0"),
                 ("08P01",)),
    "name unterminated": (packet(rawpg.PROTOCOL_3_0, b"user"), ("08P01",)),
    "bytes behind": (packet(rawpg.PROTOCOL_3_0,
                            b"user\0app\0database\0app\0\0x"), ("08P01",)),
    "user twice": (startup_message([("user", "nobody"), ("user", "app"),
                                    ("database", "app")]), None),
    "long user": (startup_message({"user": LONG, "database": "app"}),
                  ("28000", "08006", "28P01")),
    "control characters": (startup_message({"user": "a\x1b[31m\nb",
                                            "database": "app"}),
                           ("28000", "08006")),
    "no text at all": (packet(rawpg.PROTOCOL_3_0, b"user\0\xff\xfe\x80\0"
                              b"database\0app\0\0"), ("28000", "08006")),
    "unknown database": (startup_message({"user": "app",
                                          "database": "\x1b[31mno"}),
                         ("3D000",)),
    "replication": (startup_message({"user": "app", "database": "app",
                                     "replication": "true"}), ("0A000",)),
    "replication odd": (startup_message({"user": "app", "database": "app",
                                         "replication": "maybe"}),
                        ("0A000", "08P01")),
    "bad options": (startup_message({"user": "app", "database": "app",
                                     "options": "-x -y --"}), ("08P01",)),
    "unknown setting": (startup_message({"user": "app", "database": "app",
                                         "no_such_setting": "1"}),
                        ("08006", "42704")),
    "setting with a quote": (startup_message(
        {"user": "app", "database": "app",
         "application_name": "'; DROP TABLE t; --\\"}), None),
    "many settings": (startup_message(
        [("user", "app"), ("database", "app")] +
        [(f"a.b{i}", "x") for i in range(700)]), ("08P01",)),
    "too many protocol options": (startup_message(
        [("user", "app"), ("database", "app")] +
        [(f"_pq_.o{i}", "x") for i in range(500)]), None),
}


@pytest.mark.parametrize("name", STARTUPS)
def test_startup_packets(make, name):
    sluice = make(login="5s")
    data, expected = STARTUPS[name]
    with stranger(sluice) as c, Deadline(8):
        c.send(data)
        if expected is None:
            c.login()
            assert c.ask_rows("SELECT 1") == [("1",)]
        else:
            messages, closed = drain(c)
            check_told(name, messages, closed, expected)
    assert "\x1b[31m" not in sluice.log
    check_others(sluice)


def test_startup_packet_after_login(make):
    sluice = make()
    with client(sluice) as c:
        c.send(startup_message({"user": "app", "database": "app"}))
        messages, closed = drain(c)
        check_told("again", messages, closed)
        assert closed


@pytest.mark.parametrize("size", [0, 3, 4, 5, 32, 256, 257, 1000])
def test_cancel_keys(make, size):
    """Nothing is said to any of them, and nothing is cancelled."""
    sluice = make()
    with client(sluice) as victim:
        victim.send(query("SELECT pg_sleep(0.3)"))
        for pid in (victim.key[0], 0, 0xffffffff):
            with stranger(sluice) as c, Deadline(5):
                c.send(packet(rawpg.CANCEL_CODE, struct.pack("!I", pid) +
                              b"k" * size))
                messages, closed = drain(c)
                assert closed
                assert rawpg.types(messages) in ("", "E")
        assert rawpg.types(victim.read_until_ready()) == "TDCZ"


# -- much of it ---------------------------------------------------------------

def small_memory():
    """A sanitizer's quarantine would look like a leak."""
    return {"ASAN_OPTIONS": sanitizer_options()["ASAN_OPTIONS"] +
            ":quarantine_size_mb=8"}


FLOODS = {
    "syncs": sync() * 1000,
    "flushes": rawpg.flush() * 1000,
    "copy data for nobody": rawpg.copy_data("x" * 100) * 1000,
    "closes": rawpg.close("S", "nothing") * 500 + sync(),
    "executes of nothing": (execute("nothing") * 500 + sync()),
    "unnamed statements": (parse("", "SELECT 1") * 100 + sync()),
    "empty queries": query("") * 300,
}


@pytest.mark.parametrize("name", FLOODS)
def test_floods(make, name):
    """Answered as far as there is an answer; nothing piles up."""
    sluice = make(environment=small_memory())
    stop = threading.Event()
    with client(sluice, timeout=30) as c:
        def read():
            with contextlib.suppress(OSError):
                while c.sock.recv(1 << 16) and not stop.is_set():
                    pass
        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        c.send(FLOODS[name])
        before = resident(sluice)
        with contextlib.suppress(Closed, TimeoutError):
            for _ in range(100):
                c.send(FLOODS[name])
        check_others(sluice)
        assert resident(sluice) - before < 64 << 20, name
        stop.set()
        with contextlib.suppress(Closed):
            c.send(ALIVE)
    reader.join(10)
    check_others(sluice)


def test_statements_without_end(make):
    """One session may not keep more of them than max_prepared_bytes."""
    sluice = make(environment=small_memory())
    before = resident(sluice)
    with client(sluice) as c:
        text = "SELECT 1 /* " + "x" * 10000 + " */"
        with pytest.raises((Closed, TimeoutError, ServerError)):
            for i in range(1000):
                c.send(parse(f"s{i}", f"{text} -- {i}") + sync())
                for body in rawpg.bodies(c.read_until_ready(), "E"):
                    raise ServerError(body)
        assert i < 200
    assert resident(sluice) - before < 64 << 20
    check_others(sluice)


# -- mutations ----------------------------------------------------------------

MUTATIONS = int(os.environ.get("PGSLUICE_MUTATIONS", "1500"))


def login_packet():
    return startup_message({"user": "app", "database": "app"})


SCRIPTS = [
    query("SELECT 1") + query("SELECT x FROM t LIMIT 3"),
    whole("SELECT $1::text", ("value",)),
    parse("s", "SELECT x FROM t WHERE x = $1") + describe("S", "s") + sync() +
    bind("", "s", ("1",)) + describe("P") + execute() + sync(),
    bind("", "s") + execute() + sync() + query("SELECT 2"),
    query("BEGIN") + query("SELECT 1") + query("nonsense") +
    query("ROLLBACK"),
    parse("", "SELECT generate_series(1, 10)") + bind("p", "") +
    execute("p", 3) + rawpg.flush() + execute("p", 3) +
    rawpg.close("P", "p") + sync(),
    query("COPY t FROM STDIN") + rawpg.copy_data("1\n2\n") +
    rawpg.copy_fail("no"),
    query("COPY (SELECT 1) TO STDOUT"),
    parse("", "COPY t FROM STDIN") + bind("", "") + execute() +
    rawpg.copy_data("1\n") + rawpg.copy_fail("no") + sync(),
    message("F", struct.pack("!IHHH", 1598, 0, 0, 1)),
    query("SET application_name = 'x'") + query("SHOW application_name"),
    query("EXPLAIN (ROUTE) SELECT x FROM t"),
    query("PREPARE q AS SELECT 1; EXECUTE q; DEALLOCATE q"),
    query("DECLARE c CURSOR FOR SELECT 1"),
]


def cut_out(data, rng):
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.randint(1, 8):]


def put_in(data, rng):
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(rng.randint(1, 8)) + data[at:]


def flip(data, rng):
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def odd_number(data, rng):
    """One of the values that go wrong, over any four or two bytes."""
    value = rng.choice((0, 1, 3, 4, 0x7fff, 0x8000, 0xffff, 0x10000,
                        0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff))
    size = rng.choice((2, 4))
    at = rng.randrange(max(1, len(data) - size))
    return data[:at] + (value & 0xffffffff).to_bytes(4, "big")[-size:] + \
        data[at + size:]


def shuffle(data, rng):
    """Whole messages in another order, some twice, some not at all."""
    try:
        messages, rest = rawpg.split(data)
    except ProtocolError:
        return data
    if not messages:
        return data
    chosen = rng.choices(messages, k=rng.randint(1, len(messages) + 3))
    return b"".join(bytes([ord(k)]) + message("", b)
                    for k, b in chosen) + rest


def mix(data, rng):
    """The beginning of one, the end of another."""
    other = rng.choice(SCRIPTS)
    return data[:rng.randrange(len(data) + 1)] + \
        other[rng.randrange(len(other)):]


MUTATORS = (cut_out, put_in, flip, flip, odd_number, odd_number, shuffle, mix)


def mutated(rng):
    data = rng.choice(SCRIPTS)
    for _ in range(rng.randint(1, 3)):
        data = rng.choice(MUTATORS)(data, rng) or b"\0"
    first = login_packet()
    if rng.randrange(8) == 0:
        first = rng.choice(MUTATORS[:6])(first, rng) or b"\0"
    if rng.randrange(16) == 0:
        first = rawpg.ssl_request() + first
    return first + data


def play(port, data):
    """Send it all, say that this was all, and wait for the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        try:
            sock.sendall(data + rawpg.terminate())
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(1 << 16):
                pass
        except (ConnectionResetError, BrokenPipeError):
            pass


@pytest.mark.parametrize("seed", range(5))
def test_mutated_scripts(make, pg, db, seed):
    pg.psql("CREATE TABLE t (x text)", db)
    pg.psql("GRANT ALL ON t TO PUBLIC", db)
    pg.psql("INSERT INTO t SELECT i::text FROM generate_series(1, 9) i", db)
    sluice = make(environment=small_memory(), login="5s")
    rng = random.Random(seed)
    watched = client(sluice)
    memory = None
    for n in range(MUTATIONS // 5):
        data = mutated(rng)
        try:
            play(sluice.port, data)
        except TimeoutError:
            raise AssertionError(f"script {n} never ended: {data!r}") \
                from None
        if n % 500 == 0:
            assert sluice.running, f"gone after script {n}: {data!r}"
            # One that was there before, and a new one.
            assert watched.ask_rows("SELECT 'me'") == [("me",)]
            check_others(sluice)
        if n == MUTATIONS // 50:
            memory = resident(sluice)
    watched.close()
    assert resident(sluice) - memory < 64 << 20
    # The pool is whole: as many statements at once as it has places.
    clients = [client(sluice) for _ in range(4)]
    with Deadline(20):
        for c in clients:
            c.send(query("SELECT pg_sleep(0.2), 'me'"))
        for c in clients:
            assert rawpg.types(c.read_until_ready()) == "TDCZ"
            c.close()
    until(lambda: sluice.metric("pgsluice_clients") == 0)
    # Each server that lost its client came to an end by itself.
    assert "did not answer in time" not in sluice.log
