# SPDX-License-Identifier: PostgreSQL
"""EXPLAIN (ROUTE, ANALYZE): the statement runs as it would, its rows do not come,
and what was asked where is told."""

import os
import re
import sys
import threading
import uuid

import psycopg
import pytest

import rawpg
from harness import TOP, binary, lablib, sanitizer_options
from rawpg import bind, describe, execute, parse, query, sync

sys.path.insert(0, os.path.join(TOP, "contrib", "lab", "events"))

from events import Events  # noqa: E402

ANALYZE = "EXPLAIN (ROUTE, ANALYZE) "
COLUMNS = "(id, tenant_id, occurred_at, payload)"


class Told:
    """The lines: those that come once by key, and the servers asked."""

    def __init__(self, rows):
        self.lines = [r[0] for r in rows]
        self.one, self.asked = {}, []
        for line in self.lines:
            key, value = line.split(": ", 1)
            if key == "asked":
                self.asked.append({"where": value})
            elif key.startswith("asked "):
                self.asked[-1][key[6:]] = value
            else:
                self.one[key] = value

    def where(self):
        return [a["where"] for a in self.asked]

    def rows(self):
        return [int(re.search(r", (\d+) rows, \d+ bytes$", a["answer"])[1])
                for a in self.asked]


def put(c, messages):
    c.send(messages)
    return c.read_until_ready()


class Scene:
    def __init__(self, lab):
        self.ev = Events(lab, per_month=40, tenants=20, months=4,
                         shared_buffers="16MB").start()
        self.ev.start_pgsluice(binary())
        tenants = sorted(self.ev.remainder)
        self.on = [[t for t in tenants if self.ev.shard_of(t) == s]
                   for s in ("shard0", "shard1")]

    def through(self, dbname="sharded", **kw):
        kw.setdefault("autocommit", True)
        return psycopg.connect(
            host="127.0.0.1", port=self.ev.sluice.port, dbname=dbname,
            user="app", password="app", **kw)

    def raw(self):
        return rawpg.RawConn("127.0.0.1", self.ev.sluice.port, user="app",
                             database="sharded", password="app")

    def told(self, sql, params=None, conn=None, **kw):
        if conn is not None:
            return Told(conn.execute(ANALYZE + sql, params, **kw).fetchall())
        with self.through() as conn:
            return Told(conn.execute(ANALYZE + sql, params, **kw).fetchall())

    def count(self, name):
        return int(self.ev.sluice.metrics()[f"pgsluice_{name}_total"])

    def held(self, shard, key):
        with self.ev.pg[shard].connect("app", autocommit=True) as c:
            return c.execute("SELECT count(*) FROM app.events_shard WHERE "
                             "id = %s", (key,)).fetchone()[0]


@pytest.fixture(scope="module")
def scene():
    os.environ.update(sanitizer_options())
    with lablib.Lab() as lab:
        made = Scene(lab)
        yield made
        assert made.ev.sluice.stop() == 0


def row(tenant):
    return (str(uuid.uuid4()), tenant, "2026-01-02 03:04:05+00", "{}")


def values(*rows):
    return f"app.events {COLUMNS} VALUES " + ", ".join(
        "(" + ", ".join(f"'{v}'" for v in r) + ")" for r in rows)


@pytest.mark.parametrize("shard", [0, 1])
def test_one_shard(scene, shard):
    sql = ("SELECT id FROM app.events WHERE tenant_id = "
           f"'{scene.on[shard][0]}'")
    with scene.through() as conn:
        expected = len(conn.execute(sql).fetchall())
        told = scene.told(sql, conn=conn)
        assert len(conn.execute(sql).fetchall()) == expected
    assert told.one["shard"] == f"{shard} of 2"
    assert told.where() == [f"backend shard{shard}, shard {shard} of 2"]
    assert "app.events_shard AS events" in told.asked[0]["sql"]
    assert told.asked[0]["answer"].startswith(f"SELECT {expected}, ")
    assert told.rows() == [expected]
    assert re.fullmatch(r"at \d+\.\d{3} ms, first row after \d+\.\d{3} ms, "
                        r"all after \d+\.\d{3} ms", told.asked[0]["times"])
    assert told.one["answer"].startswith(f"SELECT {expected}, ")
    assert float(told.one["total"].split()[0]) > 0


def test_the_lines_before_are_those_of_explain_route(scene):
    sql = f"SELECT * FROM app.events WHERE tenant_id = '{scene.on[0][0]}'"
    with scene.through() as conn:
        route = [r[0] for r in conn.execute("EXPLAIN (ROUTE) " + sql)]
        both = scene.told(sql, conn=conn).lines
    assert both[:len(route)] == route
    assert both[len(route)].startswith("asked: ")


