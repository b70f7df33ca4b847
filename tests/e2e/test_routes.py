# SPDX-License-Identifier: PostgreSQL
"""Where statements go: plain, monthly and sharded, on real clusters with real
partitions, judged by where PostgreSQL itself has the rows."""

import os
import sys
import uuid

import psycopg
import pytest

from harness import TOP, binary, lablib, sanitizer_options

sys.path.insert(0, os.path.join(TOP, "contrib", "lab", "events"))

import events as eventslib  # noqa: E402
from events import Events  # noqa: E402

VARIANTS = ("plain", "monthly", "sharded")


class Scene:
    """The five clusters, the daemon, and connections as they are needed."""

    def __init__(self, lab):
        self.ev = Events(lab, per_month=40, tenants=20, months=4,
                         shared_buffers="16MB").start()
        self.ev.start_pgsluice(binary())

    def through(self, dbname):
        return psycopg.connect(
            host="127.0.0.1", port=self.ev.sluice.port, dbname=dbname,
            user="app", password="app", autocommit=True)

    def route(self, dbname, sql, params=None):
        """EXPLAIN (ROUTE) as {key: value}."""
        with self.through(dbname) as conn:
            rows = conn.execute("EXPLAIN (ROUTE) " + sql, params).fetchall()
        return dict(r[0].split(": ", 1) for r in rows if ": " in r[0])

    def tenant_on(self, shard):
        return next(t for t in sorted(self.ev.remainder)
                    if self.ev.shard_of(t) == shard)

    def plain(self, sql):
        return self.ev.pg["plain"].psql(sql, "app")

    def direct(self, cluster, sql):
        with self.ev.pg[cluster].connect("app", autocommit=True) as conn:
            cur = conn.execute(sql)
            return cur.fetchall() if cur.description else []


@pytest.fixture(scope="module")
def scene():
    os.environ.update(sanitizer_options())
    with lablib.Lab() as lab:
        made = Scene(lab)
        yield made
        assert made.ev.sluice.stop() == 0
        assert not made.ev.misplaced()


def test_rows_are_where_they_belong(scene):
    assert scene.ev.misplaced() == []


