# SPDX-License-Identifier: PostgreSQL
"""Cached results that are told apart by values of a column: a write ends those
of the values it touches, and no result is ever older than a write."""

import random
import subprocess

import pytest

import harness
import rawpg
from harness import until

CONF = """
auth = "trust"
admin_users = {"app"}
layout_user = "app"
layout_interval = "0"
pool_size = 4
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
cache "events" {
    tables = {"event"}
    keys = {"event.tenant", "event.id", "month(event.at)"}
    ttl = "300s" l2 = false
}
cache "other" {
    tables = {"trigger_on", "ruled", "nested", "free", "seen", "made", "loose",
              "policed", "own"}
    keys = {"trigger_on.id", "ruled.id", "nested.id", "free.id", "seen.id",
            "policed.id", "own.id",
            "made.twice", "loose.word", "free.nothing", "month(free.day)"}
    ttl = "300s" l2 = false
}
"""

SCHEMA = """
SET ROLE app;
CREATE TABLE event (id int8 PRIMARY KEY, tenant int, at timestamptz, n int);
INSERT INTO event SELECT i, i % 10, '2026-01-15 00:00Z'::timestamptz +
  i % 4 * interval '1 month', i FROM generate_series(1, 200) i;
CREATE TABLE trigger_on (id int PRIMARY KEY);
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN RETURN NEW; END';
CREATE TRIGGER t BEFORE INSERT ON trigger_on FOR EACH ROW
  EXECUTE FUNCTION nothing();
CREATE TABLE ruled (id int PRIMARY KEY);
CREATE RULE r AS ON DELETE TO ruled DO ALSO NOTIFY gone;
CREATE TABLE nested (id int PRIMARY KEY, up int REFERENCES nested
  ON DELETE CASCADE);
CREATE TABLE free (id point, day date);
CREATE VIEW seen AS SELECT 1 AS id;
CREATE TABLE policed (id int PRIMARY KEY);
CREATE POLICY p ON policed USING (EXISTS (SELECT FROM nested));
CREATE TABLE made (id int, twice int GENERATED ALWAYS AS (id * 2) STORED);
RESET ROLE;
CREATE COLLATION lax (provider = icu, locale = 'und-u-ks-level2',
                      deterministic = false);
CREATE TABLE loose (word text COLLATE lax);
CREATE OPERATOR CLASS other_ops FOR TYPE int USING btree AS
  OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
  FUNCTION 1 btint4cmp(int, int);
CREATE TABLE own (id int);
CREATE UNIQUE INDEX ON own (id other_ops);
"""


def rows(sluice):
    return {(r["table"], r["column"]): r
            for r in sluice.console("SHOW CACHE KEYS")}


@pytest.fixture
def sluice(pg, db, pgsluice):
    pg.psql(SCHEMA, db)
    s = pgsluice(CONF)
    s.console("CHECK LAYOUTS")
    return s


@pytest.fixture
def client(sluice):
    with rawpg.RawConn("127.0.0.1", sluice.port, "app", "app") as c:
        yield c


def test_what_catalogs_vouch_for(sluice):
    found = rows(sluice)
    for column, by, kind in (("tenant", "value", "int4"),
                             ("id", "value", "int8"),
                             ("at", "month", "timestamptz")):
        r = found["event", column]
        assert (r["by"], r["type"], r["state"], r["text"]) == (
            by, kind, "in use", None)
    for name, why in {
            ("trigger_on", "id"): "has triggers",
            ("ruled", "id"): "has rules",
            ("nested", "id"): "changes rows of its own by a foreign key",
            ("policed", "id"): "has policies that read other relations",
            ("free", "id"): "has a column of no type of key_type: point",
            ("free", "day"): "has a column that is no timestamptz: date",
            ("free", "nothing"): "has no such column",
            ("seen", "id"): "is no ordinary table",
            ("made", "twice"): "generates the column",
            ("own", "id"): "has a unique index on the column with an "
                           "equality of its own",
            ("loose", "word"): "has a collation of the column that is not "
                               "deterministic"}.items():
        assert found[name]["state"] == "not in use"
        assert found[name]["text"] == f'{name[0]} on backend "main" {why}'
    sluice.wait_log("do not tell cached results apart")


