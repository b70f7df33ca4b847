# SPDX-License-Identifier: PostgreSQL
"""Shards and their coordinator on bad days: what is not concerned goes on, the
rest fails at once and says which backend it is."""

import concurrent.futures
import os
import sys
import time
import uuid

import psycopg
import pytest

from harness import TOP, Deadline, binary, lablib, sanitizer_options, until

sys.path.insert(0, os.path.join(TOP, "contrib", "lab", "events"))

from events import Events  # noqa: E402

COUNT = "SELECT count(*) FROM app.events WHERE tenant_id = "
ALL = "SELECT count(*) FROM app.events"


class Scene:
    def __init__(self, lab):
        self.ev = Events(lab, per_month=40, tenants=20, months=4,
                         shared_buffers="16MB").start()
        self.ev.start_pgsluice(binary())
        self.tenants = {s: next(t for t in sorted(self.ev.remainder)
                                if self.ev.shard_of(t) == s)
                        for s in ("shard0", "shard1")}
        self.counts = {s: int(self.plain(f"{COUNT}'{t}'"))
                       for s, t in self.tenants.items()}

    def plain(self, sql):
        return self.ev.pg["plain"].psql(
            sql.replace("app.events", "app.events_plain"), "app")

    def through(self, **kw):
        kw.setdefault("autocommit", True)
        return psycopg.connect(
            host="127.0.0.1", port=self.ev.sluice.port, dbname="sharded",
            user="app", password="app", **kw)

    def ask(self, conn, shard):
        """What a tenant of this shard has."""
        return conn.execute(f"{COUNT}'{self.tenants[shard]}'").fetchone()[0]

    def works(self, conn, shard):
        with Deadline(2):
            assert self.ask(conn, shard) == self.counts[shard]

    def recovers(self):
        """All of it answers again, on new sessions."""
        def well():
            try:
                with self.through() as conn:
                    return all(self.ask(conn, s) == n
                               for s, n in self.counts.items()) and \
                        conn.execute(ALL).fetchone()[0] == \
                        conn.execute(f"{ALL} a JOIN app.events b USING (id)"
                                     ).fetchone()[0] == int(self.plain(ALL))
            except psycopg.Error:
                return False
        until(well, timeout=30)


@pytest.fixture(scope="module")
def made():
    os.environ.update(sanitizer_options())
    with lablib.Lab() as lab:
        scene = Scene(lab)
        yield scene
        assert scene.ev.sluice.stop() == 0


@pytest.fixture
def scene(made):
    yield made
    for pg in made.ev.pg.values():
        if not pg.running:
            pg.start()
    made.recovers()


def fails(conn, sql, name, params=None):
    """At once, and by the backend's name; the session goes on."""
    with Deadline(3), pytest.raises(psycopg.Error) as e:
        conn.execute(sql, params)
    assert name in str(e.value), str(e.value)
    assert e.value.sqlstate[:2] in ("08", "57"), e.value.sqlstate


def test_a_shard_is_down(scene):
    """Only its own statements fail."""
    here, there = scene.tenants["shard0"], scene.tenants["shard1"]
    with scene.through() as conn:
        scene.works(conn, "shard1")
        scene.ev.pg["shard1"].stop()
        for _ in range(3):
            fails(conn, f"{COUNT}'{there}'", "shard1")
            fails(conn, COUNT + "%s", "shard1", (uuid.UUID(there),))
            fails(conn, ALL, "shard1")
            fails(conn, "SELECT id FROM app.events ORDER BY id LIMIT 3",
                  "shard1")
            scene.works(conn, "shard0")
            assert conn.execute(f"SELECT id FROM app.events WHERE tenant_id "
                                f"IN ('{here}')").fetchall()
        with conn.transaction(force_rollback=True):
            assert conn.execute("UPDATE app.events SET payload = '{}' WHERE "
                                f"tenant_id = '{here}'").rowcount == \
                scene.counts["shard0"]
        scene.ev.pg["shard1"].start()
        scene.recovers()
        scene.works(conn, "shard1")


def test_the_coordinator_is_down(scene):
    """Statements of one tenant do not need it, nor rows of all shards."""
    with scene.through() as conn:
        scene.works(conn, "shard0")
        scene.ev.pg["coordinator"].stop()
        for shard in scene.tenants:
            scene.works(conn, shard)
        assert len(conn.execute("SELECT id FROM app.events").fetchall()) == \
            int(scene.plain(ALL))
        fails(conn, f"{ALL} a JOIN app.events b USING (id)", "coordinator")
        scene.works(conn, "shard0")