READS = {
    "all": "SELECT count(*), min(occurred_at), max(occurred_at) "
           "FROM app.events",
    "unqualified column": "SELECT events.id FROM app.events "
                          "ORDER BY events.id LIMIT 5",
    "qualified column": "SELECT app.events.id FROM app.events "
                        "ORDER BY app.events.id LIMIT 5",
    "alias": "SELECT e.id FROM app.events e ORDER BY e.id LIMIT 5",
    "as": "SELECT x.id FROM app.events AS x ORDER BY 1 LIMIT 5",
    "json": "SELECT count(*) FROM app.events WHERE payload->>'n' = '7'",
    "twice": "SELECT count(*) FROM app.events a JOIN app.events b "
             "ON a.id = b.id",
    "subquery": "SELECT count(*) FROM (SELECT DISTINCT tenant_id "
                "FROM app.events) s",
    "cte": "WITH x AS (SELECT * FROM app.events) SELECT count(*) FROM x",
    "union": "SELECT count(*) FROM (SELECT id FROM app.events UNION ALL "
             "SELECT id FROM app.events) s",
    "string": "SELECT 'app.events', count(*) FROM app.events",
    "comment": "SELECT /* app.events */ count(*) -- app.events\n"
               "FROM app.events",
    "quoted": 'SELECT count(*) FROM "app"."events"',
    "upper case": "SELECT COUNT(*) FROM APP.EVENTS",
    "whole row": "SELECT e IS NOT NULL FROM app.events e LIMIT 1",
    "group": "SELECT date_trunc('month', occurred_at), count(*) "
             "FROM app.events GROUP BY 1 ORDER BY 1",
    "tenant": "SELECT id FROM app.events WHERE tenant_id = '{t0}' "
              "ORDER BY id",
    "two tenants": "SELECT count(*) FROM app.events WHERE tenant_id IN "
                   "('{t0}', '{t1}')",
    "tenant or": "SELECT count(*) FROM app.events WHERE tenant_id = '{t0}' "
                 "OR tenant_id = '{t1}'",
    "tenant and no": "SELECT count(*) FROM app.events WHERE "
                     "tenant_id = '{t0}' AND tenant_id = '{t1}'",
    "not tenant": "SELECT count(*) FROM app.events WHERE "
                  "tenant_id <> '{t0}'",
    "tenant null": "SELECT count(*) FROM app.events WHERE tenant_id = NULL",
    "tenant in parentheses": "SELECT count(*) FROM app.events WHERE "
                             "(('{t0}' = (tenant_id)))",
    "tenant cast": "SELECT count(*) FROM app.events WHERE "
                   "tenant_id = '{t0}'::uuid",
    "tenant spelled otherwise": "SELECT count(*) FROM app.events WHERE "
                                "tenant_id = '{{{T0}}}'",
    "tenant or true": "SELECT count(*) FROM app.events WHERE "
                      "tenant_id = '{t0}' OR true",
    "tenant of a subquery": "SELECT count(*) FROM app.events WHERE tenant_id "
                            "= (SELECT min(tenant_id::text)::uuid "
                            "FROM app.events)",
    "left join": "SELECT count(*) FROM app.events a LEFT JOIN app.events b "
                 "ON a.id = b.id AND b.tenant_id = '{t0}'",
    "exists": "SELECT count(*) FROM app.events a WHERE a.tenant_id = '{t0}' "
              "AND EXISTS (SELECT 1 FROM app.events b WHERE "
              "b.id <> a.id)",
    "empty": "SELECT * FROM app.events WHERE false",
}


@pytest.mark.parametrize("sql", READS.values(), ids=READS.keys())
def test_reads_are_equal_on_every_variant(scene, sql):
    t0, t1 = scene.tenant_on("shard0"), scene.tenant_on("shard1")
    sql = sql.format(t0=t0, t1=t1, T0=t0.upper())
    answers = {}
    for variant in VARIANTS:
        for mode in ("uncached", "l1", "l1"):
            with scene.through(eventslib.database_name(variant, mode)) as c:
                cur = c.execute(sql)
                names = [d.name for d in cur.description]
                answers[variant, mode] = (names, cur.fetchall(),
                                          cur.statusmessage)
    assert len(set(map(str, answers.values()))) == 1, answers
    # And all are what the monthly server says, whose table has that name.
    with scene.ev.pg["monthly"].connect("app") as conn:
        assert conn.execute(sql).fetchall() == answers["plain", "uncached"][1]


@pytest.mark.parametrize("shard", eventslib.SHARDS)
@pytest.mark.parametrize("binary_form", [False, True])
def test_one_tenant_goes_to_its_shard(scene, shard, binary_form):
    tenant = scene.tenant_on(shard)
    sql = "SELECT count(*) FROM app.events WHERE tenant_id = "
    found = scene.route("sharded", sql + f"'{tenant}'")
    assert found["backend"] == shard
    assert "app.events_shard" in found["sql"]
    # That is also where it runs.
    with scene.through("sharded") as conn:
        ask = "SELECT current_setting('port'), count(*) FROM app.events " \
              "WHERE tenant_id = "
        port = str(scene.ev.pg[shard].port)
        assert conn.execute(ask + f"'{tenant}' GROUP BY 1"
                            ).fetchone()[0] == port
        value = uuid.UUID(tenant)
        form = "%b" if binary_form else "%t"
        assert conn.execute(ask + form + " GROUP BY 1",
                            (value,)).fetchone()[0] == port
        for _ in range(3):
            assert conn.execute(ask + form + " GROUP BY 1", (value,),
                                prepare=True).fetchone()[0] == port


