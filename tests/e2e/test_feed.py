# SPDX-License-Identifier: PostgreSQL
"""The feed: strong rules against a PostgreSQL that others write to."""

import contextlib
import os
import signal
import subprocess
import threading
import time

import pytest

from harness import Cluster, followed, sanitizer_options, until
from test_layout import HALVES, Town

CONF = """
auth = "trust"
admin_users = {"app"}
feed_user = "feeder"
max_feed_lag = "$LAG"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" feed = true }
database "app" { backend = "main" }
cache "items" { tables = {"item"} ttl = "1h" consistency = "strong" }
"""

SCHEMA = """
SET ROLE app;
CREATE TABLE item (id int PRIMARY KEY, name text);
INSERT INTO item SELECT n, 'name ' || n FROM generate_series(1, 100) n;
RESET ROLE;
CREATE PUBLICATION pgsluice FOR TABLE item;
"""

NAME = "SELECT name FROM item WHERE id = 1"


@pytest.fixture(scope="module")
def cluster(lab):
    cluster = followed(lab, "pgfeed", {
        "max_replication_slots": "6", "max_prepared_transactions": "5",
        "wal_sender_timeout": "10s", "logical_decoding_work_mem": "64kB"})
    yield cluster
    cluster.stop()


@pytest.fixture
def pg(cluster):
    """In the place of the cluster that others share."""
    if not cluster.running:
        cluster.start()
    yield cluster


@pytest.fixture
def make(pg, db, pgsluice):
    made = []

    def start(conf=CONF, lag="1s", schema=SCHEMA, live=True, **holes):
        pg.psql(schema, db)
        made.append(pgsluice(conf, LAG=lag, **holes))
        if live:
            until(lambda: state(made[-1]) == "live")
        return made[-1]
    yield start
    for sluice in made:
        sluice.stop()


@pytest.fixture
def behind(pg, db):
    """Past the proxy."""
    with pg.connect(db) as conn:
        yield conn


def feed(sluice, backend="main"):
    return [r for r in sluice.console("SHOW FEEDS")
            if r["backend"] == backend][0]


def state(sluice, backend="main"):
    rows = sluice.console("SHOW FEEDS")
    return next((r["state"] for r in rows if r["backend"] == backend), None)


def hits(sluice):
    return sluice.count("cache_hits_l1")


def bypassed(sluice, reason):
    return sluice.metrics().get(
        f'pgsluice_cache_bypass_total{{reason="{reason}"}}', 0)


def is_hit(sluice, sql):
    before = hits(sluice)
    rows = sluice.query(sql)
    return rows, hits(sluice) > before


def cached(sluice, sql=NAME):
    """Ask until it is a hit; its rows."""
    return until(lambda: (lambda r: r[1] and r)(is_hit(sluice, sql)))[0]


def test_a_write_past_the_proxy_ends_a_hit(make, behind):
    sluice = make()
    assert cached(sluice) == [("name 1",)]
    behind.execute("UPDATE item SET name = 'new' WHERE id = 1")
    began = time.monotonic()
    until(lambda: sluice.query(NAME) == [("new",)])
    assert time.monotonic() - began < 1
    assert cached(sluice) == [("new",)]


def test_truncate_ends_a_hit(make, behind):
    sluice = make()
    cached(sluice)
    behind.execute("TRUNCATE item")
    until(lambda: sluice.query(NAME) == [], timeout=1)


def test_what_triggers_and_cascades_write_counts(make, behind):
    conf = CONF + """
cache "orders" { tables = {"orders"} ttl = "1h" consistency = "strong" }
cache "lines" { tables = {"line"} ttl = "1h" consistency = "strong" }
"""
    sluice = make(conf, schema=SCHEMA + """
CREATE TABLE orders (id int PRIMARY KEY, total int);
CREATE TABLE line (id int PRIMARY KEY, price int,
  o int REFERENCES orders ON DELETE CASCADE);
CREATE FUNCTION sum_up() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN
  UPDATE orders SET total = total + NEW.price WHERE id = NEW.o; RETURN NULL;
END $f$;
CREATE TRIGGER sum_up AFTER INSERT ON line FOR EACH ROW
  EXECUTE FUNCTION sum_up();
INSERT INTO orders VALUES (1, 0);
INSERT INTO line VALUES (1, 5, 1);
GRANT ALL ON orders, line TO app;
ALTER PUBLICATION pgsluice ADD TABLE orders, line;
""")
    total = "SELECT total FROM orders WHERE id = 1"
    lines = "SELECT count(*) FROM line"
    assert cached(sluice, total) == [(5,)]
    assert cached(sluice, lines) == [(1,)]
    # Through the proxy, which names one table only.
    sluice.query("INSERT INTO line VALUES (2, 7, 1)")
    until(lambda: sluice.query(total) == [(12,)], timeout=1)
    assert cached(sluice, total) == [(12,)]
    assert cached(sluice, lines) == [(2,)]
    sluice.query("DELETE FROM orders")
    until(lambda: sluice.query(lines) == [(0,)], timeout=1)