def test_a_shard_hangs(scene):
    """Who waits for it keeps nobody else, and is answered when it goes on."""
    shard = scene.ev.pg["shard1"]
    with scene.through() as conn, \
            concurrent.futures.ThreadPoolExecutor(16) as threads:
        scene.works(conn, "shard1")
        shard.freeze()
        try:
            def waits(_):
                with scene.through() as other:
                    return scene.ask(other, "shard1")
            # More than its pool has servers.
            waiting = [threads.submit(waits, n) for n in range(14)]
            time.sleep(0.3)
            for _ in range(20):
                scene.works(conn, "shard0")
            with scene.through() as fresh:
                scene.works(fresh, "shard0")
            assert not any(w.done() for w in waiting)
        finally:
            shard.thaw()
        assert {w.result(20) for w in waiting} == {scene.counts["shard1"]}


def test_two_tenants_in_a_transaction(scene):
    """Refused where the transaction is on a shard; the coordinator takes
    both."""
    here, there = scene.tenants["shard0"], scene.tenants["shard1"]
    change = "UPDATE app.events SET payload = '{\"x\": 1}' WHERE tenant_id = "
    with scene.through() as conn:
        with pytest.raises(psycopg.errors.lookup("25001")) as e:
            with conn.transaction():
                assert conn.execute(f"{change}'{here}'").rowcount
                conn.execute(f"{change}'{there}'")
        assert "shard0" in str(e.value) and "shard1" in str(e.value) or \
            "coordinator" in str(e.value)
        assert "HINT" in str(e.value) or e.value.diag.message_hint
        with conn.transaction(force_rollback=True):
            conn.execute(f"{ALL} a JOIN app.events b USING (id)")
            for tenant, shard in ((here, "shard0"), (there, "shard1")):
                assert conn.execute(f"{change}'{tenant}'").rowcount == \
                    scene.counts[shard]
        assert conn.execute(
            "SELECT count(*) FROM app.events WHERE payload ? 'x'"
        ).fetchone()[0] == 0


def test_a_shard_dies_in_a_transaction(scene):
    """The session ends and says so; what was not committed is not there."""
    there = scene.tenants["shard1"]
    with scene.through() as conn, scene.through() as other:
        conn.execute("BEGIN")
        assert conn.execute("UPDATE app.events SET payload = '{\"x\": 2}' "
                            f"WHERE tenant_id = '{there}'").rowcount
        scene.ev.pg["shard1"].kill()
        with Deadline(3), pytest.raises(psycopg.OperationalError):
            conn.execute("COMMIT")
        assert conn.broken
        scene.works(other, "shard0")
        scene.ev.pg["shard1"].start()
        scene.recovers()
        assert other.execute(
            "SELECT count(*) FROM app.events WHERE payload ? 'x'"
        ).fetchone()[0] == 0


def many(scene, n=10_000):
    """Ids of which each fifth is nobody's."""
    ids = scene.plain("SELECT id FROM app.events ORDER BY id").split()
    return [ids[i % len(ids)] if i % 5 else str(uuid.UUID(int=i))
            for i in range(n)]


@pytest.mark.parametrize("tenant", [True, False], ids=["tenant", "all"])
@pytest.mark.parametrize("how", ["literals", "parameters", "array"])
def test_ten_thousand_ids(scene, how, tenant):
    ids = many(scene)
    listed = ", ".join(f"'{i}'" for i in ids)
    where = f"tenant_id = '{scene.tenants['shard1']}' AND " if tenant else ""
    expected = scene.plain(f"SELECT id FROM app.events WHERE {where}id IN "
                           f"({listed}) ORDER BY id").split()
    sql, params = {
        "literals": (f"id IN ({listed})", None),
        "parameters": (f"id IN ({', '.join(['%s'] * len(ids))})",
                       [uuid.UUID(i) for i in ids]),
        "array": ("id = ANY (%s)", [[uuid.UUID(i) for i in ids]])}[how]
    with scene.through() as conn, Deadline(10):
        rows = conn.execute(f"SELECT id FROM app.events WHERE {where}{sql}",
                            params).fetchall()
    assert sorted(str(r[0]) for r in rows) == expected
    assert bool(expected)


@pytest.mark.parametrize("how", ["literals", "parameters", "array"])
def test_ten_thousand_tenants(scene, how):
    """As many keys as that are more than a list is looked through for; the
    answer is the same."""
    keys = [str(uuid.UUID(int=i)) for i in range(10_000)] + \
        list(scene.tenants.values())
    listed = ", ".join(f"'{k}'" for k in keys)
    sql, params = {
        "literals": (f"IN ({listed})", None),
        "parameters": (f"IN ({', '.join(['%s'] * len(keys))})",
                       [uuid.UUID(k) for k in keys]),
        "array": ("= ANY (%s)", [[uuid.UUID(k) for k in keys]])}[how]
    with scene.through() as conn, Deadline(10):
        found = conn.execute("SELECT count(*) FROM app.events WHERE tenant_id "
                             + sql, params).fetchone()[0]
    assert found == sum(scene.counts.values())