@pytest.mark.parametrize("variant", VARIANTS)
def test_comments_in_a_name(scene, variant):
    """Statements that differ in their comments are of one shape; the names are
    where each text has them."""
    sql = ("SELECT app /*{0}*/ . /*{1}*/ events /*{0}*/ .id FROM app /*{0}*/ ."
           " /*{1}*/ events /*{1}*/ * WHERE tenant_id = %s")
    tenant = scene.tenant_on("shard0")
    with scene.through(variant) as conn:
        found = [sorted(conn.execute(sql.format(a, b), (tenant,)).fetchall())
                 for a, b in ((" a" * 40, " b" * 30), ("", ""), ("cc", ""),
                              ("", " d" * 70))]
    assert found[0] and found == [found[0]] * 4


def test_prepared_statement_changes_its_shard(scene):
    """One statement, one name, and the parameter says where it runs."""
    with scene.through("sharded") as conn:
        for tenant in sorted(scene.ev.remainder) * 2:
            row = conn.execute(
                "SELECT current_setting('port'), count(*) FROM app.events "
                "WHERE tenant_id = %s GROUP BY 1", (uuid.UUID(tenant),),
                prepare=True).fetchone()
            shard = scene.ev.shard_of(tenant)
            assert row[0] == str(scene.ev.pg[shard].port)
            assert row[1] == int(scene.plain(
                "SELECT count(*) FROM app.events_plain WHERE tenant_id = "
                f"'{tenant}'"))


@pytest.mark.parametrize("prepare", [False, True])
def test_key_beside_a_long_value(scene, prepare):
    """A long Bind is decided on by its first 256 KB."""
    tenant, long = uuid.UUID(scene.tenant_on("shard1")), "x" * 1_000_000
    ask = "SELECT current_setting('port'), count(*) FROM app.events WHERE "
    expected = int(scene.plain("SELECT count(*) FROM app.events_plain WHERE "
                               f"tenant_id = '{tenant}'"))
    for where, values, cluster in (
            ("tenant_id = %s AND length(%s::text) = 1000000", (tenant, long),
             "shard1"),
            ("length(%s::text) = 1000000 AND tenant_id = %s", (long, tenant),
             "coordinator")):
        with scene.through("sharded") as conn:
            found = conn.execute(f"{ask}{where} GROUP BY 1", values,
                                 prepare=prepare).fetchall()
        assert found == [(str(scene.ev.pg[cluster].port), expected)]


@pytest.mark.parametrize("where", [
    "", "WHERE id = '{id}'", "WHERE tenant_id IN ('{t0}', '{t1}')",
    "WHERE tenant_id > '{t0}'", "WHERE tenant_id = '{t0}' OR id = '{id}'"])
def test_what_names_no_single_tenant(scene, where):
    """What can be taken apart: all shards at once. Else the coordinator."""
    row = scene.plain("SELECT id FROM app.events_plain LIMIT 1")
    where = where.format(id=row, t0=scene.tenant_on("shard0"),
                         t1=scene.tenant_on("shard1"))
    found = scene.route("sharded", f"SELECT count(*) FROM app.events {where}")
    assert found["backend"] == "shard0, shard1"
    assert "app.events_shard " in found["sql"]
    for sql in (f"SELECT (SELECT count(*) FROM app.events {where})",
                f"SELECT string_agg(id::text, ',' ORDER BY id) FROM "
                f"app.events {where}",
                f"UPDATE app.events SET payload = '{{}}' {where}"):
        found = scene.route("sharded", sql)
        assert found["backend"] == "coordinator"
        assert "app.events_sharded" in found["sql"]


def test_values_that_are_no_tenant(scene):
    """What cannot be converted as the server would: the server says so."""
    for value in ("not a uuid", "", "0"):
        with scene.through("sharded") as conn:
            with pytest.raises(psycopg.errors.InvalidTextRepresentation):
                conn.execute("SELECT count(*) FROM app.events WHERE "
                             f"tenant_id = '{value}'")