def test_wherever_statements_run(pg, db, pgsluice):
    """A table that is not routed is looked up where its statement runs, which
    may be where a routed one is: it must be alike there, or not be there."""
    other = f"{db}_other"
    conf = CONF.replace('tables = {"event"}', 'tables = {"event", "routed"}')
    conf += f"""
backend "other" {{ conninfo = "host=127.0.0.1 port=$PG dbname={other}" }}
table "routed" {{
    variant "plain" {{
        kind = "plain" backend = "other" relation = "routed"
    }}
}}
"""
    pg.psql(SCHEMA, db)
    pg.psql(f"CREATE DATABASE {other} OWNER app")
    try:
        pg.psql("CREATE TABLE routed (id int)", other)
        sluice = pgsluice(conf)
        sluice.console("CHECK LAYOUTS")
        assert rows(sluice)["event", "tenant"]["state"] == "in use"
        pg.psql("CREATE TABLE event (tenant text)", other)
        sluice.console("CHECK LAYOUTS")
        r = rows(sluice)["event", "tenant"]
        assert (r["state"], r["text"]) == (
            "not in use",
            'event on backend "other" has another type than elsewhere: text')
        sluice.stop()
    finally:
        pg.psql(f"DROP DATABASE {other} WITH (FORCE)")


def test_nobody_to_ask(pg, db, pgsluice):
    pg.psql(SCHEMA, db)
    s = pgsluice(CONF.replace('layout_user = "app"',
                              'revocation_bound = "0"'))
    s.console("CHECK LAYOUTS")
    r = rows(s)["event", "id"]
    assert r["state"] == "not in use"
    assert "nobody to log in as" in r["text"]


def test_a_table_that_changes(sluice, pg, db):
    """What was vouched for is not any more when the catalogs are read again."""
    pg.psql("CREATE TRIGGER t BEFORE UPDATE ON event FOR EACH ROW "
            "EXECUTE FUNCTION nothing()", db)
    sluice.console("CHECK LAYOUTS")
    assert rows(sluice)["event", "tenant"]["text"].endswith("has triggers")
    pg.psql("DROP TRIGGER t ON event", db)
    sluice.console("CHECK LAYOUTS")
    assert rows(sluice)["event", "tenant"]["state"] == "in use"


TENANT = "SELECT sum(n) FROM event WHERE tenant = %d"
MONTH = ("SELECT count(*) FROM event WHERE at >= '2026-%02d-01 00:00Z' AND "
         "at < '2026-%02d-01 00:00Z'")


def lives(sluice, client, read, write):
    """Does the result of read live on behind write?"""
    client.ask(read)
    with sluice.counting(cache_hits_l1=1):
        client.ask(read)
    m = client.ask(write)
    assert not rawpg.sqlstates(m), rawpg.sqlstates(m)
    before = sluice.count("cache_hits_l1")
    client.ask(read)
    return sluice.count("cache_hits_l1") - before == 1


@pytest.mark.parametrize("write, tenant3, id4, march", [
    ("INSERT INTO event (id, tenant, at) VALUES (900, 5, '2026-01-02 00:00Z')",
     True, True, True),
    ("INSERT INTO event (id, tenant, at) VALUES (901, 3, '2026-01-02 00:00Z')",
     False, True, True),
    ("INSERT INTO event (id, tenant, at) VALUES (902, 5, '2026-03-02 00:00Z')",
     True, True, False),
    ("INSERT INTO event (id, tenant, at) VALUES (903, 5, now())",
     True, True, False),
    ("INSERT INTO event VALUES (904, 5)", False, False, False),
    ("INSERT INTO event (id, tenant) VALUES (905, 1), (906, 3)",
     False, True, False),
    ("UPDATE event SET n = n + 1 WHERE tenant = 5", True, False, False),
    ("UPDATE event SET n = n + 1 WHERE id = 4", False, False, False),
    ("UPDATE event SET n = n + 1 WHERE id = 5", False, True, False),
    ("UPDATE event SET n = n + 1 WHERE id = 5 AND tenant = '5' AND "
     "at = '2026-02-15 00:00Z'", True, True, True),
    ("UPDATE event SET tenant = 3 WHERE tenant = 5 AND id = 9",
     False, True, False),
    ("DELETE FROM event WHERE tenant IN (5, 6) AND at = '2027-01-01 00:00Z'",
     True, False, True),
    ("DELETE FROM event WHERE n < 0", False, False, False),
    ("BEGIN; DELETE FROM event WHERE tenant = 5; COMMIT", False, False, False),
])
def test_what_a_write_ends(sluice, client, write, tenant3, id4, march):
    for read, expected in ((TENANT % 3, tenant3),
                           ("SELECT n FROM event WHERE id = 4", id4),
                           (MONTH % (3, 4), march)):
        m = client.ask("BEGIN; " + write + "; ROLLBACK")
        if "BEGIN" not in write:
            assert not rawpg.sqlstates(m)
        assert lives(sluice, client, read, write) == expected, read
        client.ask("DELETE FROM event WHERE id >= 900")


