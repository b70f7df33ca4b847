# SPDX-License-Identifier: PostgreSQL
"""Statements that are proven to lie on one shard run there, and answer as on
one plain table; what is not proven does so on the coordinator."""

import os
import random
import sys

import psycopg
import pytest

import rawpg
from harness import TOP

sys.path.insert(0, os.path.join(TOP, "tests"))

from sqldiff import game, schema  # noqa: E402

A = schema.TENANTS[0]
TABLES = ["ev", "acct", "it"]


class Scene:
    def __init__(self, pg, port):
        self.pg = pg
        self.plain = self.connect(pg.port, "plain")
        self.sharded = self.connect(port, "sharded")

    @staticmethod
    def connect(port, dbname):
        return psycopg.connect(host="127.0.0.1", port=port, user="app",
                               dbname=dbname, autocommit=True)

    def fill(self):
        with self.connect(self.pg.port, "monthly") as conn:
            for table in TABLES:
                conn.execute(schema.fill(f"app.{table}", table))
        for table in TABLES:
            self.plain.execute(schema.fill(f"app.{table}", table))
            for n in range(schema.SHARDS):
                with self.connect(self.pg.port, f"shard{n}") as shard:
                    shard.execute(f"DELETE FROM app.{table}_part")
            with self.connect(self.pg.port, "coordinator") as conn:
                conn.execute(schema.fill(f"app.{table}_sharded", table))

    def elsewhere(self):
        """A tenant of another shard than A's."""
        for n in range(schema.SHARDS):
            with self.connect(self.pg.port, f"shard{n}") as shard:
                here = [str(r[0]) for r in shard.execute(
                    "SELECT tenant FROM app.acct_part ORDER BY 1").fetchall()]
            if here and A not in here:
                return here[0]
        raise AssertionError("all tenants are on one shard")

    def where(self, sql):
        """The last line of EXPLAIN (ROUTE), and the backends."""
        lines = [row[0] for row in
                 self.sharded.execute("EXPLAIN (ROUTE) " + sql).fetchall()]
        told = dict(line.split(": ", 1) for line in lines if ": " in line)
        return told["why"], told.get("backend", told.get("backends"))

    def both(self, sql, params=None, **kw):
        answers = []
        for conn in (self.plain, self.sharded):
            cur = conn.execute(sql, params, **kw)
            answers.append((sorted(cur.fetchall(), key=repr)
                            if cur.description else None, cur.statusmessage))
        return answers

    def check(self):
        """The whole tables, and each tenant's rows where they are looked
        for."""
        for table in TABLES:
            sql = f"SELECT * FROM app.{table}"
            queries = [sql] + [f"{sql} WHERE tenant = '{t}'"
                               for t in schema.TENANTS if table != "it"]
            for q in queries:
                plain, through = self.both(q)
                assert plain == through, q


@pytest.fixture(scope="module")
def databases(shared_pg):
    game.create(shared_pg)
    yield shared_pg
    for name in schema.schemas(0):
        shared_pg.psql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def scene(databases, pgsluice):
    sluice = pgsluice(schema.configuration(databases.port))
    sluice.console("CHECK LAYOUTS")
    made = Scene(databases, sluice.port)
    made.fill()
    yield made
    made.plain.close()
    made.sharded.close()


