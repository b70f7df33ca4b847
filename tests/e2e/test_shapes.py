# SPDX-License-Identifier: PostgreSQL
"""SHOW SHAPES: what statements cost, by shape."""

import contextlib

import psycopg
import psycopg2
import pytest

from harness import until, whole

CONF = """
auth = "trust"
admin_users = {"app"}
stats_users = {"alice"}
workers = 2
track_shapes = true
$SETTINGS
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
database "other" { backend = "main" }
cache "t" { databases = {"app"} tables = {"t"} ttl = 60s }
"""


@pytest.fixture
def counting(pg, db, pgsluice):
    with pg.connect(db, user="app") as conn:
        conn.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
        conn.execute("INSERT INTO t SELECT g, 'v' || g "
                     "FROM generate_series(1, 100) g")

    def make(settings=""):
        return pgsluice(CONF, SETTINGS=settings)
    return make


def shapes(sluice, query, **fields):
    return [r for r in sluice.console("SHOW SHAPES") if r["query"] == query
            and all(r[k] == v for k, v in fields.items())]


def shape(sluice, query, calls, **fields):
    """The row of a query, once it has been called so often."""
    def found():
        rows = shapes(sluice, query, **fields)
        return rows if rows and rows[0]["calls"] == calls else None
    (row,) = until(found)
    return row


def test_adds_up_over_workers(counting):
    sluice = counting()
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(sluice.wire()) for _ in range(8)]
        for i, wire in enumerate(wires):
            for k in range(5):
                wire.query(f"SELECT v FROM t WHERE id = {i * 5 + k + 1}")
                wire.query(f"SELECT v FROM t WHERE id = {i * 5 + k + 1}")
        for wire in wires:
            wire.query("SELECT v FROM t WHERE id = 1000")
    row = shape(sluice, "SELECT v FROM t WHERE id = ?", 88)
    assert len({r["worker"] for r in sluice.console("SHOW WORKERS")}) == 2
    assert row["database"] == "app" and row["route"] == "t"
    assert row["misses"] == 41 and row["hits"] == 47
    assert row["bypasses"] == 0 and row["errors"] == 0
    assert row["rows"] == 80 and row["bytes"] > 80 * 20
    assert 0 <= row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"] \
        <= row["max_ms"] <= row["total_ms"]
    assert abs(float(row["mean_ms"]) - float(row["total_ms"]) / 88) < 0.01


def test_protocols_and_blanks_share_a_shape(counting):
    """Extended and simple, blanks and comments; values in place are others."""
    sluice = counting()
    with sluice.wire() as wire:
        wire.query("SELECT 1 FROM t WHERE id = $$1$$ -- one")
        wire.query("/* two */ SELECT  2\nFROM t WHERE id = 7")
        wire.ask(whole("SELECT 3 FROM t WHERE id = 3"))
        wire.ask(whole("SELECT 3 FROM t WHERE id = $1", [b"1"]))
    row = shape(sluice, "SELECT ? FROM t WHERE id = ?", 3)
    other = shape(sluice, "SELECT ? FROM t WHERE id = $1", 1)
    assert row["shape"] != other["shape"]


def test_databases_are_apart(counting):
    sluice = counting()
    for name in ("app", "other", "other"):
        sluice.query("SELECT count(*) FROM t", dbname=name)
    app = shape(sluice, "SELECT count(*) FROM t", 1, database="app")
    other = shape(sluice, "SELECT count(*) FROM t", 2, database="other")
    assert app["misses"] == 1 and other["misses"] == 0
    assert app["shape"] == other["shape"]
    assert other["bypasses"] == 2 and other["route"] == "default"


def test_errors_and_unparsed(counting):
    sluice = counting()
    with sluice.connect() as conn:
        with pytest.raises(psycopg.errors.DivisionByZero):
            conn.execute("SELECT 1 / 0")
        conn.execute("SELECT 1 / 1")
        for _ in range(2):
            with pytest.raises(psycopg.errors.SyntaxError):
                conn.execute("SELEKT 1")
    row = shape(sluice, "SELECT ? / ?", 2)
    assert row["errors"] == 1 and row["rows"] == 1
    row = shape(sluice, "(unparsed)", 2)
    assert row["errors"] == 2


def test_units_of_several_shapes(counting):
    sluice = counting()
    with sluice.connect() as conn, conn.pipeline():
        for _ in range(3):
            conn.execute("SELECT pg_sleep(0.01)")
            conn.execute("SELECT 1, 2")
    until(lambda: sum(r["calls"] for r in sluice.console("SHOW SHAPES")) >= 6)
    assert sum(r["calls"] for r in shapes(sluice, "(several shapes)")) >= 2


def test_most_expensive_first(counting):
    sluice = counting()
    sluice.query("SELECT pg_sleep(0.05)")
    for _ in range(3):
        sluice.query("SELECT 1")
    shape(sluice, "SELECT ?", 3)
    rows = sluice.console("SHOW SHAPES")
    assert rows[0]["query"] == "SELECT pg_sleep(?)"
    assert rows == sorted(rows, key=lambda r: -r["total_ms"])


def test_bounded(counting):
    """Those that come again stay."""
    sluice = counting("track_shapes_max = 20")
    with sluice.wire() as wire:
        for i in range(300):
            wire.query(f"SELECT 1 AS c{i}")
            wire.query("SELECT id FROM t WHERE id = 1")
    row = shape(sluice, "SELECT id FROM t WHERE id = ?", 300)
    assert row["hits"] == 299
    assert len(sluice.console("SHOW SHAPES")) <= 40


def test_reset_and_rights(counting):
    sluice = counting()
    sluice.query("SELECT 1")
    shape(sluice, "SELECT ?", 1)
    assert sluice.console("SHOW SHAPES", user="alice")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        sluice.console("RESET SHAPES", user="alice")
    sluice.console("RESET SHAPES")
    assert not sluice.console("SHOW SHAPES")


def test_off(counting):
    sluice = counting()
    sluice.query("SELECT 1")
    shape(sluice, "SELECT ?", 1)
    sluice.console("SET track_shapes = false")
    with pytest.raises(psycopg2.OperationalError, match="not counted"):
        sluice.console("SHOW SHAPES")
    sluice.query("SELECT 1")
    sluice.console("SET track_shapes = true")
    assert not sluice.console("SHOW SHAPES")