def test_a_transaction_of_several_writes(sluice, client):
    read = TENANT % 3
    client.ask(read)
    for sql in ("BEGIN", "UPDATE event SET n = 0 WHERE tenant = 5",
                "UPDATE event SET n = 0 WHERE tenant = 6", "COMMIT"):
        client.ask(sql)
    with sluice.counting(cache_hits_l1=1):
        client.ask(read)
    for sql in ("BEGIN", "UPDATE event SET n = 0 WHERE tenant = 5",
                "UPDATE event SET n = 0 WHERE tenant = 3", "COMMIT"):
        client.ask(sql)
    with sluice.counting(cache_hits_l1=0):
        client.ask(read)


def test_more_values_than_are_noted(sluice, client):
    """A transaction over many tenants ends all results by tenant."""
    client.ask(TENANT % 3)
    client.ask("BEGIN")
    for n in range(40):
        client.ask("INSERT INTO event (id, tenant, at) VALUES "
                   f"({1000 + n}, {100 + n}, '2026-01-01 00:00Z')")
    client.ask("COMMIT")
    with sluice.counting(cache_hits_l1=0):
        client.ask(TENANT % 3)


def test_a_transaction_from_before_the_keys(pg, db, pgsluice):
    """It has noted no values: its end ends everything."""
    pg.psql(SCHEMA, db)
    keys = 'keys = {"event.tenant", "event.id", "month(event.at)"}'
    assert keys in CONF
    sluice = pgsluice(CONF.replace(keys, ""))
    with rawpg.RawConn("127.0.0.1", sluice.port, "app", "app") as old, \
            rawpg.RawConn("127.0.0.1", sluice.port, "app", "app") as new:
        old.ask("BEGIN")
        old.ask("UPDATE event SET n = n + 1 WHERE tenant = 3")
        sluice.rewrite(CONF)
        sluice.reload()
        sluice.console("CHECK LAYOUTS")
        assert rows(sluice)["event", "tenant"]["state"] == "in use"
        before = new.ask_rows(TENANT % 3)
        with sluice.counting(cache_hits_l1=1):
            assert new.ask_rows(TENANT % 3) == before
        old.ask("COMMIT")
        with sluice.counting(cache_hits_l1=0):
            assert new.ask_rows(TENANT % 3) != before


def test_an_upsert_ends_the_rows_it_names(sluice, client):
    """ON CONFLICT (id): whatever it updates has one of these ids."""
    read = "SELECT n FROM event WHERE id = %d"
    upsert = ("INSERT INTO event (id, tenant, at, n) VALUES "
              "(5, 1, '2026-01-01 00:00Z', 50), (6, 1, '2026-01-01 00:00Z', "
              "60) ON CONFLICT (id) DO UPDATE SET n = excluded.n")
    for n in (5, 6, 7):
        client.ask(read % n)
    client.ask(upsert)
    with sluice.counting(cache_hits_l1=1):
        assert client.ask_rows(read % 7) == [("7",)]
        assert client.ask_rows(read % 5) == [("50",)]
        assert client.ask_rows(read % 6) == [("60",)]


def test_a_write_that_waited_for_a_server(pg, db, pgsluice):
    """Its values count as those of one that did not have to."""
    pg.psql(SCHEMA, db)
    sluice = pgsluice(CONF.replace("pool_size = 4", "pool_size = 1"))
    until(lambda: rows(sluice)["event", "id"]["state"] == "in use")
    read = "SELECT n FROM event WHERE id = %d"
    with rawpg.RawConn("127.0.0.1", sluice.port, "app", "app") as holder, \
            rawpg.RawConn("127.0.0.1", sluice.port, "app", "app") as writer, \
            rawpg.RawConn("127.0.0.1", sluice.port, "app", "app") as reader:
        reader.ask(read % 5)
        reader.ask(read % 7)
        holder.ask("BEGIN")
        holder.ask("SELECT n FROM event WHERE id = 1 FOR SHARE")
        writer.send(rawpg.query("UPDATE event SET n = 50 WHERE id = 5"))
        until(lambda: sluice.metric("pgsluice_pool_waiting") == 1)
        holder.ask("COMMIT")
        writer.read_until_ready()
        with sluice.counting(cache_hits_l1=1):
            assert reader.ask_rows(read % 5) == [("50",)]
            assert reader.ask_rows(read % 7) == [("7",)]