PARTS = """
CREATE TABLE item (id int, name text, PRIMARY KEY (id))
  PARTITION BY RANGE (id);
CREATE TABLE item_low PARTITION OF item FOR VALUES FROM (0) TO (10)
  PARTITION BY RANGE (id);
CREATE TABLE item_1 PARTITION OF item_low FOR VALUES FROM (0) TO (5);
INSERT INTO item VALUES (1, 'name 1');
GRANT ALL ON ALL TABLES IN SCHEMA public TO app;
"""


@pytest.mark.parametrize("root", [False, True])
def test_a_leafs_change_is_its_parents(make, behind, root):
    sluice = make(schema=PARTS + "CREATE PUBLICATION pgsluice FOR TABLE item "
                  f"WITH (publish_via_partition_root = {root})")
    assert cached(sluice) == [("name 1",)]
    behind.execute("UPDATE item_1 SET name = 'new' WHERE id = 1")
    until(lambda: sluice.query(NAME) == [("new",)], timeout=1)
    assert cached(sluice) == [("new",)]
    # A partition that comes later is known when it is first written to.
    behind.execute("CREATE TABLE item_2 PARTITION OF item "
                   "FOR VALUES FROM (10) TO (20)")
    cached(sluice, "SELECT count(*) FROM item")
    behind.execute("INSERT INTO item_2 VALUES (11, 'eleven')")
    until(lambda: sluice.query("SELECT count(*) FROM item") == [(2,)],
          timeout=1)
    behind.execute("INSERT INTO item_2 VALUES (12, 'twelve')")
    until(lambda: sluice.query("SELECT count(*) FROM item") == [(3,)],
          timeout=1)


def test_partitions_that_come_and_go(make, behind):
    """What a parent wins or loses by ALTER TABLE is not in the log, but in the
    catalogs."""
    sluice = make(CONF + 'revocation_bound = "0"\n', schema=PARTS +
                  "CREATE PUBLICATION pgsluice FOR ALL TABLES")
    count = "SELECT count(*) FROM item"
    assert cached(sluice, count) == [(1,)]
    behind.execute("CREATE TABLE loose (LIKE item INCLUDING ALL)")
    behind.execute("INSERT INTO loose VALUES (20, 'twenty')")
    assert cached(sluice, count) == [(1,)]
    behind.execute("ALTER TABLE item ATTACH PARTITION loose "
                   "FOR VALUES FROM (20) TO (30)")
    until(lambda: sluice.query(count) == [(2,)], timeout=20)
    assert cached(sluice, count) == [(2,)]
    time.sleep(7)  # what is undone before the next look is not noticed
    behind.execute("ALTER TABLE item DETACH PARTITION loose")
    until(lambda: sluice.query(count) == [(1,)], timeout=20)
    assert cached(sluice, count) == [(1,)]
    behind.execute("DROP TABLE item_low")
    until(lambda: sluice.query(count) == [(0,)], timeout=20)


def test_physical_names_are_their_logical_table(make, pg, db, behind):
    conf = CONF.replace('"item"', '"app.event"') + """
table "app.event" {
    variant "plain" { kind = "plain" backend = "main" relation = "event_v1" }
}
"""
    sluice = make(conf, schema="""
CREATE TABLE event_v1 (id int PRIMARY KEY, name text);
INSERT INTO event_v1 VALUES (1, 'one');
GRANT ALL ON event_v1 TO app;
CREATE PUBLICATION pgsluice FOR TABLE event_v1;
""")
    sql = "SELECT name FROM app.event WHERE id = 1"
    assert cached(sluice, sql) == [("one",)]
    behind.execute("UPDATE event_v1 SET name = 'new'")
    until(lambda: sluice.query(sql) == [("new",)], timeout=1)


def test_prepared_transactions(make, behind):
    sluice = make()
    cached(sluice)
    behind.execute("BEGIN")
    behind.execute("UPDATE item SET name = 'new' WHERE id = 1")
    behind.execute("PREPARE TRANSACTION 'feed'")
    assert cached(sluice) == [("name 1",)]
    behind.execute("COMMIT PREPARED 'feed'")
    until(lambda: sluice.query(NAME) == [("new",)], timeout=1)


KEYS = CONF.replace('consistency', """keys = {"item.owner", "month(item.at)"}
    consistency""") + 'layout_user = "app"\n'

OWNED = """
CREATE TABLE item (id int PRIMARY KEY, owner int, at timestamptz, name text);
ALTER TABLE item REPLICA IDENTITY $IDENTITY;
INSERT INTO item SELECT n, n % 4, '2026-01-15 00:00Z'::timestamptz +
  n % 4 * interval '1 month', 'name' FROM generate_series(1, 40) n;
GRANT ALL ON item TO app;
CREATE PUBLICATION pgsluice FOR TABLE item;
"""
OWNER = "SELECT count(*), min(name) FROM item WHERE owner = "
MONTH = ("SELECT count(*) FROM item WHERE at >= '2026-0{0}-01 00:00Z' "
         "AND at < '2026-0{1}-01 00:00Z'")