ONE = [
    "SELECT id FROM app.ev WHERE tenant = '{a}' OR tenant = '{a}' AND qty > 3",
    "SELECT id FROM app.ev WHERE tenant = ANY('{{{a},NULL}}')",
    "SELECT id FROM app.ev WHERE (tenant, qty) IN (('{a}', 1), ('{a}', 2))",
    "SELECT e.id, a.code FROM app.ev e JOIN app.acct a ON a.tenant = e.tenant "
    "WHERE e.tenant = '{a}'",
    "SELECT e.id, a.code FROM app.ev e LEFT JOIN app.acct a ON a.tenant = "
    "e.tenant AND a.active WHERE e.tenant = '{a}'",
    "SELECT e.id, a.code FROM app.ev e RIGHT JOIN app.acct a ON a.tenant = "
    "e.tenant AND e.ok WHERE a.tenant = '{a}'",
    "SELECT e.id, a.code FROM app.ev e FULL JOIN app.acct a ON a.tenant = "
    "e.tenant WHERE e.tenant = '{a}' AND a.tenant = '{a}'",
    "SELECT tenant, id, code FROM app.ev JOIN app.acct USING (tenant) WHERE "
    "tenant = '{a}'",
    "SELECT id FROM app.ev e WHERE tenant = '{a}' AND NOT EXISTS (SELECT 1 "
    "FROM app.acct a WHERE a.tenant = e.tenant AND a.rate > e.qty)",
    "SELECT id, (SELECT count(*) FROM app.acct a WHERE a.tenant = e.tenant) "
    "FROM app.ev e WHERE tenant = '{a}'",
    "SELECT e.id, s.n FROM app.ev e JOIN (SELECT tenant, count(*) AS n FROM "
    "app.acct WHERE tenant = '{a}' GROUP BY tenant) s USING (tenant)",
    "WITH s AS (SELECT * FROM app.acct WHERE tenant = '{a}') SELECT e.id, "
    "s.code FROM s LEFT JOIN app.ev e ON e.tenant = s.tenant",
    "SELECT id FROM app.ev WHERE tenant = '{a}' UNION SELECT 7 FROM app.acct "
    "WHERE tenant = '{a}'",
    "SELECT id FROM app.ev WHERE tenant IN (SELECT tenant FROM app.acct WHERE "
    "tenant = '{a}' AND rate > 3)",
    "SELECT e.id FROM (VALUES ('{a}'::uuid, 1), ('{a}'::uuid, 2)) v (t, n) "
    "JOIN app.ev e ON e.tenant = v.t AND e.qty > v.n",
    "SELECT s.id FROM (SELECT * FROM app.ev WHERE tenant = '{a}') s, LATERAL "
    "(SELECT 1 FROM app.acct a WHERE a.tenant = s.tenant) t",
]
NOT_ONE = [
    "SELECT e.id, a.code FROM app.ev e LEFT JOIN app.acct a ON a.tenant = "
    "e.tenant AND a.tenant = '{a}'",
    "SELECT e.id, a.code FROM app.ev e LEFT JOIN app.acct a ON a.tenant = "
    "e.tenant AND e.tenant = '{a}'",
    "SELECT e.id, a.code FROM app.ev e FULL JOIN app.acct a ON a.tenant = "
    "e.tenant AND a.tenant = '{a}'",
    "SELECT e.id FROM app.ev e, app.acct a WHERE e.tenant = '{a}' AND "
    "a.tenant = '{b}'",
    "SELECT e.id FROM app.ev e JOIN app.it i ON i.id = e.id WHERE e.tenant = "
    "'{a}'",
    "SELECT id FROM app.ev e WHERE EXISTS (SELECT 1 FROM app.acct a WHERE "
    "a.tenant = e.tenant AND a.tenant = '{a}')",
    "SELECT id FROM app.ev e WHERE tenant = '{a}' AND EXISTS (SELECT 1 FROM "
    "app.acct e WHERE e.tenant = e.tenant)",
    "SELECT id FROM app.ev WHERE tenant = '{a}' UNION SELECT 7 FROM app.acct",
    "SELECT s.id FROM (SELECT * FROM app.ev WHERE tenant = '{a}') s, LATERAL "
    "(SELECT 1 FROM app.acct a WHERE a.rate = s.qty) t",
    "SELECT e.id FROM app.ev e JOIN (SELECT count(*) AS tenant, tenant AS n "
    "FROM app.acct WHERE tenant = '{b}' GROUP BY 2) s ON e.id = s.tenant "
    "WHERE e.tenant = '{a}'",
]


def test_reads_of_one_tenant(scene):
    for sql in ONE:
        sql = sql.format(a=A)
        why, backend = scene.where(sql)
        assert why.startswith("one shard"), sql
        assert backend.startswith("shard")
        plain, through = scene.both(sql)
        assert plain == through, sql
        assert plain[0], sql


def test_what_is_not_proven(scene):
    other = scene.elsewhere()
    for sql in NOT_ONE:
        sql = sql.format(a=A, b=other)
        why, _ = scene.where(sql)
        assert not why.startswith("one shard"), sql
        plain, through = scene.both(sql)
        assert plain == through, sql