def test_error_positions_are_the_clients(scene):
    sql = "SELECT nowhere, id FROM app.events WHERE id IS NULL AND lost = 1"
    for variant in VARIANTS:
        for text, word in ((sql, "nowhere"),
                           (sql.replace("nowhere, ", ""), "lost")):
            with scene.through(variant) as conn, \
                    pytest.raises(psycopg.errors.UndefinedColumn) as e:
                conn.execute(text)
            assert int(e.value.diag.statement_position) == \
                text.index(word) + 1


@pytest.mark.parametrize("variant", VARIANTS)
def test_writes_land_where_they_belong(scene, variant):
    tenant = {s: scene.tenant_on(s) for s in eventslib.SHARDS}
    new = {s: str(uuid.uuid4()) for s in eventslib.SHARDS}
    when = f"{scene.ev.this_month}T12:00:00+00"

    def count():
        with scene.through(variant) as conn:
            return conn.execute("SELECT count(*) FROM app.events WHERE id IN "
                                "(%s, %s)", tuple(new.values())
                                ).fetchone()[0]
    with scene.through(variant) as conn:
        for s in eventslib.SHARDS:
            cur = conn.execute("INSERT INTO app.events VALUES "
                               f"('{new[s]}', '{tenant[s]}', '{when}')")
            assert cur.statusmessage == "INSERT 0 1"
        assert count() == 2
        for s in eventslib.SHARDS:
            cluster = s if variant == "sharded" else variant
            assert scene.direct(
                cluster, f"SELECT count(*) FROM {scene.ev.relation(cluster)}"
                f" WHERE id = '{new[s]}'") == [(1,)]
        cur = conn.execute(
            "UPDATE app.events SET payload = '{\"changed\": true}' WHERE "
            f"tenant_id = '{tenant['shard0']}' AND id = '{new['shard0']}' "
            "RETURNING id")
        assert cur.rowcount == 1
        cur = conn.execute(
            f"DELETE FROM app.events WHERE tenant_id = "
            f"'{tenant['shard0']}' AND id = '{new['shard0']}'")
        assert cur.statusmessage == "DELETE 1"
        cur = conn.execute("DELETE FROM app.events WHERE id = "
                           f"'{new['shard1']}'")
        assert cur.statusmessage == "DELETE 1"
    assert count() == 0


def test_a_write_of_several_tenants(scene):
    ids = [str(uuid.uuid4()) for _ in range(10)]
    tenants = sorted(scene.ev.remainder)[:10]
    assert len({scene.ev.shard_of(t) for t in tenants}) == 2
    values = ", ".join(f"('{i}', '{t}', '{scene.ev.this_month}T01:00Z')"
                       for i, t in zip(ids, tenants))
    with scene.through("sharded") as conn:
        assert conn.execute("INSERT INTO app.events (id, tenant_id, "
                            f"occurred_at) VALUES {values}"
                            ).statusmessage == "INSERT 0 10"
    for i, t in zip(ids, tenants):
        shard = scene.ev.shard_of(t)
        assert scene.direct(shard, "DELETE FROM app.events_shard WHERE "
                            f"id = '{i}' RETURNING tenant_id::text") == [(t,)]


@pytest.mark.parametrize("variant", VARIANTS)
def test_copy_in_and_out(scene, variant):
    ids = [str(uuid.uuid4()) for _ in range(20)]
    tenants = sorted(scene.ev.remainder)
    with scene.through(variant) as conn:
        before = conn.execute("SELECT count(*) FROM app.events").fetchone()[0]
        with conn.cursor().copy("COPY app.events (id, tenant_id, occurred_at)"
                                " FROM STDIN") as copy:
            for i, t in zip(ids, tenants):
                copy.write_row((i, t, f"{scene.ev.this_month}T02:00Z"))
        assert conn.execute("SELECT count(*) FROM app.events"
                            ).fetchone()[0] == before + 20
        with conn.cursor().copy("COPY (SELECT id FROM app.events) "
                                "TO STDOUT") as out:
            assert sum(bytes(b).count(b"\n") for b in out) == before + 20
        cur = conn.execute("DELETE FROM app.events WHERE id = ANY(%s)",
                           (ids,))
        assert cur.rowcount == 20
    assert scene.ev.misplaced() == []


