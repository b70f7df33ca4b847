# SPDX-License-Identifier: PostgreSQL
"""No memory for what a peer made large: that peer is told 53200 or gets its
right answer all the same, nobody else notices, and the daemon lives.

A library preloaded into the daemon makes its allocations fail, from a size on,
the first, the second and so on in turn."""

import contextlib
import fcntl
import mmap
import os
import signal
import struct
import subprocess
import termios
import time

import pytest

from harness import HERE, until
from rawpg import (Closed, RawConn, bind, bodies, close, copy_data, copy_done,
                   describe, execute, parse, query, sqlstates, sync, tags, text_rows)

CONF = """
auth = "trust"
admin_users = {"app"}
workers = 1
pool_size = 4
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" cache = true }
redis_host = "127.0.0.1"
redis_port = $REDIS
cache "rows" { tables = {"t"} ttl = "60s" l2 = true }
table "events" {
    databases = {"app"}
    use = "plain"
    variant "plain" {
        kind = "plain"
        backend = "main"
        relation = "events_plain"
    }
}
"""

LARGE = 100_000
FROM = 32_768
TEXT = "x" * LARGE
FIELDS = ("from", "skip", "fail", "seen", "failed")


class Control:
    """The file that the preloaded library looks at."""

    def __init__(self, path):
        with open(path, "wb") as f:
            f.write(b"\0" * 8 * len(FIELDS))
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 0)

    def __getitem__(self, name):
        return struct.unpack_from("=Q", self.map, 8 * FIELDS.index(name))[0]

    def __setitem__(self, name, value):
        struct.pack_into("=Q", self.map, 8 * FIELDS.index(name), value)

    def let(self, skip, fail=1, size=FROM):
        """From now on: so many pass, so many fail."""
        self["from"] = 0
        for name, value in (("skip", skip), ("fail", fail), ("seen", 0),
                            ("failed", 0), ("from", size)):
            self[name] = value

    def off(self):
        self["from"] = 0


@pytest.fixture(scope="session")
def library(lab):
    out = os.path.join(lab.work, "nomem.so")
    subprocess.run([*os.environ.get("CC", "cc").split(), "-std=gnu11", "-O2",
                    "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o",
                    out, os.path.join(HERE, "nomem", "nomem.c"), "-ldl"],
                   check=True, timeout=120)
    return out


@pytest.fixture
def memory(lab):
    return Control(os.path.join(lab.work, "nomem.control"))


@pytest.fixture
def sluice(lab, pg, db, redis, pgsluice, library, memory):
    pg.psql("SET ROLE app; CREATE TABLE t (id int PRIMARY KEY, v text); "
            f"INSERT INTO t SELECT n, repeat(n::text, {LARGE}) "
            "FROM generate_series(1, 3) n; CREATE TABLE events_plain AS "
            "SELECT * FROM t; CREATE TABLE filled (v text)", db)
    return pgsluice(CONF, environment={
        "LD_PRELOAD": library, "NOMEM": os.path.join(lab.work,
                                                     "nomem.control"),
        # The library stands before ASan's, and calls it.
        "ASAN_OPTIONS": "verify_asan_link_order=0:exitcode=99"})


def client(sluice, **kw):
    return RawConn("127.0.0.1", sluice.port, "app", "app", timeout=30, **kw)


# -- what is large ----------------------------------------------------------------

class Refused(Exception):
    """By an error; the SQLSTATE."""


def answer(c, data, count=1, ends="Z"):
    """Messages up to so many ReadyForQuery; an error among them is raised,
    also that of a session that was closed."""
    found = []
    with contextlib.suppress(Closed, ConnectionError):
        c.send(data)
    with contextlib.suppress(Closed):
        while count:
            found.append(c.recv_message())
            count -= found[-1][0] in ends
    if sqlstates(found) or count:
        raise Refused((sqlstates(found) or ["closed"])[0])
    return found


def ask(c, *data):
    """Of the units: rows and tags."""
    out = []
    for one in data:
        messages = answer(c, one)
        out.append((text_rows(messages), tags(messages)))
    return out


