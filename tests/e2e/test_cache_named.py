# SPDX-License-Identifier: PostgreSQL
"""Cache rules with a query and a key: which statements they are for, what the
results are called in Redis, and that hits are the misses' bytes."""

import itertools
import time

import pytest

import rawpg
import wire
from harness import until, whole

CONF = """
auth = "trust"
admin_users = {"app"}
pool_size = 4
cache_governor = false
redis_host = "127.0.0.1"
redis_port = $REDIS
redis_timeout = "500ms"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
cache "details" {
    query = "SELECT * FROM model WHERE id = :model_id::int8"
    key = "model:{model_id}:details"
    ttl = "1h" l1_ttl = "$L1"
}
cache "owned" {
    query = "SELECT name FROM model WHERE owner = :who AND kind = 'small'"
    key = "of:{who}"
    ttl = "1h" l1_ttl = "$L1"
}
cache "rest" { tables = {"model"} ttl = "1h" l1_ttl = "$L1" }
"""

SCHEMA = """
SET ROLE app;
CREATE TABLE model (id int8 PRIMARY KEY, name text, owner text, kind text,
                    at timestamptz);
INSERT INTO model SELECT n, 'name ' || n, 'o' || n % 3, 'small',
  '2026-01-01 12:00+00' FROM generate_series(1, 100) n;
"""

DETAILS = "SELECT * FROM model WHERE id = $1"


def told(sluice, after=0):
    time.sleep(after)
    return sluice.count("l2_told")


@pytest.fixture
def make(pg, db, redis, pgsluice):
    serial = itertools.count(1)

    def start(l1="0"):
        sluice = pgsluice(CONF, L1=l1)
        until(sluice.on_redis)
        # Redis has a token of the table once something was stored.
        until(lambda: sluice.query("SELECT FROM model WHERE id = -"
                                   f"{next(serial)}") == [] and
              sluice.count("l2_puts") > 0)
        # ... and has told of that: late news would end what is stored next.
        until(lambda: told(sluice) == told(sluice, 0.1))
        return sluice
    pg.psql(SCHEMA, db)
    return start


@pytest.fixture
def names(redis):
    """Names of entries in Redis, without the digest."""
    def found():
        return sorted(k.rpartition(":")[0] for k in
                      redis.cli("KEYS", "pgsluice:app:*").split("\n")
                      if not k.startswith("pgsluice:app:rest:"))
    return found


def forms(n):
    text = str(n).encode()
    binary = n.to_bytes(8, "big")
    return {
        "simple": rawpg.query(f"select * from MODEL where (id = {n}) -- x"),
        "quoted": rawpg.query(f"SELECT * FROM model WHERE id = '{n}'"),
        "extended": whole(DETAILS, [text]),
        "cast": whole(DETAILS + "::int8", [text]),
        "binary": whole(DETAILS, [binary], formats=[1], result_formats=[1]),
        "typed": rawpg.parse("", DETAILS, [20]) +
        rawpg.bind("", "", [text]) + rawpg.describe("P") + rawpg.execute() +
        rawpg.sync(),
    }


def test_hits_are_the_misses_bytes(make, pg, db, names):
    """From L1, and in another process from Redis."""
    one, two = make("1h"), make("1h")
    for message in forms(42).values():
        with wire.Wire("127.0.0.1", pg.port, db, "app") as direct:
            straight = direct.ask(message)[1].checked().data
        puts = one.count("l2_puts")
        with one.wire() as w, one.counting(cache_misses=1, cache_hits_l1=2):
            for _ in range(3):
                assert w.ask(message)[1].data == straight
        until(lambda: one.count("l2_puts") > puts)
        with two.wire() as w, two.counting(cache_hits_l2=1, cache_hits_l1=1,
                                           cache_misses=0):
            for _ in range(2):
                assert w.ask(message)[1].data == straight
    assert set(names()) == {"pgsluice:app:model:42:details"}


def test_values_make_names(make, names):
    sluice = make()
    for owner in ("o1", "a b", "x:y", "*", "\u00e9", "", "o" * 65):
        sluice.query("SELECT name FROM model WHERE owner = %s AND kind = "
                     "'large'", [owner])
    sluice.query("SELECT name FROM model WHERE owner = 'other' AND "
                 "kind = 'small' LIMIT 5")
    until(lambda: len(names()) == 7)
    assert names()[:6] == [
        "pgsluice:app:of:", "pgsluice:app:of:%2A", "pgsluice:app:of:%C3%A9",
        "pgsluice:app:of:a%20b", "pgsluice:app:of:o1",
        "pgsluice:app:of:" + "o" * 32 + "%~161530d2f87c1d67"]
    assert names()[6] == "pgsluice:app:of:x%3Ay"


def test_explain_says_the_name(make):
    sluice = make()

    def lines(sql):
        return [r[0] for r in sluice.query("EXPLAIN (ROUTE) " + sql)]
    found = lines("SELECT * FROM model WHERE id = 007")
    assert "cache: cacheable by rule details, ttl 3600s, l1_ttl 0s" in found
    assert "called: model:7:details" in found
    found = lines("SELECT id FROM model WHERE id = 7")
    assert "cache: cacheable by rule rest, ttl 3600s, l1_ttl 0s" in found
    assert not [line for line in found if line.startswith("called")]


def test_hot_keys_by_name(make):
    """By what the results are called, and by the layer that had them."""
    one, other = make(), make("1h")
    for _ in range(1 + 4):
        for sluice in (one, other):
            sluice.query("SELECT * FROM model WHERE id = 7")
    for sluice, layer in ((one, "l2"), (other, "l1")):
        row, = [r for r in sluice.console("SHOW HOT KEYS")
                if r["name"] == "model:7:details"]
        assert row["layer"] == layer
        assert row["statement"] == "SELECT * FROM model WHERE id = ?"
        assert (row["life_ms"] is None) == (layer == "l2")


def test_writes_end_them(make):
    """The rule has its tables from the query."""
    sluice = make("1h")
    sql = "SELECT name FROM model WHERE owner = 'o1' AND kind = 'small'"
    assert len(sluice.query(sql)) == 34
    with sluice.counting(cache_hits_l1=1):
        sluice.query(sql)
    sluice.query("DELETE FROM model WHERE id = 1")
    assert len(sluice.query(sql)) == 33


def test_a_rule_is_checked_at_load(pg, db, redis, pgsluice):
    sluice = pgsluice(CONF, L1="0")
    sluice.rewrite(CONF.replace("{model_id}", "{id}"))
    with pytest.raises(Exception) as e:
        sluice.console("RELOAD")
    assert "key: the query has no :id, expected the name of one of its " \
        "values" in str(e.value)
