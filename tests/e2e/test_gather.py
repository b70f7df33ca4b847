# SPDX-License-Identifier: PostgreSQL
"""SELECTs answered by all shards at once: the same rows as from one table."""

import os
import re
import sys
import threading
import time

import psycopg
import pytest

from harness import TOP, binary, lablib, sanitizer_options

sys.path.insert(0, os.path.join(TOP, "contrib", "lab", "events"))

from events import Events  # noqa: E402


class Discovered(Events):
    """Where the shards are stands in the catalogs only."""

    @staticmethod
    def table_block(use):
        return re.sub(r'shard_relation = ".*"\s*shards = {.*?}', "",
                      Events.table_block(use))


class Scene:
    def __init__(self, lab):
        self.ev = Discovered(lab, per_month=40, tenants=20, months=4,
                         shared_buffers="16MB").start()
        self.ev.start_pgsluice(binary())
        with self.through("pgsluice") as console:
            console.execute("CHECK LAYOUTS")

    def through(self, dbname="sharded", **kw):
        kw.setdefault("autocommit", True)
        return psycopg.connect(
            host="127.0.0.1", port=self.ev.sluice.port, dbname=dbname,
            user="app", password="app", **kw)

    def count(self, name):
        return int(self.ev.sluice.metrics()[f"pgsluice_{name}_total"])

    def run(self, sql, params=None, binary=False, prepare=None):
        """Rows, names and types through the shards; how often they were
        gathered, and how often in vain."""
        before = self.count("gathers"), self.count("gathers_refused")
        with self.through() as conn:
            cur = conn.cursor(binary=binary)
            cur.execute(sql, params, prepare=prepare)
            answer = (cur.fetchall(), [(c.name, c.type_code)
                                       for c in cur.description],
                      cur.statusmessage)
        return answer, (self.count("gathers") - before[0],
                        self.count("gathers_refused") - before[1])

    def expected(self, sql, params=None):
        with self.ev.pg["plain"].connect("app", autocommit=True) as conn:
            cur = conn.execute(sql.replace(
                "app.events", "app.events_plain AS events"), params)
            return (cur.fetchall(), [(c.name, c.type_code)
                                     for c in cur.description],
                    cur.statusmessage)


@pytest.fixture(scope="module")
def scene():
    os.environ.update(sanitizer_options())
    with lablib.Lab() as lab:
        made = Scene(lab)
        yield made
        assert made.ev.sluice.stop() == 0