def test_write_invalidates_on_every_variant(scene):
    tenant = scene.tenant_on("shard1")
    ask = f"SELECT count(*) FROM app.events WHERE tenant_id = '{tenant}'"
    for variant in VARIANTS:
        name = eventslib.database_name(variant, "l1")
        with scene.through(name) as conn:
            first = conn.execute(ask).fetchone()[0]
            hits = scene.ev.sluice.metric("pgsluice_cache_hits_l1_total")
            assert conn.execute(ask).fetchone()[0] == first
            assert scene.ev.sluice.metric(
                "pgsluice_cache_hits_l1_total") == hits + 1
            new = str(uuid.uuid4())
            conn.execute("INSERT INTO app.events VALUES (%s, %s, %s)",
                         (new, tenant, scene.ev.this_month))
            assert conn.execute(ask).fetchone()[0] == first + 1
            conn.execute("DELETE FROM app.events WHERE id = %s AND "
                         "tenant_id = %s", (new, tenant))
            assert conn.execute(ask).fetchone()[0] == first


# -- months -------------------------------------------------------------------

def test_months_are_recognised(scene):
    month = eventslib.add_months(scene.ev.this_month, -2)
    after = eventslib.add_months(scene.ev.this_month, -1)
    for where in (f"occurred_at >= '{month} 00:00+00' AND "
                  f"occurred_at < '{after} 00:00+00'",
                  f"occurred_at BETWEEN '{month} 03:00+00' AND "
                  f"'{month} 04:00+00'"):
        found = scene.route("monthly",
                            f"SELECT count(*) FROM app.events WHERE {where}")
        assert found["backend"] == "monthly"
        assert f"{month:%Y-%m}" in found["months"]
        assert "closed" in found["months"]
    now = f"{scene.ev.this_month} 00:00+00"
    found = scene.route("monthly", "SELECT count(*) FROM app.events WHERE "
                        f"occurred_at >= '{now}'")
    assert "closed" not in found["months"]


def test_spans_of_months(scene, pgsluice):
    """Old months on one backend, new ones on another: the plain cluster
    plays the archive here."""
    cut = eventslib.add_months(scene.ev.this_month, -1)
    sluice = pgsluice("""
        auth = "trust"
        backend "hot" { conninfo = "$LOGIN port=$HOT" }
        backend "archive" { conninfo = "$LOGIN port=$OLD" }
        database "app" { backend = "hot" }
        table "app.events" {
            time_column = "occurred_at"
            variant "m" {
                kind = "monthly" backend = "hot" relation = "app.events"
                span "hot" { backend = "hot" from = "$CUT" }
                span "archive" { backend = "archive" until = "$CUT" }
            }
        }
    """, LOGIN="host=127.0.0.1 dbname=app user=app password=app",
        HOT=scene.ev.pg["monthly"].port, OLD=scene.ev.pg["plain"].port,
        CUT=f"{cut:%Y-%m}")
    for first, backend in ((eventslib.add_months(cut, -1), "archive"),
                           (cut, "hot")):
        # In the middle of the month: certain in every time zone.
        day = first.replace(day=15)
        sql = ("SELECT count(*) FROM app.events WHERE occurred_at >= "
               f"'{day} 12:00+00' AND occurred_at < '{day} 23:00+00'")
        rows = sluice.query("EXPLAIN (ROUTE) " + sql)
        assert ("backend: " + backend,) in rows, rows


# -- transactions -------------------------------------------------------------

