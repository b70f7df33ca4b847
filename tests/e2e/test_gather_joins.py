# SPDX-License-Identifier: PostgreSQL
"""SELECTs over several tables and levels of queries, answered by all shards at
once: the same rows as from plain tables.  The tables are those of
tests/sqldiff: events `ev` and accounts `acct` of the same tenants."""

import os
import re
import sys

import psycopg
import pytest

from harness import TOP

sys.path.insert(0, os.path.join(TOP, "tests"))

from sqldiff import game, schema  # noqa: E402


class Scene:
    def __init__(self, pg, sluice):
        self.pg = pg
        self.sluice = sluice
        self.played = game.Game(pg, sluice.port, ["sharded"], 1)

    def run(self, sql, params=None):
        """Names, types and rows through pgsluice, and from the plain tables."""
        out = []
        for port, database in ((self.sluice.port, "sharded"),
                               (self.pg.port, "plain")):
            with psycopg.connect(host="127.0.0.1", port=port, user="app",
                                 dbname=database, autocommit=True) as conn:
                cur = conn.execute(sql, params)
                out.append(([(c.name, c.type_code) for c in cur.description],
                            cur.fetchall(), cur.statusmessage))
        return out

    def count(self):
        return (self.sluice.count("gathers"),
                self.sluice.count("gathers_refused"))


@pytest.fixture(scope="module")
def databases(shared_pg):
    game.create(shared_pg)
    yield shared_pg
    for name in schema.schemas(0):
        shared_pg.psql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def scene(databases, pgsluice):
    # The catalogs tell of all tables, also how they sort.
    sluice = pgsluice(re.sub(r'shard_relation = "[^"]*" shards = {[^}]*}', "",
                             schema.configuration(databases.port)))
    sluice.console("CHECK LAYOUTS")
    return Scene(databases, sluice)


# By all shards at once.
GATHERED = [
    "SELECT e.id, a.code FROM app.ev e JOIN app.acct a USING (tenant)",
    "SELECT e.id, a.code FROM app.acct a LEFT JOIN app.ev e ON "
    "a.tenant = e.tenant AND e.qty > 10",
    "SELECT e.id, a.code FROM app.ev e, app.acct a WHERE "
    "a.tenant = e.tenant AND a.active ORDER BY e.id, a.code LIMIT 20",
    "SELECT a.code, count(*), sum(e.qty) FROM app.ev e JOIN app.acct a ON "
    "a.tenant = e.tenant GROUP BY a.code ORDER BY 2 DESC, 1 LIMIT 5",
    "SELECT x.id, y.code FROM app.ev x FULL JOIN app.acct y ON "
    "x.tenant = y.tenant AND x.qty = 3",
    "SELECT x.tenant, y.tenant, array_agg(x.id ORDER BY x.id) FROM app.ev x "
    "FULL JOIN app.acct y ON x.tenant = y.tenant AND x.qty < 9 "
    "GROUP BY x.tenant, y.tenant",
    "SELECT count(*) FROM app.acct a WHERE EXISTS (SELECT 1 FROM app.ev e "
    "WHERE e.tenant = a.tenant AND e.qty > 50)",
    "SELECT a.code FROM app.acct a WHERE NOT EXISTS (SELECT 1 FROM app.ev e "
    "WHERE e.tenant = a.tenant AND e.ok)",
    "SELECT id FROM app.ev WHERE tenant IN (SELECT tenant FROM app.acct "
    "GROUP BY tenant HAVING count(*) > 2) ORDER BY id LIMIT 30",
    "SELECT a.code, (SELECT max(e.at) FROM app.ev e WHERE e.tenant = "
    "a.tenant) FROM app.acct a",
    "SELECT a.code, s.id FROM app.acct a CROSS JOIN LATERAL (SELECT e.id FROM "
    "app.ev e WHERE e.tenant = a.tenant ORDER BY e.at DESC, e.id LIMIT 2) s",
    "SELECT a.code, s.n FROM app.acct a LEFT JOIN (SELECT tenant, count(*) "
    "AS n FROM app.ev GROUP BY tenant) s ON s.tenant = a.tenant",
    "WITH big AS (SELECT tenant, sum(qty) AS n FROM app.ev GROUP BY tenant "
    "HAVING sum(qty) > 100) SELECT a.code, big.n FROM app.acct a JOIN big ON "
    "big.tenant = a.tenant ORDER BY a.code, big.n",
    "SELECT avg(n), max(n) FROM (SELECT tenant, count(*) AS n FROM app.ev "
    "GROUP BY tenant) s",
    "SELECT tenant, id, at FROM (SELECT *, row_number() OVER (PARTITION BY "
    "tenant ORDER BY at DESC, id) AS n FROM app.ev) s WHERE n = 1",
    "SELECT id, qty, lag(qty) OVER w, sum(qty) OVER w FROM app.ev WINDOW w "
    "AS (PARTITION BY tenant ORDER BY at, id) ORDER BY id LIMIT 40",
    "SELECT tenant, count(DISTINCT qty), string_agg(note, ',' ORDER BY id) "
    "FROM app.ev GROUP BY 1",
    "SELECT count(DISTINCT qty), count(DISTINCT note), sum(DISTINCT qty), "
    "count(*), avg(amount) FROM app.ev",
    "SELECT ok, count(DISTINCT tenant) FILTER (WHERE qty > 5) AS n, "
    "avg(DISTINCT qty), min(day) FROM app.ev GROUP BY ok HAVING "
    "count(DISTINCT qty) > 3 ORDER BY n DESC, ok",
    "SELECT id FROM app.ev WHERE ok UNION ALL SELECT id FROM app.ev WHERE "
    "qty > 7 ORDER BY 1 DESC LIMIT 50",
    "SELECT qty FROM app.ev UNION SELECT length(code) FROM app.acct",
    "SELECT qty AS n FROM app.ev UNION SELECT length(code) FROM app.acct "
    "ORDER BY n NULLS FIRST LIMIT 5 OFFSET 2",
    "SELECT DISTINCT ON (tenant) tenant, id, at FROM app.ev ORDER BY tenant, "
    "at DESC, id",
    "SELECT DISTINCT ON (ok, e.note) e.id, ok FROM app.ev e ORDER BY ok, "
    "e.note DESC, e.id LIMIT 7 OFFSET 1",
    "SELECT note::text AS n FROM app.ev ORDER BY n, id LIMIT 9",
]