# Statement, whether its order is total, whether the shards can answer it.
STATEMENTS = [
    ("SELECT id, tenant_id, occurred_at, payload FROM app.events", 0, 1),
    ("SELECT * FROM app.events WHERE payload->>'n' = '7'", 0, 1),
    ("SELECT * FROM app.events WHERE false", 0, 1),
    ("SELECT id FROM app.events ORDER BY id", 1, 1),
    ("SELECT id FROM app.events ORDER BY id DESC LIMIT 7", 1, 1),
    ("SELECT id FROM app.events ORDER BY id OFFSET 3 LIMIT 7", 1, 1),
    ("SELECT id FROM app.events ORDER BY 1 OFFSET 150", 1, 1),
    ("SELECT id FROM app.events ORDER BY id LIMIT 0", 1, 1),
    ("SELECT tenant_id t, id AS i FROM app.events ORDER BY t, i LIMIT 9",
     1, 1),
    ("SELECT id FROM app.events ORDER BY occurred_at DESC NULLS LAST, id "
     "LIMIT 5", 1, 1),
    ("SELECT * FROM app.events ORDER BY occurred_at, id LIMIT 5", 1, 1),
    ("SELECT *, 1 AS one FROM app.events ORDER BY 3, 1 LIMIT 5", 1, 1),
    ("SELECT DISTINCT tenant_id FROM app.events", 0, 1),
    ("SELECT DISTINCT date_trunc('month', occurred_at) FROM app.events",
     0, 1),
    ("SELECT DISTINCT date_trunc('month', occurred_at) m FROM app.events "
     "ORDER BY m DESC LIMIT 2", 1, 1),
    ("SELECT count(*) FROM app.events", 1, 1),
    ("SELECT count(*), count(payload) AS n FROM app.events WHERE false",
     1, 1),
    ("SELECT sum((payload->>'n')::int), count(*) FROM app.events", 1, 1),
    ("SELECT sum((payload->>'n')::int) FROM app.events WHERE false", 1, 1),
    ("SELECT sum((payload->>'n')::bigint) FROM app.events", 1, 1),
    ("SELECT avg((payload->>'n')::int), avg((payload->>'n')::numeric) "
     "FROM app.events", 1, 1),
    ("SELECT avg((payload->>'n')::int) FROM app.events WHERE false", 1, 1),
    ("SELECT avg(occurred_at - '2020-01-01') FROM app.events", 1, 1),
    ("SELECT min(occurred_at), max(occurred_at) FROM app.events", 1, 1),
    ("SELECT bool_and(payload->>'n' > '1'), every(true), "
     "bool_or(occurred_at > now()), bit_or((payload->>'n')::int), "
     "bit_and((payload->>'n')::int) FROM app.events", 1, 1),
    ("SELECT count(*) FILTER (WHERE occurred_at < now()), "
     "round(avg((payload->>'n')::int) FILTER (WHERE id > "
     "'80000000-0000-0000-0000-000000000000'), 3) AS r FROM app.events",
     1, 1),
    ("SELECT count(*) * 100 / (1 + max((payload->>'n')::int)) AS q "
     "FROM app.events", 1, 1),
    ("SELECT 'all', count(*), 7 FROM app.events", 1, 1),
    ("SELECT date_trunc('month', occurred_at) AS month, count(*) "
     "FROM app.events GROUP BY 1 ORDER BY 1", 1, 1),
    ("SELECT date_trunc('month', occurred_at), count(*) FROM app.events "
     "GROUP BY date_trunc('month', occurred_at) HAVING count(*) > 3 "
     "ORDER BY count(*) DESC, 1 LIMIT 2", 1, 1),
    ("SELECT count(*) FROM app.events GROUP BY date_trunc('month', "
     "occurred_at) ORDER BY count", 0, 1),
    ("SELECT extract(month from occurred_at) m, avg((payload->>'n')::int) a,"
     " sum(1) FROM app.events WHERE occurred_at < now() GROUP BY 1 "
     "ORDER BY m", 1, 1),
    ("SELECT tenant_id, count(*), max(occurred_at) FROM app.events "
     "GROUP BY tenant_id", 0, 1),
    ("SELECT tenant_id, count(DISTINCT id), array_agg(id ORDER BY id) "
     "FROM app.events GROUP BY tenant_id HAVING count(*) > 2", 0, 1),
    ("SELECT tenant_id, count(*) n FROM app.events GROUP BY tenant_id "
     "ORDER BY n DESC, tenant_id LIMIT 3", 1, 1),
    ("SELECT id, count(*) FROM app.events GROUP BY id ORDER BY id LIMIT 3",
     1, 1),
    ("SELECT payload->>'n', count(*) FROM app.events GROUP BY payload->>'n'",
     0, 1),
    ("SELECT payload, count(*) FROM app.events GROUP BY payload", 0, 1),
    ("SELECT payload, count(*) FROM app.events GROUP BY 1 ORDER BY 1", 1, 0),
    ("SELECT payload->>'n' FROM app.events ORDER BY payload->>'n', id", 1, 1),
    ("SELECT max(payload->>'n'), min(upper(id::text)) FROM app.events", 1, 1),
    ("SELECT max(id::name::text) FROM app.events", 1, 0),
    ("SELECT max(payload->>'n') FROM app.events", 1, 1),
    ("SELECT payload->>'n' AS n FROM app.events ORDER BY 1 DESC, id LIMIT 9",
     1, 1),
    ("SELECT payload->>'n' AS n FROM app.events ORDER BY (payload->>'n') "
     "COLLATE \"C\", id", 1, 0),
    ("SELECT min(payload->>'n' COLLATE \"C\") FROM app.events", 1, 0),
    ("SELECT payload->>'n' AS n, count(*) FROM app.events GROUP BY n "
     "ORDER BY n LIMIT 5", 1, 1),
    ("SELECT date_trunc('month', occurred_at) AS month, count(*) "
     "FROM app.events GROUP BY month ORDER BY month", 1, 1),
    ("SELECT count(DISTINCT tenant_id) FROM app.events", 1, 1),
    ("SELECT tenant_id, array_agg(id ORDER BY id) FROM app.events "
     "GROUP BY 1", 0, 1),
    ("SELECT id, row_number() OVER (PARTITION BY tenant_id ORDER BY id) "
     "FROM app.events", 0, 1),
    ("SELECT max(n) FROM (SELECT count(*) AS n FROM app.events GROUP BY "
     "tenant_id) s", 1, 1),
    ("SELECT sum((payload->>'n')::float8) FROM app.events", 1, 0),
    ("SELECT date_trunc('month', occurred_at) AS occurred_at, count(*) "
     "FROM app.events GROUP BY occurred_at", 0, None),
    ("SELECT row_number() OVER (ORDER BY id), id FROM app.events", 0, None),
    ("SELECT count(*) FROM app.events a JOIN app.events b USING (id)",
     1, None),
    ("SELECT generate_series(1, 2), count(*) FROM app.events", 0, None),
    ("SELECT count(*) FROM ONLY app.events", 1, None),
]