@pytest.mark.parametrize("sql, final, answer", [
    ("SELECT id, payload FROM app.events", None, "SELECT 160"),
    ("SELECT id FROM app.events ORDER BY id LIMIT 7", "final step",
     "SELECT 7"),
    ("SELECT date_trunc('month', occurred_at), avg((payload->>'n')::int) "
     "FROM app.events GROUP BY 1", "final step", "SELECT 4"),
    ("SELECT count(*) FROM app.events", None, "SELECT 1")])
def test_several_shards(scene, sql, final, answer):
    before = scene.count("gathers")
    told = scene.told(sql)
    assert scene.count("gathers") == before + 1
    assert told.where()[:2] == ["backend shard0, shard 0 of 2",
                                "backend shard1, shard 1 of 2"]
    assert told.where()[2:] == (
        [f"backend coordinator, {final}"] if final else [])
    assert told.one["answer"].startswith(answer + ", ")
    assert all(a["answer"].startswith("SELECT ") for a in told.asked)
    if answer == "SELECT 160":
        assert sum(told.rows()) == 160


def test_the_coordinator(scene):
    told = scene.told("SELECT a.id FROM app.events a JOIN app.events b "
                      "USING (id)")
    assert told.where() == ["backend coordinator"]
    assert told.rows() == [160]


def test_refused_by_shards(scene):
    """The parts cannot be put together: the coordinator is asked behind them."""
    told = scene.told("SELECT sum((payload->>'n')::float8) FROM app.events")
    assert told.where()[-1] == "backend coordinator"
    assert len(told.asked) == 3
    assert told.one["note"].startswith("the coordinator was asked")
    assert told.one["answer"].startswith("SELECT 1, 1 rows")


@pytest.mark.parametrize("kind", ["%s", "%b", "%t"])
def test_parameters(scene, kind):
    tenant = uuid.UUID(scene.on[1][0])
    sql = f"SELECT id FROM app.events WHERE tenant_id = {kind}"
    with scene.through() as conn:
        n = len(conn.execute(sql, (tenant,)).fetchall())
        for _ in range(3):
            told = scene.told(sql, (tenant,), conn=conn)
            assert told.where() == ["backend shard1, shard 1 of 2"]
            assert told.rows() == [n]
            assert len(conn.execute(sql, (tenant,)).fetchall()) == n
        told = scene.told("SELECT id FROM app.events WHERE payload->>'n' "
                          f"<> {kind}", ("x",), conn=conn)
        assert len(told.asked) == 2 and sum(told.rows()) == 160


def test_writes_stay(scene):
    """It really runs; RETURNING's rows are not handed out."""
    r = row(scene.on[0][0])
    told = scene.told(f"INSERT INTO {values(r)} RETURNING id")
    assert told.asked[0]["answer"].startswith("INSERT 0 1, 1 rows, ")
    assert scene.held("shard0", r[0]) == 1
    told = scene.told("DELETE FROM app.events WHERE tenant_id = %s AND "
                      "id = %s", (r[1], r[0]))
    assert told.one["answer"].startswith("DELETE 1, 0 rows, ")
    assert scene.held("shard0", r[0]) == 0


def test_in_a_transaction(scene):
    r = row(scene.on[1][0])
    with scene.through() as conn:
        conn.execute("BEGIN")
        told = scene.told(f"INSERT INTO {values(r)}", conn=conn)
        assert told.one["session"] == ("in a transaction that has no server "
                                       "yet")
        assert told.one["here"] == "backend shard1"
        assert told.where() == ["backend shard1, shard 1 of 2"]
        told = scene.told("SELECT 1", conn=conn)
        assert told.one["session"] == "in a transaction on backend shard1"
        assert told.where() == ["backend shard1"]
        conn.execute("ROLLBACK")
        assert scene.held("shard1", r[0]) == 0
        conn.execute("BEGIN")
        scene.told(f"INSERT INTO {values(r)}", conn=conn)
        with pytest.raises(psycopg.errors.ActiveSqlTransaction):
            scene.told(f"INSERT INTO {values(row(scene.on[0][0]))}",
                       conn=conn)
        assert conn.info.transaction_status == \
            psycopg.pq.TransactionStatus.INERROR
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            scene.told("SELECT 1", conn=conn)
        conn.execute("ROLLBACK")
        assert scene.told("SELECT 1", conn=conn).rows() == [1]
    assert scene.held("shard1", r[0]) == 0


