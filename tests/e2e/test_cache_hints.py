# SPDX-License-Identifier: PostgreSQL
"""What applications say of the cache: in the comment a statement begins with,
and by settings of the session, which PostgreSQL takes as well."""

import time

import psycopg
import pytest

import rawpg
from harness import until, whole

CONF = """
auth = "trust"
admin_users = {"app"}
workers = 2
pool_size = $SIZE
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" pool_mode = "$MODE" }
cache "items" { tables = {"item"} ttl = "1h" l2 = $L2 }
"""

SQL = "SELECT name FROM item WHERE id = 1"


@pytest.fixture
def make(pg, db, pgsluice):
    pg.psql("CREATE TABLE item AS SELECT n AS id, 'name ' || n AS name "
            "FROM generate_series(1, 9) n; "
            "GRANT ALL ON item TO public", db)

    def start(size=2, mode="transaction", l2="false", conf=CONF, **kw):
        sluice = pgsluice(conf, SIZE=size, MODE=mode, L2=l2, **kw)
        sluice.query(SQL)
        return sluice
    return start


@pytest.fixture
def sluice(make):
    return make()


def hits(sluice, conn, sql=SQL, n=1):
    with sluice.counting(cache_hits_l1=n, cache_misses=0):
        for _ in range(n):
            assert conn.execute(sql).fetchall() == [("name 1",)]


def passes(sluice, conn, reason="switched_off", sql=SQL):
    name = f'pgsluice_cache_bypass_total{{reason="{reason}"}}'
    before = sluice.metrics()[name]
    with sluice.counting(cache_hits_l1=0, cache_misses=0):
        assert conn.execute(sql).fetchall() == [("name 1",)]
    until(lambda: sluice.metrics()[name] == before + 1)


def explain(conn, sql):
    return [row[0] for row in conn.execute("EXPLAIN (ROUTE) " + sql)]


# -- comments -------------------------------------------------------------------

def test_nocache(sluice):
    with sluice.connect() as conn:
        for _ in range(2):
            passes(sluice, conn, "hint", "/* pgsluice: nocache */ " + SQL)
        hits(sluice, conn)
        lines = explain(conn, "/* pgsluice: nocache */ " + SQL)
        assert "hint: nocache" in lines
        assert "cache: bypass: hint - says nocache in a hint" in lines


def test_nocache_by_the_extended_protocol(sluice):
    with sluice.connect() as conn, conn.cursor(binary=True) as cur:
        sql = "/* pgsluice: nocache */ SELECT name FROM item WHERE id = %s"
        with sluice.counting(cache_hits_l1=0, cache_misses=0):
            for n in (1, 1, 2):
                assert cur.execute(sql, (n,)).fetchall() == [(f"name {n}",)]


def test_a_shorter_ttl(sluice, pg, db):
    short = "/* pgsluice: ttl=300ms */ " + SQL
    with sluice.connect() as conn:
        assert conn.execute(short).fetchall() == [("name 1",)]
        pg.psql("UPDATE item SET name = 'changed' WHERE id = 1", db)
        until(lambda: conn.execute(short).fetchall() == [("changed",)])
        hits(sluice, conn)
        lines = explain(conn, short)
        assert "hint: ttl=300ms" in lines
        assert ("cache: cacheable by rule items, ttl 300ms, l1_ttl 300ms"
                in lines)


def test_a_longer_ttl_changes_nothing(sluice):
    with sluice.connect() as conn:
        lines = explain(conn, "/* pgsluice: ttl=2h */ " + SQL)
        assert "cache: cacheable by rule items, ttl 3600s, l1_ttl 3600s" \
            in lines


def test_what_is_not_understood_is_counted_and_told(sluice):
    sql = "/* pgsluice: ttl=soon */ " + SQL
    with sluice.connect() as conn:
        with sluice.counting(hints_bad=1, cache_misses=1):
            assert conn.execute(sql).fetchall() == [("name 1",)]
        hits(sluice, conn, sql)
        assert "hint: not understood: ttl=soon" in explain(conn, sql)


# -- settings -------------------------------------------------------------------

SET_OFF = ["SET pgsluice.cache = off", "SET pgsluice.cache TO 'off'",
           "SET PgSluice.Cache = false",
           "SELECT set_config('pgsluice.cache', 'off', false)",
           "SET pgsluice.cache = 'what'",
           "SET pgsluice.max_staleness = 0",
           "SET pgsluice.max_staleness = 2000"]


@pytest.mark.parametrize("off", SET_OFF)
def test_off_and_on(sluice, off):
    name = "pgsluice.max_staleness" if "stale" in off else "pgsluice.cache"
    with sluice.connect() as conn, sluice.connect() as other:
        conn.execute(off)
        passes(sluice, conn)
        hits(sluice, other)
        conn.execute(f"RESET {name}")
        hits(sluice, conn)
        conn.execute(off)
        passes(sluice, conn)
        conn.execute("DISCARD ALL")
        hits(sluice, conn)
        conn.execute(off)
        conn.execute("RESET ALL")
        hits(sluice, conn)


