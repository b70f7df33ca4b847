# SPDX-License-Identifier: PostgreSQL
"""A cancel hits the query it was meant for, and nothing else, ever."""

import random
import socket
import struct
import threading
import time

import psycopg
import pytest

import fakepg
import rawpg
from harness import Deadline, until

CONF = """
auth = "trust"
admin_users = {"app"}
pool_size = $SIZE
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" pool_mode = "$MODE" }
"""


@pytest.fixture
def make(pg, db, pgsluice):
    return lambda size=2, mode="transaction": pgsluice(CONF, SIZE=size,
                                                       MODE=mode)


def running(pg, db):
    return pg.pids(datname=db, usename="app", state="active")


def send_cancel(port, pid, key):
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.settimeout(10)
        s.sendall(struct.pack("!IIiI", 16, 80877102, pid, key))
        # No answer, ever: the connection is closed.
        assert s.recv(1) == b""


def cancelled_while(conn, sql, act):
    """Run sql in a thread, act() meanwhile; its SQLSTATE or None."""
    result = []

    def run():
        try:
            conn.execute(sql)
            result.append(None)
        except psycopg.Error as e:
            result.append(e.sqlstate)
    t = threading.Thread(target=run)
    t.start()
    act()
    t.join(60)
    assert result, "the query hangs"
    return result[0]


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_cancel_ends_the_query(make, pg, db, mode):
    sluice = make(mode=mode)

    def act():
        until(lambda: running(pg, db))
        conn.cancel()
    with sluice.connect() as conn, Deadline(20):
        assert cancelled_while(conn, "SELECT pg_sleep(60)", act) == "57014"
        assert conn.execute("SELECT 1").fetchone() == (1,)
    assert not running(pg, db)


def test_cancel_inside_a_transaction(make, pg, db):
    sluice = make()

    def act():
        until(lambda: running(pg, db))
        conn.cancel()
    with sluice.connect() as conn:
        conn.execute("BEGIN")
        assert cancelled_while(conn, "SELECT pg_sleep(60)", act) == "57014"
        conn.execute("ROLLBACK")
        assert conn.execute("SELECT 1").fetchone() == (1,)


def test_cancel_of_a_copy(make, pg, db):
    sluice = make()
    with sluice.connect() as conn:
        conn.execute("CREATE TABLE t (a text)")
        with pytest.raises(psycopg.errors.QueryCanceled):
            with conn.cursor().copy("COPY t FROM STDIN") as copy:
                copy.write(b"one\n")
                until(lambda: running(pg, db))
                conn.cancel()
                end = time.monotonic() + 20
                while time.monotonic() < end:
                    copy.write(b"more\n")
        assert conn.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_cancel_while_waiting_for_a_server(make):
    sluice = make(1)
    with sluice.connect() as holder, sluice.connect() as waiter:
        holder.execute("BEGIN")
        holder.execute("SELECT 1")

        def act():
            until(lambda: sluice.count("waits") >= 1)
            waiter.cancel()
        with Deadline(20):
            assert cancelled_while(waiter, "SELECT 'mine'", act) == "57014"
        # The holder was not meant.
        assert holder.execute("SELECT 2").fetchone() == (2,)
        holder.execute("COMMIT")
        assert waiter.execute("SELECT 3").fetchone() == (3,)


def test_cancel_when_nothing_runs_does_nothing(make):
    sluice = make(1)
    with sluice.connect() as one, sluice.connect() as two:
        one.execute("SELECT 1")
        with sluice.counting(cancels_ignored=3):
            for _ in range(3):
                one.cancel()
        for conn in (two, one):
            assert conn.execute("SELECT pg_sleep(0.2)").rowcount == 1


def test_cancel_with_a_wrong_key(make, pg, db):
    sluice = make(1)

    def act():
        until(lambda: running(pg, db))
        pid = conn.info.backend_pid
        for key in (0, 1, 0xffffffff):
            send_cancel(sluice.port, pid, key)
        send_cancel(sluice.port, pid + 1, 12345)
        # Nor does the server's own pid help.
        send_cancel(sluice.port, running(pg, db)[0], 12345)
    with sluice.connect() as conn:
        assert cancelled_while(conn, "SELECT pg_sleep(1)", act) is None


def test_keys_are_all_different(make):
    sluice = make()
    clients = [sluice.connect() for _ in range(50)]
    assert len({c.info.backend_pid for c in clients}) == 50
    for c in clients:
        c.close()


@pytest.mark.parametrize("body", [
    b"", b"\0" * 4, b"\0" * 7, b"\0" * 9, b"\0" * 300])
def test_cancel_request_of_a_wrong_size(make, body):
    sluice = make()
    with socket.create_connection(("127.0.0.1", sluice.port)) as s:
        s.settimeout(10)
        s.sendall(struct.pack("!II", 8 + len(body), 80877102) + body)
        try:
            assert b"R" not in s.recv(100)
        except ConnectionError:
            pass
    assert sluice.query("SELECT 1") == [(1,)]


