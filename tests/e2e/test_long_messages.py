# SPDX-License-Identifier: PostgreSQL
"""Messages of any length stream in both directions: memory does not grow with
them, the protocol stays in step whatever fails in the middle, and nobody else
waits.  PGSLUICE_LONG_MB: how long (64; PostgreSQL takes up to about 1000)."""

import os
import struct
import threading

import pytest

from harness import Deadline, until
from rawpg import (Closed, RawConn, bind, copy_data, copy_done, cstr, describe,
                   execute, parse, query, rows, sqlstates, sync, tags, types)
from test_door_tls import tls_settings

CONF = """
auth = "trust"
admin_users = {"app"}
pool_size = 2
workers = 1
query_wait_timeout = "1s"
$TLS
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
"""

MB = 1024 * 1024
LONG = int(os.environ.get("PGSLUICE_LONG_MB", "64")) * MB
GROWTH = 8 * MB
CHUNK = b"x" * (256 * 1024)
TIME = 300
LENGTH = "SELECT length($1)"


@pytest.fixture
def sluice(pg, db, pgsluice, certificate):
    pg.psql("SET ROLE app; CREATE TABLE t (a text)", db)
    return pgsluice(CONF, TLS=tls_settings("allow", certificate))


def client(sluice, **kw):
    kw.setdefault("timeout", TIME)
    return RawConn("127.0.0.1", sluice.port, "app", "app", **kw)


def highest(sluice):
    with open(f"/proc/{sluice.proc.pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f
                    if line.startswith("VmHWM")) * 1024


class NoGrowth:
    """The process takes less than GROWTH more at any time in the block."""

    def __init__(self, sluice):
        self.sluice = sluice

    def __enter__(self):
        # Once through, so that only what is long counts.
        with client(self.sluice) as c:
            send_bind(c, MB, parse("", LENGTH))
            c.send(execute() + sync())
            c.read_until_ready()
        self.before = highest(self.sluice)

    def __exit__(self, kind, *_):
        grown = highest(self.sluice) - self.before
        print(f"grown by {grown // 1024} KB over {LONG // MB} MB")
        if kind is None and not sanitized():
            assert grown < GROWTH


def sanitized():
    with open(os.environ["PGSLUICE_BIN"], "rb") as f:
        return b"__asan_init" in f.read() or b"__tsan_init" in f.read()


def send_body(c, n):
    for pos in range(0, n, len(CHUNK)):
        c.send(CHUNK[:n - pos])


def send_bind(c, n, before=b"", statement="", values=(), whole=None):
    """A Bind whose last of several values has n bytes; no more than `whole`
    of them are sent."""
    m = bind("", statement, [*values, b""])
    head, tail = m[:-6], m[-2:]
    (length,) = struct.unpack_from("!I", head, 1)
    head = head[:1] + struct.pack("!I", length + n) + head[5:]
    c.send(before + head + struct.pack("!i", n))
    send_body(c, n if whole is None else whole)
    if whole is None:
        c.send(tail)


def send_query(c, n, before="SELECT length('", after="')"):
    head, tail = before.encode(), cstr(after)
    c.send(b"Q" + struct.pack("!I", 4 + len(head) + n + len(tail)) + head)
    send_body(c, n)
    c.send(tail)


def skip_message(c):
    """Type and length of the body, which is read and forgotten."""
    kind, (length,) = c.recv_bytes(1), struct.unpack("!I", c.recv_bytes(4))
    left = length - 4
    while left > 0:
        left -= len(c.recv_bytes(min(left, len(CHUNK))))
    return kind.decode(), length - 4


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_value_in(sluice, tls):
    with NoGrowth(sluice), client(sluice, tls=tls) as c:
        send_bind(c, LONG, parse("", LENGTH, [25]))
        c.send(describe("P") + execute() + sync())
        m = c.read_until_ready()
        assert types(m) == "12TDCZ"
        assert rows(m) == [(str(LONG).encode(),)]


def test_value_in_for_a_named_statement(sluice):
    """Its name is another one on servers, so the message has another length
    there."""
    with NoGrowth(sluice), client(sluice) as c:
        c.send(parse("name", LENGTH, [25]) + sync())
        c.read_until_ready()
        for n in (LONG, 262_144, 262_143, 300_000):
            send_bind(c, n, statement="name")
            c.send(execute() + sync())
            m = c.read_until_ready()
            assert types(m) == "2DCZ" and rows(m) == [(str(n).encode(),)]