def test_explained(client):
    lines = [r[0].decode() for r in rawpg.rows(client.ask(
        "EXPLAIN (ROUTE) " + TENANT % 3))]
    assert "depends on: event (1 value of tenant)" in lines


def test_extended_and_binary(sluice, client):
    read = "SELECT sum(n) FROM event WHERE tenant = $1"
    write = "UPDATE event SET n = n + 1 WHERE tenant = $1"

    def ask(sql, value, oid=0, form=()):
        client.send(rawpg.parse("", sql, [oid]) +
                    rawpg.bind("", "", [value], form) +
                    rawpg.describe("P") + rawpg.execute() + rawpg.sync())
        return client.read_until_ready()

    first = rawpg.rows(ask(read, "3"))
    with sluice.counting(cache_hits_l1=1):
        ask(read, "3")
    ask(write, b"\0\0\0\5", 23, [1])
    with sluice.counting(cache_hits_l1=1):
        assert rawpg.rows(ask(read, "3")) == first
    ask(write, b"\0\0\0\3", 23, [1])
    with sluice.counting(cache_hits_l1=0):
        assert rawpg.rows(ask(read, "3")) != first


def test_prepared_by_sql(sluice, client):
    """EXECUTE: its values are looked at no further."""
    client.ask("PREPARE w AS UPDATE event SET n = n + 1 WHERE tenant = 5")
    client.ask(TENANT % 3)
    client.ask("EXECUTE w")
    first = rawpg.rows(client.ask(TENANT % 5))
    client.ask("EXECUTE w")
    assert rawpg.rows(client.ask(TENANT % 5)) != first


def one_row(rng, number, tenants):
    """In February, spelled in one of many ways."""
    return (f"({number}, {spelled(rng, rng.choice(tenants))}, "
            f"'2026-02-{rng.randrange(2, 28):02d} 12:00Z', "
            f"{rng.choice(('NULL', str(rng.randrange(99)), '-7'))})")


def told(reader, read):
    return [tuple(None if v is None else v.decode() for v in r)
            for r in rawpg.rows(reader.ask(read))]