def test_it_neither_pins_nor_takes_hits_away(sluice):
    """Also beside a setting that has a part in the key."""
    with sluice.connect() as a, sluice.connect() as b:
        a.execute("SET pgsluice.cache = on")
        a.execute("SET pgsluice.max_staleness = '1h'")
        hits(sluice, a, n=3)
        assert not any(row["pin"] for row in sluice.console("SHOW CLIENTS"))
        for conn in a, b:
            conn.execute("SET TimeZone = 'Asia/Tokyo'")
        a.execute(SQL)
        hits(sluice, b)


def test_servers_see_it(make):
    """Whichever one a statement runs on, and nobody else's."""
    sluice = make(size=1)
    show = "SELECT current_setting('pgsluice.max_staleness', true)"
    with sluice.connect() as a, sluice.connect() as b:
        a.execute("SET pgsluice.max_staleness = '7s'")
        for _ in range(2):
            assert b.execute(show).fetchone()[0] in (None, "")
            assert a.execute(show).fetchone() == ("7s",)
        assert a.execute("SHOW pgsluice.max_staleness").fetchone() == ("7s",)


def test_in_a_block(sluice):
    with sluice.connect(autocommit=False) as conn:
        conn.execute("SET LOCAL pgsluice.cache = off")
        passes(sluice, conn)
        conn.execute("SET LOCAL pgsluice.cache = on")
        hits(sluice, conn)
        conn.execute("SET LOCAL pgsluice.cache = off")
        conn.commit()
        hits(sluice, conn)
        conn.execute("SET pgsluice.cache = off")
        conn.rollback()
        hits(sluice, conn)
        conn.execute("SET pgsluice.cache = off")
        conn.commit()
        passes(sluice, conn)


def test_savepoints(sluice):
    """Taken back or not is the server's to say, at the end."""
    with sluice.connect(autocommit=False) as conn:
        conn.execute("SET pgsluice.cache = off")
        conn.execute("SAVEPOINT a")
        conn.execute("SET pgsluice.cache = on")
        conn.execute("ROLLBACK TO a")
        passes(sluice, conn)
        conn.commit()
        passes(sluice, conn)
        conn.rollback()
        conn.execute("SAVEPOINT a")
        conn.execute("SET pgsluice.cache = on")
        conn.execute("RELEASE a")
        hits(sluice, conn)
        conn.commit()
        hits(sluice, conn)


def test_a_failed_set_comes_to_nothing(sluice):
    with sluice.connect() as conn:
        with pytest.raises(psycopg.Error):
            conn.execute("SET pgsluice.cache = off; SELECT 1/0")
        hits(sluice, conn)


def test_several_statements_at_once(sluice):
    with sluice.wire() as w:
        w.ask(rawpg.query("SET pgsluice.cache = on; "
                          "SET pgsluice.cache = off"))
        with sluice.counting(cache_hits_l1=0, cache_misses=0):
            w.ask(rawpg.query(SQL))
        w.ask(rawpg.query("BEGIN; SET LOCAL pgsluice.cache = on; COMMIT"))
        with sluice.counting(cache_hits_l1=0, cache_misses=0):
            w.ask(rawpg.query(SQL))


@pytest.mark.parametrize("options", [
    {"options": "-c pgsluice.cache=off"},
    {"options": "-c pgsluice.max_staleness=1ns"}])
def test_startup_options(sluice, options):
    """They make no other key."""
    with sluice.connect(options="-c pgsluice.cache=on") as conn:
        until(lambda: conn.execute(SQL).fetchall() and
              sluice.count("cache_hits_l1") > 0)
        assert sluice.count("cache_misses") == 1
    with sluice.connect(**options) as conn:
        with sluice.counting(cache_hits_l1=0):
            assert conn.execute(SQL).fetchall() == [("name 1",)]


def test_of_a_role(sluice, pg, db):
    pg.psql("ALTER ROLE alice SET pgsluice.cache = off; "
            "ALTER ROLE bob SET pgsluice.max_staleness = '1h'", db)
    try:
        with sluice.connect(user="alice") as conn:
            passes(sluice, conn)
            conn.execute("SET pgsluice.cache = on")
            with sluice.counting(cache_misses=1):
                conn.execute(SQL)
            hits(sluice, conn)
            conn.execute("RESET pgsluice.cache")
            passes(sluice, conn)
        with sluice.connect(user="bob") as conn:
            with sluice.counting(cache_misses=1):
                conn.execute(SQL)
            hits(sluice, conn)
    finally:
        pg.psql("ALTER ROLE alice RESET pgsluice.cache; "
                "ALTER ROLE bob RESET pgsluice.max_staleness", db)