def same(answer, expected, ordered):
    rows, want = answer[0], expected[0]
    if not ordered:
        rows, want = sorted(map(repr, rows)), sorted(map(repr, want))
    assert rows == want
    assert answer[1:] == expected[1:]


@pytest.mark.parametrize("sql,ordered,gathered", STATEMENTS,
                         ids=[s[0] for s in STATEMENTS])
def test_the_answer_is_that_of_one_table(scene, sql, ordered, gathered):
    if "ONLY" in sql or "JOIN" in sql:
        expected = None
    else:
        expected = scene.expected(sql)
    for how in ({}, {"binary": True}, {"prepare": True}):
        answer, counts = scene.run(sql, **how)
        if expected is not None:
            same(answer, expected, ordered)
        if gathered is None:
            assert counts == (0, 0)
        elif gathered:
            assert counts == (1, 0)
        else:
            assert counts in ((1, 1), (0, 0))


# Seconds of work on every shard.
SLOW = "SELECT count(md5(repeat(id::text, 3000000))) FROM app.events"


# ---- what is told, and when ----------------------------------------------------

def test_parameters_in_both_formats(scene):
    sql = ("SELECT count(*), sum((payload->>'n')::int) FROM app.events "
           "WHERE occurred_at < %b AND id <> %t")
    values = ("2999-01-01", "00000000-0000-0000-0000-000000000000")
    with scene.ev.pg["plain"].connect("app", autocommit=True) as conn:
        want = conn.execute("SELECT count(*), sum((payload->>'n')::int) "
                            "FROM app.events_plain").fetchall()
    assert scene.run(sql.replace("%b", "%s").replace("%t", "%s"),
                     values)[0][0] == want


def test_limits_are_parameters(scene):
    want = scene.expected("SELECT id FROM app.events ORDER BY id LIMIT 4 "
                          "OFFSET 2")[0]
    for kind in ("%s", "%b", "%t"):
        answer, counts = scene.run(
            f"SELECT id FROM app.events ORDER BY id LIMIT {kind} "
            f"OFFSET {kind}", (4, 2))
        assert answer[0] == want and counts == (1, 0)
    answer, counts = scene.run("SELECT id FROM app.events ORDER BY id LIMIT "
                               "%s", (None,))
    assert len(answer[0]) == len(scene.expected(
        "SELECT id FROM app.events")[0])


ERRORS = [
    ("SELECT nowhere FROM app.events", "42703", 8),
    ("SELECT 1/((payload->>'n')::int - (payload->>'n')::int) "
     "FROM app.events", "22012", None),
    ("SELECT count(*) FROM app.events GROUP BY nowhere", "42703", 42),
    ("SELECT count(*) FROM app.events LIMIT -1", "2201W", None),
    ("SELECT sum(id) FROM app.events", "42883", 8),
]


@pytest.mark.parametrize("sql,sqlstate,position", ERRORS)
def test_errors_are_the_coordinators(scene, sql, sqlstate, position):
    """With positions in the client's text."""
    for prepare in (None, True):
        with scene.through() as conn:
            with pytest.raises(psycopg.Error) as e:
                conn.execute(sql, prepare=prepare)
            assert e.value.sqlstate == sqlstate
            if position is not None:
                assert e.value.diag.statement_position == str(position)
            assert conn.execute("SELECT count(*) > 0 FROM app.events"
                                ).fetchone() == (True,)


def test_settings_of_the_session_hold_on_every_shard(scene):
    sets = ("SET TimeZone = 'Asia/Kathmandu'", "SET DateStyle = 'German'")
    gathered = ("SELECT occurred_at::text, date_trunc('day', occurred_at)"
                "::text FROM app.events ORDER BY id LIMIT 9",
                "SELECT extract(hour from date_trunc('day', occurred_at at "
                "time zone 'UTC')), count(*) FROM app.events GROUP BY 1")
    with scene.through() as conn, scene.ev.pg["plain"].connect(
            "app", autocommit=True) as plain:
        for sql in sets:
            conn.execute(sql)
            plain.execute(sql)
        before = scene.count("gathers")
        for sql in gathered:
            assert conn.execute(sql).fetchall() == plain.execute(
                sql.replace("app.events", "app.events_plain")).fetchall()
        assert scene.count("gathers") == before + 2


def test_in_a_transaction_the_coordinator_answers(scene):
    before = scene.count("gathers")
    with scene.through(autocommit=False) as conn:
        assert conn.execute("SELECT count(*) FROM app.events").fetchone()
        assert conn.execute("SELECT count(*) FROM app.events").fetchone()
    assert scene.count("gathers") == before