@pytest.mark.parametrize("n", [40, 700])
def test_a_long_insert_ends_what_each_row_names(sluice, client, pg, db, n):
    """Of rows that are alike one is parsed; the values of each count."""
    rng = random.Random(n)
    own = [f"SELECT n FROM event WHERE id = {5000 + i}"
           for i in (0, 1, n // 2, n - 1)]
    touched = [TENANT % t for t in (1, 4, 6, 7)] + [MONTH % (2, 3)] + own
    others = [TENANT % t for t in (0, 2, 3, 5, 8, 9)] + [MONTH % (3, 4)]
    rows_of = [one_row(rng, 5000 + i, (1, 4, 6)) for i in range(n)]
    # Its tenant stands in one row only, which is like some before it.
    rows_of[-2] = f"({5000 + n - 2}, 7, '2026-02-03 12:00Z', 1000)"
    for read in touched + others:
        client.ask(read)
    with sluice.counting(cache_hits_l1=len(touched + others)):
        for read in touched + others:
            client.ask(read)
    with sluice.counting(cache_hits_l1=len(others)):
        m = client.ask("INSERT INTO event (id, tenant, at, n) VALUES " +
                       ",\n  ".join(rows_of) + " -- the end")
        assert not rawpg.sqlstates(m), rawpg.sqlstates(m)
        found = {read: told(client, read) for read in touched + others}
    with pg.connect(db, user="app", autocommit=True) as direct:
        for read, answer in found.items():
            assert answer == [tuple(None if v is None else str(v) for v in r)
                              for r in direct.execute(read).fetchall()], read
    assert found[TENANT % 7][0][0] > "1000"
    assert all(len(found[read]) == 1 for read in own)


# -- against an oracle --------------------------------------------------------

def spelled(rng, value):
    return rng.choice((f"{value}", f"'{value}'", f"{value}::int8",
                       f"'{value}'::int", f"CAST({value} AS int)"))


def moment(rng):
    day = rng.randrange(1, 29)
    return rng.choice((f"'2026-0{rng.randrange(1, 6)}-{day:02d} 12:00Z'",
                       f"'2026-0{rng.randrange(1, 6)}-{day:02d}'",
                       f"'2026-0{rng.randrange(1, 6)}-01 00:30+02'"))


def some_read(rng):
    tenant, other = spelled(rng, rng.randrange(6)), rng.randrange(6)
    month = rng.randrange(1, 5)
    return rng.choice((
        f"SELECT sum(n), count(*) FROM event WHERE tenant = {tenant}",
        f"SELECT sum(n) FROM event WHERE tenant IN ({tenant}, {other})",
        f"SELECT sum(n) FROM event WHERE tenant = {tenant} OR id = {other}",
        f"SELECT n FROM event WHERE id = {spelled(rng, rng.randrange(30))}",
        f"SELECT a.n, b.n FROM event a JOIN event b ON a.id = b.n WHERE "
        f"a.tenant = {tenant} AND b.tenant = {other} ORDER BY 1, 2",
        f"SELECT count(*) FROM event a LEFT JOIN event b ON b.id = a.n AND "
        f"b.tenant = {other} WHERE a.tenant = {tenant}",
        MONTH % (month, month + 1),
        "SELECT count(*) FROM event WHERE date_trunc('month', at) = "
        f"'2026-0{month}-01'",
        f"SELECT count(*), sum(n) FROM event WHERE tenant = {tenant} AND at "
        f">= '2026-0{month}-01' AND at < '2026-0{month + 1}-01'",
    ))


def some_write(rng):
    tenant, row = spelled(rng, rng.randrange(6)), rng.randrange(30)
    return rng.choice((
        f"INSERT INTO event (id, tenant, at, n) VALUES ({row}, {tenant}, "
        f"{moment(rng)}, {rng.randrange(30)}) ON CONFLICT DO NOTHING",
        f"INSERT INTO event (id, tenant, at, n) VALUES ({row}, {tenant}, "
        f"{moment(rng)}, 1) ON CONFLICT (id) DO UPDATE SET n = 7",
        f"UPDATE event SET n = n + 1 WHERE tenant = {tenant}",
        f"UPDATE event SET tenant = {tenant} WHERE id = {row}",
        f"UPDATE event SET at = {moment(rng)} WHERE tenant = {tenant}",
        f"UPDATE event SET id = {row} + 1000 WHERE id = {row}",
        f"DELETE FROM event WHERE id = {row} AND tenant = {tenant}",
        f"DELETE FROM event WHERE id = {row} OR tenant = {tenant} AND n < 3",
        f"UPDATE event SET n = n + 1 WHERE at < '2026-02-10 00:00Z' AND at >= "
        "'2026-01-01'",
        f"WITH d AS (DELETE FROM event WHERE id = {row} RETURNING *) INSERT "
        f"INTO event SELECT id, {tenant}, at, n FROM d",
    ))


@pytest.mark.parametrize("seed", range(3))
def test_no_result_is_older_than_a_write(sluice, client, pg, db, seed):
    """One client, so that after each write all reads must be as PostgreSQL's
    own. The readings must hit often, or nothing is tested."""
    rng = random.Random(seed)
    pool = [some_read(rng) for _ in range(40)]
    before = sluice.count("cache_hits_l1")
    zone = "UTC"
    with pg.connect(db, user="app", autocommit=True) as direct:
        direct.prepare_threshold = None  # a text is read under its TimeZone
        for n in range(700):
            if n % 100 == 99:
                zone = rng.choice(("UTC", "Asia/Tokyo", "America/New_York"))
                client.ask(f"SET TimeZone = '{zone}'")
                direct.execute(f"SET TimeZone = '{zone}'")
            if n % 3 == 0:
                sql = some_write(rng)
                client.ask(sql)
            for read in rng.sample(pool, 4):
                found = told(client, read)
                expected = [tuple(None if v is None else str(v) for v in r)
                            for r in direct.execute(read).fetchall()]
                assert found == expected, f"seed {seed}, {n}: {sql}; {read}"
    assert sluice.count("cache_hits_l1") - before > 300


def test_wrong_configuration(pgsluice, tmp_path):
    for keys, what in (
            ('"event"', "found 'event', expected table.column"),
            ('"other.id"', "'other.id' is of no table of this rule"),
            ('"event.\\"a b\\""', "names of letters, digits and _"),
            ('"month(event.at"', "names of letters, digits and _")):
        path = tmp_path / "wrong.conf"
        path.write_text('backend "b" { conninfo = "host=x" }\n'
                        'database "d" { backend = "b" }\n'
                        'cache "c" { tables = {"event"} ttl = "1s"\n'
                        f'  keys = {{{keys}}} }}\n')
        r = subprocess.run([harness.binary(), "--check", str(path)],
                           capture_output=True, text=True, timeout=20,
                           check=False)
        out = r.stdout + r.stderr
        assert r.returncode != 0 and what in out and "wrong.conf:4:" in out, out
