# SPDX-License-Identifier: PostgreSQL
"""Layouts read from catalogs: what is found, what is refused, what stays in
force, and what happens when it changes.  Coordinator and shards are databases
of one cluster; where a row belongs is for PostgreSQL to say."""

import datetime
import threading
import time

import psycopg
import pytest

from harness import until

TENANTS = 40
CONF = """
auth = "trust"
admin_users = {"app"}
layout_user = "app"
layout_interval = "$INTERVAL"
backend "whole" { conninfo = "host=127.0.0.1 port=$PG dbname=${T}c" }
$BACKENDS
database "app" { backend = "whole" }
table "app.events" {
$KEY
    variant "sharded" { kind = "sharded" backend = "whole"
        relation = "app.events_sharded" $SHARDS }
}
"""
SHARD = """
CREATE SCHEMA app AUTHORIZATION app;
SET ROLE app;
CREATE TABLE app.{name} (
    id int NOT NULL, tenant int NOT NULL,
    at timestamptz NOT NULL DEFAULT '2026-01-15',
    note text DEFAULT 'none'){partitioned};
{more}
"""
MONTHS = """
CREATE TABLE app.{name}_01 PARTITION OF app.{name}
    FOR VALUES FROM ('2026-01-01+00') TO ('2026-02-01+00');
CREATE TABLE app.{name}_rest PARTITION OF app.{name} DEFAULT;
"""