def still_hits(sluice, statements):
    return [is_hit(sluice, sql)[1] for sql in statements]


@pytest.mark.parametrize("identity", ["FULL", "DEFAULT"])
def test_values_that_are_told_apart(make, behind, identity):
    """A change ends results of its values alone where the stream has them, as
    they were and as they are, and those of all values where it has not."""
    sluice = make(KEYS, schema=OWNED.replace("$IDENTITY", identity))
    until(lambda: all(r["state"] == "in use" for r in
                      sluice.console("SHOW CACHE KEYS")))
    until(lambda: feed(sluice)["rules_open"] == 1)
    owners = [OWNER + str(n) for n in range(4)]
    months = [MONTH.format(n, n + 1) for n in range(1, 5)]
    # The first change describes the table, and is taken for more.
    behind.execute("INSERT INTO item VALUES (99, 0, '2026-01-20', 'name')")

    def after(sql):
        for s in owners + months:
            cached(sluice, s)
        time.sleep(0.2)
        for s in owners + months:
            cached(sluice, s)
        before = feed(sluice)["changes"]
        behind.execute(sql)
        until(lambda: feed(sluice)["changes"] > before)
        until(lambda: feed(sluice)["unsettled"] == 0)
        return still_hits(sluice, owners), still_hits(sluice, months)
    one = [True, False, True, True]
    assert after("INSERT INTO item VALUES (100, 1, '2026-02-20', 'x')") == (
        one, one)
    some = (one, one) if identity == "FULL" else ([False] * 4, [False] * 4)
    assert after("UPDATE item SET name = 'y' WHERE id = 100") == some
    assert after("DELETE FROM item WHERE id = 100") == some
    if identity == "FULL":
        assert after("UPDATE item SET owner = 3 WHERE id = 1") == (
            [True, False, True, False], one)
    assert after("TRUNCATE item") == ([False] * 4, [False] * 4)
    assert sluice.query(owners[1]) == [(0, None)]


# -- losing the stream --------------------------------------------------------

def walsender(pg, db):
    pids = pg.psql("SELECT pid FROM pg_stat_activity WHERE datname = "
                   f"'{db}' AND backend_type = 'walsender'").split()
    return int(pids[0]) if pids else None


def test_a_killed_walsender(make, pg, db, behind):
    """What is written while nobody looks is not served from before."""
    sluice = make()
    for n in range(3):
        assert cached(sluice)
        pg.psql(f"SELECT pg_terminate_backend({walsender(pg, db)})")
        behind.execute(f"UPDATE item SET name = 'killed {n}' WHERE id = 1")
        until(lambda: state(sluice) != "live")
        began = time.monotonic()
        while time.monotonic() - began < 3 or state(sluice) != "live":
            assert sluice.query(NAME) == [(f"killed {n}",)]
        assert time.monotonic() - began < 30
    assert feed(sluice)["reconnects"] >= 3
    assert bypassed(sluice, "feed_stale") > 0


def test_a_restarted_server(make, pg, db):
    sluice = make()
    assert cached(sluice)
    pg.stop()
    pg.start()
    with pg.connect(db) as conn:
        conn.execute("UPDATE item SET name = 'new' WHERE id = 1")

    def asked():
        with contextlib.suppress(Exception):
            return sluice.query(NAME)
    assert until(asked) == [("new",)]
    until(lambda: state(sluice) == "live", timeout=30)
    assert cached(sluice) == [("new",)]


def test_a_frozen_walsender(make, pg, db, behind):
    """No heartbeat comes back: hits end in time, and go on when it does."""
    lag = 1.0
    sluice = make(lag="1s")
    assert cached(sluice)
    pid = walsender(pg, db)
    os.kill(pid, signal.SIGSTOP)
    frozen = time.monotonic()
    try:
        behind.execute("UPDATE item SET name = 'new' WHERE id = 1")
        last = frozen
        while time.monotonic() - frozen < lag + 1.5:
            rows, hit = is_hit(sluice, NAME)
            if rows == [("name 1",)]:
                last = time.monotonic()
            elif hit:
                raise AssertionError("a hit while the feed is frozen")
        print(f"hits ended {last - frozen:.3f} s after the last news")
        assert last - frozen < lag + 0.5
        assert state(sluice) == "stale"
        assert "feed_stale" in str(sluice.query(f"EXPLAIN (ROUTE) {NAME}"))
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: state(sluice) == "live")
    assert cached(sluice) == [("new",)]
    assert feed(sluice)["reconnects"] == 0


