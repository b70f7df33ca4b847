# SPDX-License-Identifier: PostgreSQL
"""A thousand clients ask for one thing that is not there yet."""

import contextlib
import resource
import socket
import time

import pytest

import rawpg
from harness import until

CLIENTS = 1000

CONF = """
auth = "trust"
admin_users = {"app"}
pool_size = 20
max_client_conn = 1200
cache_fill_wait = "300s"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
cache "items" { tables = {"item"} ttl = "1h" l2 = false }
"""

SCHEMA = """
SET ROLE app;
CREATE TABLE item (id int PRIMARY KEY, name text);
INSERT INTO item SELECT n, 'name ' || n FROM generate_series(1, 100) n;
"""

MARK = "stampede of test"


@pytest.fixture(autouse=True)
def files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(
        hard, 4 * CLIENTS)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def sluice(pg, db, pgsluice):
    pg.psql(SCHEMA, db)
    pg.psql(f"ALTER DATABASE {db} SET log_statement = 'all'")
    return pgsluice(CONF)


@pytest.fixture
def holder(sluice, pg, db):
    """Before the crowd: psycopg knows no descriptor over 1,023."""
    with pg.connect(db, autocommit=False) as conn:
        yield conn


@pytest.fixture
def crowd(sluice, holder):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(rawpg.RawConn(
            "127.0.0.1", sluice.port, "app", "app", timeout=120))
            for _ in range(CLIENTS)]


def asked(pg, mark):
    """How often the server was asked, by its own log."""
    return sum(mark in line and "LOG:  statement:" in line
               for line in pg.log.splitlines())


def begin(crowd, holder, sluice, pg, db, mark):
    """All ask; the first of them leads, and waits for the holder."""
    sql = f"SELECT name FROM item WHERE id = 7 /* {mark} */"
    holder.execute("LOCK TABLE item IN ACCESS EXCLUSIVE MODE")
    began = time.monotonic()
    crowd[0].send(rawpg.query(sql))
    until(lambda: pg.pids(datname=db, wait_event_type="Lock"), 60)
    for c in crowd[1:]:
        c.send(rawpg.query(sql))
    until(lambda: sluice.count("cache_waits") == len(crowd) - 1, 60)
    time.sleep(max(0, 1 - (time.monotonic() - began)))


def end(crowd, holder):
    holder.rollback()
    for c in crowd:
        assert rawpg.text_rows(c.read_until_ready()) == [("name 7",)]


def test_a_thousand_ask_once(crowd, holder, sluice, pg, db):
    mark = f"{MARK} {db}"
    begin(crowd, holder, sluice, pg, db, mark)
    end(crowd, holder)
    assert asked(pg, mark) == 1
    assert sluice.count("cache_misses") == 1
    assert sluice.count("cache_hits_l1") == CLIENTS - 1


def test_the_leader_dies(crowd, holder, sluice, pg, db):
    mark = f"{MARK} {db}"
    begin(crowd, holder, sluice, pg, db, mark)
    leader = crowd.pop(0)
    leader.sock.shutdown(socket.SHUT_RDWR)
    until(lambda: asked(pg, mark) == 2, 60)
    end(crowd, holder)
    assert asked(pg, mark) == 2
    assert sluice.count("cache_hits_l1") == CLIENTS - 2