def once(sql, values=()):
    return (parse("", sql) + bind("", "", values) + describe("P") +
            execute() + sync())


def arrived(c):
    """Bytes that the kernel keeps for the client."""
    n = bytearray(4)
    fcntl.ioctl(c.sock, termios.FIONREAD, n)
    return struct.unpack("=i", n)[0]


def late_reader(c):
    """Nothing is read until no more comes: the rest has to wait here."""
    c.send(query(f"SELECT repeat('y', {LARGE}) FROM generate_series(1, 300)"))
    before = -1
    while arrived(c) == 0 or arrived(c) != before:
        before = arrived(c)
        time.sleep(0.2)
    return text_rows(answer(c, b""))


def copy_in(c):
    answer(c, query("COPY filled FROM STDIN"), ends="GZ")
    answer(c, copy_data(TEXT.encode() + b"\n") * 5 + copy_done())
    return ask(c, query("SELECT count(*) > 4, max(length(v)) FROM filled"))


def copy_out(c):
    return bodies(answer(c, query(
        f"COPY (SELECT repeat('z', {LARGE})) TO STDOUT")), "d")


def pipeline(c):
    return text_rows(answer(c, b"".join(
        parse(f"s{n}", f"SELECT {n}") + bind("", f"s{n}") + execute()
        for n in range(3000)) + sync()))


def queries(c):
    return text_rows(answer(c, b"".join(
        query(f"SELECT {n}") for n in range(3000)), 3000))


def error_text(c):
    """The error is the right answer here."""
    try:
        answer(c, query(f"SELECT nothing /* {TEXT} */"))
    except Refused as e:
        if str(e) != "42703":
            raise
        return str(e)


# Large, but nothing large is asked for: these stream.
STREAMS = {
    "result": lambda c: ask(c, query(f"SELECT repeat('y', {LARGE * 10})")),
    "COPY in": copy_in,
    "COPY out": copy_out,
    "many queries": queries,
}

# Or in other words: the server's message cannot be read, which ends its
# connection; EXPLAIN (ROUTE) cannot read a text without memory; in the middle
# of a row nothing can be said.
REFUSALS = {"53200", "08006"}
MORE = {"explained": {"54000"}, "result read late": {"closed"}}

CASES = {
    "query": lambda c: ask(c, query(f"SELECT length('{TEXT}')")),
    "query that streams": lambda c: ask(
        c, query(f"SELECT length('{TEXT * 12}')")),
    "extended": lambda c: ask(c, once(f"SELECT length('{TEXT}')")),
    "value": lambda c: ask(c, once("SELECT length($1::text)", [TEXT])),
    "value that streams": lambda c: ask(
        c, once("SELECT length($1::text)", [TEXT * 12])),
    "named": lambda c: ask(
        c, parse("n", f"SELECT length('{TEXT}'), $1") + sync(),
        bind("", "n", ["1"]) + execute() + sync(),
        bind("", "n", ["2"]) + execute() + close("S", "n") + sync()),
    "long name": lambda c: ask(
        c, parse(TEXT, "SELECT 1") + sync(),
        bind("", TEXT) + execute() + sync(), close("S", TEXT) + sync()),
    "routed": lambda c: ask(
        c, query(f"SELECT id FROM events WHERE id = 1 AND v <> '{TEXT}'"),
        once(f"SELECT id FROM events WHERE id = 2 AND v <> '{TEXT}'")),
    "explained": lambda c: [row for row in ask(
        c, query(f"EXPLAIN (ROUTE) SELECT * FROM events WHERE v = '{TEXT}'"))
        [0][0] if row[0] in ("table", "variant", "backend")],
    "SQL's PREPARE": lambda c: ask(
        c, query(f"PREPARE p AS SELECT length('{TEXT}')"),
        query("EXECUTE p"), query("DEALLOCATE p")),
    "setting": lambda c: ask(
        c, query(f"SET my.setting = '{TEXT}'"),
        query("SELECT length(current_setting('my.setting'))"),
        query("RESET my.setting")),
    "set_config": lambda c: ask(
        c, once("SELECT length(set_config('my.other', $1, false))", [TEXT]),
        query("SELECT length(current_setting('my.other'))")),
    "application_name": lambda c: ask(
        c, query(f"SET application_name = '{TEXT}'"), query("SELECT 1")),
    "BEGIN with a comment": lambda c: ask(
        c, query(f"BEGIN /* {TEXT} */"), query("SELECT 1"), query("COMMIT")),
    "cached": lambda c: ask(c, query("SELECT v FROM t WHERE id = 1"),
                            query("SELECT v FROM t WHERE id = 1"),
                            query("UPDATE t SET id = id WHERE id = 1")),
    "cached, long text": lambda c: ask(
        c, once(f"SELECT id FROM t WHERE id = $1 AND v <> '{TEXT}'", ["2"]),
        once(f"SELECT id FROM t WHERE id = $1 AND v <> '{TEXT}'", ["2"]),
        query("UPDATE t SET id = id WHERE id = 2")),
    "result read late": late_reader,
    "error": error_text,
    "pipeline": pipeline,
}


