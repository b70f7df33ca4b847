# SPDX-License-Identifier: PostgreSQL
"""INSERT ... VALUES whose rows belong on several shards: each gets its own, all
or none."""

import datetime
import json
import os
import sys
import threading
import uuid

import psycopg
import pytest
from psycopg.types.json import Jsonb

from harness import TOP, binary, lablib, sanitizer_options

sys.path.insert(0, os.path.join(TOP, "contrib", "lab", "events"))

from events import Events  # noqa: E402


class Scene:
    def __init__(self, lab, events=Events):
        self.ev = events(lab, per_month=10, tenants=20, months=2,
                         shared_buffers="16MB").start()
        self.ev.start_pgsluice(binary())
        tenants = [str(t) for (t,) in self.ev.pg["plain"].connect(
            "app").execute("SELECT DISTINCT tenant_id FROM "
                           "app.events_plain").fetchall()]
        self.on = [[t for t in tenants if self.ev.shard_of(t) == s]
                   for s in ("shard0", "shard1")]

    def through(self, dbname="sharded", **kw):
        kw.setdefault("autocommit", True)
        return psycopg.connect(
            host="127.0.0.1", port=self.ev.sluice.port, dbname=dbname,
            user="app", password="app", **kw)

    def count(self):
        return int(self.ev.sluice.metrics()["pgsluice_spreads_total"])

    def rows(self, n):
        return [(str(uuid.uuid4()), self.on[i % 2][i % len(self.on[i % 2])],
                 "2026-01-02 03:04:05+00", f'{{"n": {i}}}') for i in range(n)]

    def held(self, rows):
        out = []
        for shard in ("shard0", "shard1"):
            with self.ev.pg[shard].connect("app", autocommit=True) as c:
                got = c.execute(
                    "SELECT id, tenant_id, payload->>'n' FROM "
                    "app.events_shard WHERE id = ANY(%s)",
                    ([r[0] for r in rows],)).fetchall()
            assert all(self.ev.shard_of(str(t)) == shard for _, t, _ in got)
            out.append(len(got))
        return out


@pytest.fixture(scope="module")
def scene():
    os.environ.update(sanitizer_options())
    with lablib.Lab() as lab:
        made = Scene(lab)
        yield made
        assert made.ev.sluice.stop() == 0


COLUMNS = "(id, tenant_id, occurred_at, payload)"


def text(rows, tail="", columns=COLUMNS):
    return f"INSERT INTO app.events {columns} VALUES " + ", ".join(
        "(" + ", ".join(f"'{v}'" for v in r) + ")" for r in rows) + tail


def test_literals(scene):
    rows = scene.rows(9)
    before = scene.count()
    with scene.through() as conn:
        cur = conn.execute(text(rows, ";"))
        assert cur.statusmessage == "INSERT 0 9"
    assert scene.count() == before + 1
    assert scene.held(rows) == [5, 4]


