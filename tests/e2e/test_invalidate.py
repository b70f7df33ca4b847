# SPDX-License-Identifier: PostgreSQL
"""INVALIDATE on the console: by name, by table, tenant and month, and all."""

import itertools

import psycopg2
import pytest

from harness import until

CONF = """
auth = "trust"
admin_users = {"app"}
operator_users = {"alice"}
stats_users = {"bob"}
layout_user = "app"
layout_interval = "0"
pool_size = 4
cache_governor = false
$REDIS_LINES
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
cache "details" {
    query = "SELECT * FROM model WHERE id = :model_id"
    key = "model:{model_id}:details"
    ttl = "1h" l1_ttl = "$L1"
}
cache "all models" { tables = {"model"} ttl = "1h" l1_ttl = "$L1" }
cache "parts" { tables = {"whole"} ttl = "1h" l2 = false }
cache "posts" { tables = {"topic"} ttl = "1h" l2 = false }
writes "note" { also = {"topic"} }
cache "events" {
    tables = {"event"}
    keys = {"event.tenant", "month(event.at)"}
    ttl = "1h" l1_ttl = "$L1"
}
"""

SCHEMA = """
SET ROLE app;
CREATE TABLE model (id int8 PRIMARY KEY, name text);
INSERT INTO model SELECT n, 'name ' || n FROM generate_series(1, 100) n;
CREATE TABLE event (id int8 PRIMARY KEY, tenant int, at timestamptz);
INSERT INTO event SELECT n, n % 10, '2026-01-15 00:00Z'::timestamptz +
  n % 4 * interval '1 month' FROM generate_series(1, 200) n;
CREATE TABLE whole (id int) PARTITION BY RANGE (id);
CREATE TABLE part PARTITION OF whole FOR VALUES FROM (0) TO (1000);
CREATE TABLE topic (id int PRIMARY KEY);
CREATE TABLE note (id int);
CREATE TABLE author (id int PRIMARY KEY);
ALTER TABLE topic ADD author int REFERENCES author ON DELETE CASCADE;
"""

REDIS = 'redis_host = "127.0.0.1" redis_port = $REDIS redis_timeout = "500ms"'

WHOLE = "SELECT count(*) FROM event"
OF_TENANT = "SELECT count(*) FROM event WHERE tenant = %s"
OF_MONTH = "SELECT count(*) FROM event WHERE at >= '2026-{0:02}-02 00:00Z' " \
           "AND at < '2026-{0:02}-28 00:00Z'"
serial = itertools.count(1)


@pytest.fixture
def make(pg, db, pgsluice):
    def start(l1="1h", redis=None):
        lines = REDIS.replace("$REDIS", str(redis.port)) if redis else ""
        sluice = pgsluice(CONF, L1=l1, REDIS_LINES=lines)
        sluice.console("CHECK LAYOUTS")
        if redis:
            until(sluice.on_redis)
        return sluice
    pg.psql(SCHEMA, db)
    return start


def model(sluice, n):
    return sluice.query(f"SELECT * FROM model WHERE id = {n}")


def hits(sluice, asked):
    """Which of these are answered from memory."""
    found = []
    for name, sql in asked.items():
        before = sluice.count("cache_hits_l1")
        sluice.query(sql)
        if sluice.count("cache_hits_l1") > before:
            found.append(name)
    return found


def asked():
    return {"whole": WHOLE, "one": OF_TENANT.replace("%s", "1"),
            "two": OF_TENANT.replace("%s", "2"),
            "january": OF_MONTH.format(1), "february": OF_MONTH.format(2)}


def test_by_name_in_memory(make):
    sluice = make()
    for n in (4, 42, 421):
        model(sluice, n)
    sluice.query("SELECT count(*) FROM model")
    assert sluice.console("INVALIDATE KEY 'model:42:*'") == [
        {"where": "memory", "dropped": 1, "text": None}]
    with sluice.counting(cache_hits_l1=2, cache_misses=1):
        for n in (4, 42, 421):
            model(sluice, n)
    # Without a key it is the rule's name.
    assert sluice.console("INVALIDATE KEY all_models")[0]["dropped"] == 1
    assert sluice.console("INVALIDATE KEY '*'")[0]["dropped"] == 3
    with pytest.raises(psycopg2.Error, match="longer than 256 bytes"):
        sluice.console(f"INVALIDATE KEY '{'x' * 257}'")
    with pytest.raises(psycopg2.Error, match="empty"):
        sluice.console("INVALIDATE KEY ''")