def test_text_in(sluice):
    """PostgreSQL takes no literal of 900 MB; its error is the answer then."""
    n = min(LONG, 400 * MB)
    with NoGrowth(sluice), client(sluice) as c:
        send_query(c, n)
        assert rows(c.read_until_ready()) == [(str(n).encode(),)]
        if LONG > n:
            send_query(c, LONG)
            assert types(c.read_until_ready()) == "EZ"
            assert c.ask_rows("SELECT 1") == [("1",)]


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_value_out(sluice, tls):
    with NoGrowth(sluice), client(sluice, tls=tls) as c:
        c.send(query(f"SELECT repeat('x', {LONG})"))
        got = [skip_message(c) for _ in range(4)]
        assert [k for k, _ in got] == list("TDCZ")
        assert got[1][1] == LONG + 6


def test_copy_both_ways(sluice):
    with NoGrowth(sluice), client(sluice) as c:
        c.send(query("COPY t FROM STDIN"))
        c.recv_until("G")
        c.send(b"d" + struct.pack("!I", 4 + LONG + 1))
        send_body(c, LONG)
        c.send(b"\n" + copy_data(b"short\n") + copy_done())
        assert tags(c.read_until_ready()) == ["COPY 2"]
        c.send(query("COPY t TO STDOUT"))
        got = [skip_message(c) for _ in range(6)]
        assert [k for k, _ in got] == list("HddcCZ")
        assert sum(n for k, n in got if k == "d") == LONG + 1 + 6


def test_words_out(sluice):
    """Errors and notices with a long text."""
    n = min(LONG, 100 * MB)
    with NoGrowth(sluice), client(sluice) as c:
        c.send(query(f"DO $$BEGIN RAISE NOTICE '%', repeat('x', {n}); "
                     f"RAISE '%', repeat('x', {n}); END$$"))
        got = [skip_message(c) for _ in range(3)]
        assert [k for k, _ in got] == list("NEZ")
        assert got[0][1] > n and got[1][1] > n
        assert c.ask_rows("SELECT 1") == [("1",)]


def test_in_a_pipeline(sluice):
    """Replies keep their order around long messages."""
    n = 3 * MB
    with client(sluice) as c:
        c.send(query("SELECT 1") + parse("", "SELECT 2") + bind("", "") +
               execute() + sync())
        send_bind(c, n, parse("", LENGTH))
        c.send(execute() + sync() + query("SELECT 3"))
        send_query(c, n)
        c.send(query("SELECT 4"))
        m = c.read_until_ready(6)
        assert rows(m) == [(str(v).encode(),) for v in (1, 2, n, 3, n, 4)]


def passed_as_long(sluice):
    return sluice.metrics().get(
        'pgsluice_cache_bypass_total{reason="long"}', 0)


def test_bind_behind_an_error(sluice):
    """The server skips it to the Sync, as it does without us; what comes
    behind that is not taken for a part of it."""
    with client(sluice) as c:
        send_bind(c, MB, parse("", "no sql"))
        assert types(c.recv_until("E")) == "E"
        c.send(execute() + sync())
        assert types(c.read_until_ready()) == "Z"
        before = passed_as_long(sluice)
        c.send(parse("", "SELECT 1") + bind("", "") + bind("", "") +
               execute() + sync())
        assert types(c.read_until_ready()) == "122DCZ"
        assert passed_as_long(sluice) == before


def test_counted_with_its_reason(sluice):
    with client(sluice) as c:
        c.ask("SELECT 1")
        before = passed_as_long(sluice)
        send_bind(c, MB, parse("", LENGTH))
        c.send(execute() + sync())
        c.read_until_ready()
        until(lambda: passed_as_long(sluice) == before + 1)


@pytest.mark.parametrize("name", ["", "gone"])
def test_unknown_statement(sluice, name):
    with client(sluice) as c:
        send_bind(c, MB, statement=name)
        c.send(execute() + sync())
        m = c.read_until_ready()
        assert types(m) == "EZ" and sqlstates(m) == ["26000"]
        assert c.ask_rows("SELECT 1") == [("1",)]