WRITES = [
    "UPDATE app.ev e SET note = a.code FROM app.acct a WHERE a.tenant = "
    "e.tenant AND e.tenant = '{a}' AND a.active",
    "UPDATE app.ev SET qty = (SELECT count(*) FROM app.acct a WHERE a.tenant "
    "= ev.tenant) WHERE tenant = '{a}'",
    "DELETE FROM app.ev e USING app.acct a WHERE a.tenant = e.tenant AND "
    "a.tenant = '{a}' AND e.qty > 20 RETURNING e.id",
    "INSERT INTO app.acct (tenant, code, rate) SELECT tenant, 'n' || id, "
    "amount FROM app.ev WHERE tenant = '{a}' AND qty < 0",
    "INSERT INTO app.acct (tenant, code) SELECT '{a}', 'x' RETURNING code",
    "INSERT INTO app.acct (tenant, code) VALUES ('{a}', 'x'), ('{a}', 'y') "
    "ON CONFLICT (tenant, code) DO UPDATE SET rate = 5 RETURNING code, rate",
    "WITH d AS (DELETE FROM app.acct WHERE tenant = '{a}' AND code = 'y' "
    "RETURNING tenant, code) INSERT INTO app.acct (tenant, code) SELECT "
    "tenant, code || 'y' FROM d",
    "MERGE INTO app.acct a USING (VALUES ('{a}'::uuid, 'x'), ('{a}', 'z')) v "
    "(t, c) ON a.tenant = v.t AND a.code = v.c WHEN MATCHED THEN UPDATE SET "
    "rate = 7 WHEN NOT MATCHED THEN INSERT (tenant, code) VALUES (v.t, v.c)",
    "MERGE INTO app.acct a USING (SELECT tenant, max(qty) AS q FROM app.ev "
    "WHERE tenant = '{a}' GROUP BY tenant) s ON a.tenant = s.tenant AND "
    "a.code = 'z' WHEN MATCHED THEN UPDATE SET rate = s.q",
]


def test_writes_of_one_tenant(scene):
    for sql in WRITES:
        sql = sql.format(a=A)
        assert scene.where(sql)[0].startswith("one shard"), sql
        plain, through = scene.both(sql)
        assert plain == through, sql
    scene.check()


def test_copy_out_of_one_tenant(scene):
    sql = f"COPY (SELECT * FROM app.ev WHERE tenant = '{A}') TO STDOUT"
    assert scene.where(sql)[0].startswith("one shard")
    answers = []
    for conn in (scene.plain, scene.sharded):
        with conn.cursor().copy(sql) as copy:
            answers.append(sorted(copy.rows()))
    assert answers[0] == answers[1] and answers[0]


def test_one_name_for_one_shard_and_for_many(scene):
    """A prepared statement whose values are on one shard, on several, on
    none, in any order."""
    sql = ("SELECT count(ok), sum(id %% 13) FROM app.it WHERE shop = ANY(%s) "
           "AND id <> %s")
    rng = random.Random("arrays")
    for binary in (False, True):
        for _ in range(40):
            shops = rng.sample(schema.SHOPS, rng.randrange(4))
            plain, through = scene.both(sql, [shops, rng.randrange(50)],
                                        prepare=True, binary=binary)
            assert plain == through, shops


def test_one_name_without_a_description(scene):
    """The same by bare messages, as one group each."""
    sql = ("SELECT count(ok), sum(id % 13) FROM app.it WHERE shop = ANY($1) "
           "AND at <> $2")
    rng = random.Random("bare")
    conns = [rawpg.RawConn("127.0.0.1", c.info.port, "app", c.info.dbname)
             for c in (scene.plain, scene.sharded)]
    for c in conns:
        c.send(rawpg.parse("s", sql) + rawpg.describe("S", "s") + rawpg.sync())
        c.read_until_ready()
    for n in range(60):
        shops = rng.sample(schema.SHOPS, n % 4)
        values = ["{%s}" % ",".join(map(str, shops)), "2026-04-02 00:00+00"]
        answers = []
        for c in conns:
            c.send(rawpg.bind("", "s", values, [0, 0], [1]) +
                   rawpg.describe("P") + rawpg.execute() + rawpg.sync())
            answers.append(rawpg.rows(c.read_until_ready()))
        assert answers[0] == answers[1], shops
    for c in conns:
        c.close()