def test_explain_route_tells_what_ties_the_session(scene):
    sql = "EXPLAIN (ROUTE) SELECT * FROM app.events WHERE tenant_id = %s"

    def told(conn, shard):
        return Told(conn.execute(sql, (scene.on[shard][0],))).one

    with scene.through() as conn:
        assert "session" not in told(conn, 0)
        conn.execute("CREATE TEMP TABLE mine (a int)")
        assert told(conn, 0)["session"].startswith(
            "pinned to backend coordinator: ")
        assert told(conn, 0)["backend"] == "shard0"
        assert told(conn, 0)["here"] == "backend coordinator"
    with scene.through() as conn:
        conn.execute("BEGIN")
        assert told(conn, 0)["here"] == "backend shard0"
        conn.execute(sql[16:], (scene.on[0][0],))
        assert told(conn, 0)["session"] == "in a transaction on backend shard0"
        assert told(conn, 0)["here"] == "backend shard0"
        assert told(conn, 1)["here"] == \
            "refused (25001): it needs backend shard1"


def test_pinned(scene):
    with scene.through() as conn:
        conn.execute("CREATE TEMP TABLE mine AS SELECT generate_series(1, 9) a")
        told = scene.told("SELECT * FROM mine", conn=conn)
        assert told.where() == ["backend coordinator"]
        assert told.rows() == [9]
        told = scene.told("SELECT id FROM app.events WHERE tenant_id = "
                          f"'{scene.on[0][0]}'", conn=conn)
        assert told.where() == ["backend coordinator"]


def test_errors_are_the_statements(scene):
    with scene.through() as conn:
        bad = f"SELECT 1/0 FROM app.events WHERE tenant_id = '{scene.on[0][0]}'"
        with pytest.raises(psycopg.errors.DivisionByZero):
            scene.told(bad, conn=conn)
        with pytest.raises(psycopg.errors.UndefinedColumn) as e:
            scene.told("SELECT foo FROM app.events WHERE tenant_id = "
                       f"'{scene.on[0][0]}'", conn=conn)
        with pytest.raises(psycopg.errors.SyntaxError):
            scene.told("nonsense", conn=conn)
        # In the client's text.
        assert int(e.value.diag.statement_position) == len(ANALYZE) + 8
        with pytest.raises(psycopg.errors.UndefinedColumn) as e:
            scene.told("SELECT foo FROM app.events WHERE tenant_id = %s",
                       (scene.on[0][0],), conn=conn)
        assert int(e.value.diag.statement_position) == len(ANALYZE) + 8
        with pytest.raises(psycopg.errors.DivisionByZero):
            scene.told("SELECT 1/(length(payload::text) - length("
                       "payload::text)) FROM app.events", conn=conn)
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            scene.told("UPDATE app.events SET tenant_id = "
                       f"'{scene.on[0][0]}' WHERE tenant_id = "
                       f"'{scene.on[0][1]}'", conn=conn)
        assert scene.told("SELECT 1", conn=conn).rows() == [1]


@pytest.mark.parametrize("sql, kind", [
    ("COPY app.events FROM STDIN", "copy-in"),
    ("COPY (SELECT 1) TO STDOUT", "copy-out"),
    ("BEGIN", "transaction"), ("TRUNCATE app.events", "truncate"),
    ("EXECUTE p", "prepare"), ("SET work_mem = '1MB'", "set"),
    ("EXPLAIN SELECT 1", "explain")])
def test_what_does_not_run(scene, sql, kind):
    with scene.through() as conn:
        with pytest.raises(psycopg.errors.FeatureNotSupported) as e:
            scene.told(sql, conn=conn)
        assert e.value.diag.message_primary == (
            f"EXPLAIN (ROUTE, ANALYZE) cannot run a statement of kind {kind}")
        assert e.value.diag.message_hint.startswith("It runs SELECT, ")
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            scene.told("SELECT 1; SELECT 2", conn=conn)
        assert scene.told("SELECT 1", conn=conn).rows() == [1]


def test_options(scene):
    with scene.through() as conn:
        for options in ("ANALYZE, ROUTE", "analyse on, \"route\"",
                        "ROUTE, ANALYZE 1"):
            rows = conn.execute(f"EXPLAIN ({options}) SELECT 1").fetchall()
            assert rows[-1][0].startswith("total: ")
        rows = conn.execute("EXPLAIN (ROUTE, ANALYZE off) SELECT 1/0")
        assert not any(r[0].startswith("asked") for r in rows)


@pytest.mark.parametrize("split", [False, True])
def test_named_statement(scene, split):
    """The name goes on meaning the EXPLAIN, not what it ran."""
    rows = [row(scene.on[0][0]), row(scene.on[split][0])]
    insert = f"INSERT INTO {values(*rows)} ON CONFLICT DO NOTHING"
    group = bind("", "it") + describe("P") + execute() + sync()
    with scene.raw() as c:
        said = put(c, parse("it", ANALYZE + insert) + group)
        assert rawpg.types(said)[:3] == "12T" and rawpg.tags(said) == [
            "EXPLAIN"]
        assert [r[0] for r in rawpg.text_rows(said)
                if r[0].startswith("answer: ")] == [
                    "answer: INSERT 0 2, 0 rows, 0 bytes"]
        for _ in range(3):
            said = put(c, group)
            assert rawpg.types(said)[:2] == "2T" and rawpg.tags(said) == [
                "EXPLAIN"]
            assert [r[0] for r in rawpg.text_rows(said)
                    if r[0].startswith("answer: ")] == [
                        "answer: INSERT 0 0, 0 rows, 0 bytes"]
        said = put(c, bind("", "it") + execute() + sync())
        assert rawpg.types(said).startswith("2D")
        said = put(c, parse("it", "SELECT 1") + sync())
        assert rawpg.sqlstates(said) == ["42P05"]
        # What was run did not take the unnamed one's place.
        said = put(c, parse("", "SELECT 7") + sync())
        said = put(c, group)
        said = put(c, bind("", "") + execute() + sync())
        assert rawpg.text_rows(said) == [("7",)]