def test_a_writer_that_holds_the_slot_back(make, pg, db, behind):
    """The slot waits for transactions that are under way; meanwhile nothing is
    served, and theirs is seen."""
    pg.psql(SCHEMA, db)
    behind.execute("BEGIN")
    behind.execute("UPDATE item SET name = 'new' WHERE id = 1")
    sluice = make(schema="SELECT 1", live=False)
    until(lambda: state(sluice) == "slot")
    for _ in range(3):
        assert is_hit(sluice, NAME) == ([("name 1",)], False)
    behind.execute("COMMIT")
    until(lambda: state(sluice) == "live")
    assert cached(sluice) == [("new",)]


# -- the log is ahead of what can be seen -------------------------------------

@contextlib.contextmanager
def receiver(pg, directory):
    """A synchronous standby that can be frozen."""
    os.makedirs(directory, exist_ok=True)
    bindir = os.path.dirname(pg.command()[0])
    proc = subprocess.Popen(
        [os.path.join(bindir, "pg_receivewal"), "-D", directory,
         "--synchronous", "-d", f"host=127.0.0.1 port={pg.port} "
         "user=postgres application_name=delayed"])
    try:
        until(lambda: pg.psql("SELECT 1 FROM pg_stat_replication WHERE "
                              "application_name = 'delayed'"))
        yield proc
    finally:
        proc.send_signal(signal.SIGCONT)
        proc.terminate()
        proc.wait(20)


def test_a_commit_that_cannot_be_seen_yet(make, pg, db, behind, tmp_path):
    """With a synchronous standby that is late, the commit is decoded long
    before anyone can see it. What is fetched in between is the old row, and it
    is stored after the first bump: only the second one ends it."""
    sluice = make(lag="5s")
    cached(sluice)
    behind.execute("SET synchronous_commit = on")
    with receiver(pg, str(tmp_path / "wal")) as standby:
        pg.psql("ALTER SYSTEM SET synchronous_standby_names = 'delayed'")
        pg.psql("SELECT pg_reload_conf()")
        try:
            until(lambda: pg.psql("SELECT 1 FROM pg_stat_replication WHERE "
                                  "sync_state = 'sync'"))
            for n in range(3):
                standby.send_signal(signal.SIGSTOP)
                writer = threading.Thread(
                    target=behind.execute,
                    args=(f"UPDATE item SET name = 'late {n}' WHERE id = 1",))
                writer.start()
                until(lambda: feed(sluice)["unsettled"] == 1)
                old = cached(sluice)
                assert old != [(f"late {n}",)]
                time.sleep(0.3)
                assert is_hit(sluice, NAME) == (old, True)
                assert writer.is_alive()
                before = feed(sluice)["bumps"]
                standby.send_signal(signal.SIGCONT)
                writer.join()
                until(lambda: sluice.query(NAME) == [(f"late {n}",)],
                      timeout=1)
                assert cached(sluice) == [(f"late {n}",)]
                until(lambda: feed(sluice)["bumps"] == before + 1)
        finally:
            pg.psql("ALTER SYSTEM RESET synchronous_standby_names")
            pg.psql("SELECT pg_reload_conf()")


# -- large transactions -------------------------------------------------------

def memory(sluice):
    return sluice.metric("process_resident_memory_bytes")


ROWS = int(os.environ.get("PGSLUICE_FEED_ROWS", "1000000"))


