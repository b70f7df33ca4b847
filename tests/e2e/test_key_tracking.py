# SPDX-License-Identifier: PostgreSQL
"""Redis tells of changed names: what is deleted, overwritten or expires there
is dropped from the memory of every process, and only that."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import private_file, until

CONF = """
auth = "trust"
admin_users = {"app"}
pool_size = 4
cache_governor = false
redis_host = "127.0.0.1"
redis_port = $REDIS
redis_timeout = "500ms"
redis_retry = "100ms"
$MORE
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
cache "details" {
    query = "SELECT * FROM model WHERE id = :model_id"
    key = "model:{model_id}:details"
    ttl = "1h"
}
cache "own" { tables = {"other"} ttl = "1h" l2 = false }
cache "all" { tables = {"model", "note"} ttl = "1h" l2_lease = "20s" }
"""

SCHEMA = """
SET ROLE app;
CREATE TABLE model (id int8 PRIMARY KEY, name text);
INSERT INTO model SELECT n, 'name ' || n FROM generate_series(1, 100) n;
CREATE TABLE note (id int8);
CREATE TABLE other (id int8);
INSERT INTO other VALUES (1);
"""

serial = itertools.count(1)


@pytest.fixture
def make(pg, db, redis, pgsluice):
    def start(tracking=1, more=""):
        sluice = pgsluice(CONF, MORE=more)
        until(sluice.on_redis)
        until(lambda: sluice.metric("pgsluice_l2_tracking") == tracking)
        until(lambda: sluice.query("SELECT FROM model WHERE id = -"
                                   f"{next(serial)}") == [] and
              sluice.count("l2_puts") > 0)
        return sluice
    pg.psql(SCHEMA, db)
    return start


@pytest.fixture
def pair(make):
    return make(), make()


def model(sluice, n):
    return sluice.query(f"SELECT * FROM model WHERE id = {n}")


def in_memory(sluice, n):
    before = sluice.count("cache_hits_l1")
    model(sluice, n)
    return sluice.count("cache_hits_l1") > before


def everywhere(redis, sluices, numbers):
    """In Redis, and in the memory of each."""
    for n in numbers:
        until(lambda: model(sluices[0], n) and key(redis, n))
        for s in sluices:
            until(lambda: in_memory(s, n))


def key(redis, n):
    return redis.cli("KEYS", f"pgsluice:app:model:{n}:*")


def dropped(sluice):
    """Asked without asking: the word has come."""
    before = sluice.count("l2_dropped")
    return lambda: sluice.count("l2_dropped") > before


def test_a_changed_entry_is_dropped_everywhere(pair, redis):
    for n, command in enumerate((["DEL"], ["UNLINK"], ["SET", "other"],
                                 ["APPEND", "x"], ["PEXPIRE", "1"]), 1):
        everywhere(redis, pair, (n, 50))
        waits = [dropped(s) for s in pair]
        redis.cli(command[0], key(redis, n), *command[1:])
        for wait in waits:
            until(wait)
        for s in pair:
            with s.counting(cache_hits_l1=1):
                model(s, 50)
        # PEXPIRE is told, and then that the entry is gone.
        until(lambda: command[0] != "PEXPIRE" or not key(redis, n))
        if len(command) == 1:
            with pair[0].counting(cache_hits_l1=0, cache_misses=1):
                model(pair[0], n)
            with pair[1].counting(cache_hits_l1=0):
                model(pair[1], n)


def test_deleted_in_the_turn_it_was_stored(make, redis):
    """Redis has one word for both, which looks like our own."""
    one = make()
    everywhere(redis, (one,), (9,))
    name = key(redis, 9)
    wait = dropped(one)
    redis.cli("DEL", name)
    until(wait)
    redis.cli("CLIENT", "PAUSE", "300", "WRITE")
    model(one, 9)
    redis.cli("DEL", name)
    until(lambda: not in_memory(one, 9))


def test_all_is_gone_with_flushdb(pair, redis):
    everywhere(redis, pair, (1, 2, 3))
    epochs = [s.count("l2_epochs") for s in pair]
    redis.cli("FLUSHDB")
    for s, before in zip(pair, epochs):
        until(lambda: s.count("l2_epochs") > before)
        with s.counting(cache_hits_l1=0):
            model(s, next(serial))
    with pair[0].counting(cache_hits_l1=0):
        for n in (1, 2, 3):
            model(pair[0], n)


def test_our_own_entries_stay(make, redis):
    """What is stored is told, but is our own."""
    one = make()
    numbers = range(1, 60)
    told = one.count("l2_told")
    puts = one.count("l2_puts")
    with one.connect() as conn:
        for n in numbers:
            conn.execute(f"SELECT * FROM model WHERE id = {n}")
    until(lambda: one.count("l2_puts") == puts + len(numbers) and
          one.count("l2_told") >= told + len(numbers))
    hits = one.count("cache_hits_l1")
    with one.connect() as conn:
        for n in numbers:
            conn.execute(f"SELECT * FROM model WHERE id = {n}")
    # If they counted, none would be left; few come later than what was read
    # back, but on a busy machine more.
    assert one.count("cache_hits_l1") - hits > len(numbers) * 0.1


def test_a_write_elsewhere_ends_results(pair, redis):
    """By the tokens of its tables."""
    one, two = pair
    everywhere(redis, pair, (5,))
    one.query("UPDATE model SET name = 'new' WHERE id = 5")
    until(lambda: model(two, 5) == [(5, "new")])
    assert model(one, 5) == [(5, "new")]
    everywhere(redis, pair, (5,))
    one.console("INVALIDATE ALL")
    until(lambda: not in_memory(two, 5))


def test_invalidate_key_reaches_all(pair, redis):
    one, two = pair
    everywhere(redis, pair, (4, 42))
    wait = dropped(two)
    assert one.console("INVALIDATE KEY 'model:42:*'") == [
        {"where": "memory", "dropped": 1, "text": None},
        {"where": "redis", "dropped": 1, "text": None}]
    until(wait)
    with two.counting(cache_hits_l1=1, cache_misses=1):
        model(two, 4)
        model(two, 42)


def test_a_lost_connection_ends_all_that_may_be_there(make, redis):
    """The words of that time were not heard."""
    one = make()
    everywhere(redis, (one,), (3,))
    one.query("SELECT * FROM other")
    epochs = one.count("l2_epochs")
    for line in redis.cli("CLIENT", "LIST", "TYPE", "pubsub").split("\n"):
        redis.cli("CLIENT", "KILL", "ID", line.split()[0].split("=")[1])
    until(lambda: one.count("l2_epochs") >= epochs + 2 and
          one.metric("pgsluice_l2_tracking") == 1)
    with one.counting(cache_hits_l1=0):
        model(one, 3)
    with one.counting(cache_hits_l1=1):  # it is in no Redis
        one.query("SELECT * FROM other")
    # A Redis that is silent is as good as lost.
    redis.freeze()
    try:
        until(lambda: one.metric("pgsluice_l2_tracking") == 0, 20)
    finally:
        redis.thaw()
    until(lambda: one.metric("pgsluice_l2_tracking") == 1, 20)
    everywhere(redis, (one,), (3,))
    wait = dropped(one)
    redis.cli("DEL", key(redis, 3))
    until(wait)


def test_an_entry_that_was_waited_for_stays(pair, pg, db):
    """That another process has stored it is no change to who waits for it."""
    one, two = pair
    sql = "SELECT count(*) FROM note"
    taken = 'pgsluice_l2_leases_total{outcome="taken"}'
    waited = 'pgsluice_l2_leases_total{outcome="waited"}'
    before = one.metrics()[taken]
    with pg.connect(db, autocommit=False) as lock, \
            ThreadPoolExecutor(2) as pool:
        lock.execute("LOCK TABLE note IN ACCESS EXCLUSIVE MODE")
        first = pool.submit(one.query, sql)
        until(lambda: one.metrics()[taken] > before)
        gets = two.count("l2_gets")
        second = pool.submit(two.query, sql)
        until(lambda: two.count("l2_gets") > gets)
        lock.rollback()
        assert first.result(60) == second.result(60) == [(0,)]
    until(lambda: two.metrics()[waited] == 1)
    with two.counting(cache_hits_l1=1):
        two.query(sql)


def notes(sluice):
    return {r["name"]: r["note"] for r in sluice.console("SHOW CACHE")
            if r["section"] == "l2"}


def test_off_and_refused(make, redis):
    off = make(0, "redis_tracking = false")
    assert notes(off)["tracking"] == "redis_tracking = false"
    everywhere(redis, (off,), (1,))
    redis.cli("DEL", key(redis, 1))
    assert in_memory(off, 1)
    off.stop()
    redis.cli("ACL", "SETUSER", "weak", "on", ">word", "~*", "&*", "+@all",
              "-client|tracking")
    path = f"{off.lab.work}/redis-weak-password"
    private_file(path, "word\n")
    try:
        weak = make(0, 'redis_user = "weak"\n'
                    f'redis_password_file = "{path}"')
        until(lambda: notes(weak)["tracking"].startswith(
            "Redis refuses: NOPERM"))
        weak.wait_log("redis does not tell of changed names")
        assert weak.log.count("redis does not tell of changed names") == 1
        everywhere(redis, (weak,), (1,))
    finally:
        redis.cli("ACL", "DELUSER", "weak")
