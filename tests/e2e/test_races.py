# SPDX-License-Identifier: PostgreSQL
"""Events that come in the same turn of a worker: the daemon is stopped while
they gather, so that it finds them together."""

import contextlib
import signal
import time

import pytest

from harness import Deadline, until
from rawpg import (RawConn, cancel_request, query, rows, sqlstates, text_rows,
                   types)

CONF = """
auth = "trust"
admin_users = {"app"}
pool_size = $SIZE
workers = $WORKERS
cache_fill_wait = "20s"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" cache = true }
cache "one" { tables = {"one"} ttl = "60s" grace = "0" l2 = false }
cache "two" { tables = {"two"} ttl = "60s" grace = "0" l2 = false }
"""

SCHEMA = """
SET ROLE app;
CREATE TABLE one (id int PRIMARY KEY, name text);
INSERT INTO one SELECT n, 'one ' || n FROM generate_series(1, 10) n;
CREATE TABLE two (id int PRIMARY KEY, name text);
INSERT INTO two SELECT n, 'two ' || n FROM generate_series(1, 10) n;
"""


@pytest.fixture
def make(pg, db, pgsluice):
    pg.psql(SCHEMA, db)
    return lambda size, workers=1: pgsluice(CONF, SIZE=size, WORKERS=workers)


def client(sluice, startup=True):
    if not startup:
        return RawConn("127.0.0.1", sluice.port, startup=False)
    return RawConn("127.0.0.1", sluice.port, "app", "app")


@contextlib.contextmanager
def stopped(sluice):
    """In the block the daemon sees nothing; behind it, all at once."""
    sluice.proc.send_signal(signal.SIGSTOP)
    try:
        time.sleep(0.05)
        yield
        time.sleep(0.1)
    finally:
        sluice.proc.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def locked(pg, db, table):
    """Nobody reads the table in the block; yields what ends it early."""
    with pg.connect(db, autocommit=False) as conn:
        conn.execute(f"LOCK {table} IN ACCESS EXCLUSIVE MODE")
        yield conn.rollback


def waiting(pg, db, count):
    """So many statements wait for a lock."""
    until(lambda: len(pg.pids(datname=db, wait_event_type="Lock")) == count)


def check_alive(sluice):
    with client(sluice) as c, Deadline(10):
        assert c.ask_rows("SELECT 1") == [("1",)]
    assert sluice.proc.poll() is None


def test_wake_behind_a_cancel(make, pg, db):
    """A fill that ends as its waiter is cancelled is no answer to what the
    waiter asks next."""
    sluice = make(6)
    for n in (1, 2, 3):
        first = query(f"SELECT name FROM one WHERE id = {n}")
        second = query(f"SELECT name FROM two WHERE id = {n}")
        with locked(pg, db, "one") as free_one, \
                locked(pg, db, "two") as free_two, \
                client(sluice) as a, client(sluice) as b, \
                client(sluice) as victim, \
                client(sluice, startup=False) as cancel:
            a.send(first)
            b.send(second)
            waiting(pg, db, 2)
            victim.send(first + second)
            time.sleep(0.2)
            with stopped(sluice):
                cancel.send(cancel_request(*victim.key))
                free_one()
            assert text_rows(a.read_until_ready()) == [(f"one {n}",)]
            time.sleep(0.1)
            free_two()
            m = victim.read_until_ready(2)
            assert rows(m)[-1] == (b"two %d" % n,), (sqlstates(m), rows(m))
            assert text_rows(b.read_until_ready()) == [(f"two {n}",)]


def test_cancel_and_grant_together(make):
    """A waiter that is cancelled as it gets the server, and then leaves: the
    next in line has it."""
    sluice = make(1)
    for _ in range(4):
        holder, victim, third = (client(sluice) for _ in range(3))
        with client(sluice, startup=False) as cancel:
            holder.ask("BEGIN")
            holder.ask("SELECT 1")
            victim.send(query("SELECT 10") + query("SELECT 20"))
            time.sleep(0.1)
            third.send(query("SELECT pg_sleep(0.2)"))
            time.sleep(0.1)
            with stopped(sluice):
                cancel.send(cancel_request(*victim.key))
                holder.send(query("COMMIT"))
            time.sleep(0.05)
            victim.reset()
            assert types(third.read_until_ready()) == "TDCZ"
            assert types(holder.read_until_ready()) == "CZ"
        holder.close()
        third.close()
        check_alive(sluice)


def test_cancels_among_grants_of_two_workers(make):
    """The same between workers, where a grant is a message on its way."""
    sluice = make(1, workers=2)
    noise = [client(sluice) for _ in range(12)]
    end = time.monotonic() + 6
    serial = 0
    while time.monotonic() < end:
        holder, victim, third = (client(sluice) for _ in range(3))
        cancels = [client(sluice, startup=False) for _ in range(4)]
        holder.send(query("SELECT pg_sleep(0.35)"))
        time.sleep(0.08)
        victim.send(query("SELECT 10") + query("SELECT 20"))
        time.sleep(0.05)
        third.send(query("SELECT pg_sleep(0.1)"))
        time.sleep(0.05)
        with stopped(sluice):
            # Statements of new shapes keep the workers busy for a while.
            for c in noise:
                serial += 1
                c.send(query("EXPLAIN (ROUTE) SELECT " + ",".join(
                    f"{k} AS c{serial}_{k}" for k in range(300))))
            for c in cancels:
                c.send(cancel_request(*victim.key))
            time.sleep(0.1)
        for c in noise:
            c.read_until_ready()
        victim.reset()
        assert types(third.read_until_ready()) == "TDCZ"
        for c in cancels + [holder, third]:
            c.abort()
    for c in noise:
        c.close()
    check_alive(sluice)


def test_client_resets_as_its_last_answer_is_sent(make, pg, db):
    """Its server serves those in line behind it."""
    sluice = make(1, workers=2)
    for n in range(6):
        a = client(sluice)
        others = [client(sluice) for _ in range(6)]
        with locked(pg, db, "one") as free:
            a.send(query("SELECT name FROM one WHERE id < 100 "
                         f"AND name <> '{n}'"))
            waiting(pg, db, 1)
            for c in others:
                c.send(query("SELECT 5"))
            time.sleep(0.1)
            with stopped(sluice):
                free()
                time.sleep(0.1)
                a.reset()
            for c in others:
                assert text_rows(c.read_until_ready()) == [("5",)]
                c.close()
    check_alive(sluice)


def test_idle_servers_go_to_whoever_waits(make):
    """Three workers and as many servers as clients: nobody waits for a
    server that stands idle at another worker."""
    sluice = make(3, workers=3)
    for _ in range(12):
        clients = [client(sluice) for _ in range(3)]
        for c in clients:
            c.send(query("SELECT pg_sleep(0.05)"))
        for c in clients:
            c.read_until_ready()
            c.close()
        clients = [client(sluice) for _ in range(3)]
        for c in clients:
            c.send(query("BEGIN") + query("SELECT 1"))
        with Deadline(4):
            for c in clients:
                assert types(c.read_until_ready(2)) == "CZTDCZ"
        for c in clients:
            c.reset()
        time.sleep(0.05)
    check_alive(sluice)