# By the coordinator, at once.
NOT_GATHERED = [
    "SELECT count(*) FROM app.ev a JOIN app.ev b ON a.id + 1 = b.id",
    "SELECT count(*) FROM app.ev e JOIN app.kind k ON k.id = e.qty",
    "SELECT id, rank() OVER (ORDER BY at, id) FROM app.ev",
    "SELECT count(*) FROM (SELECT DISTINCT qty FROM app.ev) s",
    "SELECT count(*) FROM app.ev WHERE tenant NOT IN (SELECT tenant FROM "
    "app.acct)",
    "SELECT id FROM app.ev WHERE qty = (SELECT max(qty) FROM app.ev)",
    "SELECT qty FROM app.ev INTERSECT SELECT length(code) FROM app.acct",
    "SELECT qty FROM app.ev UNION ALL SELECT 1",
    "SELECT array_agg(x.id ORDER BY x.id) FROM app.ev x LEFT JOIN app.acct y "
    "ON x.tenant = y.tenant GROUP BY y.tenant",
]


def same(sql, got, want):
    assert got[0] == want[0] and got[2] == want[2]
    if " LIMIT " in sql and "LATERAL" not in sql:
        assert got[1] == want[1]
    else:
        assert sorted(map(repr, got[1])) == sorted(map(repr, want[1]))


def test_shards_answer_for_their_rows(scene):
    for sql in GATHERED:
        before = scene.count()
        got, want = scene.run(sql)
        same(sql, got, want)
        assert want[1], sql
        after = scene.count()
        assert (after[0] - before[0], after[1] - before[1]) == (1, 0), sql


def test_what_is_not_proven_is_the_coordinators(scene):
    before = scene.count()
    for sql in NOT_GATHERED:
        got, want = scene.run(sql)
        same(sql, got, want)
    assert scene.count() == before


def test_no_rows_at_all(scene):
    """An aggregate without groups has a row even then."""
    for sql in ("SELECT count(DISTINCT qty), sum(DISTINCT qty) FROM app.ev "
                "WHERE id = -7",
                "SELECT count(DISTINCT qty) FROM app.ev WHERE id = -7 GROUP "
                "BY ok",
                "SELECT count(*) FROM app.ev e JOIN app.acct a USING (tenant) "
                "WHERE e.id = -7"):
        got, want = scene.run(sql)
        same(sql, got, want)


def test_one_key_outside_is_one_shard(scene):
    """A condition on a query in FROM is one on the table in it."""
    tenant = schema.TENANTS[1]
    for sql in ("SELECT * FROM (SELECT tenant, id FROM app.ev) s WHERE "
                "s.tenant = %s",
                "SELECT a.code, s.n FROM app.acct a JOIN (SELECT tenant, "
                "count(*) AS n FROM app.ev GROUP BY tenant) s ON s.tenant = "
                "a.tenant WHERE a.tenant = %s",
                "SELECT code FROM app.acct WHERE tenant = %s AND tenant IN "
                "(SELECT tenant FROM app.ev)"):
        before = scene.count()
        got, want = scene.run(sql, (tenant,))
        same(sql, got, want)
        assert want[1] and scene.count() == before
        with psycopg.connect(host="127.0.0.1", port=scene.sluice.port,
                             user="app", dbname="sharded",
                             autocommit=True) as conn:
            told = [r[0] for r in conn.execute(
                "EXPLAIN (ROUTE) " + sql.replace("%s", f"'{tenant}'"))]
        assert "why: one shard: every row has this key's hash" in told


def test_the_route_is_told(scene):
    with psycopg.connect(host="127.0.0.1", port=scene.sluice.port, user="app",
                         dbname="sharded", autocommit=True) as conn:
        told = dict(r[0].split(": ", 1) for r in conn.execute(
            "EXPLAIN (ROUTE) SELECT a.tenant, array_agg(e.id) FROM app.ev e "
            "JOIN app.acct a USING (tenant) GROUP BY 1"))
        assert told["why"] == "all shards at once, rows as they come"
        assert told["backend"] == "shard0, shard1, shard2"
        assert "app.ev_part e JOIN app.acct_part a USING" in told["sql"]
        told = dict(r[0].split(": ", 1) for r in conn.execute(
            "EXPLAIN (ROUTE) SELECT e.qty, array_agg(e.id) FROM app.ev e "
            "JOIN app.acct a USING (tenant) GROUP BY 1"))
        assert told["why"] == ("the coordinator: the parts could not be put "
                               "together")