def test_too_many_rows_to_merge_are_the_coordinators(scene):
    """More values than a statement takes, or more bytes than are kept."""
    sql = ("SELECT a.id, repeat('x', 40000) FROM app.events a "
           "ORDER BY a.id LIMIT 150")
    before = scene.count("gathers"), scene.count("gathers_refused")
    with scene.through() as conn:
        for _ in range(5):
            assert len(conn.execute(sql).fetchall()) == 150
    assert scene.count("gathers") == before[0] + 1
    assert scene.count("gathers_refused") == before[1] + 1


def test_statements_behind_it_wait_their_turn(scene):
    with scene.through() as conn, conn.pipeline():
        cursors = [conn.execute(sql) for sql in (
            "SELECT count(*) FROM app.events", "SELECT 1",
            "SELECT count(*), 2 FROM app.events", "SELECT 3")]
        n = scene.expected("SELECT count(*) FROM app.events")[0][0][0]
        assert [c.fetchone() for c in cursors] == [
            (n,), (1,), (n, 2), (3,)]


def test_a_long_result_streams(scene):
    """All rows, whole, in whatever order the shards are heard."""
    sql = "SELECT id, repeat(id::text, 3000) FROM app.events"
    answer, counts = scene.run(sql)
    assert counts == (1, 0)
    assert all(text == str(i) * 3000 for i, text in answer[0])
    assert sorted(i for i, _ in answer[0]) == sorted(
        i for i, in scene.expected("SELECT id FROM app.events")[0])


def test_a_client_that_goes_leaves_clean_servers(scene):
    for _ in range(3):
        conn = scene.through()
        with conn.cursor(name=None) as cur:
            conn.pgconn.send_query(b"SELECT id, repeat(id::text, 30000) "
                                   b"FROM app.events")
            time.sleep(0.1)
            conn.pgconn.finish()
            del cur
    n = scene.expected("SELECT count(*) FROM app.events")[0]
    for _ in range(5):
        assert scene.run("SELECT count(*) FROM app.events")[0][0] == n


def test_a_cancel_reaches_every_shard(scene):
    with scene.through() as conn:
        timer = threading.Timer(0.3, conn.cancel)
        timer.start()
        began = time.monotonic()
        with pytest.raises(psycopg.errors.QueryCanceled):
            conn.execute(SLOW)
        assert time.monotonic() - began < 4
        timer.join()
        for shard in ("shard0", "shard1"):
            assert scene.ev.pg[shard].psql(
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE "
                "'%md5(repeat(%' AND state = 'active' AND pid <> "
                "pg_backend_pid()", "app") == "0"
        assert conn.execute("SELECT count(*) > 0 FROM app.events"
                            ).fetchone() == (True,)


def test_a_statement_timeout_ends_it(scene):
    with scene.through() as conn:
        conn.execute("SET statement_timeout = '200ms'")
        with pytest.raises(psycopg.errors.QueryCanceled):
            conn.execute(SLOW)
        conn.execute("SET statement_timeout = 0")
        assert conn.execute("SELECT count(*) > 0 FROM app.events"
                            ).fetchone() == (True,)


def test_a_shard_that_is_killed_in_the_middle(scene):
    """Its statement fails by name, the session goes on."""
    with scene.through() as conn:
        kill = threading.Timer(0.3, lambda: scene.ev.pg["shard1"].psql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
            "query LIKE '%md5(repeat(%' AND pid <> pg_backend_pid()", "app"))
        kill.start()
        with pytest.raises(psycopg.Error) as e:
            conn.execute(SLOW)
        assert e.value.sqlstate == "57P01"
        kill.join()
        assert conn.execute("SELECT count(*) > 0 FROM app.events"
                            ).fetchone() == (True,)


def test_a_shard_with_other_settings_is_not_asked(scene):
    """Its days would be other days."""
    sql = ("SELECT date_trunc('day', occurred_at) AS day, count(*) FROM "
           "app.events GROUP BY 1 ORDER BY 1")
    pg = scene.ev.pg["shard1"]

    def reconnect():
        with scene.through("pgsluice") as console:
            console.execute("RECONNECT")

    def days():
        with scene.through() as conn:
            return conn.execute(sql).fetchall()

    want, before = days(), scene.count("gathers_refused")
    pg.psql("ALTER DATABASE app SET timezone = 'Asia/Kathmandu'")
    reconnect()
    try:
        assert days() == want
        assert scene.count("gathers_refused") + scene.count(
            "gathers") > before
        assert days() == want
    finally:
        pg.psql("ALTER DATABASE app RESET timezone")
        reconnect()
    _, counts = scene.run("SELECT date_trunc('day', occurred_at), count(*), "
                          "1 FROM app.events GROUP BY 1")
    assert counts == (1, 0)