@pytest.mark.timeout(120 + ROWS // 10000)
def test_a_million_rows(make, pg, db, behind):
    """In one transaction: neither memory nor the HTTP door feels it."""
    # A sanitizer's quarantine would look like growth.
    sluice = make(lag="5s", environment={"ASAN_OPTIONS": sanitizer_options()[
        "ASAN_OPTIONS"] + ":quarantine_size_mb=8"})
    cached(sluice)
    before = memory(sluice)
    peak, slowest = before, 0.0
    done = threading.Event()

    def watch():
        nonlocal peak, slowest
        while not done.wait(0.05):
            asked = time.monotonic()
            peak = max(peak, memory(sluice))
            slowest = max(slowest, time.monotonic() - asked)
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        behind.execute("INSERT INTO item SELECT n, 'name ' || n "
                       f"FROM generate_series(1000, {999 + ROWS}) n")
        behind.execute("BEGIN")
        behind.execute("INSERT INTO item SELECT n, 'gone' "
                       "FROM generate_series(-100000, -1) n")
        behind.execute("ROLLBACK")
        until(lambda: sluice.query("SELECT count(*) FROM item") ==
              [(ROWS + 100,)], timeout=30)
        until(lambda: feed(sluice)["changes"] >= ROWS, timeout=60 + ROWS / 1e4)
        until(lambda: state(sluice) == "live", timeout=60)
    finally:
        done.set()
        watcher.join()
    print(f"{ROWS} rows: {(peak - before) / 1048576:.1f} MiB more at most, "
          f"the slowest /metrics took {slowest * 1000:.0f} ms")
    assert peak - before < 64 * 1024 * 1024
    assert cached(sluice) == [("name 1",)]


# -- what cannot be followed --------------------------------------------------

def check(sluice, table="item"):
    return [r for r in sluice.console("CHECK CACHE") if r["table"] == table]


def test_a_table_that_is_not_published(make, pg, db, behind):
    sluice = make(schema=SCHEMA + "CREATE TABLE other (id int PRIMARY KEY);"
                  "ALTER PUBLICATION pgsluice SET TABLE other;")
    assert [r["state"] for r in check(sluice)] == ["unable"]
    for _ in range(3):
        assert is_hit(sluice, NAME) == ([("name 1",)], False)
    assert bypassed(sluice, "feed_unable") == 3
    assert "feed_unable" in str(sluice.query(f"EXPLAIN (ROUTE) {NAME}"))
    pg.psql("ALTER PUBLICATION pgsluice ADD TABLE item", db)
    assert cached(sluice) == [("name 1",)]
    assert [(r["state"], r["published"], r["identity"], r["tells"])
            for r in check(sluice)] == [("ok", "yes", "key", "wide")]
    behind.execute("UPDATE item SET name = 'new' WHERE id = 1")
    until(lambda: sluice.query(NAME) == [("new",)], timeout=1)
    pg.psql("ALTER PUBLICATION pgsluice DROP TABLE item", db)
    until(lambda: not is_hit(sluice, NAME)[1])


@pytest.mark.parametrize("change, text", [
    ("CREATE VIEW item AS SELECT 1 AS id, 'x'::text AS name", "view"),
    ("CREATE MATERIALIZED VIEW item AS SELECT 1 AS id, 'x'::text AS name",
     "materialized"),
    ("CREATE UNLOGGED TABLE item (id int PRIMARY KEY, name text)", "unlogged"),
    ("SELECT 1", "no such table"),
])
def test_what_is_not_in_the_log(make, change, text):
    sluice = make(schema=f"CREATE PUBLICATION pgsluice; {change}")
    assert text in check(sluice)[0]["text"]
    assert check(sluice)[0]["state"] == "unable"


def test_a_filter_leaves_changes_out(make):
    sluice = make(schema=SCHEMA + "ALTER PUBLICATION pgsluice SET TABLE item "
                  "WHERE (id > 5)")
    assert "filter" in check(sluice)[0]["text"]
    assert not is_hit(sluice, NAME)[1] and not is_hit(sluice, NAME)[1]


def test_tables_without_an_identity(make):
    """Each of them is a danger to the user's own UPDATE and DELETE."""
    sluice = make(schema=SCHEMA + """
CREATE TABLE nokey (id int);
ALTER PUBLICATION pgsluice ADD TABLE nokey;
ALTER TABLE item REPLICA IDENTITY NOTHING;
""")
    rows = sluice.console("CHECK CACHE")
    assert [(r["table"], r["relation"], r["state"], r["tells"])
            for r in rows] == [
        (None, "public.nokey", "danger", "unusable"),
        ("item", "public.item", "danger", "unusable")]
    assert "UPDATE and DELETE fail" in rows[0]["text"]


def failed(sluice):
    return until(lambda: state(sluice) == "failed" and
                 feed(sluice)["reason"])


def test_no_publication(make, pg, db):
    sluice = make(schema=SCHEMA + "DROP PUBLICATION pgsluice", live=False)
    assert "no publication" in failed(sluice)
    assert not is_hit(sluice, NAME)[1] and not is_hit(sluice, NAME)[1]
    pg.psql("CREATE PUBLICATION pgsluice FOR TABLE item", db)
    until(lambda: state(sluice) == "live", timeout=30)
    assert cached(sluice)


def test_a_publication_that_leaves_out_deletes(make):
    sluice = make(schema=SCHEMA + "ALTER PUBLICATION pgsluice "
                  "SET (publish = 'insert')", live=False)
    assert "leaves changes out" in failed(sluice)


def test_a_role_that_may_not_replicate(make):
    sluice = make(CONF.replace('"feeder"', '"alice"'), live=False)
    assert "may not replicate" in failed(sluice)


def test_nobody_to_log_in_as(make):
    sluice = make(CONF.replace('feed_user = "feeder"',
                               'revocation_bound = "0"'), live=False)
    assert "nobody to log in as" in failed(sluice)


def test_no_slot_is_left(make, pg):
    made = [pg.psql(f"SELECT pg_create_physical_replication_slot('s{n}')")
            for n in range(6)]
    try:
        sluice = make(live=False)
        assert "max_replication_slots" in failed(sluice)
    finally:
        for n in range(len(made)):
            pg.psql(f"SELECT pg_drop_replication_slot('s{n}')")
    until(lambda: state(sluice) == "live", timeout=30)


def test_a_server_without_logical_decoding(pgsluice, shared_pg):
    sluice = pgsluice(CONF.replace('"feeder"', '"postgres"'), LAG="1s",
                      PG=shared_pg.port)
    assert "wal_level is replica" in failed(sluice)


# -- living on ----------------------------------------------------------------

def test_a_reload_keeps_the_feed(make, behind):
    sluice = make()
    before = feed(sluice)
    sluice.rewrite(CONF + "log_level = \"debug\"\n")
    sluice.reload()
    assert cached(sluice)
    after = feed(sluice)
    assert after["reconnects"] == before["reconnects"] == 0
    assert after["commits"] >= before["commits"]
    # Another lag is another beat; no feed, no strong rule.
    sluice.rewrite(CONF.replace("$LAG", "300ms"))
    sluice.reload()
    assert cached(sluice)
    behind.execute("UPDATE item SET name = 'new' WHERE id = 1")
    until(lambda: sluice.query(NAME) == [("new",)], timeout=1)
    with pytest.raises(Exception, match="reload refused|nobody follows"):
        sluice.rewrite(CONF.replace("feed = true", ""))
        sluice.reload()


def test_the_log_is_not_kept(make, pg, db, behind):
    """The slot follows, and goes with the process."""
    sluice = make()
    slots = ("SELECT pg_current_wal_lsn() - confirmed_flush_lsn "
             f"FROM pg_replication_slots WHERE database = '{db}'")
    behind.execute("UPDATE item SET name = 'x ' || name")
    until(lambda: int(pg.psql(slots)) < 4096)
    sluice.stop()
    until(lambda: pg.psql(slots) == "")


def test_too_far_behind(make, pg, db, behind):
    sluice = make(CONF + 'feed_max_backlog = "1MB"\n')
    pid = walsender(pg, db)
    os.kill(pid, signal.SIGSTOP)
    try:
        behind.execute("INSERT INTO item SELECT n, 'name ' || n "
                       "FROM generate_series(1000, 30000) n")
        assert "feed_max_backlog" in failed(sluice)
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: state(sluice) == "live", timeout=30)
    assert cached(sluice)


