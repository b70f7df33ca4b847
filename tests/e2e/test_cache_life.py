# SPDX-License-Identifier: PostgreSQL
"""Lives of results: without rows, fetched anew ahead of their end, and beyond it
when no server can be had."""

import concurrent.futures
import time

import pytest

import rawpg
from harness import bound, until, whole

CONF = """
auth = "trust"
admin_users = {"app"}
pool_size = $SIZE
query_wait_timeout = "$WAIT"
cache_fill_wait = "300s"
layout_user = "app"
revocation_bound = "$BOUND"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
cache "items" { tables = {"item"} l2 = false $RULE }
"""

SCHEMA = """
SET ROLE app;
CREATE TABLE item (id int PRIMARY KEY, name text);
INSERT INTO item SELECT n, 'name ' || n FROM generate_series(1, 100) n;
CREATE TABLE other (id int);
"""

ONE = "SELECT name FROM item WHERE id = 1"
NONE = "SELECT name FROM item WHERE id = -1"


@pytest.fixture
def make(pg, db, pgsluice):
    def start(rule, size=4, wait="300s", bound_to="0"):
        return pgsluice(CONF, RULE=rule, SIZE=size, WAIT=wait,
                        BOUND=bound_to)
    pg.psql(SCHEMA, db)
    return start


def raw(sluice):
    return rawpg.RawConn("127.0.0.1", sluice.port, "app", "app")


def bypassed(sluice, reason):
    return next(r["value"] for r in sluice.console("SHOW CACHE")
                if (r["section"], r["name"]) == ("bypass", reason))


def waiting(pg, db):
    return len(pg.pids(datname=db, wait_event_type="Lock"))


# -- results without rows ---------------------------------------------------------

def test_results_without_rows_are_not_kept(make):
    sluice = make('ttl = "1h" ttl_empty = 0')
    with raw(sluice) as c, sluice.counting(
            cache_misses=3, cache_hits_l1=1, cache_stores=1,
            cache_stores_empty=0):
        for sql in (NONE, NONE, ONE, ONE):
            c.ask(sql)
    assert bypassed(sluice, "empty") == 2


def test_results_without_rows_have_a_life_of_their_own(make):
    sluice = make('ttl = "1ms" ttl_empty = "1h"')
    with raw(sluice) as c, sluice.counting(
            cache_misses=3, cache_hits_l1=1, cache_stores=3,
            cache_stores_empty=1):
        for sql in (NONE, NONE, ONE, ONE):
            c.ask(sql)
            time.sleep(0.02)


# -- ahead of time ------------------------------------------------------------------

def test_a_hot_result_is_fetched_anew_by_one(make, pg, db):
    """... while others go on hitting."""
    sluice = make('ttl = "40s" refresh_ahead = 90')
    with raw(sluice) as c, raw(sluice) as other, \
            concurrent.futures.ThreadPoolExecutor(1) as pool:
        with sluice.counting(cache_hits_l1=3, cache_refreshes=0):
            for _ in range(4):
                c.ask(ONE)
        pg.psql("UPDATE item SET name = 'new'", db)
        time.sleep(4.1)
        with pg.connect(db, autocommit=False) as holder:
            holder.execute("LOCK TABLE item IN ACCESS EXCLUSIVE MODE")
            anew = pool.submit(c.ask, ONE)
            until(lambda: waiting(pg, db) == 1, 20)
            with sluice.counting(cache_hits_l1=5, cache_waits=0):
                for _ in range(5):
                    assert rawpg.text_rows(other.ask(ONE)) == [("name 1",)]
            holder.rollback()
        assert rawpg.text_rows(anew.result()) == [("new",)]
        assert sluice.count("cache_refreshes") == 1
        with sluice.counting(cache_hits_l1=1):
            assert rawpg.text_rows(other.ask(ONE)) == [("new",)]


def test_a_renewal_that_fails_ends_nothing(make, pg, db):
    """Of one session's statement_timeout: the others go on hitting."""
    sluice = make('ttl = "20s" refresh_ahead = 90')
    with raw(sluice) as c, raw(sluice) as other:
        c.ask("SET statement_timeout = '100ms'")
        for _ in range(3):
            other.ask(ONE)
        time.sleep(2.1)
        with pg.connect(db, autocommit=False) as holder:
            holder.execute("LOCK TABLE item IN ACCESS EXCLUSIVE MODE")
            assert rawpg.sqlstates(c.ask(ONE)) == ["57014"]
            with sluice.counting(cache_hits_l1=2, cache_misses=0):
                for conn in (other, c):
                    assert rawpg.text_rows(conn.ask(ONE)) == [("name 1",)]
            holder.rollback()


# -- without a server ------------------------------------------------------------------

STALE = 'ttl = "1ms" stale_if_error = "1h"'


def test_an_old_result_where_no_server_can_be_had(make, pg):
    sluice = make(STALE)
    with raw(sluice) as c:
        good = c.ask(ONE)
        extended = whole(ONE)
        c.send(extended)
        described = c.read_until_ready()
        c.ask("SELECT id FROM item WHERE id = 5")
        c.ask("SELECT 1 FROM other")
        pg.stop()
        with sluice.counting(cache_stale_served=3):
            assert c.ask(ONE) == good
            c.send(extended)
            assert c.read_until_ready() == described
            assert c.ask(ONE) == good
        # Not what there is none of, nor what no rule names.
        assert rawpg.errors(c.ask("SELECT id FROM item WHERE id = 6"))
        assert rawpg.errors(c.ask("SELECT 1 FROM other"))
        pg.start()
        until(lambda: not rawpg.errors(c.ask("SELECT 1 FROM other")), 30)
        with sluice.counting(cache_stale_served=0, cache_misses=1):
            assert c.ask(ONE) == good