def test_split_insert(scene):
    before = scene.count("spreads")
    with scene.through() as conn:
        for params in (False, True):
            rows = [row(scene.on[i % 2][0]) for i in range(5)]
            if params:
                sql = f"INSERT INTO app.events {COLUMNS} VALUES " + ", ".join(
                    ["(%s, %s, %s, %s)"] * 5)
                told = scene.told(sql, [v for r in rows for v in r],
                                  conn=conn)
            else:
                told = scene.told(f"INSERT INTO {values(*rows)}", conn=conn)
            assert told.where() == ["backend shard0, shard 0 of 2",
                                    "backend shard1, shard 1 of 2"]
            assert [a["answer"].split(",")[0] for a in told.asked] == [
                "INSERT 0 3", "INSERT 0 2"]
            assert all("committed after" in a["times"] for a in told.asked)
            assert told.one["answer"].startswith("INSERT 0 5, ")
            assert [scene.held(f"shard{i % 2}", r[0])
                    for i, r in enumerate(rows)] == [1] * 5
            scene.told("DELETE FROM app.events WHERE id = ANY(%s::uuid[])",
                       ([r[0] for r in rows],), conn=conn)
    assert scene.count("spreads") == before + 2


def test_cache_is_not_asked(scene):
    tenant = scene.on[0][1]
    sql = f"SELECT count(*) FROM app.events WHERE tenant_id = '{tenant}'"
    with scene.through() as conn:
        hits = scene.count("cache_hits_l1")
        told = scene.told(sql, conn=conn)
        assert len(told.asked) == 1
        assert scene.count("cache_hits_l1") == hits
        assert told.one["cache would be"] in (
            "a miss in L1", "bypass, no_rule", "bypass, disabled")


def test_pipelined_behind(scene):
    """What is sent behind it without waiting is answered behind it."""
    with scene.raw() as c:
        c.send(query(ANALYZE + "SELECT pg_sleep(0.2)") + query("SELECT 5") +
               query(ANALYZE + "SELECT id FROM app.events") +
               parse("", ANALYZE + "SELECT 1") + bind("", "") + execute() +
               sync() + query("SELECT 6"))
        tags = [rawpg.tags(c.read_until_ready()) for _ in range(5)]
        assert tags == [["EXPLAIN"], ["SELECT 1"], ["EXPLAIN"], ["EXPLAIN"],
                        ["SELECT 1"]]


def test_notices_pass(scene):
    with scene.through() as conn:
        heard = []
        conn.add_notice_handler(lambda d: heard.append(d.message_primary))
        conn.execute("CREATE FUNCTION pg_temp.say() RETURNS int LANGUAGE "
                     "plpgsql AS $$ BEGIN RAISE NOTICE 'said'; RETURN 1; "
                     "END $$")
        assert scene.told("SELECT pg_temp.say()", conn=conn).rows() == [1]
        assert heard == ["said"]


def test_cancelled_and_waiting(scene):
    """It waits for a server as any statement, and is cancelled as any."""
    with scene.through() as conn:
        conn.execute("SET statement_timeout = '300ms'")
        for sql in ("SELECT pg_sleep(5)", "SELECT pg_sleep(5) FROM app.events "
                    f"WHERE tenant_id = '{scene.on[0][0]}'"):
            with pytest.raises(psycopg.errors.QueryCanceled):
                scene.told(sql, conn=conn)
        assert scene.told("SELECT 1", conn=conn).rows() == [1]
    holders = [scene.through() for _ in range(10)]
    try:
        for h in holders:
            h.execute("BEGIN")
            h.execute("SELECT 1")
        with scene.through() as conn:
            t = threading.Timer(0.5, lambda: holders[0].execute("ROLLBACK"))
            t.start()
            told = scene.told("SELECT count(*) FROM pg_class", conn=conn)
            t.join()
        at = float(re.match(r"at (\d+\.\d+) ms",
                            told.asked[0]["times"])[1])
        assert at > 300 and float(told.one["total"].split()[0]) > at
    finally:
        for h in holders:
            h.close()
