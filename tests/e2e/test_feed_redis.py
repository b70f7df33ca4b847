# SPDX-License-Identifier: PostgreSQL
"""Strong rules in Redis: several processes, each with a feed of its own, share
what none of them may serve for longer than its own feed vouches."""

import contextlib
import os
import signal
import threading
import time

import pytest

from harness import followed, lablib, until
from test_feed import NAME, SCHEMA, feed, receiver, state

CONF = """
auth = "trust"
admin_users = {"app"}
workers = 2
feed_user = "feeder"
max_feed_lag = "$LAG"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" feed = true }
database "app" { backend = "main" }
cache "items" { tables = {"item"} ttl = "1h" l1_ttl = "$L1"
    consistency = "strong" }
redis_host = "127.0.0.1"
redis_port = $REDIS
redis_timeout = "2s"
redis_retry = "200ms"
"""
OLD = [("name 1",)]


@pytest.fixture(scope="module")
def cluster(lab):
    cluster = followed(lab, "pgfeedredis", {
        "max_replication_slots": "6", "wal_sender_timeout": "10s"})
    yield cluster
    cluster.stop()


@pytest.fixture
def pg(cluster):
    """In the place of the cluster that others share."""
    yield cluster


@pytest.fixture
def redis(lab):
    """One that a test may restart with what it has saved."""
    redis = lablib.Redis(lab, "redis-of-feeds", arguments=[
        "--dbfilename", "redis-of-feeds.rdb"]).start()
    yield redis
    redis.stop()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(lab.socket_dir(), "redis-of-feeds.rdb"))


@pytest.fixture
def make(pg, db, redis, pgsluice):
    pg.psql(SCHEMA, db)
    made = []

    def start(lag="1s", l1="0", **holes):
        sluice = pgsluice(CONF, LAG=lag, L1=l1, **holes)
        made.append(sluice)
        ready(sluice)
        return sluice
    yield start
    for sluice in made:
        sluice.stop()


@pytest.fixture
def behind(pg, db):
    """Past the proxies."""
    with pg.connect(db) as conn:
        yield conn


def ready(sluice):
    until(lambda: state(sluice) == "live")
    until(sluice.on_redis)


def asked(sluice, counter="cache_hits_l2", sql=NAME):
    """The rows, and whether this counter rose by it."""
    before = sluice.count(counter)
    rows = sluice.query(sql)
    return rows, sluice.count(counter) > before


def shared(*sluices, rows=None):
    """Until Redis answers all of them, and the same."""
    def all_hit():
        found = [asked(s) for s in sluices]
        return all(f == found[0] and f[1] for f in found) and (
            rows is None or found[0][0] == rows) and found[0][0]
    return until(all_hit)


def write(conn, name):
    conn.execute(f"UPDATE item SET name = '{name}' WHERE id = 1")
    return [(name,)]


def sees(new, *sluices):
    """Each of them, soon, and from then on nothing else."""
    for s in sluices:
        until(lambda s=s: s.query(NAME) == new)
    for _ in range(20):
        for s in sluices:
            assert s.query(NAME) == new


def walsenders(pg, db):
    return [int(pid) for pid in pg.psql(
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walsender' "
        f"AND datname = '{db}'").split()]


def test_a_write_past_all_ends_it_for_all(make, behind):
    """In Redis and in the memory of each."""
    one, two = make(l1="1h"), make(l1="1h")
    questions = iter(range(2, 100))

    def found():
        """What one has stored, two finds in Redis."""
        sql = NAME.replace("id = 1", f"id = {next(questions)}")
        one.query(sql)
        return asked(two, sql=sql)[1]
    until(found)
    for s in (one, two):
        until(lambda s=s: asked(s, "cache_hits_l1") == (OLD, True))
    new = write(behind, "new")
    sees(new, one, two)
    assert min(s.metric("pgsluice_l2_bumps_total") for s in (one, two)) > 0
    until(found)


def test_shared_without_memory(make, behind):
    """Every hit is one in Redis."""
    one, two = make(), make()
    assert shared(one, two) == OLD
    for n in range(3):
        new = write(behind, f"new {n}")
        sees(new, one, two)
        shared(one, two, rows=new)