def test_by_name_in_redis(make, redis):
    """Of many names those that are meant, and nobody else's."""
    one, two = make("0", redis), make("0", redis)
    until(lambda: one.query("SELECT FROM model WHERE id = -"
                            f"{next(serial)}") == [] and
          one.count("l2_puts") > 0)
    redis.cli("EVAL", "for i = 1, 3000 do redis.call('set', 'pgsluice:app:"
              "model:' .. i .. ':x', i) end", 0)
    other = ["pgsluice:model:42:details", "model:42:details",
             "others:app:model:42:details:" + 32 * "0"]
    for name in other:
        redis.cli("SET", name, "x")
    puts = one.count("l2_puts")
    for n in (4, 42, 421):
        model(one, n)
    until(lambda: one.count("l2_puts") == puts + 3)
    with two.counting(cache_hits_l2=3):
        for n in (4, 42, 421):
            model(two, n)
    assert two.console("INVALIDATE KEY 'model:42:*'") == [
        {"where": "memory", "dropped": 0, "text": None},
        {"where": "redis", "dropped": 1, "text": None}]
    with one.counting(cache_hits_l2=2, cache_misses=1):
        for n in (4, 42, 421):
            model(one, n)
    assert redis.cli("EXISTS", *other) == "3"
    assert redis.cli("EXISTS", "pgsluice:app:model:42:x") == "1"
    redis.stop()
    until(lambda: two.metric("pgsluice_l2_connected") == 0)
    assert two.console("INVALIDATE KEY 'model:42:*'")[1] == {
        "where": "redis", "dropped": 0,
        "text": "Redis could not be asked for all: some may be left"}


def test_by_table(make):
    sluice = make()
    every = list(asked())
    hits(sluice, asked())
    assert hits(sluice, asked()) == every

    def ended(command):
        rows = sluice.console(command)
        assert {r["table"] for r in rows} == {"event"}
        return [r["ended"] for r in rows]
    assert ended("INVALIDATE TABLE event TENANT 1") == [
        "what depends on all of it", "what is confined to tenant = 1",
        "what is confined by any month(at)"]
    assert hits(sluice, asked()) == ["two"]
    assert ended("INVALIDATE TABLE public.event MONTH 2026-02") == [
        "what depends on all of it", "what is confined by any tenant",
        "what is confined to month(at) = 2026-02"]
    assert hits(sluice, asked()) == ["january"]
    assert ended("INVALIDATE TABLE event TENANT 2 MONTH '2026-01'") == [
        "what depends on all of it", "what is confined to tenant = 2",
        "what is confined to month(at) = 2026-01"]
    assert hits(sluice, asked()) == ["one", "february"]
    ended("INVALIDATE TABLE event")
    assert hits(sluice, asked()) == []
    # What is no value of the column may be any.
    assert ended("INVALIDATE TABLE event TENANT x")[1] == \
        "what is confined by any tenant"
    assert hits(sluice, asked()) == []
    with pytest.raises(psycopg2.Error, match="not a month"):
        sluice.console("INVALIDATE TABLE event MONTH 2026-13")
    model(sluice, 1)
    sluice.console("INVALIDATE TABLE event")
    with sluice.counting(cache_hits_l1=1):
        model(sluice, 1)


def test_what_a_write_to_the_table_changes(make):
    """Partitions' parents, cascades and declarations count as for a write,
    and the case of a name does not."""
    sluice = make()
    sluice.wait_watched()
    parts, topics = "SELECT count(*) FROM whole", "SELECT count(*) FROM topic"
    every = {**asked(), "parts": parts, "topics": topics}

    def ended(command):
        hits(sluice, every)
        assert hits(sluice, every) == list(every)
        told = sluice.console(command)
        left = hits(sluice, every)
        return {r["table"] for r in told}, [n for n in every if n not in left]
    assert ended("INVALIDATE TABLE part") == ({"part", "whole"}, ["parts"])
    assert ended("INVALIDATE TABLE author") == (
        {"author", "topic"}, ["topics"])
    assert ended("INVALIDATE TABLE note") == ({"note", "topic"}, ["topics"])
    assert ended("INVALIDATE TABLE Event") == (
        {"Event", "event"}, list(asked()))
    assert sluice.console("INVALIDATE TABLE evnet")[-1]["ended"].startswith(
        "neither the configuration nor catalogs")


def test_table_and_all_in_redis(make, redis):
    one, two = make("0", redis), make("0", redis)

    def stored(sql):
        """It is in Redis for both."""
        def found():
            before = two.count("cache_hits_l2")
            one.query(sql)
            two.query(sql)
            return two.count("cache_hits_l2") > before
        until(found)
    stored(WHOLE)
    stored("SELECT count(*) FROM model")
    one.console("INVALIDATE TABLE event")
    until(lambda: "l2" not in told(two, WHOLE))
    stored(WHOLE)
    one.console("INVALIDATE ALL")
    until(lambda: "l2" not in told(two, WHOLE) and
          "l2" not in told(two, "SELECT count(*) FROM model"))


def told(sluice, sql):
    before = sluice.count("cache_hits_l2")
    sluice.query(sql)
    return "l2" if sluice.count("cache_hits_l2") > before else "server"


def test_all_in_memory(make):
    sluice = make()
    hits(sluice, asked())
    sluice.console("INVALIDATE ALL")
    assert hits(sluice, asked()) == []


def test_who_may(make):
    sluice = make()
    for command in ("KEY '*'", "TABLE event", "ALL"):
        with pytest.raises(psycopg2.Error, match="permission denied"):
            sluice.console("INVALIDATE " + command, user="bob")
        sluice.console("INVALIDATE " + command, user="alice")