def test_begin_waits_for_the_first_routed_statement(scene):
    for shard in eventslib.SHARDS:
        tenant = scene.tenant_on(shard)
        with scene.through("sharded") as conn:
            conn.execute("BEGIN")
            assert conn.info.transaction_status == 2
            row = conn.execute(
                "SELECT current_setting('port') FROM app.events WHERE "
                f"tenant_id = '{tenant}' LIMIT 1").fetchone()
            assert row == (str(scene.ev.pg[shard].port),)
            # Unrouted statements follow the transaction.
            assert conn.execute("SELECT current_setting('port')"
                                ).fetchone() == row
            conn.execute("COMMIT")


def test_a_transaction_stays_on_one_backend(scene):
    with scene.through("sharded") as conn:
        conn.execute("BEGIN")
        conn.execute("SELECT count(*) FROM app.events WHERE tenant_id = "
                     f"'{scene.tenant_on('shard0')}'")
        with pytest.raises(psycopg.Error) as e:
            conn.execute("SELECT count(*) FROM app.events WHERE tenant_id = "
                         f"'{scene.tenant_on('shard1')}'")
        assert e.value.sqlstate.startswith("25")
        assert "shard0" in str(e.value) or "shard1" in str(e.value)
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            conn.execute("SELECT 1")
        conn.execute("ROLLBACK")
        assert conn.execute("SELECT 1").fetchone() == (1,)


def test_rollback_on_a_shard(scene):
    tenant = scene.tenant_on("shard0")
    ask = f"SELECT count(*) FROM app.events WHERE tenant_id = '{tenant}'"
    with scene.through("sharded") as conn:
        before = conn.execute(ask).fetchone()
        with pytest.raises(ZeroDivisionError), conn.transaction():
            conn.execute(f"DELETE FROM app.events WHERE tenant_id = "
                         f"'{tenant}'")
            assert conn.execute(ask).fetchone() == (0,)
            raise ZeroDivisionError
        assert conn.execute(ask).fetchone() == before


# -- what is said about it ----------------------------------------------------

def test_explain_route(scene):
    tenant = scene.tenant_on("shard0")
    found = scene.route("sharded_l1", "SELECT count(*) FROM app.events "
                        f"WHERE tenant_id = '{tenant}'")
    assert found["statement"] == "select"
    assert "app.events" in found["tables"]
    assert found["variant"].startswith("sharded")
    assert tenant in found["key"]
    assert found["shard"].startswith("0")
    assert found["backend"] == "shard0"
    assert "cacheable by rule" in found["cache"]


def test_explain_route_runs_nothing(scene):
    before = scene.plain("SELECT count(*) FROM app.events_plain")
    found = scene.route("plain", "DELETE FROM app.events")
    assert found["statement"] == "delete" and found["backend"] == "plain"
    assert scene.plain("SELECT count(*) FROM app.events_plain") == before


def test_explain_follows_the_statement(scene):
    tenant = scene.tenant_on("shard1")
    with scene.through("sharded") as conn:
        plan = "\n".join(r[0] for r in conn.execute(
            "EXPLAIN SELECT count(*) FROM app.events WHERE tenant_id = "
            f"'{tenant}'").fetchall())
        assert "events_shard" in plan and "Foreign" not in plan
        plan = "\n".join(r[0] for r in conn.execute(
            "EXPLAIN SELECT count(*) FROM app.events").fetchall())
        assert "Foreign Scan" in plan


def test_metrics_tell_routes_apart(scene):
    with scene.through("sharded") as conn:
        conn.execute("SELECT count(*) FROM app.events WHERE tenant_id = "
                     f"'{scene.tenant_on('shard0')}'")
    labels = [k for k in scene.ev.sluice.metrics()
              if k.startswith("pgsluice_query_duration_seconds_count")]
    assert any('backend="shard0"' in k and 'variant="sharded"' in k and
               'route="app.events"' in k for k in labels), labels