# -- several backends ---------------------------------------------------------

SHARDED = """
auth = "trust"
admin_users = {"app"}
layout_user = "app"
feed_user = "feeder"
layout_interval = 0
max_feed_lag = "1s"
backend "whole" { conninfo = "host=127.0.0.1 port=$PG dbname=${T}c" feed = true }
database "app" { backend = "whole" }
table "app.events" {
    variant "sharded" { kind = "sharded" backend = "whole"
        relation = "app.events_sharded" }
}
cache "events" { tables = {"app.events"} ttl = "1h" consistency = "strong" }
"""


@pytest.fixture
def town(pg, db, pgsluice):
    made = Town(pg, f"{db}_", pgsluice)
    yield made
    if made.sluice is not None:
        made.sluice.stop()
    made.drop()


def test_shards_are_followed_like_their_coordinator(town, pg):
    """Shards come from catalogs; each has a feed, a change on one of them is
    the logical table's, and without one of them nothing is served."""
    town.divide(HALVES).fill()
    town.whole("CREATE PUBLICATION pgsluice")
    for n in range(2):
        town.on(n, f"ALTER TABLE app.part{n} REPLICA IDENTITY FULL; CREATE "
                   f"PUBLICATION pgsluice FOR TABLE app.part{n}")
    sluice = town.sluice = town.make(SHARDED, T=town.t)
    until(lambda: [r["state"] for r in sluice.console("SHOW FEEDS")] ==
          ["live"] * 3)
    until(lambda: sum(r["rules_open"] for r in
                      sluice.console("SHOW FEEDS")) == 3)
    sql = "SELECT note FROM app.events WHERE tenant = 1"
    home = town.holder(1)
    assert cached(sluice, sql) == [("none",)]
    town.on(home, f"UPDATE app.part{home} SET note = 'here' WHERE tenant = 1")
    until(lambda: sluice.query(sql) == [("here",)], timeout=1)
    assert cached(sluice, sql) == [("here",)]
    town.whole("UPDATE app.events_sharded SET note = 'whole' "
               "WHERE tenant = 1")
    until(lambda: sluice.query(sql) == [("whole",)], timeout=1)
    assert cached(sluice, sql) == [("whole",)]
    # The other shard's feed alone is lost.
    town.on(1 - home, "DROP PUBLICATION pgsluice")
    pid = walsender(pg, f"{town.t}s{1 - home}")
    pg.psql(f"SELECT pg_terminate_backend({pid})")
    until(lambda: not is_hit(sluice, sql)[1])
    assert sluice.query(sql) == [("whole",)]
    town.on(1 - home, "CREATE PUBLICATION pgsluice FOR TABLE "
            f"app.part{1 - home}")
    until(lambda: is_hit(sluice, sql)[1], timeout=30)


def test_two_processes(make, pgsluice, behind):
    """Each has a slot and heartbeats of its own; a write through one is seen
    by the other."""
    one = make()
    two = pgsluice(CONF, LAG="1s")
    until(lambda: state(two) == "live")
    assert cached(one) == cached(two) == [("name 1",)]
    one.query("UPDATE item SET name = 'new' WHERE id = 1")
    until(lambda: two.query(NAME) == [("new",)], timeout=1)
    assert cached(one) == cached(two) == [("new",)]
    two.stop()