def attempt(sluice, case):
    """(result, None) or (None, SQLSTATE)."""
    with client(sluice) as c:
        try:
            return case(c), None
        except Refused as e:
            return None, str(e)


@pytest.mark.parametrize("name", CASES)
def test_one_allocation_fails(sluice, memory, name):
    case = CASES[name]
    right, refused = attempt(sluice, case)
    assert refused is None
    with client(sluice) as bystander:
        def notices_nothing():
            assert bystander.ask_rows("SELECT 'calm'") == [("calm",)]
        notices_nothing()
        told = set()
        for n in range(200):
            memory.let(n)
            result, refused = attempt(sluice, case)
            hit = memory["failed"]
            memory.off()
            notices_nothing()
            assert sluice.proc.poll() is None
            if refused is None:
                assert result == right
            else:
                assert hit and refused in REFUSALS | MORE.get(name, set()), \
                    (n, refused)
                told.add(refused)
                assert refused == "54000" or until(
                    lambda: "out of memory" in sluice.log)
            if not hit:
                break
        assert not hit and n > 0, "nothing of that size was asked for"
        assert told <= MORE.get(name, set()) or "53200" in told
        assert attempt(sluice, case) == (right, None)


@pytest.mark.parametrize("name", STREAMS)
def test_what_streams_needs_no_memory(sluice, memory, name):
    right = attempt(sluice, STREAMS[name])
    assert right[1] is None
    memory.let(0, 10 ** 6)
    assert attempt(sluice, STREAMS[name]) == right
    memory.off()


def test_nothing_large_for_anybody(sluice, memory):
    """For a while, each of many clients is refused what is large, and served
    with what is small."""
    memory.let(0, 10 ** 6)
    with client(sluice) as small:
        for n in range(50):
            assert attempt(sluice, CASES["query"]) == (None, "53200")
            assert small.ask_rows(f"SELECT {n}") == [(str(n),)]
        # A result that is too large to be kept is not, and complete.
        rows = small.ask_rows("SELECT v FROM t WHERE id = 1")
        assert [len(v) for (v,) in rows] == [LARGE]
        assert memory["failed"] > 50
    memory.off()
    assert attempt(sluice, CASES["query"])[1] is None


def test_without_memory_for_its_own_the_daemon_says_so(sluice, memory, lab):
    """What no peer made large is not expected to fail: the end, with a reason,
    and at once instead of later with something half done."""
    memory.let(0, 10 ** 6, size=1)
    with pytest.raises((Closed, ConnectionError)):
        client(sluice)
    memory.off()
    assert sluice.proc.wait(20) == -signal.SIGABRT
    found = [line for line in sluice.log.splitlines() if "level=panic" in line]
    assert len(found) == 1 and 'what="out of memory"' in found[0]
    sluice.proc = None