def hold_all(sluice):
    holders = [client(sluice), client(sluice)]
    for c in holders:
        c.ask("BEGIN")
        c.ask("SELECT 1")
    return holders


@pytest.mark.parametrize("simple", [True, False], ids=["simple", "extended"])
def test_no_server_for_it(sluice, simple):
    """Nothing is read ahead while it waits, and it is skipped when the wait
    is over in vain."""
    holders = hold_all(sluice)
    with client(sluice) as c, Deadline(60):
        n = 30 * MB
        if simple:
            send_query(c, n)
        else:
            send_bind(c, n, parse("", LENGTH))
            c.send(execute() + sync())
        m = c.read_until_ready()
        assert types(m) == "EZ" and sqlstates(m) == ["53300"]
        holders.pop().close()
        send_query(c, n)
        assert rows(c.read_until_ready()) == [(str(n).encode(),)]


def test_wait_for_a_server(sluice):
    sluice.rewrite(CONF.replace('"1s"', '"60s"'))
    sluice.reload()
    holders = hold_all(sluice)
    with client(sluice) as c:
        sender = threading.Thread(target=send_bind, args=(
            c, 30 * MB, parse("", LENGTH)))
        sender.start()
        until(lambda: any(r["cl_waiting"] == 1 for r in
                          sluice.console("SHOW POOLS")))
        holders.pop().close()
        sender.join()
        c.send(execute() + sync())
        assert rows(c.read_until_ready()) == [(str(30 * MB).encode(),)]


@pytest.mark.parametrize("simple", [True, False], ids=["simple", "extended"])
def test_client_dies_in_the_middle(sluice, simple):
    """The server has half of a message and can serve nobody else."""
    for _ in range(4):
        c = client(sluice)
        if simple:
            c.send(b"Q" + struct.pack("!I", 10 * MB) + b"SELECT '" + CHUNK * 8)
        else:
            send_bind(c, 10 * MB, parse("", LENGTH), whole=2 * MB)
        until(lambda: any(r["state"] == "active" for r in
                          sluice.console("SHOW SERVERS")))
        c.abort()
        with client(sluice) as other, Deadline(5):
            assert other.ask_rows("SELECT 1") == [("1",)]
    until(lambda: "middle of a message" in sluice.tail(50))


def test_server_dies_in_the_middle(sluice, pg):
    c = client(sluice, timeout=20)
    send_bind(c, 10 * MB, parse("", LENGTH), whole=2 * MB)
    until(lambda: any(r["state"] == "active" for r in
                      sluice.console("SHOW SERVERS")))
    pg.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE usename = 'app'")
    with pytest.raises(Closed):
        while True:
            c.send(CHUNK)
    c.abort()
    with client(sluice) as other:
        assert other.ask_rows("SELECT 1") == [("1",)]


def test_slow_ones_hurt_nobody(sluice):
    """One does not read its rows, one stops in the middle of a value: a third
    one has all its answers meanwhile. On one worker."""
    sluice.rewrite(CONF.replace("pool_size = 2", "pool_size = 3"))
    sluice.reload()
    with client(sluice) as reader, client(sluice) as writer, \
            client(sluice) as fast:
        before = highest(sluice)
        reader.send(query(f"SELECT repeat('x', {LONG})"))
        send_bind(writer, 10 * MB, parse("", LENGTH), whole=5 * MB)
        with Deadline(60):
            for i in range(3000):
                assert fast.ask_rows(f"SELECT {i}") == [(str(i),)]
        if not sanitized():
            assert highest(sluice) - before < GROWTH
        got = [skip_message(reader) for _ in range(4)]
        assert got[1] == ("D", LONG + 6)
        send_body(writer, 5 * MB)
        writer.send(b"\0\0" + execute() + sync())
        assert rows(writer.read_until_ready()) == [(b"10485760",)]


@pytest.mark.parametrize("kind,sqlstate", [
    ("P", "53200"), ("D", "08P01"), ("C", "08P01"), ("E", "08P01"),
    ("S", "08P01"), ("H", "08P01")])
def test_what_may_not_be_long(sluice, kind, sqlstate):
    """Refused by its length alone."""
    with client(sluice) as c:
        c.send(kind.encode() + struct.pack("!I", 100 * MB))
        assert sqlstates(c.recv_to_end()) == [sqlstate]