# -- failover -----------------------------------------------------------------

def test_another_primary(lab, pgsluice):
    """The standby takes over on another timeline: what only it knows is
    seen."""
    old = Cluster(lab, "pgold", settings={"wal_level": "logical"})
    old.start()
    new = None
    try:
        old.psql("CREATE ROLE feeder LOGIN REPLICATION")
        old.psql("CREATE DATABASE d OWNER app")
        old.psql(SCHEMA, "d")
        new = standby_of(lab, old)
        conf = CONF.replace("port=$PG", f"port={old.port},{new.port}").replace(
            "host=127.0.0.1", "host=127.0.0.1,127.0.0.1").replace(
            "dbname=$DB", "dbname=d target_session_attrs=read-write")
        sluice = pgsluice(conf, LAG="1s")
        until(lambda: state(sluice) == "live")
        assert feed(sluice)["timeline"] == "1"
        assert cached(sluice) == [("name 1",)]
        old.stop()
        new.psql("SELECT pg_promote()")
        new.psql("UPDATE item SET name = 'new' WHERE id = 1", "d")

        def asked():
            with contextlib.suppress(Exception):
                return sluice.query(NAME)
        assert until(asked, timeout=30) == [("new",)]
        until(lambda: state(sluice) == "live", timeout=30)
        assert feed(sluice)["timeline"] == "2"
        sluice.wait_log("another server now")
        assert cached(sluice) == [("new",)]
        new.psql("UPDATE item SET name = 'newer' WHERE id = 1", "d")
        until(lambda: sluice.query(NAME) == [("newer",)], timeout=1)
        sluice.stop()
    finally:
        for cluster in (old, new):
            if cluster is not None and cluster.running:
                cluster.stop()


def standby_of(lab, primary):
    """From a cold copy; it waits in recovery until it is promoted."""
    primary.stop()
    datadir = os.path.join(lab.work, "pgnew")
    subprocess.run(["cp", "-a", primary.datadir, datadir], check=True)
    new = Cluster(lab, "pgnew", settings={"wal_level": "logical"})
    new.write("standby.signal", "")
    primary.start()
    return new.start()


# -- all at once --------------------------------------------------------------

class Register:
    """Versions of rows with the moments at which writers knew of them."""

    def __init__(self):
        self.lock = threading.Lock()
        self.acked = {}

    def wrote(self, key, version):
        with self.lock:
            self.acked.setdefault(key, []).append((time.monotonic(), version))

    def known_at(self, key, moment):
        """The newest version whose commit was acknowledged by then."""
        with self.lock:
            return max((v for t, v in self.acked.get(key, ()) if t <= moment),
                       default=0)


def writer(pg, db, register, keys, stop):
    with pg.connect(db) as conn:
        while not stop.is_set():
            for key in keys:
                row = conn.execute(
                    "UPDATE item SET name = (name::int + 1)::text "
                    "WHERE id = %s RETURNING name::int", (key,)).fetchone()
                register.wrote(key, row[0])
                time.sleep(0.02)


def reader(sluice, register, keys, stop, lag, found):
    with sluice.connect() as conn:
        while not stop.is_set():
            for key in keys:
                asked = time.monotonic()
                got = int(conn.execute("SELECT name FROM item WHERE id = "
                                       f"{key}").fetchone()[0])
                found["reads"] += 1
                if got < register.known_at(key, asked - lag):
                    found["stale"].append((key, got, asked))
                if got < register.known_at(key, asked - 0.1):
                    found["late"] += 1


def test_a_storm(make, pg, db):
    """Others write all the time, the stream is frozen and killed: no read is
    older than max_feed_lag, and hits go on."""
    lag = 1.0
    sluice = make(lag="1s", schema=SCHEMA + "UPDATE item SET name = '0';")
    register, stop = Register(), threading.Event()
    found = [{"reads": 0, "late": 0, "stale": []} for _ in range(3)]
    before = hits(sluice)
    keys = range(1, 9)
    threads = [threading.Thread(target=writer, args=(
        pg, db, register, keys[n::2], stop)) for n in range(2)]
    threads += [threading.Thread(target=reader, args=(
        sluice, register, keys, stop, lag + 0.05, f)) for f in found]
    for t in threads:
        t.start()
    try:
        for n in range(6):
            time.sleep(1.5)
            pid = walsender(pg, db)
            if pid is None:
                continue
            if n % 2:
                pg.psql(f"SELECT pg_terminate_backend({pid})")
                continue
            os.kill(pid, signal.SIGSTOP)
            time.sleep(1.5)
            os.kill(pid, signal.SIGCONT)
    finally:
        stop.set()
        for t in threads:
            t.join()
    assert [f["stale"] for f in found] == [[]] * 3
    assert sum(f["reads"] for f in found) > 3000
    assert hits(sluice) - before > 1000
    assert feed(sluice)["reconnects"] >= 2
    assert sum(f["late"] for f in found) > 0  # it was frozen


