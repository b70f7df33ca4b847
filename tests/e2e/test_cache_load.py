# SPDX-License-Identifier: PostgreSQL
"""The cache under load: what does not pay is not stored, and nobody waits for a
result that cannot be shared."""

import concurrent.futures

import pytest

import rawpg
from harness import until

CONF = """
auth = "trust"
admin_users = {"app"}
workers = $WORKERS
pool_size = 20
cache_max_object = "4kB"
cache_fill_wait = "300s"
cache_governor = $GOVERNOR
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
cache "items" { tables = {"item"} ttl = "1h" l2 = false }
"""

SCHEMA = """
SET ROLE app;
CREATE TABLE item (id int PRIMARY KEY, name text);
INSERT INTO item SELECT n, 'name ' || n FROM generate_series(1, 100) n;
"""

WINDOWS = 4 * 1024  # lookups until a shape is judged
AGAIN = range(100_000, 100_100)


@pytest.fixture
def make(pg, db, pgsluice):
    def start(workers=1, governor="true", conf=CONF, **holes):
        return pgsluice(conf, WORKERS=workers, GOVERNOR=governor, **holes)
    pg.psql(SCHEMA, db)
    return start


@pytest.fixture
def sluice(make):
    return make()


def bypassed(sluice, reason):
    return next(r["value"] for r in sluice.console("SHOW CACHE")
                if (r["section"], r["name"]) == ("bypass", reason))


def lookups(sluice):
    return {r["name"]: r["value"] for r in sluice.console("SHOW CACHE")
            if r["section"] == "lookup"}


def stored(sluice):
    return lookups(sluice)["stores"]


def raw(sluice):
    return rawpg.RawConn("127.0.0.1", sluice.port, "app", "app")


def name_of(n):
    return f"SELECT name FROM item WHERE id = {n}"


def shape(sluice):
    rows = [r for r in sluice.console("SHOW CACHE SHAPES")
            if r["statement"].lower().startswith("select name from item")]
    assert len(rows) == 1
    return rows[0]


# -- what does not pay ---------------------------------------------------------

def test_a_shape_that_is_never_found_again(sluice):
    """... is no longer stored, but for a sample by which it comes back."""
    with raw(sluice) as c:
        with sluice.counting(cache_stores=WINDOWS):
            for n in range(WINDOWS):
                c.ask(name_of(n))
        row = shape(sluice)
        assert row["state"] == "not stored"
        assert row["hit_ratio"] == 0 and row["break_even"] > 0
        assert row["lookups"] == WINDOWS and row["hits"] == 0
        assert row["rule"] == "items"
        assert float(row["origin_us"]) > 0 and float(row["added_us"]) > 0
        # The worker publishes it by and by.
        until(lambda: sluice.metric(
            "pgsluice_cache_unprofitable_shapes") == 1)

        assert stored(sluice) == WINDOWS
        for n in range(WINDOWS, WINDOWS + 320):
            c.ask(name_of(n))
        passed = bypassed(sluice, "unprofitable")
        assert passed > 0
        assert passed + stored(sluice) - WINDOWS == 320
        assert shape(sluice)["passed"] == passed

        # What is asked again and again is stored again.
        for _ in range(2000):
            for n in AGAIN:
                c.ask(name_of(n))
            if shape(sluice)["state"] == "stored":
                break
        assert shape(sluice)["state"] == "stored"
        for n in AGAIN:
            c.ask(name_of(n))
        with sluice.counting(cache_hits_l1=100, cache_misses=0):
            for n in AGAIN:
                c.ask(name_of(n))


def test_the_governor_can_be_switched_off(make):
    sluice = make(governor="false")
    with raw(sluice) as c, sluice.counting(cache_stores=WINDOWS + 100):
        for n in range(WINDOWS + 100):
            c.ask(name_of(n))
    assert not sluice.console("SHOW CACHE SHAPES")


# -- what one tenant may take ---------------------------------------------------

TENANTS = CONF.replace("cache_max_object", """layout_user = "app"
layout_interval = "0"
cache_memory = "1MB"
cache_tenant_share = 20
cache_max_object""").replace('{"item"}', '{"item"} keys = {"item.id"}')


def test_a_tenant_pushes_no_others_out(make):
    sluice = make(governor="false", conf=TENANTS)
    sluice.console("CHECK LAYOUTS")
    others = [name_of(n) for n in range(2, 22)]
    with raw(sluice) as c:
        for sql in others:
            c.ask(sql)
        for n in range(4000):
            c.ask(name_of(1) + f" AND {n} = {n}")
        for sql in others:
            c.ask(sql)
    # One or two may be in the same account by chance.
    assert lookups(sluice)["hits_l1"] >= 17
    l1 = {r["name"]: r["value"] for r in sluice.console("SHOW CACHE")
          if r["section"] == "l1"}
    assert l1["tenant_evictions"] > 2000 and l1["evictions"] == 0
    assert l1["bytes"] < 0.4 * 1024 * 1024


# -- what cannot be shared ---------------------------------------------------------

LONG = "SELECT id, name, name, name, name, name FROM item ORDER BY id"


def waiting(pg, db):
    return len(pg.pids(datname=db, wait_event_type="Lock"))


def test_nobody_queues_for_what_cannot_be_shared(sluice, pg, db):
    with raw(sluice) as c:
        first = c.ask(LONG)
        assert bypassed(sluice, "too_large") == 1
        with pg.connect(db, autocommit=False) as holder, \
                concurrent.futures.ThreadPoolExecutor(3) as pool:
            holder.execute("LOCK TABLE item IN ACCESS EXCLUSIVE MODE")
            asked = [pool.submit(ask_once, sluice, LONG) for _ in range(3)]
            # All of them are at the server at once.
            until(lambda: waiting(pg, db) == 3, 60)
            holder.rollback()
            assert all(rawpg.rows(a.result()) == rawpg.rows(first)
                       for a in asked)
    assert bypassed(sluice, "hit_for_pass") == 3
    assert sluice.count("cache_waits") == 0


def ask_once(sluice, sql):
    with raw(sluice) as c:
        return c.ask(sql)


def test_one_failure_is_not_remembered(sluice):
    fails = "SELECT id / 0 FROM item"
    for _ in range(2):
        assert rawpg.sqlstates(ask_once(sluice, fails)) == ["22012"]
    assert bypassed(sluice, "error") == 2
    assert bypassed(sluice, "hit_for_pass") == 0
    ask_once(sluice, fails)
    assert bypassed(sluice, "hit_for_pass") == 1