def test_never_after_a_write(make, pg):
    sluice = make(STALE)
    with raw(sluice) as c:
        c.ask(ONE)
        c.ask("UPDATE item SET name = 'new' WHERE id = 1")
        pg.stop()
        assert rawpg.errors(c.ask(ONE))
    assert sluice.count("cache_stale_served") == 0


def test_not_without_leave(make, pg):
    sluice = make('ttl = "1ms"')
    with raw(sluice) as c:
        c.ask(ONE)
        pg.stop()
        assert rawpg.errors(c.ask(ONE))


def test_not_when_privileges_cannot_be_looked_at(make, pg):
    sluice = make(STALE, bound_to="1s")
    with raw(sluice) as c:
        sluice.wait_watched()
        assert not rawpg.errors(c.ask(ONE))
        pg.stop()
        until(lambda: not sluice.watched(), 30)
        assert rawpg.errors(c.ask(ONE))


def test_an_old_result_when_the_pool_is_busy(make):
    sluice = make(STALE, size=1, wait="1s")
    with raw(sluice) as holder, raw(sluice) as c:
        good = c.ask(ONE)
        holder.ask("BEGIN")
        holder.ask("INSERT INTO other VALUES (1)")
        with sluice.counting(cache_stale_served=1):
            assert c.ask(ONE) == good
        assert rawpg.sqlstates(c.ask("SELECT 1 FROM other")) == ["53300"]


def test_those_who_wait_need_not_wait_in_turn(make):
    sluice = make(STALE, size=1, wait="2s")
    with raw(sluice) as holder, raw(sluice) as a, raw(sluice) as b, \
            raw(sluice) as c:
        good = a.ask(ONE)
        holder.ask("BEGIN")
        holder.ask("INSERT INTO other VALUES (1)")
        with sluice.counting(cache_stale_served=3):
            for client in (a, b, c):
                client.send(rawpg.query(ONE))
            for client in (a, b, c):
                assert client.read_until_ready() == good


def test_who_cancels_gets_no_result(make):
    sluice = make(STALE, size=1)
    with raw(sluice) as holder, sluice.connect() as conn, \
            concurrent.futures.ThreadPoolExecutor(1) as pool:
        conn.execute(ONE)
        holder.ask("BEGIN")
        holder.ask("INSERT INTO other VALUES (1)")
        asked = pool.submit(conn.execute, ONE)
        until(lambda: sluice.console("SHOW POOLS")[0]["cl_waiting"] == 1, 20)
        conn.cancel()
        with pytest.raises(Exception, match="cancel"):
            asked.result()
    assert sluice.count("cache_stale_served") == 0


# -- names --------------------------------------------------------------------------------

def test_a_name_that_came_with_a_unit_that_waited(make, pg, db):
    """Answered by another session's fill, a Parse has taken effect."""
    sluice = make('ttl = "1h"')
    sql = "SELECT name FROM item WHERE id = $1"
    message = rawpg.parse("s1", sql) + bound("s1", [b"1"])
    with raw(sluice) as a, raw(sluice) as b, \
            pg.connect(db, autocommit=False) as holder:
        holder.execute("LOCK TABLE item IN ACCESS EXCLUSIVE MODE")
        a.send(message)
        until(lambda: waiting(pg, db) == 1, 20)
        b.send(message)
        until(lambda: sluice.count("cache_waits") == 1, 20)
        holder.rollback()
        assert rawpg.text_rows(a.read_until_ready()) == [("name 1",)]
        assert rawpg.text_rows(b.read_until_ready()) == [("name 1",)]
        b.send(bound("s1", [b"2"]))
        assert rawpg.text_rows(b.read_until_ready()) == [("name 2",)]


REDIS = CONF.replace("l2 = false", "").replace(
    "pool_size", 'redis_host = "127.0.0.1"\nredis_port = $REDIS\n'
    'redis_timeout = "2s"\npool_size', 1)


def test_a_name_that_came_with_a_unit_that_redis_answered(pg, db, redis,
                                                          pgsluice):
    pg.psql(SCHEMA, db)
    sluice = pgsluice(REDIS, RULE='ttl = "1h" l1_ttl = 0', SIZE=4,
                      WAIT="300s", BOUND="0")
    sql = "SELECT name FROM item WHERE id = $1"
    message = rawpg.parse("s1", sql) + bound("s1", [b"1"])

    def by_redis():
        """Anew, since a name that is taken is the server's to refuse."""
        with raw(sluice) as c:
            hits = sluice.count("cache_hits_l2")
            c.send(message)
            assert rawpg.text_rows(c.read_until_ready()) == [("name 1",)]
            c.send(bound("s1", [b"2"]))
            assert rawpg.text_rows(c.read_until_ready()) == [("name 2",)]
            return sluice.count("cache_hits_l2") > hits
    until(by_redis, 20)