MARCH = ("SELECT count(*), min(id) FROM app.ev WHERE at >= '2026-03-01' AND "
         "at < '2026-04-01'")


def test_months_of_a_session_in_utc(scene):
    """They are told to the day where the session has set its TimeZone; what it
    sets before the statement, in its group too, counts."""
    port = scene.sharded.info.port

    def backend(conn):
        lines = [r[0] for r in conn.execute("EXPLAIN (ROUTE) " + MARCH)]
        return next(x for x in lines if x.startswith("backend")).split()[-1]

    with psycopg.connect(host="127.0.0.1", port=port, user="app",
                         dbname="monthly", autocommit=True) as conn:
        assert backend(conn) == "monthly"
        conn.execute("SET timezone = 'UTC'")
        assert backend(conn) == "archive"
        with conn.transaction():
            conn.execute("SELECT 1")
            conn.execute("SET LOCAL timezone = 'Asia/Tokyo'")
            assert backend(conn) == "monthly"
        assert backend(conn) == "archive"
        conn.execute("SET timezone = 'Asia/Tokyo'")
        assert backend(conn) == "monthly"
    with psycopg.connect(host="127.0.0.1", port=port, user="app",
                         dbname="monthly", autocommit=True,
                         options="-c timezone=Etc/UTC") as conn:
        assert backend(conn) == "archive"
        conn.execute("SET timezone = 'Asia/Tokyo'")
        assert backend(conn) == "monthly"
        conn.execute("RESET timezone")
        assert backend(conn) == "archive"
    for first, last in (("SET timezone = 'America/New_York'", "SELECT 1"),
                        ("SELECT 1", "SET timezone = 'America/New_York'")):
        counts = []
        for at, dbname in ((scene.pg.port, "plain"), (port, "monthly")):
            with rawpg.RawConn("127.0.0.1", at, "app", dbname) as c:
                c.ask("SET timezone = 'UTC'")
                group = b"".join(
                    rawpg.parse("", sql) + rawpg.bind("", "", [], [], []) +
                    rawpg.execute() for sql in (first, MARCH, last))
                c.send(group + rawpg.sync())
                counts.append(rawpg.rows(c.read_until_ready()))
        assert counts[0] == counts[1] and counts[0]


class Conditions:
    """Random ones over the key and two other columns."""

    def __init__(self, seed):
        self.rng = random.Random(seed)

    def shops(self):
        return self.rng.sample(schema.SHOPS, self.rng.randint(1, 3))

    def leaf(self):
        shops = ", ".join(map(str, self.shops()))
        one = self.shops()[0]
        return self.rng.choice([
            f"shop = {one}", f"shop = '{one}'", f"{one} = shop",
            f"shop IN ({shops})", f"shop IN ({shops}, NULL)",
            f"shop = ANY(ARRAY[{shops}])", f"shop = ANY('{{{shops}}}')",
            f"(shop, ok) = ({one}, true)", f"shop <> {one}", f"shop > {one}",
            f"shop NOT IN ({shops})", "ok", "qty > 3", "shop IS NULL",
            "ok IS NULL", f"(shop, qty) IN (({one}, 1), ({one}, 2))",
            f"shop BETWEEN {one} AND {one}", f"abs(shop) = abs({one})",
            f"shop = ({one})::int8"])

    def make(self, depth):
        if depth == 0 or self.rng.random() < 0.3:
            return self.leaf()
        terms = [self.make(depth - 1) for _ in range(self.rng.randint(2, 3))]
        text = "(" + self.rng.choice([" AND ", " OR "]).join(terms) + ")"
        return "NOT " + text if self.rng.random() < 0.15 else text


@pytest.mark.timeout(120)
def test_generated_conditions(scene):
    made = Conditions("conditions")
    one = 0
    for _ in range(400):
        sql = f"SELECT * FROM app.it WHERE {made.make(3)}"
        plain, through = scene.both(sql)
        assert plain == through, sql
        one += scene.where(sql)[0].startswith("one shard")
    assert one > 60
