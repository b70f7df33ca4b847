# SPDX-License-Identifier: PostgreSQL
"""ttl_column: a result ends when its rows say so."""

import struct
import time

import pytest

from harness import until, whole

CONF = """
auth = "trust"
admin_users = {"app"}
pool_size = 4
cache_governor = false
$REDIS_LINES
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
cache "offers" {
    tables = {"offer"} ttl = "1h" grace = "1h" ttl_column = "expires_at"
}
"""

SCHEMA = """
SET ROLE app;
CREATE TABLE offer (id int PRIMARY KEY, expires_at timestamptz, note text);
INSERT INTO offer VALUES (1, now() + '1 hour'), (2, now() + '4 seconds'),
  (3, NULL), (4, now() - interval '1 second'), (5, '9999-12-31');
"""

ONE = "SELECT * FROM offer WHERE id = "


@pytest.fixture
def make(pg, db, pgsluice):
    def start(redis=None):
        lines = f'redis_host = "127.0.0.1" redis_port = {redis.port} ' \
            'redis_timeout = "500ms"' if redis else ""
        sluice = pgsluice(CONF, REDIS_LINES=lines)
        if redis:
            until(sluice.on_redis)
        return sluice
    pg.psql(SCHEMA, db)
    return start


def bypasses(sluice):
    return sluice.metrics().get(
        'pgsluice_cache_bypass_total{reason="ttl_column"}', 0)


def test_what_is_stored(make):
    sluice = make()
    for n in (1, 5, 99):  # later than ttl, much later, and no row at all
        with sluice.counting(cache_misses=1, cache_hits_l1=1):
            sluice.query(f"{ONE}{n}")
            sluice.query(f"{ONE}{n}")
    before = bypasses(sluice)
    refused = [ONE + "3", ONE + "4", "SELECT id FROM offer WHERE id = 1",
               "SELECT id, expires_at::text FROM offer WHERE id = 1",
               "SELECT * FROM offer WHERE id IN (1, 3)"]
    for sql in refused:
        with sluice.counting(cache_hits_l1=0):
            sluice.query(sql)
            sluice.query(sql)
    until(lambda: bypasses(sluice) == before + 2 * len(refused))
    assert "cache: cacheable by rule offers, ttl 3600s, l1_ttl 3600s, " \
        "grace 3600s, ttl_column expires_at" in [
            r[0] for r in sluice.query("EXPLAIN (ROUTE) " + ONE + "1")]


def test_binary_and_text_are_alike(make):
    sluice = make()
    sql = "SELECT * FROM offer WHERE id = $1"
    with sluice.wire() as w:
        for formats in ([], [1], [0, 1, 0]):
            for n, hits in ((1, 1), (3, 0), (4, 0)):
                message = whole(sql, [struct.pack("!i", n)], formats=[1],
                                result_formats=formats)
                with sluice.counting(cache_hits_l1=hits):
                    first = w.ask(message)[1].checked().data
                    assert w.ask(message)[1].data == first


def test_it_ends_with_its_rows(make, pg, db):
    """Grace does not go on behind it."""
    sluice = make()
    end = float(pg.psql("SELECT extract(epoch FROM expires_at) FROM offer "
                        "WHERE id = 2", db))
    before = bypasses(sluice)
    while time.time() < end - 0.05:
        hits = sluice.count("cache_hits_l1")
        sluice.query(ONE + "2")
        asked = time.time()
        if sluice.count("cache_hits_l1") > hits:
            assert asked < end + 1
        time.sleep(0.1)
    until(lambda: time.time() > end)
    with sluice.counting(cache_hits_l1=0):
        sluice.query(ONE + "2")
    until(lambda: bypasses(sluice) > before)


def test_in_redis_too(make, redis):
    one, two = make(redis), make(redis)
    pttl = None

    def stored():
        nonlocal pttl
        one.query(f"{ONE}1 -- {time.time()}")
        keys = [k for k in redis.cli("KEYS", "pgsluice:app:*").split("\n")
                if k]
        pttl = [int(redis.cli("PTTL", k)) for k in keys]
        return keys
    until(stored)
    assert all(0 < p <= 3600000 for p in pttl)
    one.query("UPDATE offer SET expires_at = now() + '60 seconds' "
              "WHERE id = 1")
    redis.cli("FLUSHDB")
    until(stored)
    assert all(0 < p <= 60000 for p in pttl)
    # From Redis into memory it takes its end along.
    before = two.count("cache_hits_l2")
    sql = ONE + "1"

    def from_redis():
        one.query(sql)
        two.query(sql)
        return two.count("cache_hits_l2") > before
    until(from_redis)
    one.query("UPDATE offer SET expires_at = now() WHERE id = 1")
    until(lambda: two.query(sql) == one.query(sql))