@pytest.mark.parametrize("n", [60, 501])
def test_many_rows(scene, n):
    """Of rows that are alike one is parsed; each goes where it belongs."""
    rows = scene.rows(n)
    odd, cast = n // 3, n // 2
    rows[odd] = (*rows[odd][:3], '{"it": "it\'\'s"}')
    tenant = f"'{rows[cast][0]}', '{rows[cast][1]}'"
    sql = text(rows).replace(tenant, tenant + "::uuid")
    assert len(sql) == len(text(rows)) + len("::uuid")
    before = scene.count()
    with scene.through() as conn:
        assert conn.execute(sql).statusmessage == f"INSERT 0 {n}"
    assert scene.held(rows) == [(n + 1) // 2, n // 2]
    assert scene.count() == before + 1


@pytest.mark.parametrize("kind", ["%s", "%b", "%t"])
@pytest.mark.parametrize("prepare", [None, True])
def test_parameters(scene, kind, prepare):
    """Each shard's are numbered anew; types and formats go with them."""
    for n in (2, 7):
        rows = scene.rows(n)
        values = [v for r in rows for v in (
            uuid.UUID(r[0]), uuid.UUID(r[1]),
            datetime.datetime.fromisoformat(r[2].replace("+00", "+00:00")),
            Jsonb(json.loads(r[3])))]
        sql = f"INSERT INTO app.events {COLUMNS} VALUES " + ", ".join(
            [f"({kind}, {kind}, {kind}, {kind})"] * n)
        before = scene.count()
        with scene.through() as conn:
            for _ in range(3 if prepare else 1):
                conn.execute("DELETE FROM app.events WHERE id = ANY(%s)",
                             ([r[0] for r in rows],))
                assert conn.execute(sql, values, prepare=prepare
                                    ).statusmessage == f"INSERT 0 {n}"
                assert sum(scene.held(rows)) == n
        assert scene.count() >= before + 1


def test_one_parameter_in_several_rows(scene):
    rows = scene.rows(4)
    with scene.through() as conn:
        conn.execute(
            f"INSERT INTO app.events {COLUMNS} VALUES " + ", ".join(
                f"('{i}', '{t}', %(when)s, %(what)s)"
                for i, t, _, _ in rows),
            {"when": rows[0][2], "what": '{"n": 5}'})
    assert scene.held(rows) == [2, 2]


def test_on_conflict(scene):
    rows = scene.rows(6)
    with scene.through() as conn:
        conn.execute(text(rows[:2]))
        cur = conn.execute(text(rows, " ON CONFLICT (id) DO NOTHING"))
        assert cur.statusmessage == "INSERT 0 4"
        cur = conn.execute(text(rows, " ON CONFLICT (id) DO UPDATE SET "
                                "payload = '{\"n\": 77}'"))
        assert cur.statusmessage == "INSERT 0 6"
    assert scene.held(rows) == [3, 3]


@pytest.mark.parametrize("change,sqlstate", [
    ((3, "{"), "22P02"), ((2, "never"), "22007"), ((0, "x"), "22P02")])
def test_all_or_none(scene, change, sqlstate):
    rows = scene.rows(8)
    bad = list(rows[5])
    bad[change[0]] = change[1]
    with scene.through() as conn:
        with pytest.raises(psycopg.Error) as e:
            conn.execute(text(rows[:5] + [tuple(bad)] + rows[6:]))
        assert e.value.sqlstate == sqlstate
        assert scene.held(rows) == [0, 0]
        conn.execute(text(rows))
        with pytest.raises(psycopg.errors.UniqueViolation):
            conn.execute(text(scene.rows(3) + rows[2:3]))
        assert conn.execute("SELECT 1").fetchone() == (1,)
    assert scene.held(rows) == [4, 4]


def test_what_stays_with_the_coordinator(scene):
    before = scene.count()
    with scene.through() as conn:
        rows = scene.rows(2)
        assert len(conn.execute(text(rows, " RETURNING id")).fetchall()) == 2
        with conn.transaction():
            conn.execute(text(scene.rows(2)))
        conn.execute(f"INSERT INTO app.events {COLUMNS} VALUES " + ", ".join(
            f"('{i}', '{t}', now(), '{p}')" for i, t, _, p in scene.rows(2)))
        conn.execute(text([tuple(r) for r in scene.rows(1)]))
    assert scene.count() == before


def test_rows_of_two_shards_only(scene):
    """EXPLAIN (ROUTE) says so, and shows the first portion."""
    rows = scene.rows(2)
    with scene.through() as conn:
        found = dict(r[0].split(": ", 1) for r in conn.execute(
            "EXPLAIN (ROUTE) " + text(rows)).fetchall() if ": " in r[0])
    assert found["backend"] == "shard0, shard1"
    assert rows[0][0] in found["sql"] and rows[1][0] not in found["sql"]
    assert found["sql"].strip().startswith("INSERT INTO app.events_shard ")


def test_a_shard_is_killed_meanwhile(scene):
    """Nothing is left on the other, and the client is told which."""
    rows = scene.rows(4)
    pg = scene.ev.pg["shard1"]

    def kill():
        pg.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE wait_event_type = 'Lock'", "app")

    with pg.connect("app") as lock:
        lock.execute("LOCK TABLE app.events_shard IN ACCESS EXCLUSIVE MODE")
        timer = threading.Timer(0.5, kill)
        timer.start()
        with scene.through() as conn:
            with pytest.raises(psycopg.Error) as e:
                conn.execute(text(rows))
            assert e.value.sqlstate == "57P01"
            timer.join()
            lock.rollback()
            assert conn.execute("SELECT count(*) > 0 FROM app.events"
                                ).fetchone() == (True,)
    assert scene.held(rows) == [0, 0]


class Staying(Events):
    """Transactions of the table run on the coordinator."""

    @staticmethod
    def table_block(use):
        return Events.table_block(use).replace(
            "split_inserts = true", 'transactions = "coordinator"')


@pytest.fixture(scope="module")
def staying():
    os.environ.update(sanitizer_options())
    with lablib.Lab() as lab:
        yield Scene(lab, Staying)


def backend_of(conn):
    """Of the server the session has: shards and coordinator differ in port."""
    return int(conn.execute("SELECT inet_server_port()").fetchone()[0])


def test_transactions_over_tenants(staying):
    rows = staying.rows(6)
    port = staying.ev.pg["coordinator"].port
    with staying.through() as conn:
        with conn.transaction():
            for r in rows:
                conn.execute(text([r]))
            assert backend_of(conn) == port
            assert conn.execute(
                "SELECT count(*) FROM app.events WHERE id = ANY(%s)",
                ([r[0] for r in rows],)).fetchone() == (6,)
        assert staying.held(rows) == [3, 3]
        more = staying.rows(2)
        with pytest.raises(ZeroDivisionError):
            with conn.transaction():
                conn.execute(text(more[:1]))
                conn.execute(text(more[1:]))
                raise ZeroDivisionError
        assert staying.held(more) == [0, 0]


def test_transactions_that_begin_in_a_group(staying):
    """As JDBC begins them: BEGIN and the statement before one Sync."""
    rows = staying.rows(2)
    with staying.through(autocommit=False) as conn:
        with conn.pipeline():
            conn.execute(text(rows[:1]))
            conn.execute(text(rows[1:]))
        assert backend_of(conn) == staying.ev.pg["coordinator"].port
        conn.commit()
    assert staying.held(rows) == [1, 1]


def test_without_a_transaction_the_shard_has_it(staying):
    with staying.through() as conn:
        found = [r[0] for r in conn.execute(
            "EXPLAIN (ROUTE) " + text(staying.rows(1)))]
        assert any(line.strip() == "backend: shard0" for line in found)
        with conn.transaction():
            found = [r[0] for r in conn.execute(
                "EXPLAIN (ROUTE) " + text(staying.rows(1)))]
            assert any(line.strip() == "backend: coordinator"
                       for line in found)