def test_late_cancels_hit_nobody_else(make):
    """Sixteen clients on two servers; half of them cancel at random times.
    Who never cancels is never cancelled, and every answer is one's own."""
    sluice = make(2)
    stop = time.monotonic() + 8
    problems, cancelled = [], [0]

    def canceller(n):
        rng = random.Random(n)
        with sluice.connect() as conn:
            while time.monotonic() < stop:
                timer = threading.Timer(rng.random() * 0.02, conn.cancel)
                timer.start()
                try:
                    conn.execute("SELECT pg_sleep(0.01)")
                except psycopg.errors.QueryCanceled:
                    cancelled[0] += 1
                timer.join()

    def innocent(n):
        k = 0
        with sluice.connect() as conn:
            while time.monotonic() < stop:
                k += 1
                token = f"{n}-{k}"
                try:
                    row = conn.execute("SELECT %s", (token,)).fetchone()
                    if row != (token,):
                        problems.append(f"{token} got {row}")
                except psycopg.Error as e:
                    problems.append(f"{token}: {e}")
    threads = [threading.Thread(target=canceller if n % 2 else innocent,
                                args=(n,)) for n in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert not problems, problems[:5]
    assert cancelled[0] >= 10, "hardly any cancel arrived in time"


def raw(sluice):
    return rawpg.RawConn("127.0.0.1", sluice.port, "app", "app", timeout=30)


def test_a_late_cancel_spares_the_sessions_next_statement(make):
    """The cancel arrives at any moment of a short statement; once its
    connection is closed, the next statement is safe: the session holds on
    to its server, so nothing but time separates the two."""
    sluice = make(1, "session")
    rng = random.Random(32)
    hits = 0
    with raw(sluice) as conn, Deadline(60):
        for _ in range(150):
            conn.send(rawpg.query("SELECT pg_sleep(0.003)"))
            time.sleep(rng.random() * 0.006)
            assert conn.cancel() == []
            hits += rawpg.sqlstates(conn.read_until_ready()) == ["57014"]
            assert not rawpg.errors(conn.ask("SELECT pg_sleep(0.004)"))
    assert 0 < hits < 150


class SlowCancel(fakepg.FakePG):
    """Keeps the connection of a cancel request open until released."""

    def __init__(self):
        self.release = threading.Event()
        self.asked = threading.Event()
        self.seen = []
        super().__init__()
        self.cancels = self

    def append(self, cancel):
        self.seen.append(cancel)
        self.asked.set()
        self.release.wait(30)


@pytest.mark.parametrize("pipelined", [False, True])
@pytest.mark.parametrize("messages", [
    rawpg.query("SELECT 'next'"),
    rawpg.parse("", "SELECT 'next'") + rawpg.bind("", "") +
    rawpg.describe("P") + rawpg.execute() + rawpg.sync()],
    ids=["simple", "extended"])
def test_the_next_statement_waits_for_the_cancel_to_be_through(
        pgsluice, messages, pipelined):
    finish, early = threading.Event(), []

    def first(conn, _):
        finish.wait(30)
        conn.send(fakepg.complete("SELECT 0") + fakepg.ready())

    class Fake(SlowCancel):
        def script(self, sql):
            if sql == "SELECT 'next'" and not self.release.is_set():
                early.append(sql)
            return super().script(sql)

    with Fake() as fake:
        fake.on("SELECT 'first'", first)
        sluice = pgsluice(CONF, SIZE=1, MODE="session", PG=fake.port)
        with raw(sluice) as conn, Deadline(30):
            conn.send(rawpg.query("SELECT 'first'"))
            until(lambda: sluice.count("queries") >= 1)
            conn.cancel()
            assert fake.asked.wait(20)
            # The statement ends by itself, the cancel is still under way.
            if pipelined:
                conn.send(messages)
                until(lambda: sluice.count("queries") >= 2)
            finish.set()
            conn.read_until_ready()
            if not pipelined:
                conn.send(messages)
            until(lambda: "cancel_wait" in str(
                sluice.console("SHOW CLIENTS")))
            assert not early and conn.recv_nothing(0)
            fake.release.set()
            assert not rawpg.errors(conn.read_until_ready())
        assert len(fake.seen) == 1


def test_who_waits_for_a_fill_is_cancelled_alone(pg, db, pgsluice):
    """The session that runs the query, and the other one that waits for it,
    get what they came for; and a leader's cancel is its own."""
    pg.psql("CREATE TABLE t AS SELECT 7 AS a; GRANT ALL ON t TO app", db)
    sluice = pgsluice("""
auth = "trust"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
cache "all" { tables = {"t"} ttl = "60s" l2 = false }
""")
    with raw(sluice) as leader, raw(sluice) as waiter, raw(sluice) as other, \
            pg.connect(db) as lock, Deadline(30):
        lock.execute("BEGIN; LOCK TABLE t")
        for conn, waits in ((leader, 0), (waiter, 1), (other, 2)):
            conn.send(rawpg.query("SELECT a FROM t"))
            until(lambda: sluice.count("cache_waits") >= waits and
                  running(pg, db))
        waiter.cancel()
        assert rawpg.sqlstates(waiter.read_until_ready()) == ["57014"]
        lock.execute("COMMIT")
        for conn in (leader, other):
            assert rawpg.text_rows(conn.read_until_ready()) == [("7",)]