# -- verify ---------------------------------------------------------------------

VERIFIED = CONF.replace('max_feed_lag', 'verify = "100%"\nmax_feed_lag')


def verified(sluice, what):
    return sluice.count("verify_" + what)


def test_what_a_strong_rule_must_not_serve_is_found(make):
    """A rule that says of now() that it does not change."""
    sluice = make(VERIFIED.replace('"strong"', '"strong" allow_stable = true'))
    sql = "SELECT id, now() FROM item WHERE id = 1"
    cached(sluice, sql)
    until(lambda: verified(sluice, "mismatches") ==
          verified(sluice, "samples"), 20)
    sluice.wait_log("hit was not what the backend says")


def test_a_strong_rule_that_holds_is_not_blamed(make, behind):
    """Whoever writes: what the feed tells in time is no mismatch."""
    sluice = make(VERIFIED)
    for n in range(20):
        cached(sluice)
        behind.execute("UPDATE item SET name = %s WHERE id = 1", (f"v{n}",))
        sluice.query(NAME)
    until(lambda: sum(verified(sluice, w) for w in (
        "same", "inconclusive", "dropped", "reordered")) ==
        verified(sluice, "samples"), 30)
    assert verified(sluice, "mismatches") == verified(sluice, "stale") == 0


# -- all tables -----------------------------------------------------------------

ALL = """
auth = "trust"
admin_users = {"app"}
feed_user = "feeder"
layout_user = "postgres"
max_feed_lag = "$LAG"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" feed = true }
database "app" { backend = "main" }
cache "all" { tables = "*" ttl = "1h" consistency = "strong" }
"""

ALL_SCHEMA = SCHEMA + """
SET ROLE app;
CREATE TABLE apart (id int PRIMARY KEY, name text);
INSERT INTO apart VALUES (1, 'a');
CREATE TABLE "Odd name" (id int PRIMARY KEY, name text);
INSERT INTO "Odd name" VALUES (1, 'o');
CREATE VIEW item_v AS SELECT name FROM item WHERE id = 1;
CREATE VIEW apart_v AS SELECT name FROM apart WHERE id = 1;
CREATE TABLE parted (id int PRIMARY KEY, name text) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
INSERT INTO parted VALUES (1, 'p');
CREATE MATERIALIZED VIEW item_m AS SELECT name FROM item WHERE id = 1;
RESET ROLE;
ALTER PUBLICATION pgsluice ADD TABLE "Odd name", parted;
"""


def test_strong_for_all_tables(make, behind):
    """What can be followed is, table by table, through views and partitions;
    what cannot goes past the cache."""
    sluice = make(ALL, schema=ALL_SCHEMA)
    writes = {
        NAME: "UPDATE item SET name = %s WHERE id = 1",
        "SELECT name FROM item_v": "UPDATE item SET name = %s WHERE id = 1",
        'SELECT name FROM "Odd name"': 'UPDATE "Odd name" SET name = %s',
        "SELECT name FROM parted": "UPDATE parted_1 SET name = %s",
        "SELECT name FROM parted_1": "UPDATE parted SET name = %s",
    }
    for n, (read, write) in enumerate(writes.items()):
        cached(sluice, read)
        behind.execute(write, (f"new {n}",))
        until(lambda read=read, n=n:
              sluice.query(read) == [(f"new {n}",)])
        cached(sluice, read)
    for sql in ("SELECT name FROM apart", "SELECT name FROM apart_v",
                "SELECT name FROM item_m",
                "SELECT i.name FROM item i JOIN apart USING (id)"):
        before = bypassed(sluice, "feed_unable"), hits(sluice)
        for _ in range(3):
            sluice.query(sql)
        until(lambda before=before:
              bypassed(sluice, "feed_unable") == before[0] + 3)
        assert hits(sluice) == before[1]
    behind.execute("ALTER PUBLICATION pgsluice ADD TABLE apart")
    cached(sluice, "SELECT name FROM apart_v")
    behind.execute("UPDATE apart SET name = 'told'")
    until(lambda: sluice.query("SELECT name FROM apart_v") == [("told",)])


def test_strong_for_all_tables_fails_closed(make, pg, behind):
    sluice = make(ALL, schema=ALL_SCHEMA)
    cached(sluice)
    behind.execute("ALTER PUBLICATION pgsluice DROP TABLE item")
    until(lambda: not is_hit(sluice, NAME)[1] and
          bypassed(sluice, "feed_unable") > 0)
    behind.execute("UPDATE item SET name = 'unseen' WHERE id = 1")
    assert sluice.query(NAME) == [("unseen",)]
    cached(sluice, "SELECT name FROM parted")
    pg.psql("SELECT pg_terminate_backend(active_pid) "
            "FROM pg_replication_slots WHERE active")
    until(lambda: bypassed(sluice, "feed_stale") > 0 or
          not is_hit(sluice, "SELECT name FROM parted")[1])