@pytest.mark.parametrize("l2", [False, True])
def test_max_staleness(make, redis, pg, db, l2):
    """An older result is asked for anew, and others have the new one."""
    conf = CONF
    if l2:
        conf = ('redis_host = "127.0.0.1"\nredis_port = $REDIS\n'
                'redis_timeout = "5s"\n' +
                CONF.replace('ttl = "1h"', 'ttl = "1h" l1_ttl = "0"'))
    sluice = make(conf=conf, l2="true" if l2 else "false", REDIS=redis.port)
    if l2:  # and there before it changes
        until(lambda: sluice.query(SQL) and sluice.count("cache_hits_l2"))
    pg.psql("UPDATE item SET name = 'new' WHERE id = 1", db)
    kind = "cache_hits_l2" if l2 else "cache_hits_l1"
    with sluice.connect() as conn, sluice.connect() as other:
        conn.execute("SET pgsluice.max_staleness = '1h'")
        with sluice.counting(**{kind: 1}):
            assert conn.execute(SQL).fetchall() == [("name 1",)]
        time.sleep(0.01)
        conn.execute("SET pgsluice.max_staleness = '5ms'")
        with sluice.counting(cache_misses=1, cache_too_old=1):
            assert conn.execute(SQL).fetchall() == [("new",)]
        with sluice.counting(**{kind: 1}):
            assert other.execute(SQL).fetchall() == [("new",)]


# ---- comments that say nothing to the server ------------------------------------

def remarked(n, sql=SQL):
    return (f"{sql} /*route='%2Fitem',traceparent='00-{n:032x}-{n:016x}-01'"
            "*/")


def test_remarks_at_the_end_share_an_answer(sluice):
    """As sqlcommenter writes them, another one each time; both protocols."""
    with sluice.wire() as wire:
        with sluice.counting(cache_hits_l1=3, cache_misses=1):
            for n in range(1, 4):
                assert wire.query(remarked(n)).rows == [(b"name 1",)]
            assert wire.query(SQL + " /* again */;").rows == [(b"name 1",)]
        with sluice.counting(cache_hits_l1=2, cache_misses=1):
            for n in range(1, 4):
                _, answer = wire.ask(whole(remarked(n)))
                assert answer.rows == [(b"name 1",)]


def test_prepared_with_remarks(sluice):
    sql = "SELECT name FROM item WHERE id = $1"
    with sluice.wire() as wire:
        with sluice.counting(cache_hits_l1=3, cache_misses=2):
            for n in range(1, 6):
                _, answer = wire.ask(whole(remarked(n, sql),
                                           [b"1" if n % 2 else b"2"]))
                assert answer.rows == [
                    (b"name 1" if n % 2 else b"name 2",)]


def test_remarks_are_shared_through_redis(make, redis):
    conf = CONF.replace("workers", 'redis_host = "127.0.0.1"\n'
                        "redis_port = $REDIS\nworkers")
    one = make(l2="true", conf=conf)
    two = make(l2="true", conf=conf)
    until(lambda: one.on_redis() and two.on_redis())
    with one.connect() as conn:
        conn.execute(remarked(1, "SELECT name FROM item WHERE id = 5"))
    with two.counting(cache_hits_l2=1, cache_misses=0), two.connect() as conn:
        assert conn.execute(remarked(
            2, "SELECT name FROM item WHERE id = 5")).fetchall() == \
            [("name 5",)]


# Texts that end as if in a remark, and what PostgreSQL says to them.
NO_REMARKS = (
    ("SELECT name FROM item WHERE name <> '/*a='--b'*/", True),
    ("SELECT name FROM item WHERE name < '/*a='--c'*/", True),
    ("SELECT '/*' || name || '*/' FROM item WHERE id = 1", True),
    ("SELECT name FROM item WHERE id = 1 /*it's*/", True),
    ("SELECT name FROM item WHERE name = '/*a='b'*/", False),
    ("SELECT name FROM item WHERE id = 1 /* /*a='b'*/", False),
    ("SELECT name FROM item WHERE id = 1 /**/*1*/", False),
    ("SELECT name FROM item WHERE id = 1 /**/*2*/", False),
    ("SELECT name FROM item WHERE id = $$/*a='b'*/", False),
)


def test_what_is_no_remark(sluice, pg, db):
    """Twice each, so that the second could hit: as PostgreSQL has it."""
    def said(conn, sql):
        try:
            return conn.execute(sql).fetchall()
        except psycopg.Error as e:
            return e.sqlstate

    with sluice.connect() as conn, pg.connect(db) as direct:
        for sql, good in NO_REMARKS:
            expected = said(direct, sql)
            assert isinstance(expected, list) == good, (sql, expected)
            for _ in range(2):
                assert said(conn, sql) == expected, sql