class Town:
    """A coordinator and three shards, each shard with a table of its own
    name; `places` says which remainders are where."""

    def __init__(self, pg, prefix, make):
        self.pg, self.t, self.make = pg, prefix, make
        self.sluice = None
        for name in ("c", "s0", "s1", "s2"):
            pg.psql(f"CREATE DATABASE {self.t}{name} OWNER app")
        for n in range(3):
            self.shard(n)

    def drop(self):
        for name in ("c", "s0", "s1", "s2"):
            self.pg.psql(f"DROP DATABASE IF EXISTS {self.t}{name} "
                         "WITH (FORCE)")

    def shard(self, n, months=False):
        name = f"part{n}"
        self.on(n, "DROP SCHEMA IF EXISTS app CASCADE; " + SHARD.format(
            name=name,
            partitioned=" PARTITION BY RANGE (at)" if months else "",
            more=MONTHS.format(name=name) if months else ""))

    def on(self, n, sql):
        return self.pg.psql(sql, f"{self.t}s{n}")

    def whole(self, sql):
        return self.pg.psql(sql, f"{self.t}c")

    def divide(self, places, by="HASH (tenant)"):
        """places: (bound, shard) of each partition."""
        servers = "".join(f"""
            CREATE SERVER shard{n} FOREIGN DATA WRAPPER postgres_fdw OPTIONS
                (host '127.0.0.1', port '{self.pg.port}',
                 dbname '{self.t}s{n}');
            GRANT USAGE ON FOREIGN SERVER shard{n} TO app;
            CREATE USER MAPPING FOR PUBLIC SERVER shard{n}
                OPTIONS (user 'app', password_required 'false');
            """ for n in range(3))
        self.whole("CREATE EXTENSION postgres_fdw;" + servers + SHARD.format(
            name="events_sharded", partitioned=f" PARTITION BY {by}",
            more=""))
        for i, (bound, n) in enumerate(places):
            self.attach(i, bound, n)
        return self

    def attach(self, i, bound, n):
        self.whole(f"SET ROLE app; CREATE FOREIGN TABLE app.events_{i} "
                   f"PARTITION OF app.events_sharded {bound} SERVER shard{n} "
                   f"OPTIONS (schema_name 'app', table_name 'part{n}')")

    def fill(self):
        self.whole("INSERT INTO app.events_sharded (id, tenant) "
                   f"SELECT n, n FROM generate_series(1, {TENANTS}) n")
        return self

    def start(self, backends="s0 s1 s2", key="", shards="", interval="0"):
        blocks = "".join(
            f'backend "{b}" {{ conninfo = "host=127.0.0.1 '
            f'port={self.pg.port} dbname={self.t}{b}" }}\n'
            for b in backends.split())
        self.sluice = self.make(CONF, T=self.t, BACKENDS=blocks, KEY=key,
                                SHARDS=shards, INTERVAL=interval)
        until(lambda: self.sluice.console("SHOW LAYOUTS"))
        return self

    def layouts(self, again=False):
        """(state, texts)"""
        rows = self.sluice.console("CHECK LAYOUTS" if again else
                                   "SHOW LAYOUTS")
        return rows[0]["state"], [r["text"] for r in rows if r["text"]]

    def route(self, tenant, sql="SELECT id FROM app.events WHERE tenant = {}"):
        rows = self.sluice.query("EXPLAIN (ROUTE) " + sql.format(tenant))
        return dict(r[0].split(": ", 1) for r in rows if ": " in r[0])

    def holder(self, tenant):
        """The shard with the tenant's rows, by PostgreSQL's doing."""
        return next(n for n in range(3) if int(self.on(
            n, f"SELECT count(*) FROM app.part{n} WHERE tenant = {tenant}")))

    def copy_in(self, rows):
        with self.sluice.connect() as conn, conn.cursor().copy(
                "COPY app.events (id, tenant) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def all_right(self, direct=True):
        """Every tenant's row is found, on its shard if direct."""
        for tenant in range(1, TENANTS + 1):
            backend = self.route(tenant)["backend"]
            want = f"s{self.holder(tenant)}" if direct else "whole"
            assert backend in (want, want.replace("s", "whole/shard"))
            assert self.sluice.query(
                "SELECT id FROM app.events WHERE tenant = %s", (tenant,)) == \
                [(tenant,)]


@pytest.fixture
def town(pg, db, pgsluice):
    made = Town(pg, f"{db}_", pgsluice)
    yield made
    if made.sluice is not None and made.sluice.running:
        made.sluice.stop()
    made.drop()


def mod(modulus, remainder):
    return f"FOR VALUES WITH (MODULUS {modulus}, REMAINDER {remainder})"


HALVES = [(mod(2, 0), 0), (mod(2, 1), 1)]


def test_nothing_but_the_relation_is_configured(town):
    town.divide(HALVES).fill().start()
    assert town.layouts() == ("in force", [])
    town.all_right()
    # Writes, too, and what is written is where PostgreSQL looks for it.
    for tenant in range(TENANTS + 1, 2 * TENANTS):
        town.sluice.query("INSERT INTO app.events (id, tenant) VALUES "
                          "(%s, %s)", (tenant, tenant))
    assert int(town.whole("SELECT count(*) FROM app.events_sharded")) == \
        2 * TENANTS - 1
    checked = town.sluice.console("CHECK SHARDS")
    assert [(r["backend"], r["relation"], r["misplaced"]) for r in checked] == \
        [("s0", "app.part0", 0), ("s1", "app.part1", 0)]


def test_servers_are_used_as_they_are(town):
    """s1 is no configured backend."""
    town.divide(HALVES).fill().start(backends="s0")
    town.all_right()
    names = [r["name"] for r in town.sluice.console("SHOW BACKENDS")]
    assert names == ["whole", "s0", "whole/shard1"]
    # It lasts through a reload.
    town.sluice.reload()
    town.all_right()


def test_moduli_differ(town):
    town.divide([(mod(4, 0), 0), (mod(2, 1), 1), (mod(4, 2), 2)])
    town.fill().start()
    assert {town.holder(t) for t in range(1, TENANTS + 1)} == {0, 1, 2}
    town.all_right()
    shards = town.sluice.console("SHOW SHARDS")
    assert [(r["modulus"], r["remainder"], r["backend"], r["direct"])
            for r in shards] == [(4, 0, "s0", "yes"), (2, 1, "s1", "yes"),
                                 (4, 2, "s2", "yes")]


def test_a_missing_remainder(town):
    town.divide([(mod(3, 0), 0), (mod(3, 1), 1)]).start()
    state, texts = town.layouts()
    assert state == "unknown"
    assert "expected a partition for every remainder of modulus 3, found " \
        "none for remainder 2" in texts[0]
    town.sluice.wait_log("found none for remainder 2")
    assert town.sluice.metric("pgsluice_layout_ok") == 0
    assert town.route(1)["backend"] == "whole"
    town.attach(2, mod(3, 2), 2)
    town.fill()
    assert town.layouts(again=True) == ("in force", [])
    assert town.sluice.metric("pgsluice_layout_ok") == 1
    town.all_right()
    # It was good once, and that is what counts.
    town.whole("ALTER TABLE app.events_sharded DETACH PARTITION app.events_2")
    generation = town.sluice.generation
    state, texts = town.layouts(again=True)
    assert state == "in force, read before"
    assert town.sluice.generation == generation
    assert town.route(1)["backend"] == f"s{town.holder(1)}"


def test_a_doubled_place(town):
    town.divide([(mod(2, 0), 0), (mod(2, 1), 0)]).fill().start()
    state, texts = town.layouts()
    assert state == "unknown"
    assert "found app.part0 on backend \"s0\" for events_0 and for " \
        "events_1" in texts[0]
    town.all_right(direct=False)


def test_written_by_hand_and_right(town):
    town.shard(0)
    for n in (0, 1):
        town.on(n, f"ALTER TABLE app.part{n} RENAME TO part")
    town.divide([])
    for n in (0, 1):
        town.whole(f"SET ROLE app; CREATE FOREIGN TABLE app.events_{n} "
                   f"PARTITION OF app.events_sharded {mod(2, n)} SERVER "
                   f"shard{n} OPTIONS (table_name 'part')")
    town.start(key='key_column = "tenant" key_type = "int4"',
               shards='shard_relation = "app.part" shards = {"s0", "s1"}')
    assert town.layouts() == ("by hand, confirmed", [])
    assert town.route(1)["backend"] in ("s0", "s1")


@pytest.mark.parametrize("key, shards, says", [
    ('key_column = "tenant" key_type = "int4"',
     'shard_relation = "app.part0" shards = {"s1", "s0"}',
     'expected backend "s1" for remainder 0, found backend "s0"'),
    ('key_column = "tenant" key_type = "int4"',
     'shard_relation = "app.part0" shards = {"s0"}',
     "expected modulus 1, found 2"),
    ('key_column = "id" key_type = "int4"',
     'shard_relation = "app.part0" shards = {"s0", "s1"}',
     'key_column: expected "id" of type int4, found "tenant"'),
    ('key_column = "tenant" key_type = "int8"',
     'shard_relation = "app.part0" shards = {"s0", "s1"}',
     'expected "tenant" of type int8, found "tenant" of type int4'),
    ('key_column = "tenant" key_type = "int4"',
     'shard_relation = "app.part0" shards = {"s0", "s1"}',
     "shard_relation: expected app.part0 for remainder 1, found app.part1"),
])
def test_written_by_hand_and_contradicted(town, key, shards, says):
    town.divide(HALVES).fill().start(key=key, shards=shards)
    state, texts = town.layouts()
    assert state == "refuted"
    assert says in "\n".join(texts)
    assert town.route(1)["why"] == "the coordinator: the catalogs contradict " \
        "the configured shards"
    town.all_right(direct=False)


def test_a_shard_is_down_when_it_is_to_be_asked(town):
    town.divide(HALVES).fill()
    town.pg.psql(f"ALTER DATABASE {town.t}s1 ALLOW_CONNECTIONS false")
    town.start()
    state, texts = town.layouts()
    assert state == "unknown"
    assert texts[0].startswith('backend "s1", which holds app.part1: cannot '
                               "be asked: ")
    assert town.route(1)["backend"] == "whole"
    with pytest.raises(psycopg.Error):
        town.copy_in((n, n) for n in range(TENANTS))
    town.pg.psql(f"ALTER DATABASE {town.t}s1 ALLOW_CONNECTIONS true")
    assert town.layouts(again=True) == ("in force", [])
    town.all_right()
    # Down later: what was found before stays, and only its rows fail.
    town.pg.psql(f"ALTER DATABASE {town.t}s1 ALLOW_CONNECTIONS false; "
                 "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                 f"WHERE datname = '{town.t}s1'")
    assert town.layouts(again=True)[0] == "in force, read before"
    there = {t: town.route(t)["backend"] for t in range(1, TENANTS + 1)}
    assert set(there.values()) == {"s0", "s1"}
    tenant = next(t for t, b in there.items() if b == "s0")
    assert town.sluice.query(
        f"SELECT id FROM app.events WHERE tenant = {tenant}") == [(tenant,)]


def test_a_shard_moves_under_load(town):
    """The table of one shard is renamed, then moved to another server. What
    was asked of the old place fails or is right; wrong is no answer."""
    town.divide(HALVES).fill().start(interval="0")
    stop, wrong, failed = threading.Event(), [], []

    def ask(first):
        with town.sluice.connect() as conn:
            tenant = first
            while not stop.is_set():
                tenant = tenant % TENANTS + 1
                try:
                    rows = conn.execute("SELECT id FROM app.events WHERE "
                                        "tenant = %s", (tenant,)).fetchall()
                    if rows != [(tenant,)]:
                        wrong.append((tenant, rows))
                except psycopg.Error as e:
                    failed.append(e.sqlstate)
    threads = [threading.Thread(target=ask, args=(n * 10,)) for n in range(4)]
    for t in threads:
        t.start()
    try:
        time.sleep(0.5)
        # Nobody tells pgsluice: the failure of a statement does.
        town.on(1, "ALTER TABLE app.part1 RENAME TO moved")
        town.whole("ALTER FOREIGN TABLE app.events_1 OPTIONS "
                   "(SET table_name 'moved')")
        until(lambda: [r for r in town.sluice.console("SHOW SHARDS")
                       if r["relation"] == "app.moved"])
        assert set(failed) == {"42P01"}
        # To another server, told by the console.
        rows = town.on(1, "SELECT id, tenant FROM app.moved").splitlines()
        values = ", ".join(f"({r.replace('|', ', ')})" for r in rows)
        town.on(2, f"INSERT INTO app.part2 (id, tenant) VALUES {values}")
        town.whole("BEGIN; ALTER TABLE app.events_sharded DETACH PARTITION "
                   "app.events_1; DROP FOREIGN TABLE app.events_1; "
                   "SET ROLE app; CREATE FOREIGN TABLE app.events_1 "
                   f"PARTITION OF app.events_sharded {mod(2, 1)} SERVER "
                   "shard2 OPTIONS (table_name 'part2'); COMMIT")
        assert town.layouts(again=True)[0] == "in force"
        n = len(failed)
        time.sleep(0.5)
        assert len(failed) == n
    finally:
        stop.set()
        for t in threads:
            t.join()
    assert wrong == []
    town.on(1, "DROP TABLE app.moved")
    for tenant in range(1, TENANTS + 1):
        assert town.route(tenant)["backend"] in ("s0", "s2")
        assert town.sluice.query(
            f"SELECT id FROM app.events WHERE tenant = {tenant}") == \
            [(tenant,)]


def test_read_again_by_itself(town):
    town.divide(HALVES).fill().start(interval="1s")
    town.all_right()
    generation = town.sluice.generation
    time.sleep(2.5)
    assert town.sluice.generation == generation
    town.whole("ALTER TABLE app.events_sharded DETACH PARTITION app.events_1; "
               "DROP FOREIGN TABLE app.events_1; SET ROLE app; "
               "CREATE FOREIGN TABLE app.events_1 PARTITION OF "
               f"app.events_sharded {mod(2, 1)} SERVER shard2 OPTIONS "
               "(table_name 'part2')")
    until(lambda: town.sluice.generation == generation + 1)
    assert {town.route(t)["backend"] for t in range(1, 20)} == {"s0", "s2"}


@pytest.mark.parametrize("sql, reads, writes, says", [
    ("REVOKE SELECT ON app.part0 FROM app; "
     "GRANT SELECT ON app.part0 TO app", True, True, None),
    ("GRANT SELECT ON app.part0 TO bob; "
     "GRANT USAGE ON SCHEMA app TO bob", False, False,
     'found role "bob" may SELECT'),
    ("REVOKE DELETE ON app.part0 FROM app", False, False,
     'expected role "app" may SELECT, INSERT, UPDATE, DELETE'),
    ("ALTER TABLE app.part0 ENABLE ROW LEVEL SECURITY", False, False,
     "found row security is on"),
    ("ALTER TABLE app.part0 ADD COLUMN more int", False, False,
     'found column "more" integer'),
    ("ALTER TABLE app.part0 ALTER note SET DEFAULT 'other'", True, False,
     "column \"note\" defaults to 'none'::text"),
    ("ALTER TABLE app.part0 ALTER tenant DROP NOT NULL", True, False,
     'expected constraint column "tenant" is NOT NULL'),
])
def test_a_part_that_differs(town, sql, reads, writes, says):
    """Only the part that differs is left out, and only for what differs."""
    town.on(0, sql)
    town.divide(HALVES).start()
    state, texts = town.layouts()
    assert state == "in force"
    if says is None:
        assert texts == []
    else:
        assert says in texts[0]
    tenants = {}
    for tenant in range(1, TENANTS + 1):
        belongs = int(town.whole("SELECT CASE WHEN satisfies_hash_partition("
                                 "'app.events_sharded'::regclass, 2, 0, "
                                 f"{tenant}) THEN 0 ELSE 1 END"))
        tenants.setdefault(belongs, tenant)
    read = "SELECT id FROM app.events WHERE tenant = {}"
    write = "INSERT INTO app.events (id, tenant) VALUES (1, {})"
    assert town.route(tenants[0], read)["backend"] == \
        ("s0" if reads else "whole")
    told = town.route(tenants[0], write)
    assert told["backend"] == ("s0" if writes else "whole")
    assert ("difference" in told) == (not writes)
    assert town.route(tenants[1], read)["backend"] == "s1"
    assert town.route(tenants[1], write)["backend"] == "s1"


def test_a_trigger_of_the_whole_table(town):
    town.divide(HALVES).fill()
    town.whole("SET ROLE app; CREATE FUNCTION app.shout() RETURNS trigger "
               "LANGUAGE plpgsql AS $$ BEGIN NEW.note := 'shouted'; "
               "RETURN NEW; END $$; CREATE TRIGGER shout BEFORE INSERT ON "
               "app.events_sharded FOR EACH ROW EXECUTE FUNCTION app.shout()")
    town.start()
    town.sluice.query("INSERT INTO app.events (id, tenant) VALUES (99, 99)")
    town.copy_in([(100, 99), (101, 98)])
    for tenant, n in ((99, 2), (98, 1)):
        assert town.sluice.query("SELECT note FROM app.events WHERE "
                                 f"tenant = {tenant}") == [("shouted",)] * n
    assert town.route(99)["backend"] in ("s0", "s1")


def test_a_partition_of_the_coordinators_own(town):
    town.divide([(mod(2, 0), 0)])
    town.whole("SET ROLE app; CREATE TABLE app.own PARTITION OF "
               f"app.events_sharded {mod(2, 1)}")
    town.start()
    told = [town.route(t) for t in range(1, 20)]
    assert {(r["backend"], "part0" in r["sql"], "app.own" in r["sql"])
            for r in told} == {("s0", True, False), ("whole", False, True)}
    town.fill()
    # One check after the other on the same server, the second one forbidden.
    town.on(0, "REVOKE ALL ON app.part0 FROM app")
    found = town.sluice.console("CHECK SHARDS")
    assert [(r["relation"], r["misplaced"]) for r in found[:2]] == \
        [("app.part0", None), ("app.own", 0)]
    assert "its rows cannot be checked: ERROR:  permission denied" in \
        "".join(r["text"] or "" for r in found)
    assert town.layouts()[0] == "in force"


def test_a_failure_of_all_shards_at_once_is_a_doubt(town):
    town.divide(HALVES).fill().start()
    town.on(1, "ALTER TABLE app.part1 RENAME TO moved")
    town.whole("ALTER FOREIGN TABLE app.events_1 OPTIONS "
               "(SET table_name 'moved')")

    def counted():
        try:
            return town.sluice.query("SELECT count(*) FROM app.events")
        except psycopg.errors.UndefinedTable:
            return None
    assert until(counted) == [(TENANTS,)]
    until(lambda: [r["relation"] for r in
                   town.sluice.console("SHOW SHARDS")] ==
          ["app.part0", "app.moved"])


def test_hash_of_months(town):
    for n in (0, 1):
        town.shard(n, months=True)
    town.divide(HALVES).fill().start()
    assert town.layouts() == ("in force", [])
    town.all_right()
    parts = town.sluice.console("SHOW PARTITIONS")
    assert [(r["backend"], r["partition"], r["lower"], r["is_default"])
            for r in parts] == [
        (f"s{n}", f"part{n}_{name}", lower, default) for n in (0, 1)
        for name, lower, default in (("01", "2026-01-01 00:00:00", "no"),
                                     ("rest", None, "yes"))]
    assert {r["rows"] for r in parts if r["is_default"] == "yes"} == {0}
    metrics = town.sluice.metrics()
    assert metrics['pgsluice_partition_default_rows{table="app.events",'
                   'variant="sharded",backend="s0"}'] == 0


JANUARY, FEBRUARY = "'2026-01-01 00:00+00'", "'2026-02-01 00:00+00'"


def test_months_of_hash(town):
    town.divide([], by="RANGE (at)")
    for name, lower, upper in (("jan", JANUARY, FEBRUARY),
                               ("feb", FEBRUARY, "'2026-03-01 00:00+00'")):
        town.whole(f"SET ROLE app; CREATE TABLE app.{name} PARTITION OF "
                   f"app.events_sharded FOR VALUES FROM ({lower}) TO "
                   f"({upper}) PARTITION BY HASH (tenant)")
        for n in (0, 1):
            town.on(n, f"SET ROLE app; CREATE TABLE app.{name} (LIKE "
                    f"app.part{n} INCLUDING ALL)")
            town.whole(
                f"SET ROLE app; CREATE FOREIGN TABLE app.{name}_{n} "
                f"PARTITION OF app.{name} {mod(2, n)} SERVER shard{n} "
                f"OPTIONS (table_name '{name}')")
    town.whole("INSERT INTO app.events_sharded (id, tenant, at) SELECT n, n, "
               "'2026-01-15 12:00+00'::timestamptz + (n % 2) * interval "
               f"'1 month' FROM generate_series(1, {TENANTS}) n")
    town.start()
    assert town.layouts() == ("in force", [])
    for tenant in range(1, TENANTS + 1):
        month = ("jan", "feb")[tenant % 2]
        holder = next(n for n in (0, 1) if int(town.on(
            n, f"SELECT count(*) FROM app.{month} WHERE tenant = {tenant}")))
        for value, want in ((f"2026-0{1 + tenant % 2}-15 12:00+00", tenant),
                            (f"2026-0{2 - tenant % 2}-15 12:00+00", None)):
            sql = ("SELECT id FROM app.events WHERE tenant = {} AND "
                   f"at = '{value}'")
            told = town.route(tenant, sql)
            assert told["backend"] == f"s{holder}"
            there = month if want else ("feb", "jan")[tenant % 2]
            assert f"app.{there} AS events" in told["sql"]
            assert town.sluice.query(sql.format(tenant)) == \
                ([(want,)] if want else [])
    # Of all months at once, and what might move.
    assert town.route(1)["backend"] == "whole"
    assert town.route(1, "UPDATE app.events SET note = 'x' WHERE tenant = {} "
                         f"AND at = {JANUARY}")["backend"] == "whole"
    assert town.sluice.query("SELECT count(*) FROM app.events") == [(TENANTS,)]
    # Rows that are made, with and without a month of their own.
    insert = "INSERT INTO app.events (id, tenant, at) VALUES (0, {}, '{}')"
    for at, backend in (("2026-01-31 23:59:59+00", "s"),
                        ("2026-02-28 23:59:59+00", "s"),
                        ("2026-03-01 00:00:00+00", "whole")):
        sql = insert.format("{}", at)
        assert town.route(7, sql)["backend"].startswith(backend)
        if backend == "s":
            town.sluice.query(sql.format(7))
    assert sorted(r[:7] for r in town.whole(
        "SELECT tableoid::regclass FROM app.events_sharded "
        "WHERE id = 0").split()) == ["app.feb", "app.jan"]
    with pytest.raises(psycopg.errors.CheckViolation):
        town.sluice.query(insert.format(7, "2026-03-01 00:00:00+00"))
    town.copy_in((1000 + n, n) for n in range(TENANTS))
    assert town.sluice.query("SELECT count(*) FROM app.events WHERE id > 999 "
                             "AND at >= '2026-01-01 00:00Z' AND "
                             "at < '2026-02-01 00:00Z'") == [(TENANTS,)]
    assert [r["misplaced"] for r in town.sluice.console("CHECK SHARDS")] == \
        [0, 0, 0, 0]


MONTHLY = """
auth = "trust"
admin_users = {"app"}
layout_user = "app"
backend "hot" { conninfo = "host=127.0.0.1 port=$PG dbname=${T}c" }
backend "archive" { conninfo = "host=127.0.0.1 port=$PG dbname=${T}s0" }
database "app" { backend = "hot" }
table "app.events" {
    variant "monthly" { kind = "monthly" backend = "hot"
        relation = "app.events_sharded" $LEAF }
}
"""


@pytest.mark.parametrize("leaf", ["", 'target_leaf = "true"'])
def test_an_archive_of_foreign_months(town, leaf):
    town.divide([], by="RANGE (at)")
    town.attach("old", f"FOR VALUES FROM (MINVALUE) TO ({JANUARY})", 0)
    town.whole("SET ROLE app; CREATE TABLE app.jan PARTITION OF "
               f"app.events_sharded FOR VALUES FROM ({JANUARY}) TO "
               f"({FEBRUARY}); CREATE TABLE app.rest PARTITION OF "
               "app.events_sharded DEFAULT")
    days = ("SELECT n, n, '2025-12-01 00:00+00'::timestamptz + "
            "n * interval '2 days'")
    town.whole("INSERT INTO app.events_sharded (id, tenant, at) "
               f"{days} FROM generate_series(1, {TENANTS}) n")
    town.sluice = town.make(MONTHLY, T=town.t, LEAF=leaf)
    until(lambda: town.sluice.console("SHOW LAYOUTS"))
    assert town.layouts() == ("in force", [])

    def where(condition):
        sql = f"SELECT id FROM app.events WHERE {condition} ORDER BY id"
        assert town.sluice.query(sql) == [
            (int(r),) for r in town.whole(sql.replace(
                "app.events", "app.events_sharded")).split()]
        told = town.route(0, sql)
        return told["backend"], next(
            r for r in ("part0", "jan", "rest", "events_sharded")
            if f"app.{r} AS events" in told["sql"])
    own = ("hot", "events_sharded")
    assert where("at < '2026-01-01 00:00+00'") == ("archive", "part0")
    assert where("at < '2026-01-01 00:00:01+00'") == own
    assert where("at >= '2026-01-05 00:00Z' AND at < '2026-02-01 00:00Z'") \
        == (("hot", "jan") if leaf else own)
    assert where("at > '2026-02-10 00:00Z'") == \
        (("hot", "rest") if leaf else own)
    # The session's zone is not known.
    assert where("at >= '2026-01-05' AND at < '2026-02-01'") == own
    assert where("at > '2026-01-05 00:00+00'") == own
    assert where("true") == own
    # With the value in the same group of messages.
    assert town.sluice.query(
        "SELECT count(*) FROM app.events WHERE at < %s", (
            datetime.datetime(2025, 12, 20, tzinfo=datetime.timezone.utc),)
        ) == [(int(town.whole("SELECT count(*) FROM app.events_sharded WHERE "
                              "at < '2025-12-20 00:00Z'")),)]
    insert = "INSERT INTO app.events (id, tenant, at) VALUES (0, 0, '{}')"
    assert town.route(0, insert.format("2025-06-01 00:00+00"))["backend"] == \
        "archive"
    assert town.route(0, insert.format("2026-06-01 00:00Z"))["backend"] == \
        "hot"
    for month in ("2025-06-01 00:00Z", "2026-01-31 00:00Z",
                  "2026-06-01 00:00Z"):
        town.sluice.query(insert.format(month))
    assert town.whole("SELECT tableoid::regclass FROM app.events_sharded "
                      "WHERE id = 0 ORDER BY at").split() == \
        ["app.events_old", "app.jan", "app.rest"]
    parts = {r["partition"]: r["is_default"]
             for r in town.sluice.console("SHOW PARTITIONS")}
    assert parts == {"part0": "no", "jan": "no", "rest": "yes"}


def test_a_row_on_the_wrong_shard(town):
    town.divide(HALVES).fill().start()
    tenant = next(t for t in range(1, TENANTS) if town.holder(t) == 0)
    town.on(1, f"INSERT INTO app.part1 (id, tenant) VALUES (0, {tenant})")
    found = town.sluice.console("CHECK SHARDS")
    assert [(r["backend"], r["misplaced"]) for r in found] == \
        [("s0", 0), ("s1", 1)]


def test_who_may_read_no_catalogs(town):
    town.divide(HALVES).fill().start()
    assert town.layouts()[0] == "in force"
    text = town.sluice.conf
    with open(text, encoding="utf-8") as f:
        conf = f.read()
    town.sluice.write_conf(conf.replace('layout_user = "app"\n', ""))
    town.sluice.reload()
    until(lambda: town.layouts()[0] == "in force, read before")
    assert "nobody to log in as" in town.layouts()[1][0]
    town.all_right()