def test_frozen_walsenders(make, pg, db, behind):
    """Nobody tells Redis of the write: its old entry is served for as long as
    the feeds vouch, and no longer."""
    lag = 1.0
    one, two = make(), make()
    assert shared(one, two) == OLD
    pids = walsenders(pg, db)
    assert len(pids) == 2
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    frozen = last = time.monotonic()
    try:
        new = write(behind, "new")
        while time.monotonic() - frozen < lag + 1.5:
            for s in (one, two):
                began = time.monotonic()
                rows, hit = asked(s)
                if rows == OLD:
                    last = began
                else:
                    assert rows == new and not hit
        assert last - frozen < lag + 0.2
        assert state(one) == state(two) == "stale"
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    until(lambda: state(one) == state(two) == "live")
    sees(new, one, two)
    shared(one, two, rows=new)


def test_one_frozen_walsender(make, pg, db, behind):
    """One process has heard nothing; the other's word ends it in Redis."""
    one = make(lag="3s")
    late, = walsenders(pg, db)
    two = make(lag="3s")
    assert shared(one, two) == OLD
    os.kill(late, signal.SIGSTOP)
    try:
        new = write(behind, "new")
        sees(new, two, one)
    finally:
        os.kill(late, signal.SIGCONT)
    until(lambda: state(one) == "live")
    shared(one, two, rows=new)


def test_who_starts_after_a_write(make, redis, behind):
    """Nobody was there to see it."""
    one, two = make(), make()
    assert shared(one, two) == OLD
    one.stop()
    two.stop()
    kept = redis.cli("KEYS", "pgsluice:app:*")
    assert kept
    new = write(behind, "new")
    one.start()
    while state(one) != "live":
        assert one.query(NAME) == new
    assert redis.cli("KEYS", "pgsluice:app:*") == kept
    two.start()
    for s in (one, two):
        ready(s)
    sees(new, one, two)
    shared(one, two, rows=new)


def test_a_commit_that_cannot_be_seen_yet(make, pg, db, behind, tmp_path):
    """The old row is put into Redis when the log has the commit already, under
    tokens of after that."""
    one, two = make(lag="5s"), make(lag="5s")
    shared(one, two)
    behind.execute("SET synchronous_commit = on")
    with receiver(pg, str(tmp_path / "wal")) as standby:
        pg.psql("ALTER SYSTEM SET synchronous_standby_names = 'delayed'")
        pg.psql("SELECT pg_reload_conf()")
        try:
            until(lambda: pg.psql("SELECT 1 FROM pg_stat_replication WHERE "
                                  "sync_state = 'sync'"))
            for n in range(3):
                new = [(f"late {n}",)]
                standby.send_signal(signal.SIGSTOP)
                writer = threading.Thread(target=write,
                                          args=(behind, f"late {n}"))
                writer.start()
                for s in (one, two):
                    until(lambda s=s: feed(s)["unsettled"] == 1)
                assert shared(one, two) != new
                assert writer.is_alive()
                standby.send_signal(signal.SIGCONT)
                writer.join()
                sees(new, one, two)
                shared(one, two, rows=new)
        finally:
            pg.psql("ALTER SYSTEM RESET synchronous_standby_names")
            pg.psql("SELECT pg_reload_conf()")


def test_a_frozen_redis(make, redis, behind):
    """What cannot be told to it is not asked of it."""
    one, two = make(), make()
    assert shared(one, two) == OLD
    redis.freeze()
    try:
        new = write(behind, "new")
        sees(new, one, two)
    finally:
        redis.thaw()
    sees(new, one, two)
    shared(one, two, rows=new)


def test_a_redis_that_comes_back_with_the_past(make, redis, behind):
    one, two = make(), make()
    assert shared(one, two) == OLD
    redis.cli("SAVE")
    first = write(behind, "first")
    sees(first, one, two)
    shared(one, two, rows=first)
    redis.kill()
    new = write(behind, "new")
    sees(new, one, two)
    redis.start()
    until(lambda: redis.cli("KEYS", "pgsluice:app:*"))
    sees(new, one, two)
    shared(one, two, rows=new)
